"""The guide of a body: the picture of limbs, hands and face that the pose guider of the body pipeline takes."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from body.types import BODY, FACE, LEFT_HAND, RIGHT_HAND, VISIBLE, PoseSequence

Picture = NDArray[np.uint8]
Points = NDArray[np.float64]

LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 0),
    (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
"""Joints that a limb joins; limb i has the colour of joint i."""

COLOURS = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0), (0, 255, 85),
    (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255),
    (255, 0, 170), (255, 0, 85),
)  # fmt: skip

BONES = tuple((0 if joint % 4 == 1 else joint - 1, joint) for joint in range(1, 21))
"""Bones of a hand, finger by finger from the wrist."""

BONE_COLOURS = tuple(tuple(255 * part for part in colorsys.hsv_to_rgb(i / 20, 1, 1)) for i in range(20))
HAND_COLOUR, FACE_COLOUR = (0, 0, 255), (255, 255, 255)
HALF_WIDTH = 4  # of a limb, pixels, whatever the size of the canvas
DIMMED = 0.6  # limbs, under joints in full colour
FARTHEST_PX = 2.0**20  # OpenCV's coordinates are 32-bit integers


def draw_guides(sequence: PoseSequence, size: tuple[int, int] | None = None) -> Iterator[Picture]:
    """The guide of every frame, as the published body weights (Moore-AnimateAnyone) were trained on.

    Args:
        sequence: filled (`body.smoothing.fill_gaps`).
        size: width, height of the guides, pixels, by default the sequence's own; points are scaled to it, lines not.
    """
    size = size or sequence.size
    scale = np.array(size) / sequence.size
    frames = zip(sequence.points, sequence.scores, strict=True)
    return (draw_guide(points * scale, scores, size) for points, scores in frames)


def draw_guide(points: NDArray[np.floating[Any]], scores: NDArray[np.floating[Any]], size: tuple[int, int]) -> Picture:
    """The guide of one frame, RGB uint8 (height, width, 3).

    Args:
        points: (134, 2) pixels of the canvas; cut off to whole pixels as float64.
        scores: (134,); a point below `VISIBLE` is left out.
        size: width, height of the canvas, pixels.
    """
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    exact = np.clip(np.asarray(points, np.float64), -FARTHEST_PX, FARTHEST_PX)
    seen = np.asarray(scores) >= VISIBLE
    canvas = _draw_body(canvas, exact[BODY], seen[BODY])
    for hand in (LEFT_HAND, RIGHT_HAND):
        _draw_hand(canvas, exact[hand], seen[hand])
    for x, y in _inside(exact[FACE], seen[FACE]).values():
        cv2.circle(canvas, (x, y), 3, FACE_COLOUR, -1)
    return canvas


def _draw_body(canvas: Picture, points: Points, seen: NDArray[np.bool_]) -> Picture:
    for (start, end), colour in zip(LIMBS, COLOURS, strict=False):
        if seen[start] and seen[end]:
            cv2.fillConvexPoly(canvas, _ellipse(points[start], points[end]), colour)
    canvas = (canvas * DIMMED).astype(np.uint8)
    for point, is_seen, colour in zip(points, seen, COLOURS, strict=True):
        if is_seen:
            cv2.circle(canvas, (int(point[0]), int(point[1])), 4, colour, -1)
    return canvas


def _ellipse(start: NDArray[np.float64], end: NDArray[np.float64]) -> Any:
    """The outline of a limb, a vertex for each degree."""
    across, down = start - end
    middle = (start + end) / 2
    length = math.hypot(across, down)
    angle = int(math.degrees(math.atan2(down, across)))
    return cv2.ellipse2Poly((int(middle[0]), int(middle[1])), (int(length / 2), HALF_WIDTH), angle, 0, 360, 1)


def _draw_hand(canvas: Picture, points: Points, seen: NDArray[np.bool_]) -> None:
    at = _inside(points, seen)
    for (start, end), colour in zip(BONES, BONE_COLOURS, strict=True):
        if start in at and end in at:
            cv2.line(canvas, at[start], at[end], colour, 2)
    for x, y in at.values():
        cv2.circle(canvas, (x, y), 4, HAND_COLOUR, -1)


def _inside(points: Points, seen: NDArray[np.bool_]) -> dict[int, tuple[int, int]]:
    """Whole pixels of the points to draw; the published code draws none in or beyond the first row and column."""
    return {index: (int(x), int(y)) for index, (x, y) in enumerate(points) if seen[index] and int(x) > 0 and int(y) > 0}
