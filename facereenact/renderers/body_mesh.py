"""The sheets of a person as one mesh, skinned to the bones.

How far each bone moves a vertex is spread from the bones over the trunk (harmonic weights, poor conductors where there
is no person), so that a hand beside the hip does not drag it along; angles are blended rather than matrices, around the
joint between the bones, so that limbs keep their thickness when they bend (Le, Hodgins 2016).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.linalg import splu

from facereenact.renderers.body_layers import Sheet
from facereenact.renderers.body_limbs import FOREARM_PARTS, TRUNK, UPPER_ARM_PARTS, Limbs, Segment
from facereenact.renderers.body_pose import BonePose
from facereenact.renderers.body_skeleton import (
    BONE_COUNT,
    CHEST,
    ENDS,
    FEET,
    FOREARMS,
    HANDS,
    HEAD,
    PELVIS,
    SHINS,
    THIGHS,
    UPPER_ARMS,
    Points,
    Skeleton,
    norm,
    parent,
)
from facereenact.renderers.layers import smooth_step

HOLD = 1e3  # how firmly a bone holds the vertices that are surely its own, against the pull of their neighbours
LEAK = 0.02  # how well motion spreads over background, against the person
ARMPIT_DEG, SHOULDER_DEG = (10.0, 75.0), (30.0, 160.0)  # off the upper arm: from moving with it to staying, both sides
WAIST = (0.3, 0.9)  # of the spine: where it bends
CORE, SPREAD = 0.2, 0.15  # what surely belongs to the spine, to a bone of a leg; shoulder widths to each side
HEAD_BOX, ROOM_BOX = (
    (0.8, 0.7, 1.3),
    (1.2, 1.5, 1.5),
)  # what moves with the head; where a turned head and neck may reach
WRIST = 0.16  # way on which a wrist bends, shoulder widths
HELD_LENGTHS = ((THIGHS, 0.35, 0.8), (SHINS, 0.25, 0.85), (FEET, 0.1, np.inf))  # what is surely of a bone of a leg


@dataclass(frozen=True, eq=False)
class SheetMesh:
    """The part of the mesh that one sheet hangs on."""

    sheet: Sheet
    vertices: slice  # of the mesh
    source: NDArray[np.float32]  # (n, 2), pixels of the sheet
    triangles: NDArray[np.int32]  # (m, 3), counted within the slice
    depth: NDArray[np.float32]  # (n,), less is nearer, where the sheet folds over itself


class BodyMesh:
    """All sheets, each on its own piece of one grid.

    Args:
        sheets: back to front.
        limbs: the bones.
        step_px: width of a cell of the grid.
    """

    def __init__(self, sheets: list[Sheet], limbs: Limbs, *, step_px: float) -> None:
        self._limbs, self._skeleton = limbs, limbs.skeleton
        grids = [_Grid(sheet, self._skeleton, step_px) for sheet in sheets]
        self.points = np.vstack([grid.points for grid in grids])  # (vertices, 2), source pixels
        self.weights = np.vstack([self._spread(grid) for grid in grids])  # (vertices, bones), rows sum to 1
        self._centres = self._joint_centres()
        self.meshes: list[SheetMesh] = []  # back to front
        start = 0
        for grid in grids:
            vertices = slice(start, start + len(grid.points))
            source = (grid.points - grid.sheet.origin).astype(np.float32)
            depth = BONE_COUNT * grid.is_room - self.weights[vertices] @ np.arange(BONE_COUNT)
            self.meshes.append(SheetMesh(grid.sheet, vertices, source, grid.triangles, depth.astype(np.float32)))
            start = vertices.stop

    def deform(self, pose: BonePose) -> NDArray[np.float32]:
        """(vertices, 2) where a pose takes the vertices, output pixels."""
        maps = (self.weights @ pose.matrices().reshape(BONE_COUNT, 6)).reshape(-1, 2, 3)
        stretches = (self.weights @ pose.stretches.reshape(BONE_COUNT, 4)).reshape(-1, 2, 2)
        angles = self.weights @ pose.angles
        cos, sin = np.cos(angles), np.sin(angles)
        placed = np.einsum("nij,nj->ni", maps[:, :, :2], self._centres) + maps[:, :, 2]
        x, y = np.einsum("nij,nj->in", stretches, self.points - self._centres)
        return (placed + np.column_stack([cos * x - sin * y, sin * x + cos * y])).astype(np.float32)

    def _joint_centres(self) -> Points:
        """(vertices, 2) what each vertex turns around: the joints of the bones that share it, else itself."""
        total, shares = 1e-4 * self.points, np.full(len(self.points), 1e-4)
        for bone, pivot in {**self._limbs.pivots, HEAD: self._skeleton.head_pivot}.items():
            share = self.weights[:, bone] * self.weights[:, parent(bone)]
            total += share[:, None] * pivot
            shares += share
        return np.asarray(total / shares[:, None])

    def _spread(self, grid: _Grid) -> Points:
        """(n, bones) weights of the vertices of one sheet."""
        if grid.sheet.part in FOREARM_PARTS:
            return self._forearm(grid.points, FOREARM_PARTS.index(grid.sheet.part))
        if grid.sheet.part in UPPER_ARM_PARTS:
            return self._upper_arm(grid.points, UPPER_ARM_PARTS.index(grid.sheet.part))
        return _harmonic(grid.edges, grid.conductance, self._held(grid.points))

    def _forearm(self, points: Points, side: int) -> Points:
        """Stiff, with a wrist."""
        weights = np.zeros((len(points), BONE_COUNT))
        if self._skeleton.present[HANDS[side]]:
            arm, *hand = self._limbs.segments[FOREARM_PARTS[side]]
            nearer = _along(points, arm)[1] - np.min([_along(points, finger)[1] for finger in hand], axis=0)
            weights[:, HANDS[side]] = smooth_step(nearer / (WRIST * self._skeleton.width_px) + 0.5)
        weights[:, FOREARMS[side]] = 1 - weights[:, HANDS[side]]
        return weights

    def _upper_arm(self, points: Points, side: int) -> Points:
        """By the angle at the shoulder alone, so that a shoulder keeps its round outline when the arm is raised."""
        bone = UPPER_ARMS[side]
        pivot, arm = self._limbs.pivots[bone], self._skeleton.bone(bone)
        trunk, away = self._skeleton.neck + self._skeleton.spine / 2 - pivot, points - pivot
        towards = np.sign(arm[0] * trunk[1] - arm[1] * trunk[0])
        degrees = np.degrees(np.arctan2(towards * (arm[0] * away[:, 1] - arm[1] * away[:, 0]), away @ arm))
        inner = 1 - smooth_step((degrees - ARMPIT_DEG[0]) / (ARMPIT_DEG[1] - ARMPIT_DEG[0]))
        outer = 1 - np.clip((-degrees - SHOULDER_DEG[0]) / (SHOULDER_DEG[1] - SHOULDER_DEG[0]), 0, 1)
        weights = np.zeros((len(points), BONE_COUNT))
        weights[:, bone] = np.where(degrees > 0, inner, outer)
        weights[:, CHEST] = 1 - weights[:, bone]
        return weights

    def _held(self, points: Points) -> Points:
        """(n, bones) weights of the vertices of the trunk that surely belong to bones; zero for the others."""
        of, width = self._skeleton, self._skeleton.width_px
        held = np.zeros((len(points), BONE_COUNT))
        down, aside = _along(points, (of.neck, of.neck + of.spine))
        spine = (down > 0) & (down < 1.1) & (aside < CORE * width)
        spine |= (down > 0.9) & ((down < 1.1) & (aside < 1.75 * CORE * width) | (not of.present[list(THIGHS)].any()))
        held[spine, PELVIS] = np.clip((down[spine] - WAIST[0]) / (WAIST[1] - WAIST[0]), 0, 1)
        held[spine, CHEST] = 1 - held[spine, PELVIS]
        held[_around_head(of, points, HEAD_BOX)] = np.eye(BONE_COUNT)[HEAD]
        for bones, start, end in HELD_LENGTHS:
            for bone in bones:
                if of.present[bone]:
                    t, aside = _along(points, (of.points[ENDS[bone][0]], of.points[ENDS[bone][1]]))
                    held[(t > start) & (t < end) & (aside < SPREAD * width)] = np.eye(BONE_COUNT)[bone]
        for side, part in enumerate(UPPER_ARM_PARTS):
            if self._limbs.segments[part]:
                pivot = self._limbs.pivots[UPPER_ARMS[side]]
                near = np.linalg.norm(points - pivot, axis=1) < self._limbs.joint_px(part)
                held[near] = self._upper_arm(points[near], side)
        return held


class _Grid:
    """A square grid over one sheet, without the cells that the sheet leaves empty, but with room for a turned head."""

    def __init__(self, sheet: Sheet, of: Skeleton, step_px: float) -> None:
        self.sheet = sheet
        alpha = sheet.rgba[..., 3].astype(np.float32) / 255
        first = np.floor(sheet.origin / step_px).astype(int)
        ys, xs = np.nonzero(alpha > 0)
        cells = np.floor((np.column_stack([xs, ys]) + sheet.origin) / step_px).astype(int) - first
        filled = np.zeros(np.ceil(np.array(alpha.shape) / step_px).astype(int) + 1, bool)
        filled[cells[:, 1], cells[:, 0]] = True
        every = np.indices(filled.shape)[::-1].reshape(2, -1).T
        room = _around_head(of, (every + first + 0.5) * step_px, ROOM_BOX).reshape(filled.shape)
        rows, places = np.nonzero(filled | (room if sheet.part == TRUNK else False))
        columns = filled.shape[1] + 1  # of corners
        used, corners = np.unique(
            (rows * columns + places)[:, None] + [0, 1, columns, columns + 1], return_inverse=True
        )
        corners = corners.reshape(-1, 4)
        self.is_room = np.ones(len(used), bool)  # (vertices,)
        self.is_room[corners[filled[rows, places]]] = False
        self.points = (np.column_stack([used % columns, used // columns]) + first) * float(step_px)  # source pixels
        self.triangles = np.vstack([corners[:, [0, 1, 2]], corners[:, [1, 3, 2]]]).astype(np.int32)
        self.edges = np.unique(np.vstack([corners[:, pair] for pair in ([0, 1], [2, 3], [0, 2], [1, 3])]), axis=0)
        middle = self.points[self.edges].mean(axis=1) - sheet.origin
        covered = ndimage.uniform_filter(alpha, max(1, int(step_px)))
        self.conductance = LEAK + ndimage.map_coordinates(covered, middle[:, ::-1].T, order=1, mode="nearest")


def _harmonic(edges: NDArray[np.int64], conductance: NDArray[np.float64], held: Points) -> Points:
    """(n, bones) the smoothest weights that are those of the vertices held (rows that are not zero)."""
    both = np.concatenate([edges[:, 0], edges[:, 1]]), np.concatenate([edges[:, 1], edges[:, 0]])
    links = sparse.coo_matrix((np.tile(conductance, 2), both), shape=(len(held), len(held))).tocsr()
    hold = HOLD * held.any(axis=1)
    system = sparse.diags(np.asarray(links.sum(axis=1)).ravel() + hold + 1e-9) - links
    solved = splu(system.tocsc()).solve(hold[:, None] * held)
    total = solved.sum(axis=1, keepdims=True)
    return np.where(total > 1e-6, solved / np.maximum(total, 1e-6), np.eye(BONE_COUNT)[CHEST])


def _around_head(of: Skeleton, points: Points, box: tuple[float, float, float]) -> NDArray[np.bool_]:
    """(n,) which points (n, 2) lie in a box: head widths to both sides, below and above the middle between the ears."""
    beside, above = of.along_head(points)
    return np.asarray((np.abs(beside) < box[0]) & (above > -box[1]) & (above < box[2]))


def _along(points: Points, line: Segment) -> tuple[Points, Points]:
    """(n,) position along a line, 0 to 1 between its ends, and distance from it, pixels."""
    way = line[1] - line[0]
    t = (points - line[0]) @ way / max(norm(way), 1e-6) ** 2
    nearest = line[0] + np.clip(t, 0, 1)[:, None] * way
    return t, np.linalg.norm(points - nearest, axis=1)
