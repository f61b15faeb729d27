"""Eyeballs: what shows between the lids. White and iris are separate layers, so that the gaze moves the iris alone."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facereenact.renderers.background import diffuse
from facereenact.renderers.layers import blend, opening_between, polygon_coverage, rounded, sample, square
from facereenact.renderers.portrait import Portrait, Pose
from landmarks.face_mesh import EYE_CORNERS, IRISES, LOWER_LIDS, UPPER_LIDS

Image = NDArray[np.uint8]
SHARED_IRIS = 1.15  # the moving disc in iris radii: it carries its soft rim along


class Eyeball:
    """One eye of the source, taken apart.

    Args:
        image: (height, width, 3) RGB uint8 source.
        portrait: its mesh.
        side: 0 the right eye, 1 the left (the subject's).
    """

    def __init__(self, image: Image, portrait: Portrait, side: int) -> None:
        vertices = portrait.mesh.vertices[:, :2].astype(np.float64)
        self._corners = EYE_CORNERS[side]
        outer, inner = self._corners
        self._edges = [outer, *UPPER_LIDS[side], inner], [outer, *LOWER_LIDS[side], inner]
        opening = rounded(*(vertices[edge] for edge in self._edges))
        self.width_px = float(np.linalg.norm(vertices[self._corners[0]] - vertices[self._corners[1]]))
        self._middle = vertices[list(self._corners)].mean(axis=0)
        self._iris = vertices[IRISES[side][0]]
        self._radius = float(np.linalg.norm(vertices[list(IRISES[side][1:])] - self._iris, axis=1).mean())
        reach = 0.75 * self.width_px
        low = np.floor(opening.mean(axis=0) - reach).astype(int)
        side_px = int(np.ceil(2 * reach))
        self._origin = low  # (x, y) of the patch in the source
        patch = square(image, low, side_px).astype(np.float32)
        self._take_apart(patch, opening - low, self._iris - low)

    def _take_apart(self, patch: NDArray[np.float32], opening: NDArray[np.float64], iris: NDArray[np.float64]) -> None:
        side_px = len(patch)
        ys, xs = np.indices((side_px, side_px)).astype(np.float64)
        visible = polygon_coverage(opening, (side_px, side_px)) > 0.5
        inset = 2 * int(0.02 * self.width_px) + 1
        visible = cv2.erode(visible.astype(np.uint8), np.ones((inset, inset))) > 0
        radius = np.hypot(xs - iris[0], ys - iris[1])
        in_iris = radius < 1.2 * self._radius
        white = visible & ~in_iris
        if white.sum() < 6:  # closed or painted eyes: a plausible white, in the light of the skin around
            skin = np.median(patch.reshape(-1, 3), axis=0)
            self.white = np.full_like(patch, 0) + (0.9 * skin.mean() + 0.35 * (skin - skin.mean())).astype(np.float32)
        else:
            self.white = cv2.GaussianBlur(diffuse(patch, white), (0, 0), max(0.5, 0.04 * self._radius))
            self.white[white] = patch[white]
        self.iris = self._whole_iris(patch, visible & (radius < 1.1 * self._radius), iris, radius)
        rim = np.clip((SHARED_IRIS * self._radius - radius) / max(0.15 * self._radius, 0.7), 0, 1)
        outer = np.where(visible, 1, radius < 1.02 * self._radius)
        self.iris_alpha = (rim * outer).astype(np.float32)
        shade = cv2.GaussianBlur(self.iris_alpha, (0, 0), 0.6)
        self.iris_alpha = np.minimum(shade, rim.astype(np.float32))

    def _whole_iris(
        self, patch: NDArray[np.float32], seen: NDArray[np.bool_], iris: NDArray[np.float64], radius: NDArray[Any]
    ) -> NDArray[np.float32]:
        """The iris as if no lid covered it: hidden parts by reflection, then by the mean colour at the same radius."""
        side_px = len(patch)
        rows, columns = np.indices((side_px, side_px))
        whole = patch.copy()
        if seen.sum() < 8:
            profile = np.clip(radius / self._radius, 0, 1)[..., None]
            return np.where(profile < 0.45, 18.0, 60.0 - 30 * (profile > 0.9)).astype(np.float32) * np.ones(
                3, np.float32
            )
        mirrored = np.clip(np.round(2 * iris[1] - rows).astype(int), 0, side_px - 1)
        across = np.clip(np.round(2 * iris[0] - columns).astype(int), 0, side_px - 1)
        steps = np.minimum((radius / max(self._radius, 1e-6) * 6).astype(int), 7)
        missing = ~seen & (radius < 1.4 * self._radius)
        for ring in range(8):
            of_ring = seen & (steps == ring)
            colour = patch[of_ring].mean(axis=0) if of_ring.any() else patch[seen].mean(axis=0)
            whole[missing & (steps == ring)] = colour
        for source_rows, source_columns in ((rows, across), (mirrored, columns)):
            usable = missing & seen[source_rows, source_columns]
            whole[usable] = patch[source_rows, source_columns][usable]
        return np.where(missing[..., None], cv2.GaussianBlur(whole, (0, 0), 0.8), whole)

    def draw(self, canvas: Image, pose: Pose, pupil: NDArray[Any], offset: NDArray[np.float64]) -> None:
        """Draw the eye between the lids of a posed mesh.

        Args:
            canvas: (height, width, 3) picture to draw into.
            pose: the mesh of the frame.
            pupil: (2,) where the pupil is, in the pixels of the pose.
            offset: (2,) pixel of the pose at the canvas's origin.
        """
        found = opening_between(pose.vertices, self._edges, offset, canvas.shape[1::-1])
        if found is None:
            return
        opening, (left, top, right, bottom) = found
        low, size = np.array([left, top]), (right - left, bottom - top)
        corners = pose.vertices[list(self._corners)].astype(np.float64)
        middle = corners.mean(axis=0) - offset - low
        white = sample(self.white, pose.linear, self._middle - self._origin, middle, size)
        gaze = np.asarray(pupil, np.float64) - offset - low
        iris = sample(np.dstack([self.iris, self.iris_alpha]), pose.linear, self._iris - self._origin, gaze, size)
        eye = white + iris[..., 3:] * (iris[..., :3] - white)
        blend(canvas[top:bottom, left:right], eye, polygon_coverage(opening - low, size))
