"""The data type at the centre: the landmarks of one face over time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

POINT_COUNT = 68
"""Points per frame, in the order of OpenSeeFace (named by the slices below)."""

CONTOUR = slice(0, 17)  # image-left ear, chin (8), image-right ear
BROWS = slice(17, 27)  # right brow outer to inner, left brow inner to outer (left and right are the subject's)
NOSE = slice(27, 36)  # bridge top to tip (30), then under the nose
RIGHT_EYE = slice(36, 42)  # outer corner, two upper, inner corner, two lower
LEFT_EYE = slice(42, 48)  # inner corner, two upper, outer corner, two lower
MOUTH = slice(48, 66)  # outer upper, outer lower, corner 58, inner upper, corner 62, inner lower
RIGHT_PUPIL = 66
LEFT_PUPIL = 67
OUTER_EYE_CORNERS = (36, 45)


@dataclass(frozen=True, eq=False)
class LandmarkSequence:
    """Facial landmarks of one person over time, never shorter than the video they were tracked in.

    A frame in which no face was found has `detected` False; `landmarks.smoothing.fill_gaps` interpolates its
    values, and `detected` keeps telling which frames were seen.

    Raises:
        ValueError: the arrays do not share one frame count, or a shape, range or order is wrong.
    """

    points: NDArray[np.float32]  # (frames, 68, 2), pixels (x, y), origin top left
    scores: NDArray[np.float32]  # (frames, 68), 0 to 1
    detected: NDArray[np.bool_]  # (frames,)
    rotation: NDArray[np.float32]  # (frames, 3), Rodrigues vector, radians; x right, y down, z away from the camera
    translation: NDArray[np.float32]  # (frames, 3), head model units (one unit is the model's outer eye distance)
    eye_openness: NDArray[np.float32]  # (frames, 2), right and left eye: lid gap / lid width
    timestamps_s: NDArray[np.float64]  # (frames,), seconds, increasing
    size: tuple[int, int]  # width, height of the frames, pixels
    tracker: str  # name and model of what made it

    def __post_init__(self) -> None:
        frames = len(self.points)
        expected = {
            "points": (frames, POINT_COUNT, 2),
            "scores": (frames, POINT_COUNT),
            "detected": (frames,),
            "rotation": (frames, 3),
            "translation": (frames, 3),
            "eye_openness": (frames, 2),
            "timestamps_s": (frames,),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, expected {shape}")
        if frames == 0:
            raise ValueError("a LandmarkSequence needs at least one frame")
        for name in ("points", "scores", "rotation", "translation", "eye_openness", "timestamps_s"):
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(f"{name} holds values that are no finite numbers")
        if np.any(np.diff(self.timestamps_s) <= 0):
            raise ValueError("timestamps_s must increase from frame to frame")
        if min(self.size) < 1:
            raise ValueError(f"size {self.size} is not a picture's size")

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, frames: slice) -> LandmarkSequence:
        """The frames of a slice, as a sequence."""
        if not isinstance(frames, slice):
            raise TypeError("a LandmarkSequence is sliced: use sequence[i : i + 1] for one frame")
        return replace(self, **{name: getattr(self, name)[frames] for name in ARRAYS})

    def __iter__(self) -> Iterator[LandmarkSequence]:
        return (self[i : i + 1] for i in range(len(self)))

    @property
    def mean_score(self) -> float:
        """Mean score of the frames in which the face was seen, 0 where it never was."""
        return float(self.scores[self.detected].mean()) if self.detected.any() else 0.0

    @property
    def eye_distance_px(self) -> NDArray[np.float32]:
        """(frames,) distance of the outer eye corners, the unit in which errors are quoted."""
        right, left = OUTER_EYE_CORNERS
        return np.linalg.norm(self.points[:, right] - self.points[:, left], axis=1)


ARRAYS = ("points", "scores", "detected", "rotation", "translation", "eye_openness", "timestamps_s")
"""The per-frame fields of a LandmarkSequence."""


def joined(parts: Iterable[LandmarkSequence]) -> LandmarkSequence:
    """Parts of one track, in order, as one sequence; the rest is that of the first part.

    Raises:
        ValueError: there is no part, or their timestamps do not increase.
    """
    parts = list(parts)
    if not parts:
        raise ValueError("no part of a track to join")
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS}
    return replace(parts[0], **arrays)
