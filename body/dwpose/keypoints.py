"""The points of one person: the crop that DWPose takes, points from what it answers, and their order."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from body.types import POINT_COUNT, VISIBLE

Tensor = NDArray[np.float32]

CROP_PX = np.array([288, 384])  # width, height
BINS_A_PIXEL = 2  # in which the network states places
BOX_MARGIN = 1.25
MEAN = np.array([123.675, 116.28, 103.53], np.float32)  # ImageNet's for RGB, applied to BGR by the published code
STD = np.array([58.395, 57.12, 57.375], np.float32)

WHOLEBODY_COUNT = 133  # of COCO-WholeBody: 17 body, 6 feet, 68 face, 2 x 21 hands
SHOULDERS = (5, 6)  # left, right in COCO's order
# Places in OpenPose's order, and the COCO points (17: the neck, inserted) that go there; the others stay.
MOVED_TO = (1, 2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17)
MOVED_FROM = (17, 6, 8, 10, 7, 9, 12, 14, 16, 13, 15, 2, 1, 4, 3)


def crop_of(box_xyxy: Tensor) -> tuple[Tensor, Tensor]:
    """Centre and size (width, height) of the crop around a box, pixels: with a margin, in the network's proportions."""
    low, high = box_xyxy[:2], box_xyxy[2:]
    width, height = (high - low) * BOX_MARGIN
    aspect = CROP_PX[0] / CROP_PX[1]
    size = (width, width / aspect) if width > height * aspect else (height * aspect, height)
    return (low + high) / 2, np.array(size, np.float32)


def network_input(image_bgr: NDArray[np.uint8], box_xyxy: Tensor) -> Tensor:
    """(1, 3, 384, 288) the normalised crop around a box."""
    centre, size = crop_of(box_xyxy)
    zoom = CROP_PX[0] / float(size[0])
    shift = CROP_PX / 2 - zoom * centre.astype(np.float64)
    matrix = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
    crop = cv2.warpAffine(image_bgr, matrix, (int(CROP_PX[0]), int(CROP_PX[1])), flags=cv2.INTER_LINEAR)
    return np.ascontiguousarray(((crop - MEAN) / STD).transpose(2, 0, 1)[None], np.float32)


def decode(simcc_x: Tensor, simcc_y: Tensor, box_xyxy: Tensor) -> tuple[Tensor, Tensor]:
    """Points (133, 2) in pixels of the picture and scores (133,), of the network's answer for the crop around a box.

    Args:
        simcc_x: (133, 576) how well each column fits each point.
        simcc_y: (133, 768) the same of the rows.
        box_xyxy: the box.
    """
    scores = np.minimum(simcc_x.max(axis=1), simcc_y.max(axis=1))
    bins = np.stack([simcc_x.argmax(axis=1), simcc_y.argmax(axis=1)], axis=1).astype(np.float32)
    places = np.where(scores[:, None] > 0, bins, -1) / BINS_A_PIXEL
    centre, size = crop_of(box_xyxy)
    return (places / CROP_PX * size + centre - size / 2).astype(np.float32), scores


def in_openpose_order(points: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Points (134, 2) and scores (134,) of those in COCO-WholeBody's order, with a neck."""
    shoulders = list(SHOULDERS)
    neck_score = np.float32((scores[shoulders] > VISIBLE).all())
    points = np.insert(points, 17, points[shoulders].mean(axis=0), axis=0)
    scores = np.insert(scores, 17, neck_score)
    order: Any = np.arange(POINT_COUNT)
    order[list(MOVED_TO)] = MOVED_FROM
    return points[order], scores[order]
