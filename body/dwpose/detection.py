"""Where people are: the picture as YOLOX takes it, and boxes from what it answers."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[np.float32]

SIDE_PX = 640  # of the square picture that the network takes
PADDING = 114
STRIDES = (8, 16, 32)  # of the grids of cells, in the order of the rows
ROWS = sum((SIDE_PX // stride) ** 2 for stride in STRIDES)
COLUMNS = 85  # centre x, y, log width, log height, objectness, 80 classes of COCO

LEAST_SCORE = 0.1  # of any class, before overlapping boxes are dropped
LEAST_PERSON_SCORE = 0.3  # after it
PERSON = 0  # the class
OVERLAP = 0.45  # intersection over union from which the lesser of two boxes is dropped


def network_input(image_bgr: NDArray[np.uint8]) -> Tensor:
    """(1, 3, 640, 640) BGR 0 to 255: the picture scaled to fit, in the upper left corner."""
    height, width = image_bgr.shape[:2]
    ratio = _ratio(width, height)
    padded = np.full((SIDE_PX, SIDE_PX, 3), PADDING, np.uint8)
    fitted = cv2.resize(image_bgr, (int(width * ratio), int(height * ratio)), interpolation=cv2.INTER_LINEAR)
    padded[: fitted.shape[0], : fitted.shape[1]] = fitted
    return np.ascontiguousarray(padded.transpose(2, 0, 1)[None], np.float32)


def person_boxes(answer: Tensor, size: tuple[int, int]) -> Tensor:
    """(people, 4) left, top, right, bottom in pixels of the picture, the surest first; they may reach beyond it.

    Args:
        answer: (8400, 85) of the network.
        size: width, height of the picture.
    """
    scores = answer[:, 4] * answer[:, 5 + PERSON]
    likely = np.flatnonzero(scores > LEAST_SCORE)
    scores = scores[likely]
    boxes = _boxes(answer[likely], likely) / np.float32(_ratio(*size))
    kept = [index for index in _without_overlaps(boxes, scores) if scores[index] > LEAST_PERSON_SCORE]
    return boxes[kept]


def _ratio(width: int, height: int) -> float:
    return min(SIDE_PX / width, SIDE_PX / height)


def _boxes(rows: Tensor, indices: NDArray[Any]) -> Tensor:
    """(n, 4) corners in pixels of the network's picture, of rows (n, 85) at places in the whole answer."""
    cells, strides = _grid()
    stride = strides[indices, None]
    centre = (rows[:, :2] + cells[indices]) * stride
    half = np.exp(rows[:, 2:4]) * stride / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def _grid() -> tuple[Tensor, Tensor]:
    """(8400, 2) column and row of each cell in its grid, (8400,) stride of its grid."""
    cells, strides = [], []
    for stride in STRIDES:
        count = SIDE_PX // stride
        y, x = np.divmod(np.arange(count * count), count)
        cells.append(np.stack([x, y], axis=1))
        strides.append(np.full(count * count, stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)


def _without_overlaps(boxes: Tensor, scores: Tensor) -> list[int]:
    """Indices, best first, of the boxes that overlap no better one; sides count both of their end pixels."""
    area = np.prod(boxes[:, 2:] - boxes[:, :2] + 1, axis=1)
    left = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(left):
        best, left = int(left[0]), left[1:]
        kept.append(best)
        low, high = np.maximum(boxes[best, :2], boxes[left, :2]), np.minimum(boxes[best, 2:], boxes[left, 2:])
        shared = np.prod(np.maximum(high - low + 1, 0), axis=1)
        left = left[shared / (area[best] + area[left] - shared) <= OVERLAP]
    return kept
