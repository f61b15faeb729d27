"""The 66 points of a face from a heat map and an offset map per point."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from landmarks.openseeface.boxes import Crop
from landmarks.openseeface.graph import OffsetHead
from landmarks.openseeface.models import LANDMARK_MODELS, SCALE, SHIFT, Network, load_landmark_network

REGRESSED_POINTS = 66  # all but the pupils
LOGIT_FACTOR = 16.0
LOGIT_LIMIT = 1e-7
WINDOW = np.indices((3, 3)).reshape(2, 9) - 1
CLIP = 6.0  # the layers end in ReLU6


@dataclass(frozen=True, eq=False)
class Regression:
    """What the landmark network sees in one crop."""

    points: NDArray[np.float32]  # (66, 2), pixels (x, y) of the frame
    heat: NDArray[np.float32]  # (66,), peaks of the heat maps: about 0.8 on a face, up to 1.2

    @cached_property
    def confidence(self) -> float:
        return float(self.heat.mean())

    @cached_property
    def box_xywh(self) -> NDArray[np.float32]:
        low = self.points.min(axis=0)
        return np.concatenate([low, self.points.max(axis=0) - low])


class LandmarkRegressor:
    """OpenSeeFace's landmark network; keeps nothing between calls but its buffer."""

    def __init__(self, models_dir: Path, *, model: int = 0) -> None:
        file = LANDMARK_MODELS[model]
        self.side_px = file.input_px
        self._network, self._head = load_landmark_network(models_dir, file)
        self._planes = np.empty((1, 3, self.side_px, self.side_px), np.float32)

    def __call__(self, image: NDArray[np.uint8], crop: Crop) -> Regression:
        """The points in a crop of an RGB frame (height, width, 3)."""
        part = image[crop.top : crop.bottom, crop.left : crop.right].astype(np.float32)
        cv2.split(cv2.resize(part, (self.side_px, self.side_px)), list(self._planes[0]))
        for plane, scale, shift in zip(self._planes[0], SCALE, SHIFT, strict=True):
            np.add(np.multiply(plane, scale, out=plane), shift, out=plane)
        return decode(*network_maps(self._network, self._head, self._planes), crop=crop, side_px=self.side_px)


def network_maps(
    network: Network, head: OffsetHead | None, planes: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.float32]]:
    """Heat peaks (66,), the cells in which they are (66, 2) (row, column), and the offsets there (2, 66)."""
    outputs = network(planes)
    heat = outputs[0][0, :REGRESSED_POINTS]
    width = heat.shape[2]
    flat = heat.reshape(REGRESSED_POINTS, -1)
    cells = flat.argmax(axis=1)
    every = np.arange(REGRESSED_POINTS)
    if head is None:
        offsets = outputs[0][0, REGRESSED_POINTS:].reshape(2, REGRESSED_POINTS, -1)[:, every, cells]
    else:
        offsets = offsets_at(outputs[1][0], head, cells)
    return flat[every, cells], np.stack([cells // width, cells % width], axis=1), offsets


def offsets_at(features: NDArray[np.float32], head: OffsetHead, cells: NDArray[np.intp]) -> NDArray[np.float32]:
    """The end of the offset heads in one cell per point: (2, points) of features (2 points, height, width)."""
    channels, height, width = features.shape
    rows, columns = (index[:, None] + WINDOW[axis] for axis, index in enumerate((cells // width, cells % width)))
    is_outside = (rows < 0) | (rows >= height) | (columns < 0) | (columns >= width)
    near = np.where(is_outside, 0, rows * width + columns)
    patches = features.reshape(channels, -1).take(near, axis=1)
    if is_outside.any():
        patches[:, is_outside] = 0
    filtered = patches @ head.filters  # (2 points, cells, k)
    filtered += head.filter_biases
    np.minimum(np.maximum(filtered, 0, out=filtered), CLIP, out=filtered)
    products = filtered.reshape(2, channels // 2, -1) * head.weights
    sums = products.sum(axis=1).reshape(2, len(cells), -1).sum(axis=2)
    return np.asarray(np.clip(sums + head.biases, 0, CLIP))


def decode(
    heat: NDArray[np.float32], cells: NDArray[np.intp], offsets: NDArray[np.float32], *, crop: Crop, side_px: int
) -> Regression:
    """Points in the frame of cells and offsets; the crop's scale counts `side_px` steps, the cells span one less."""
    span = side_px - 1
    steps = span * cells / np.float32(side_px // 8 - 1) + span * logit(offsets.T) / LOGIT_FACTOR
    scale = np.array([(crop.bottom - crop.top) / side_px, (crop.right - crop.left) / side_px])
    rows_columns = np.nan_to_num(np.array([crop.top, crop.left]) + scale * steps)
    return Regression(rows_columns[:, ::-1].astype(np.float32), heat)


def logit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """ln(p / (1 - p)) of values clipped to the open interval from 0 to 1."""
    clipped = np.clip(values, LOGIT_LIMIT, 1 - LOGIT_LIMIT)
    return np.log(clipped / (1 - clipped))
