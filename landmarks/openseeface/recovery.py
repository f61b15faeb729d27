"""A closer look for a face that the detector does not see at first: turned frames, and parts of the frame."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from landmarks.openseeface.regression import Regression

Look = Callable[[NDArray[np.uint8]], list[Regression]]
"""Finds faces in a picture, in its own pixels."""


@dataclass(frozen=True)
class Recovery:
    """Where else to look for a face: in the frame turned upright, and in parts of it, where it is larger.

    To search all of a large frame takes as long as to track a hundred others: only the first frame of a video is. Later
    a face is looked for in rounds, with frames between them, and each round shows some of the parts of a large frame.
    """

    # The detector itself sees faces up to about 45 degrees of roll.
    angles_deg: tuple[float, ...] = (45, -45, 90, -90, 180)
    tiles_px: tuple[int, ...] = (320, 224)  # a face of 24 pixels is then as large as the detector needs it
    tile_overlap: float = 0.25
    tiles_a_round: int = 14  # what covers 640x360 or 512x512; more in frames that would take more than `rounds`
    rounds: int = 3  # at most, until all of a frame was looked at
    every: int = 2  # frames for a round
    later_every: int = 5  # the same once the face has been away for long

    def __call__(self, image: NDArray[np.uint8], look: Look, *, round_index: int | None) -> list[Regression]:
        """The faces of the first view that shows any, of the views of a round, or of all (None)."""
        for view, to_frame in self._views(image, round_index):
            found = look(view)
            if found:
                return [Regression(_moved(face.points, to_frame), face.heat) for face in found]
        return []

    def _views(
        self, image: NDArray[np.uint8], round_index: int | None
    ) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float64]]]:
        """Pictures and the (2, 3) matrices that take their pixels to the frame's."""
        for angle_deg in self.angles_deg:
            matrix, size = turned(image.shape[1], image.shape[0], angle_deg)
            back = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
            yield np.asarray(cv2.warpAffine(image, matrix, size), np.uint8), back
        tiles = self._tiles(image.shape[1], image.shape[0])
        if round_index is not None:
            rounds = min(self.rounds, max(1, math.ceil(len(tiles) / self.tiles_a_round)))
            tiles = tiles[round_index % rounds :: rounds]
        for left, top, side in tiles:
            yield image[top : top + side, left : left + side], np.array([[1.0, 0, left], [0, 1, top]])

    def _tiles(self, width: int, height: int) -> list[tuple[int, int, int]]:
        """Left, top and side of the parts of a frame, pixels, the large ones first."""
        return [
            (left, top, side)
            for side in self.tiles_px
            if side < max(width, height)
            for top in tile_starts(height, side, self.tile_overlap)
            for left in tile_starts(width, side, self.tile_overlap)
        ]


def turned(width: int, height: int, angle_deg: float) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """The (2, 3) matrix that turns a picture clockwise, and the (width, height) that then holds all of it."""
    centre = ((width - 1) / 2, (height - 1) / 2)
    matrix = np.asarray(cv2.getRotationMatrix2D(centre, -angle_deg, 1.0), np.float64)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = (int(np.ceil(width * cosine + height * sine - 1e-6)), int(np.ceil(width * sine + height * cosine - 1e-6)))
    matrix[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    return matrix, size


def tile_starts(length: int, tile: int, overlap: float) -> list[int]:
    """Where tiles begin that cover a length and share at least a part with their neighbours."""
    if length <= tile:
        return [0]
    count = int(np.ceil((length - tile) / (tile * (1 - overlap)))) + 1
    return [int(start) for start in np.linspace(0, length - tile, count)]


def _moved(points: NDArray[np.float32], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
