"""Faces whose measures are known, as a tracker would read them."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from facereenact.evaluation.readings import Reading, mesh_reading
from landmarks.face_mesh import FaceMesh
from tests.faces import hopper

SIZE = (240, 240)


@cache
def shape() -> NDArray[np.float64]:
    """(478, 3) a real mesh about its middle, 1 wide."""
    vertices = hopper().mesh.vertices.astype(np.float64)
    vertices = vertices - vertices.mean(axis=0)
    return vertices / np.ptp(vertices[:, 0])


def mesh_at(x: float, y: float, *, width_px: float = 80, turn: Rotation | None = None, stretch: float = 1.0) -> Reading:
    """A face about a pixel, turned, and longer by a factor."""
    vertices = shape() * [1, stretch, 1]
    if turn is not None:
        vertices = turn.apply(vertices)
    return mesh_reading(FaceMesh((vertices * width_px + [x, y, 0]).astype(np.float32)), SIZE)
