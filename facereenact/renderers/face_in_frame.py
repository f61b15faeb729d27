"""Head and mouth guides of a face somewhere in a larger picture, and the mask in which they count."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facereenact.renderers.face_squares import FaceSquares
from facereenact.renderers.pasting import ramp
from landmarks import LandmarkSequence
from landmarks.guides import PublishedStyle, draw_dots
from landmarks.types import MOUTH

Image = NDArray[np.uint8]
Mask = NDArray[np.float32]

SOFT = 0.2  # of a square's side, over which the guides fade out at its edges
STYLE = PublishedStyle()


class FaceInFrame:
    """What the published guides show of a face in its square, drawn in the place of that square.

    Args:
        face: filled landmarks, pixels of the picture.
        presence: (frames,) how much each frame counts.
        squares: of each frame; by default they follow the face.
    """

    def __init__(self, face: LandmarkSequence, presence: Mask, squares: FaceSquares | None = None) -> None:
        self._face, self._presence = face, presence
        self._squares = squares or FaceSquares.around(face)

    def head(self, frame: int) -> Image:
        """The head guide (height, width, 3): the points above the cut of the square."""
        guide = draw_dots(self._points(frame), self._face.size)
        cut = self._squares.corners[frame, 1] + STYLE.cut * self._squares.sides[frame]
        guide[max(int(cut), 0) :] = 0
        return guide

    def mouth(self, frame: int) -> Image:
        """The mouth guide: the lips, moved so that the mean of all points lies in the middle of the square."""
        points = self._points(frame)
        middle = np.floor(self._squares.corners[frame] + self._squares.sides[frame] / 2)
        return draw_dots((points + (middle - points.mean(axis=0)))[MOUTH], self._face.size)

    def mask(self, frame: int) -> Mask:
        """(height, width) 1 in the square, fading out towards its edges."""
        side = self._squares.sides[frame]
        across, down = (
            ramp(np.minimum(pixels, side - pixels) / (SOFT * side))
            for pixels in (
                np.arange(length) + 0.5 - low
                for length, low in zip(self._face.size, self._squares.corners[frame], strict=True)
            )
        )
        return (self._presence[frame] * np.outer(down, across)).astype(np.float32)

    def _points(self, frame: int) -> NDArray[np.float64]:
        return self._face.points[frame].astype(np.float64)
