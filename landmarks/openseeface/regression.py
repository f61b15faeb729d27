"""The 66 points of a face from a heat map and an offset map per point."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from landmarks.openseeface.boxes import Crop
from landmarks.openseeface.models import LANDMARK_MODELS, SCALE, SHIFT, load_landmark_network


@dataclass(frozen=True, eq=False)
class Regression:
    """What the landmark network sees in one crop."""

    points: NDArray[np.float32]  # (66, 2), pixels (x, y) of the frame
    heat: NDArray[np.float32]  # (66,), peaks of the heat maps: about 0.8 on a face, up to 1.2

    @cached_property
    def confidence(self) -> float:
        return float(self.heat.mean())

    @cached_property
    def centre(self) -> NDArray[np.float32]:
        """(2,) pixels (x, y)."""
        return np.asarray(self.points.mean(axis=0))

    @cached_property
    def corners(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Top left and bottom right (2,) of the box around the points, pixels (x, y)."""
        return self.points.min(axis=0), self.points.max(axis=0)

    @cached_property
    def box_xywh(self) -> NDArray[np.float32]:
        low, high = self.corners
        return np.concatenate([low, high - low])


class LandmarkRegressor:
    """OpenSeeFace's landmark network; keeps nothing between calls but its buffers: fresh memory costs more to touch."""

    def __init__(self, models_dir: Path, *, model: int = 0) -> None:
        file = LANDMARK_MODELS[model]
        self.side_px = file.input_px
        self.network = load_landmark_network(models_dir, file)
        self._planes = np.empty((1, 3, self.side_px, self.side_px), np.float32)
        self._pixels = np.empty(0, np.uint8)
        self._floats = np.empty(0, np.float32)

    def __call__(self, image: NDArray[np.uint8], crop: Crop) -> Regression:
        """The points in a crop of an RGB frame (height, width, 3)."""
        heat, places = self.network(self.picture(image, crop))
        return regression(heat, places, crop=crop, side_px=self.side_px)

    def picture(self, image: NDArray[np.uint8], crop: Crop) -> NDArray[np.float32]:
        """(1, 3, side, side) the network's input, valid until the next call."""
        part = image[crop.top : crop.bottom, crop.left : crop.right]
        height, width = part.shape[:2]
        if self._pixels.size < part.size:
            self._pixels, self._floats = np.empty(part.size, np.uint8), np.empty(height * width, np.float32)
        # Colour by colour, as a plane fits the cache; in floats from the start, as the original resizes them.
        colours = list(self._pixels[: part.size].reshape(3, height, width))
        cv2.split(part, colours)
        floats = self._floats[: height * width].reshape(height, width)
        for colour, plane, scale, shift in zip(colours, self._planes[0], SCALE, SHIFT, strict=True):
            floats[:] = colour
            cv2.resize(floats, (self.side_px, self.side_px), dst=plane)
            np.add(np.multiply(plane, scale, out=plane), shift, out=plane)
        return self._planes


def regression(heat: NDArray[np.float32], places: NDArray[np.float32], *, crop: Crop, side_px: int) -> Regression:
    """What the network states about its picture, (points,) and (2, points), in the frame."""
    scale = ((crop.right - crop.left) / side_px, (crop.bottom - crop.top) / side_px)
    points = places.T * scale + (crop.left, crop.top)
    return Regression(points.astype(np.float32), heat)
