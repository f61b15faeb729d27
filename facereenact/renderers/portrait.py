"""The portrait as a deformable mesh: the face of the tracker, and hair, ears and neck around it.

The surface is posed like a rigid head (weak perspective, with depth), then bent so that its 68 points lie where the
landmarks say. Bending is linear in what the 68 points still lack, by a matrix made once: the smoothest displacement of
the surface (smallest bi-Laplacian energy; Botsch, Kobbelt 2004). The openings of eyes and mouth are holes, so that no
motion crosses them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu
from scipy.spatial import Delaunay, cKDTree

from facereenact.renderers.layers import smooth_step
from landmarks import LandmarkSequence
from landmarks.face_mesh import (
    EYE_CORNERS,
    FACE_OVAL,
    LOWER_INNER_LIP,
    LOWER_LIDS,
    SURFACE_VERTICES,
    UPPER_INNER_LIP,
    UPPER_LIDS,
    FaceMesh,
    mesh_triangles,
    point_weights,
)
from landmarks.head_pose import fit_scale_and_position, rotation_matrices
from landmarks.motion import split_motion
from landmarks.retargeting import CLOSED_LIPS

Float = NDArray[np.floating[Any]]

LID_POINTS = ((37, 38), (43, 44))  # upper lid points; the renderer moves whole lids instead
LOWER_LID_POINTS = ((41, 40), (47, 46))
BROW_POINTS = np.array([17, 18, 19, 20, 21, 26, 25, 24, 23, 22])  # along the upper edges, outer end first
BROW_EDGES = (
    46,
    53,
    52,
    65,
    55,
    276,
    283,
    282,
    295,
    285,
)  # vertices of the lower edges, which go along: no hair stretches
SOLID_POINTS = np.array(
    [0, 1, 2, 3, 4, 12, 13, 14, 15, 16, 36, 39, 42, 45]
)  # cheeks and eye corners: what the hair follows
LIP_POINTS = ((59, 65), (60, 64), (61, 63))  # inner lip points, upper and lower
LIP_PAIRS = (2, 4, 6)  # their places along the edges of the lips
BEND = 1e-3  # weight of smoothness against hitting the points; small: points are hit to a hundredth of a pixel
FADE = 0.02  # pull of the surroundings towards the rigid head, per vertex


@dataclass(frozen=True, eq=False)
class Pose:
    """The mesh in one frame."""

    vertices: NDArray[np.float32]  # (vertices, 2), output pixels
    depth: NDArray[np.float32]  # (vertices,), smaller is nearer
    linear: NDArray[np.float64]  # (2, 2), how the rigid head maps small source vectors in the picture plane


class Portrait:
    """The mesh of one source picture, ready to be posed.

    Args:
        mesh: the tracked face.
        landmarks: its landmarks, one frame.
        size: width, height of the picture, pixels.
        cut: (n, 2) pixels where the border of the picture cuts the person off.
    """

    def __init__(self, mesh: FaceMesh, landmarks: LandmarkSequence, size: tuple[int, int], cut: Float) -> None:
        self.mesh, self.landmarks = mesh, landmarks
        self.face_width_px = float(np.ptp(mesh.vertices[:SURFACE_VERTICES, 0]))
        self._axes = _head_axes(mesh.vertices, self.face_width_px)
        self.roi_xyxy = self._region(size)
        around = self._surroundings()
        face = mesh.vertices[:SURFACE_VERTICES].astype(np.float64)
        self.source = np.vstack([face[:, :2], around]).astype(np.float32)  # (vertices, 2), source pixels
        self.depth = np.concatenate([face[:, 2], self._depth_around(around)])
        self._around = self._triangles_around()
        self.follow = (self.head_share(self.source) * self._off_border(cut))[:, None]  # 1 moves with the head, 0 stays
        triangles = np.vstack([mesh_triangles(), _closed_holes(), self._around]).astype(np.int32)
        still = (self.follow[triangles, 0] == 0).all(axis=1)
        self.moving_triangles, self.still_triangles = triangles[~still], triangles[still]  # (n, 3)
        self._origin = face.mean(axis=0)
        self._closed_lips_px = CLOSED_LIPS * float(split_motion(landmarks).head.scale[0])
        self._weights = self._control_weights()
        self._bend = self._bending_matrix()

    def head_share(self, points: Float) -> NDArray[np.float64]:
        """(n,) how far points (n, 2) of the source move with the head: 1 head, 0 shoulders and background."""
        u, v = self._along_axes(points)
        chin = self._along_axes(self.mesh.vertices[152:153, :2])[1][0]
        below = smooth_step((v - chin - 0.02) / 0.4)
        beside = smooth_step((np.abs(u) - 0.5) / 0.6)
        above = smooth_step((-v - 0.8) / 0.8)
        return np.asarray((1 - below) * (1 - beside) * (1 - above))

    def _off_border(self, cut: Float) -> NDArray[np.float64]:
        """(vertices,) 0 where the border of the picture cuts the person to 1 inside: what lies beyond is not known."""
        if not len(cut):
            return np.ones(len(self.source))
        distance = cKDTree(cut).query(self.source)[0] / self.face_width_px
        share = smooth_step(distance / 0.3)
        share[:SURFACE_VERTICES] = 1
        return share

    def pose(self, landmarks: LandmarkSequence) -> Pose:
        """The mesh with its points where the landmarks (one frame, source pixels) are."""
        turn = rotation_matrices(landmarks.rotation)[0] @ rotation_matrices(self.landmarks.rotation)[0].T
        solid = np.column_stack([self.source, self.depth]) - self._origin
        turned = solid @ turn.T
        controls = self._weights @ turned[:, :2]
        points = landmarks.points[0].astype(np.float64)
        scale, position = fit_scale_and_position(points[None, SOLID_POINTS], controls[None, SOLID_POINTS])
        rigid = scale[0] * turned[:, :2] + position
        linear = scale[0] * turn[:2, :2]

        missing = self._missing(points, rigid, linear)
        vertices = self.follow * rigid + (1 - self.follow) * self.source + self._bend @ missing
        self._part_lips(vertices, points, linear)
        _untangle(vertices, linear)
        return Pose(vertices.astype(np.float32), (scale[0] * turned[:, 2]).astype(np.float32), linear)

    def _missing(self, points: Float, rigid: Float, linear: Float) -> NDArray[np.float64]:
        """What the rigid head lacks at each control: the points, lower edges of the brows, upper lids."""
        held = [i for i in range(66) if i not in (*LID_POINTS[0], *LID_POINTS[1])]
        missing = np.zeros((self._bend.shape[1], 2))
        missing[held] = points[held] - (self._weights @ rigid)[held]
        row = len(self._weights)
        missing[row : row + len(BROW_POINTS)] = missing[BROW_POINTS]
        bent = rigid + self._bend @ missing
        row += len(BROW_POINTS)
        for side, (upper, lower) in enumerate(zip(UPPER_LIDS, LOWER_LIDS, strict=True)):
            openness = self._openness(points, side)
            share = np.interp(np.arange(7), (2, 5), openness if side == 0 else openness[::-1])
            gap = (self.source[list(upper)] - self.source[list(lower)]) @ linear.T
            missing[row : row + 7] = bent[list(lower)] + share[:, None] * gap - rigid[list(upper)]
            row += 7
        return missing

    def _openness(self, points: Float, side: int) -> NDArray[np.float64]:
        """(2,) lid gaps of the two pairs, right to left in the picture, in terms of the source's own."""
        gaps = []
        for of in (points, self.landmarks.points[0]):
            along = of[39] - of[36] if side == 0 else of[45] - of[42]
            down = np.array([-along[1], along[0]]) / np.linalg.norm(along)
            pairs = zip(LID_POINTS[side], LOWER_LID_POINTS[side], strict=True)
            gaps.append([float((of[lower] - of[upper]) @ down) for upper, lower in pairs])
        now, own = np.array(gaps)
        return np.clip(now / np.maximum(own, 0.01 * self.face_width_px), 0, 2.0)

    def _part_lips(self, vertices: NDArray[np.float64], points: Float, linear: Float) -> None:
        """Bring the edges of the lips to the gaps that the points tell, in place; closed lips touch.

        The points lie on the lips, not on their edges: what is between them and the edges in the source stays there.
        """
        down = _down(linear)
        own_down = _down(np.eye(2))
        scale = float(np.linalg.norm(linear @ own_down))
        upper, lower = list(UPPER_INNER_LIP), list(LOWER_INNER_LIP)
        gaps = (vertices[lower] - vertices[upper]) @ down
        own = self.landmarks.points[0]
        missing = []
        for (above, below), pair in zip(LIP_POINTS, LIP_PAIRS, strict=True):
            own_edge = float((self.source[lower[pair]] - self.source[upper[pair]]) @ own_down)
            thickness = scale * max(float((own[below] - own[above]) @ own_down) - own_edge, self._closed_lips_px)
            missing.append(max(0.0, float((points[below] - points[above]) @ down) - thickness) - gaps[pair])
        change = np.interp(np.arange(len(upper)), (-1, *LIP_PAIRS, len(upper)), (0, *missing, 0))[:, None] * down
        vertices[upper] -= change / 2
        vertices[lower] += change / 2

    def _along_axes(self, points: Float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Positions along the head's own right and down, from the middle of the face, in face widths."""
        centre, right = self._axes
        offset = (np.asarray(points, np.float64) - centre) / self.face_width_px
        return offset @ right, offset @ np.array([-right[1], right[0]])

    def _region(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """The part of the picture that can change, xyxy, clipped to the picture."""
        centre, right = self._axes
        down = np.array([-right[1], right[0]])
        corners = [centre + self.face_width_px * (u * right + v * down) for u in (-1.25, 1.25) for v in (-1.7, 1.2)]
        low, high = np.floor(np.min(corners, axis=0)), np.ceil(np.max(corners, axis=0))
        left, top = np.clip(low, 0, None).astype(int)
        right_px, bottom = np.minimum(high, size).astype(int)
        return int(left), int(top), int(right_px), int(bottom)

    def _surroundings(self) -> NDArray[np.float64]:
        """(n, 2) grid of vertices around the face, reaching past the region on every side."""
        step = self.face_width_px / 8
        left, top, right, bottom = self.roi_xyxy
        xs = np.arange(left - step, right + 2 * step, step)
        ys = np.arange(top - step, bottom + 2 * step, step)
        grid = np.stack(np.meshgrid(xs, ys), axis=2).reshape(-1, 2)
        oval = np.ascontiguousarray(self.mesh.vertices[list(FACE_OVAL), :2], np.float32)
        distance = np.array([cv2.pointPolygonTest(oval, (float(x), float(y)), True) for x, y in grid])
        return np.asarray(grid[distance < -0.45 * step])

    def _depth_around(self, around: Float) -> NDArray[np.float64]:
        """(n,) depth of hair, ears and neck: falling back from the outline of the face to the middle of the head."""
        oval = self.mesh.vertices[list(FACE_OVAL)].astype(np.float64)
        apart = np.linalg.norm(around[:, None] - oval[None, :, :2], axis=2)
        weights = 1 / (apart**3 + 1e-6)
        at_oval = (weights @ oval[:, 2]) / weights.sum(axis=1)
        away = apart.min(axis=1) / self.face_width_px
        back = np.percentile(oval[:, 2], 90) + 0.4 * self.face_width_px
        return np.asarray(at_oval + np.maximum(back - at_oval, 0) * (1 - np.exp(-away / 0.25)))

    def _triangles_around(self) -> NDArray[np.int32]:
        oval = self.source[list(FACE_OVAL)]
        around = np.arange(SURFACE_VERTICES, len(self.source))
        vertices = np.concatenate([np.array(FACE_OVAL), around])
        triangles = Delaunay(self.source[vertices]).simplices
        middle = self.source[vertices][triangles].mean(axis=1)
        inside = [cv2.pointPolygonTest(oval, (float(x), float(y)), False) > 0 for x, y in middle]
        return np.asarray(vertices[triangles[~np.array(inside)]], np.int32)

    def _control_weights(self) -> NDArray[np.float64]:
        """(66, vertices) which vertices make each of the points (pupils move on their own)."""
        weights = np.zeros((66, len(self.source)))
        weights[:, :SURFACE_VERTICES] = point_weights()[:66, :SURFACE_VERTICES]
        return weights

    def _bending_matrix(self) -> NDArray[np.float64]:
        """(vertices, controls) smooth displacement of all vertices for a displacement of each control."""
        count = len(self.source)
        open_triangles = np.vstack([mesh_triangles(), self._around])
        sides = np.vstack([open_triangles[:, [0, 1]], open_triangles[:, [1, 2]], open_triangles[:, [2, 0]]])
        length = np.linalg.norm(self.source[sides[:, 0]] - self.source[sides[:, 1]], axis=1) / self.face_width_px
        weight = 1 / np.maximum(length, 0.01)
        graph = sparse.coo_matrix((weight, (sides[:, 0], sides[:, 1])), shape=(count, count)).tocsr()
        graph = graph.maximum(graph.T)
        degree = np.asarray(graph.sum(axis=1)).ravel()
        laplacian = sparse.diags(np.ones(count)) - sparse.diags(1 / degree) @ graph
        edges = [*BROW_EDGES, *(vertex for lid in UPPER_LIDS for vertex in lid)]
        held = np.zeros((len(edges), count))
        held[np.arange(len(edges)), edges] = 1
        weights = self._weights.copy()
        weights[[*LID_POINTS[0], *LID_POINTS[1]]] = 0
        controls = sparse.csr_matrix(np.vstack([weights, held]))
        outside = np.arange(count) >= SURFACE_VERTICES
        fade = sparse.diags(np.where(outside, FADE, 0.0))
        still = sparse.diags(np.where(outside, 1.0 - self.follow[:, 0], 0.0))
        system = BEND * (laplacian.T @ laplacian + fade + still) + controls.T @ controls + 1e-9 * sparse.identity(count)
        bend = splu(system.tocsc()).solve(controls.T.toarray())
        return np.asarray(bend * np.minimum(1, 3 * self.follow))


def _head_axes(vertices: Float, face_width_px: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middle of the face (2,) and the head's own right in the picture (2,), unit length."""
    right = vertices[EYE_CORNERS[1][0], :2].astype(np.float64) - vertices[EYE_CORNERS[0][0], :2]
    oval = vertices[list(FACE_OVAL), :2].astype(np.float64)
    return oval.mean(axis=0), right / max(float(np.linalg.norm(right)), 1e-6)


def _closed_holes() -> NDArray[np.int32]:
    """Triangles that close the openings of eyes and mouth, strips between facing vertices."""
    triangles: list[tuple[int, int, int]] = []
    for upper, lower, corners in (
        (UPPER_LIDS[0], LOWER_LIDS[0], EYE_CORNERS[0]),
        (UPPER_LIDS[1], LOWER_LIDS[1], EYE_CORNERS[1]),
        (UPPER_INNER_LIP, LOWER_INNER_LIP, (78, 308)),
    ):
        triangles += [(corners[0], upper[0], lower[0]), (corners[1], upper[-1], lower[-1])]
        for i in range(len(upper) - 1):
            triangles += [(upper[i], upper[i + 1], lower[i]), (lower[i], upper[i + 1], lower[i + 1])]
    return np.array(triangles, np.int32)


def _untangle(vertices: NDArray[np.float64], linear: Float) -> None:
    """Lids and lips that passed each other meet where they touch."""
    down = _down(linear)
    pairs = ((UPPER_LIDS[0], LOWER_LIDS[0]), (UPPER_LIDS[1], LOWER_LIDS[1]), (UPPER_INNER_LIP, LOWER_INNER_LIP))
    for upper, lower in pairs:
        above, below = vertices[list(upper)], vertices[list(lower)]
        overlap = np.maximum((above - below) @ down, 0)[:, None] * down
        vertices[list(upper)] = above - 0.5 * overlap
        vertices[list(lower)] = below + 0.5 * overlap


def _down(linear: Float) -> NDArray[np.float64]:
    """(2,) the picture's down as the head maps it, unit length."""
    down = linear @ np.array([0.0, 1.0])
    return np.asarray(down / max(float(np.linalg.norm(down)), 1e-6))
