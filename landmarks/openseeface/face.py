"""What the tracker states about one face in one frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from landmarks.openseeface.pose import SentPose

PUPIL_POINTS = slice(66, 68)


@dataclass(frozen=True, eq=False)
class FacePoints:
    """Where one face is in one frame."""

    number: int  # of the place that the tracker follows this face in, from 0
    points: NDArray[np.float32]  # (68, 2), pixels (x, y); a pupil not seen or not looked for is (0, 0) with score 0
    scores: NDArray[np.float32]  # (68,), 0 to 1; "compat" states the peaks themselves, up to about 1.2
    confidence: float  # mean peak of the points without the pupils
    box_xywh: NDArray[np.float32]  # (4,), pixels, of the points without the pupils

    def with_pupils(self, points: NDArray[np.float32], scores: NDArray[np.float32]) -> Self:
        """The same face with pupils (2, 2), pixels, and their scores (2,)."""
        return replace(
            self,
            points=np.concatenate([self.points[: PUPIL_POINTS.start], points]),
            scores=np.concatenate([self.scores[: PUPIL_POINTS.start], scores]),
        )


@dataclass(frozen=True, eq=False)
class Face(FacePoints):
    """One face in one frame, with its pose and expression.

    The pose is in the head frame of `landmarks.head_pose`; `sent` is the same pose as OpenSeeFace states it. Points in
    space are those of OpenSeeFace: x to the image's left, y up, z to the camera, nose tip at the origin.
    """

    rotation: NDArray[np.float64]  # (3,), Rodrigues vector, radians; x right, y down, z away from the camera
    translation: NDArray[np.float64]  # (3,), outer eye distances of the face model
    points_3d: NDArray[np.float64]  # (70, 3), normalised; 68 and 69 are the middles of the eyeballs
    features: NDArray[np.float64]  # (14,), in the order of FEATURE_NAMES
    eye_blink: NDArray[np.float64]  # (2,), right and left eye: 1 open, 0 closed
    sent: SentPose
