"""Keeping a figure in the picture: how far its way through the frame has to be damped or moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Extents = tuple[NDArray[np.float64], NDArray[np.float64]]

TOLERATED = 0.01  # of the picture's side, beyond its border
STEPS = 20  # of the search for the largest gain, a factor of 2 each


@dataclass(frozen=True)
class Fit:
    """What to do along one axis."""

    gain: float  # of the way, 0 to 1
    shift_px: float  # of the whole sequence


def fit_axis(extents: Callable[[float], Extents], *, side_px: int, may_shift: bool) -> Fit:
    """The largest gain with which a figure stays in the picture, and the smallest shift that helps.

    What leaves the picture even without any way is not held against the way.

    Args:
        extents: for a gain, where the figure begins and ends in each frame (frames,), pixels; infinite (begins) and
            minus infinite (ends) in frames that do not matter.
        side_px: of the picture.
        may_shift: whether the figure may stand elsewhere than in the source.
    """

    def room(gain: float) -> tuple[float, float]:
        """The least and the greatest shift with which nothing leaves the picture."""
        low, high = extents(gain)
        return float(np.max(-low)), float(np.min(side_px - high))

    def excess(gain: float) -> float:
        least, greatest = room(gain)
        return max((least - greatest) / 2 if may_shift else max(least, -greatest), 0.0)

    allowed = excess(0) + TOLERATED * side_px
    gain, upper = (1.0, 1.0) if excess(1) <= allowed else (0.0, 1.0)
    for _ in range(STEPS if gain < 1 else 0):
        middle = (gain + upper) / 2
        gain, upper = (middle, upper) if excess(middle) <= allowed else (gain, middle)
    if not may_shift:
        return Fit(gain, 0.0)
    least, greatest = room(gain)
    return Fit(gain, float(np.clip(0, least, greatest)) if least <= greatest else (least + greatest) / 2)
