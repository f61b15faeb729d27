"""MediaPipe's mesh of a face: its vertices in one picture, its topology, and its mapping to the 68 points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from landmarks.types import POINT_COUNT

MESH_VERTICES = 478  # 468 of the face surface, then centre and four rim points of each iris
SURFACE_VERTICES = 468

# fmt: off
FACE_OVAL = (
    10, 109, 67, 103, 54, 21, 162, 127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148,
    152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356, 389, 251, 284, 332, 297, 338,
)
"""The outline of the mesh, from the forehead counter-clockwise as seen in the picture."""

# Eyes (right, left: the subject's), from the outer corner; facing vertices of upper and lower lid share an index.
UPPER_LIDS = ((246, 161, 160, 159, 158, 157, 173), (466, 388, 387, 386, 385, 384, 398))
LOWER_LIDS = ((7, 163, 144, 145, 153, 154, 155), (249, 390, 373, 374, 380, 381, 382))
EYE_CORNERS = ((33, 133), (263, 362))  # outer, inner
IRISES = ((468, 469, 470, 471, 472), (473, 474, 475, 476, 477))  # centre, then rim

UPPER_INNER_LIP = (191, 80, 81, 82, 13, 312, 311, 310, 415)
LOWER_INNER_LIP = (95, 88, 178, 87, 14, 317, 402, 318, 324)
INNER_MOUTH_CORNERS = (78, 308)
# fmt: on


@dataclass(frozen=True, eq=False)
class FaceMesh:
    """MediaPipe's mesh of one face in one picture."""

    vertices: NDArray[np.float32]  # (478, 3), pixels x, y and depth in the same unit (smaller is nearer)

    @cached_property
    def points(self) -> NDArray[np.float32]:
        """(68, 2) the OpenSeeFace points, pixels."""
        return (point_weights() @ self.vertices[:, :2]).astype(np.float32)

    @property
    def box_xyxy(self) -> NDArray[np.float32]:
        return np.concatenate([self.vertices[:, :2].min(axis=0), self.vertices[:, :2].max(axis=0)])

    @property
    def width_px(self) -> float:
        return float(self.box_xyxy[2] - self.box_xyxy[0])

    @property
    def centre(self) -> NDArray[np.float32]:
        return np.asarray(self.vertices[:468, :2].mean(axis=0))


@cache
def point_weights() -> NDArray[np.float32]:
    """(68, 478) convex weights that make each of the 68 points of the mesh's vertices."""
    weights = np.zeros((POINT_COUNT, MESH_VERTICES), np.float32)
    with (files("landmarks") / "tables" / "mediapipe_to_68.csv").open() as table:
        for point, vertex, weight in np.loadtxt(table, delimiter=","):
            weights[int(point), int(vertex)] = weight
    return weights / weights.sum(axis=1, keepdims=True)


@cache
def mesh_triangles() -> NDArray[np.int32]:
    """(852, 3) vertices of the triangles of the surface; eyes and mouth are holes."""
    with (files("landmarks") / "tables" / "mesh_triangles.csv").open() as table:
        return np.loadtxt(table, delimiter=",", dtype=np.int32)


def eye_outline(side: int) -> list[int]:
    """The vertices around the right (0) or left (1) eye opening."""
    outer, inner = EYE_CORNERS[side]
    return [outer, *UPPER_LIDS[side], inner, *reversed(LOWER_LIDS[side])]


def mouth_outline() -> list[int]:
    """The vertices around the opening between the lips."""
    right, left = INNER_MOUTH_CORNERS
    return [right, *UPPER_INNER_LIP, left, *reversed(LOWER_INNER_LIP)]
