"""Where faces are: OpenSeeFace's own detector, and RetinaFace."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from landmarks.openseeface.boxes import Box
from landmarks.openseeface.models import DETECTION_MODEL, RETINAFACE_MODEL, load_network, normalise

CELL_PX = 4.0  # of the 224 px picture
RADIUS_PX = 112.0  # that a radius of 1 stands for

RETINAFACE_MEAN_BGR = np.array([104, 117, 123], np.float32)
RETINAFACE_SCORE = 0.4
RETINAFACE_OVERLAP = 0.4
RETINAFACE_MARGIN = (0.15, 0.20)  # of width and height, added on each side
VARIANCES = (0.1, 0.2)
ANCHORS = {8: (16, 32), 16: (64, 128), 32: (256, 512)}  # step of the grid: sides of its boxes, pixels


class FaceDetector:
    """OpenSeeFace's own detector; it looks at the whole frame squashed to 224x224.

    Args:
        models_dir: the folder of OpenSeeFace's networks.
        threshold: of the heat map, from which there is a face.
    """

    def __init__(self, models_dir: Path, *, threshold: float) -> None:
        self._threshold = threshold
        self._network = load_network(models_dir, DETECTION_MODEL)

    def __call__(self, image: NDArray[np.uint8], *, count: int) -> list[Box]:
        """At most `count` boxes in an RGB frame, best first."""
        side = DETECTION_MODEL.input_px
        maps, peaks = self._network(normalise(np.asarray(cv2.resize(image, (side, side)), np.uint8))[None])
        heat, radius = maps[0]
        heat = np.where(heat == peaks[0, 0], heat, 0)
        best = np.argsort(-heat, axis=None, kind="stable")[:count]
        scale = np.array([image.shape[1], image.shape[0]], np.float32) / side
        return [
            _box(float(cell % heat.shape[1]), float(cell // heat.shape[1]), float(radius.flat[cell]), scale)
            for cell in best
            if heat.flat[cell] >= self._threshold
        ]


class RetinaFaceDetector:
    """RetinaFace at 640x640: slower and surer than OpenSeeFace's own."""

    def __init__(self, models_dir: Path) -> None:
        self._network = load_network(models_dir, RETINAFACE_MODEL)
        self._anchors = anchors(RETINAFACE_MODEL.input_px)

    def __call__(self, image: NDArray[np.uint8], *, count: int) -> list[Box]:
        """At most `count` boxes in an RGB frame, best first, enlarged to the whole head."""
        side = RETINAFACE_MODEL.input_px
        picture = cv2.resize(image, (side, side))[..., ::-1].astype(np.float32) - RETINAFACE_MEAN_BGR
        offsets, scores = self._network(np.ascontiguousarray(picture.transpose(2, 0, 1))[None])
        score = scores[0, :, 1]
        chosen = np.flatnonzero(score > RETINAFACE_SCORE)
        chosen = chosen[np.argsort(-score[chosen], kind="stable")]
        boxes = _decoded(offsets[0, chosen], self._anchors[chosen]) * np.array(image.shape[1::-1] * 2, np.float32)
        return [_with_margin(box) for box in boxes[_suppressed(boxes)[:count]]]


def anchors(side: int) -> NDArray[np.float32]:
    """(n, 4) the boxes that RetinaFace's answers refer to: centre x, y, width, height as shares of the picture."""
    rows = []
    for step, sizes in ANCHORS.items():
        centres = (np.arange(side // step) + 0.5) * step / side
        y, x, size = np.meshgrid(centres, centres, np.array(sizes) / side, indexing="ij")
        rows.append(np.stack([x, y, size, size], axis=-1).reshape(-1, 4))
    return np.concatenate(rows).astype(np.float32)


def _box(column: float, row: float, radius: float, scale: NDArray[np.float32]) -> Box:
    reach = RADIUS_PX * radius
    corner = np.array([CELL_PX * column - reach, CELL_PX * row - reach], np.float32)
    return np.concatenate([corner * scale, 2 * reach * scale]).astype(np.float32)


def _decoded(offsets: NDArray[np.float32], around: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 4) left, top, right, bottom as shares of the picture, of the offsets from anchors (SSD, Liu 2016)."""
    centre = around[:, :2] + offsets[:, :2] * VARIANCES[0] * around[:, 2:]
    half = around[:, 2:] * np.exp(offsets[:, 2:] * VARIANCES[1]) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def _suppressed(boxes: NDArray[np.float32]) -> list[int]:
    """Indices of the boxes, best first, that overlap no better one; sides count both of their end pixels."""
    area = np.prod(boxes[:, 2:] - boxes[:, :2] + 1, axis=1)
    kept: list[int] = []
    left = np.arange(len(boxes))
    while len(left):
        best, left = int(left[0]), left[1:]
        kept.append(best)
        low, high = np.maximum(boxes[best, :2], boxes[left, :2]), np.minimum(boxes[best, 2:], boxes[left, 2:])
        shared = np.prod(np.maximum(high - low + 1, 0), axis=1)
        left = left[shared / (area[best] + area[left] - shared) <= RETINAFACE_OVERLAP]
    return kept


def _with_margin(box: NDArray[np.float32]) -> Box:
    size = box[2:] - box[:2]
    margin = size * np.array(RETINAFACE_MARGIN, np.float32)
    return np.concatenate([box[:2] - margin, size + 2 * margin]).astype(np.float32)
