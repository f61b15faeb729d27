"""What every renderer does: turn retargeted landmarks into pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from landmarks import LandmarkSequence

Image = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class DriverFrame:
    """The driver at one moment, for a renderer that borrows from it."""

    image: Image  # (height, width, 3), RGB
    points: NDArray[np.float32]  # (68, 2), pixels of that image


class Renderer(Protocol):
    """Animates one source picture. It keeps no state between frames: the same landmarks give the same picture."""

    name: str
    size: tuple[int, int]  # of the pictures it makes: width, height

    def render(
        self, motion: Iterable[LandmarkSequence], driver: Iterable[DriverFrame] | None = None
    ) -> Iterator[Image]:
        """The source with its landmarks where `motion` says, frame by frame.

        Args:
            motion: retargeted landmarks in pixels of the source picture, one frame at a time (a LandmarkSequence is
                such an iterable).
            driver: the driver's frames, one for each of `motion`, for renderers that borrow from it; None where only
                landmarks are at hand.

        Yields:
            RGB uint8 pictures (height, width, 3).
        """
        ...

    def forget(self) -> None:
        """The pictures are safe: remove what was kept so that an interrupted rendering could go on."""
        ...
