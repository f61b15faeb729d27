"""What every renderer does: turn retargeted landmarks into pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from landmarks import LandmarkSequence

Image = NDArray[np.uint8]
Borrowed = Iterable[tuple[Image, NDArray[Any]]]


class Renderer(Protocol):
    """Animates one source picture. It keeps no state between frames: the same landmarks give the same picture."""

    name: str

    def render(self, motion: Iterable[LandmarkSequence], driver: Borrowed | None = None) -> Iterator[Image]:
        """The source with its landmarks where `motion` says, frame by frame.

        Args:
            motion: retargeted landmarks in pixels of the source picture, one frame at a time (a LandmarkSequence is
                such an iterable).
            driver: the driver's frames with their own points (68, 2), one pair a frame of `motion`, for renderers that
                borrow from it; None where only landmarks are at hand.

        Yields:
            RGB uint8 pictures of the size of the source.
        """
        ...
