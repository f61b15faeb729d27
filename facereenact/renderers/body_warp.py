"""The body renderer without weights: the person, cut into sheets that are skinned to bones, over what was behind."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from body.types import LEFT_ELBOW, LEFT_WRIST, RIGHT_ELBOW, RIGHT_WRIST, VISIBLE
from facereenact.errors import InputError
from facereenact.renderers.body_layers import BEYOND, cut_sheets, hands_hidden
from facereenact.renderers.body_limbs import TRUNK, Limbs
from facereenact.renderers.body_matte import estimate_matte, separate
from facereenact.renderers.body_mesh import BodyMesh, SheetMesh
from facereenact.renderers.body_pose import pose_bones
from facereenact.renderers.body_skeleton import HEAD, Skeleton
from facereenact.renderers.raster import over, rasterise

Image = NDArray[np.uint8]
Array = NDArray[np.floating[Any]]

CELL = 0.035  # of the mesh, shoulder widths
LEAST_CELL_PX = 4.0
NOWHERE = np.float32(-9)  # where nothing is drawn, the sampling map points out of the sheet


@dataclass(frozen=True, eq=False)
class HeadPicture:
    """The head with another expression, in its own place in the source picture; see `body_head`."""

    rgba: Image  # (height, width, 4), cut out like `BodyWarp.person`
    origin: tuple[int, int]  # source pixel x, y of the first of them
    roll_rad: float = 0.0  # how far the face would roll the head, which is for the body to do


@dataclass(frozen=True, eq=False)
class Placement:
    """Where the person is in one frame."""

    vertices: NDArray[np.float32]  # (n, 2), output pixels
    head: NDArray[np.float64]  # (2, 3), the similarity that carries the head from source to output pixels
    clamped: bool  # whether the points asked for more than one picture can show


class BodyWarp:
    """Animates a person by bending the picture.

    Args:
        image: (height, width, 3) RGB uint8 source.
        points: (134, 2) the person's points in it, pixels, in the order of `body.types`.
        scores: (134,) how sure they are; what is below `body.types.VISIBLE` is unknown.
        matte: (height, width) 0 to 1, what belongs to the person; by default it is estimated.

    Raises:
        InputError: the points do not show both shoulders, or nobody can be cut out.
    """

    def __init__(self, image: Image, points: Array, scores: Array, *, matte: NDArray[np.float32] | None = None) -> None:
        size = (image.shape[1], image.shape[0])
        skeleton = Skeleton(points, _without_cut_off_arms(points, scores, size))
        if matte is None:
            matte = estimate_matte(image, skeleton)
        self._behind, own = separate(image, matte, skeleton)
        self.person = np.dstack([own, np.round(matte * 255).astype(np.uint8)])  # (height, width, 4), cut out
        self._limbs = Limbs(skeleton, matte)
        step_px = max(LEAST_CELL_PX, CELL * skeleton.width_px)
        sheets = cut_sheets(own, matte, self._limbs)
        if TRUNK not in (sheet.part for sheet in sheets):
            raise InputError("the person cannot be told from the background: take a source picture with a plainer one")
        self._still_arms = hands_hidden(sheets, self._limbs, size)
        self._mesh = BodyMesh(sheets, self._limbs, step_px=step_px)
        self._hem = self._lower_end(matte)

    def place(self, points: Array, scores: Array, *, head_roll: float | None = None) -> Placement:
        """Where the person goes; beyond what one picture can show it is held back.

        Args:
            points: (134, 2) retargeted, pixels of the source.
            scores: (134,) a limb that is not seen stays as it is on the one it hangs on.
            head_roll: of the head, radians, from x towards y; by default that of its points.
        """
        pose = pose_bones(self._limbs, points, scores, head_roll=head_roll, still_arms=self._still_arms)
        vertices, head = self._mesh.deform(pose), pose.matrices()[HEAD]
        lifted_px = self._bottom - float(vertices[self._hem, 1].min()) if len(self._hem) else 0.0
        if lifted_px > 0:  # the picture ends where the person's lower end would come into view
            vertices[:, 1] += lifted_px
            head[1, 2] += lifted_px
        return Placement(vertices, head, clamped=pose.clamped or lifted_px > 0)

    def draw(self, placement: Placement, *, head: HeadPicture | None = None) -> Image:
        """The source with the person elsewhere, and with another head, which moves with the body."""
        canvas = self._behind.copy()
        for mesh in self._mesh.meshes:
            if head is not None and mesh.sheet.part == TRUNK:
                mesh = _with_head(mesh, head)
            _draw(canvas, mesh, placement.vertices[mesh.vertices])
        return canvas

    def _lower_end(self, matte: NDArray[np.float32]) -> NDArray[np.int64]:
        """The vertices at the lower end of a person whom the picture's lower border cuts off."""
        self._bottom = float(matte.shape[0])
        columns = np.flatnonzero(matte[-1] > 0.5)
        if not len(columns):
            return np.zeros(0, int)
        trunk = next(mesh for mesh in self._mesh.meshes if mesh.sheet.part == TRUNK)
        x, y = self._mesh.points[trunk.vertices].T
        end = self._bottom + 0.9 * BEYOND * max(matte.shape)
        row = y[y <= end].max()
        inside = (y == row) & (x > columns[0]) & (x < columns[-1])
        return np.asarray(np.flatnonzero(inside) + trunk.vertices.start)


def _without_cut_off_arms(points: Array, scores: Array, size: tuple[int, int]) -> Array:
    """The scores, 0 for elbows of arms that show neither elbow nor wrist: that is too little of an arm to swing it."""
    known = np.array(scores, np.float64)
    shown = (known >= VISIBLE) & ((points >= 0) & (points <= size)).all(axis=1)
    for elbow, wrist in ((RIGHT_ELBOW, RIGHT_WRIST), (LEFT_ELBOW, LEFT_WRIST)):
        if not shown[elbow] and not shown[wrist]:
            known[elbow] = 0
    return known


def _with_head(mesh: SheetMesh, head: HeadPicture) -> SheetMesh:
    """The trunk with another head, where the trunk shows the picture as it is."""
    sheet = mesh.sheet
    low = np.array(head.origin) - sheet.origin
    size = np.array(head.rgba.shape[1::-1])
    first, last = np.maximum(low, 0), np.minimum(low + size, sheet.rgba.shape[1::-1])
    if (last <= first).any():
        return mesh
    there = (slice(first[1], last[1]), slice(first[0], last[0]))
    here = (slice(first[1] - low[1], last[1] - low[1]), slice(first[0] - low[0], last[0] - low[0]))
    rgba = sheet.rgba.copy()
    rgba[there] = np.where(sheet.shown[there][..., None], head.rgba[here], rgba[there])
    return replace(mesh, sheet=replace(sheet, rgba=rgba))


def _draw(canvas: Image, mesh: SheetMesh, target: NDArray[np.float32]) -> None:
    """Lay a sheet over a picture, its vertices (n, 2) at their places."""
    low = np.maximum(np.floor(target.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(target.max(axis=0)).astype(int) + 1, canvas.shape[1::-1])
    if (high <= low).any():
        return
    maps = np.full((3, high[1] - low[1], high[0] - low[0]), NOWHERE, np.float32)
    maps[2] = np.inf
    rasterise(target - low.astype(np.float32), mesh.depth, mesh.source, mesh.triangles, maps)
    layer = cv2.remap(mesh.sheet.rgba, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    part = canvas[low[1] : high[1], low[0] : high[0]]
    part[:] = over(np.asarray(layer, np.uint8), part)
