"""Squares that follow a face from frame to frame, each as the face networks want to see one."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from landmarks import LandmarkSequence
from landmarks.guides import LIP_ROW, MARGIN
from landmarks.head_pose import rotation_matrices
from landmarks.smoothing import gaussian_mean
from landmarks.types import CONTOUR

log = logging.getLogger(__name__)

STEADY_S = (0.08, 0.25)  # standard deviations of the mean over time of place and size
LEAST_FACE_PX = 20.0  # width of a face below which the networks' picture of it, made small, shows no more
MOST_TURN_DEG = 55.0  # of a head from the camera: beyond it, half of the tracked points are guesses
FADE = 4  # frames over which a face comes and goes


@dataclass(frozen=True, eq=False)
class FaceSquares:
    """A square for each frame, upright, of any place and size."""

    corners: NDArray[np.float64]  # (frames, 2), top left, pixels
    sides: NDArray[np.float64]  # (frames,), pixels

    @classmethod
    def around(cls, sequence: LandmarkSequence) -> FaceSquares:
        """Squares with the margins of `landmarks.guides.find_face_crop`, and the lips in the same row.

        Args:
            sequence: filled.
        """
        points = sequence.points.astype(np.float64)
        least, most = points.min(axis=1), points.max(axis=1)
        lips = points[:, [33, 50], 1].mean(axis=1)
        place = np.stack([(least[:, 0] + most[:, 0]) / 2, lips], axis=1)
        place = gaussian_mean(place, sequence.timestamps_s, STEADY_S[0])
        sides = (1 + 2 * MARGIN) * gaussian_mean((most - least).max(axis=1), sequence.timestamps_s, STEADY_S[1])
        return cls(place - sides[:, None] * (0.5, LIP_ROW), sides)

    def inside(self, points: NDArray[np.floating[Any]], side_px: int) -> NDArray[np.float32]:
        """Points (frames, n, 2) of the picture in the squares, resized to `side_px`."""
        zoom = side_px / self.sides[:, None, None]
        return ((points - self.corners[:, None]) * zoom).astype(np.float32)


def presence(sequence: LandmarkSequence) -> NDArray[np.float32]:
    """(frames,) 0 where a face was not found, is too small or turned away, 1 where it shows; it comes and goes softly.

    Args:
        sequence: filled; `detected` tells where the face was found.
    """
    contour = sequence.points[:, CONTOUR]
    width_px = np.linalg.norm(contour[:, 0] - contour[:, -1], axis=1)
    facing = rotation_matrices(sequence.rotation)[:, 2, 2]  # cosine of the angle to the camera
    small = width_px < LEAST_FACE_PX * np.maximum(facing, 0.5)  # a turned face is foreshortened, not small
    shows = sequence.detected & (facing >= np.cos(np.radians(MOST_TURN_DEG))) & ~small
    if shows.all():
        return np.ones(len(sequence), np.float32)
    return np.minimum(ndimage.distance_transform_edt(shows) / (FADE + 1), 1).astype(np.float32)


def count_absent(presence: NDArray[np.float32]) -> int:
    """In how many frames the body's own face stays; a warning tells, too."""
    absent = int((presence == 0).sum())
    if absent:
        log.warning(
            "in %d of %d frames the face is not driven, not found, too small or turned away: the body's own stays",
            absent,
            len(presence),
        )
    return absent
