"""MediaPipe's graphs: how they are run, where they look, what they answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Points = NDArray[np.float32]


@dataclass(frozen=True)
class Region:
    """A turned square of the picture that holds one person or one hand."""

    centre: tuple[float, float]  # pixels
    side_px: float
    turn: float  # radians, clockwise; 0 for an upright person, or for fingers that point up

    def is_near(self, other: Region, *, share: float) -> bool:
        """Whether the centres are less than a share of the larger side apart."""
        return math.dist(self.centre, other.centre) < share * max(self.side_px, other.side_px)


def open_graph(text: str, **settings: Any) -> Any:
    """A graph that runs."""
    from mediapipe.python.solution_base import SolutionBase
    from mediapipe.python.solutions import holistic as _registers_the_options_of_calculators  # noqa: F401

    return SolutionBase(graph_config=text, **settings)


def rectangle(region: Region, size: tuple[int, int]) -> Any:
    """A region of a picture of (width, height) as a graph takes it."""
    from mediapipe.framework.formats.rect_pb2 import NormalizedRect

    return NormalizedRect(
        x_center=region.centre[0] / size[0],
        y_center=region.centre[1] / size[1],
        width=region.side_px / size[0],
        height=region.side_px / size[1],
        rotation=region.turn,
    )


def pixels(landmarks: Any, size: tuple[int, int]) -> Points:
    """(n, 2) of MediaPipe's landmarks, which are shares of the picture."""
    return np.array([(point.x, point.y) for point in landmarks.landmark], np.float32) * np.array(size, np.float32)
