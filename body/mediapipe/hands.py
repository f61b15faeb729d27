"""Hands: MediaPipe's networks on the parts of a picture where hands can be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from body.mediapipe.graphs import Image, Points, Region, open_graph, pixels, rectangle

HAND = """
input_stream: "image"
input_stream: "region"
output_stream: "landmarks"
output_stream: "sides"
node {
  calculator: "HandLandmarkCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:region"
  input_side_packet: "MODEL_COMPLEXITY:complexity"
  output_stream: "LANDMARKS:landmarks"
  output_stream: "HANDEDNESS:sides"
}
"""


INNER = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]  # all but the last two joints of each finger
MARGIN = 2.0  # sides of a region per extent of the inner hand, as in MediaPipe's own graphs
SHIFT = 0.1  # of the region's side towards the fingers: likewise


@dataclass(frozen=True, eq=False)
class Hand:
    """A hand in a picture."""

    points: Points  # (21, 2), pixels
    is_left: bool  # the subject's, by its shape
    score: float  # of telling left from right, 0.5 to 1


class HandFinder:
    """Finds hands in parts of a picture, or looks again where one was."""

    def __init__(self) -> None:
        from mediapipe.python.solutions.hands import Hands

        self._solution = Hands(static_image_mode=True, max_num_hands=2, min_detection_confidence=0.5)
        self._graph = open_graph(HAND, side_inputs={"complexity": 1})

    def close(self) -> None:
        self._solution.close()
        self._graph.close()

    def search(self, image: Image, centre: Points, side_px: float) -> list[Hand]:
        """The hands in an upright square, at most two."""
        part, corner = square(image, centre, side_px)
        answer = self._solution.process(part)
        found = zip(answer.multi_hand_landmarks or [], answer.multi_handedness or [], strict=True)
        return [_hand(landmarks, sides, (part.shape[1], part.shape[0]), corner) for landmarks, sides in found]

    def look(self, image: Image, region: Region) -> Hand | None:
        """The hand in a region, or None where there is none."""
        size = (image.shape[1], image.shape[0])
        answer = self._graph.process({"image": image, "region": rectangle(region, size)})
        if answer.landmarks is None or answer.sides is None:
            return None
        return _hand(answer.landmarks, answer.sides, size, np.zeros(2, np.float32))


def _hand(landmarks: Any, sides: Any, size: tuple[int, int], corner: Points) -> Hand:
    side = sides.classification[0]
    # MediaPipe names hands as in a mirrored picture.
    return Hand(pixels(landmarks, size) + corner, side.label == "Right", float(side.score))


def region_of(points: Points) -> Region:
    """Where a hand (21, 2) is."""
    wrist, knuckles = points[0].astype(np.float64), points[[5, 9, 13]].mean(axis=0)
    turn = math.atan2(float(knuckles[0] - wrist[0]), float(wrist[1] - knuckles[1]))
    axes = np.array([(math.cos(turn), math.sin(turn)), (math.sin(turn), -math.cos(turn))])  # across, along the fingers
    inner = points[INNER] @ axes.T
    low, high = inner.min(axis=0), inner.max(axis=0)
    side_px = MARGIN * float((high - low).max())
    x, y = ((low + high) / 2 + (0, SHIFT * side_px)) @ axes
    return Region((float(x), float(y)), side_px, turn)


def square(image: Image, centre: Points, side_px: float) -> tuple[Image, Points]:
    """A square part of a picture, black beyond its borders, and its left upper corner (2,) in pixels."""
    side = max(1, round(side_px))
    corner = np.rint(centre - side_px / 2).astype(int)
    low, high = np.maximum(corner, 0), np.minimum(corner + side, (image.shape[1], image.shape[0]))
    part = np.zeros((side, side, 3), np.uint8)
    if (high > low).all():
        inside = tuple(slice(a, b) for a, b in zip((low - corner)[::-1], (high - corner)[::-1], strict=True))
        part[inside] = image[low[1] : high[1], low[0] : high[0]]
    return part, corner.astype(np.float32)
