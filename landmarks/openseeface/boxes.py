"""Boxes around faces: enlarged and clipped to a crop, measured against each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MARGIN = (0.1, 0.125)  # of the width and of the height of a face, added on each side
MIN_SIDE_PX = 4

Box = NDArray[np.float32]
"""(4,) x, y of the top left corner, width, height; pixels."""


@dataclass(frozen=True)
class Crop:
    """Whole pixels of a frame; right and bottom are outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def is_usable(self) -> bool:
        return min(self.right - self.left, self.bottom - self.top) >= MIN_SIDE_PX


def crop_around(box: Box, size: tuple[int, int]) -> Crop:
    """The crop that the landmark network sees of a face: its box with a margin, inside a frame of (width, height)."""
    x, y, width, height = box.tolist()
    right, bottom = int(MARGIN[0] * width), int(MARGIN[1] * height)
    return crop_between(x - right, y - bottom, x + width + right, y + height + bottom, size=size)


def crop_between(left: float, top: float, right: float, bottom: float, *, size: tuple[int, int]) -> Crop:
    """Corners clipped to the frame; rows come out one lower, as in the original, which the points take into account."""
    (x1, y1), (x2, y2) = (_clamp(left, top, size), _clamp(right, bottom, size))
    return Crop(x1, y1, x2, y2)


def overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[:2] + a[2:], b[:2] + b[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    union = float(np.prod(a[2:]) + np.prod(b[2:])) - shared
    return shared / union if union > 0 else 0.0


def _clamp(x: float, y: float, size: tuple[int, int]) -> tuple[int, int]:
    return int(min(max(x, 0), size[0] - 1)), int(min(max(y, 0), size[1] - 1)) + 1
