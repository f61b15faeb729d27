"""The data type at the centre: the body, hand and face points of one person over time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

POINT_COUNT = 134
"""Points per frame: 18 body points in OpenPose's order, then feet, face and hands of COCO-WholeBody."""

# Left and right are the subject's.
NOSE, NECK = 0, 1  # the neck is the mean of the shoulders
RIGHT_SHOULDER, RIGHT_ELBOW, RIGHT_WRIST = 2, 3, 4
LEFT_SHOULDER, LEFT_ELBOW, LEFT_WRIST = 5, 6, 7
RIGHT_HIP, RIGHT_KNEE, RIGHT_ANKLE = 8, 9, 10
LEFT_HIP, LEFT_KNEE, LEFT_ANKLE = 11, 12, 13
RIGHT_EYE, LEFT_EYE, RIGHT_EAR, LEFT_EAR = 14, 15, 16, 17
BODY = slice(0, 18)
LEFT_FOOT = slice(18, 21)  # big toe, small toe, heel
RIGHT_FOOT = slice(21, 24)
FACE = slice(24, 92)  # the 68 points of iBUG: jaw 17, brows 10, nose 9, eyes 12, mouth 20
LEFT_HAND = slice(92, 113)  # wrist, then thumb, index, middle, ring, little finger from the palm to the tip
RIGHT_HAND = slice(113, 134)

VISIBLE = 0.3
"""The score from which a point counts as seen, as in the published guides."""


@dataclass(frozen=True, eq=False)
class PoseSequence:
    """Body, hand and face points of one person over time, never shorter than the video they were tracked in.

    A frame in which the person was not found has `detected` False; `body.smoothing.fill_gaps` interpolates its
    values, and `detected` keeps telling which frames were seen.

    Raises:
        ValueError: the arrays do not share one frame count, or a shape, range or order is wrong.
    """

    points: NDArray[np.float32]  # (frames, 134, 2), pixels (x, y), origin top left; may lie outside the frame
    scores: NDArray[np.float32]  # (frames, 134), 0 to 1
    detected: NDArray[np.bool_]  # (frames,)
    timestamps_s: NDArray[np.float64]  # (frames,), seconds, increasing
    size: tuple[int, int]  # width, height of the frames, pixels
    estimator: str  # name and model of what made it

    def __post_init__(self) -> None:
        frames = len(self.points)
        expected = {
            "points": (frames, POINT_COUNT, 2),
            "scores": (frames, POINT_COUNT),
            "detected": (frames,),
            "timestamps_s": (frames,),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, expected {shape}")
        if frames == 0:
            raise ValueError("a PoseSequence needs at least one frame")
        for name in ("points", "scores", "timestamps_s"):
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(f"{name} holds values that are no finite numbers")
        if (self.scores < 0).any() or (self.scores > 1).any():
            raise ValueError("scores must lie from 0 to 1")
        if np.any(np.diff(self.timestamps_s) <= 0):
            raise ValueError("timestamps_s must increase from frame to frame")
        if min(self.size) < 1:
            raise ValueError(f"size {self.size} is not a picture's size")

    @classmethod
    def from_points(
        cls, points: ArrayLike, size: tuple[int, int], *, rate: Fraction | float = 25, estimator: str = "script"
    ) -> PoseSequence:
        """A sequence that a script makes: points that are given count as seen, others as absent.

        Args:
            points: (frames, 134, 2), or (frames, 18, 2) for the body alone, pixels; NaN where a point is absent.
            size: width, height of the frames, pixels.
            rate: frames per second.
            estimator: what to name as its maker.

        Raises:
            ValueError: another shape.
        """
        given = np.asarray(points, np.float32)
        if given.ndim != 3 or given.shape[1] not in (BODY.stop, POINT_COUNT) or given.shape[2] != 2:
            raise ValueError(f"points have shape {given.shape}, expected (frames, 18 or {POINT_COUNT}, 2)")
        every = np.full((len(given), POINT_COUNT, 2), np.nan, np.float32)
        every[:, : given.shape[1]] = given
        seen = np.isfinite(every).all(axis=2)
        return cls(
            points=np.where(seen[..., None], every, 0).astype(np.float32),
            scores=seen.astype(np.float32),
            detected=seen.any(axis=1),
            timestamps_s=np.arange(len(given)) / float(rate),
            size=size,
            estimator=estimator,
        )

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, frames: slice) -> PoseSequence:
        """The frames of a slice, as a sequence."""
        if not isinstance(frames, slice):
            raise TypeError("a PoseSequence is sliced: use sequence[i : i + 1] for one frame")
        return replace(self, **{name: getattr(self, name)[frames] for name in ARRAYS})

    def __iter__(self) -> Iterator[PoseSequence]:
        return (self[i : i + 1] for i in range(len(self)))

    @property
    def visible(self) -> NDArray[np.bool_]:
        """(frames, 134) which points are seen."""
        return self.scores >= VISIBLE

    def resized(self, size: tuple[int, int]) -> PoseSequence:
        """The same in frames of another (width, height)."""
        scale: Any = np.array(size, np.float64) / self.size
        return replace(self, points=(self.points * scale).astype(np.float32), size=size)


ARRAYS = ("points", "scores", "detected", "timestamps_s")
"""The per-frame fields of a PoseSequence."""
