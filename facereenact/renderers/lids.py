"""The skin of the upper lids, which lies folded away while an eye is open.

Bending the picture alone stretches what shows above an open eye, lashes and the shadow of the fold, over a closed one.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from facereenact.renderers.layers import blend, box_around, polygon_coverage, rounded
from facereenact.renderers.portrait import Portrait, Pose
from landmarks.face_mesh import EYE_CORNERS, LOWER_LIDS, UPPER_LIDS

Image = NDArray[np.uint8]

SKIN = (0.14, 0.30)  # where skin like the lid's shows below the eye, eye widths from the edge of the lower lid
FOLD = 0.07  # how far above the edge of the open lid the folded skin begins, eye widths
LASHES = (0.06, 0.02)  # how far they reach up and down from the edge, eye widths
SOFT = 0.08  # blur of the border, eye widths
SHOWN = 0.9  # opacity of the skin: a trace of what is below gives it structure
CLOSING = (0.35, 0.9)  # share of closing from which the skin begins to show, and at which it covers what was stretched
SHUT = 0.06  # gap of the lids, eye widths, below which an eye of the source is shut already
ALMOND = np.sin(np.linspace(0, np.pi, 9))[:, None] ** 0.5  # how the lid tapers towards the corners


class UpperLid:
    """One upper lid of the source.

    Args:
        image: (height, width, 3) RGB source.
        portrait: its mesh.
        side: 0 the right eye, 1 the left (the subject's).
    """

    def __init__(self, image: Image, portrait: Portrait, side: int) -> None:
        outer, inner = EYE_CORNERS[side]
        self._upper, self._lower = ([outer, *lid, inner] for lid in (UPPER_LIDS[side], LOWER_LIDS[side]))
        vertices = portrait.mesh.vertices[:, :2].astype(np.float64)
        along = vertices[inner] - vertices[outer]
        self._width_px = float(np.linalg.norm(along))
        down = np.array([-along[1], along[0]]) / self._width_px
        self._down = down if side == 0 else -down
        self._open = vertices[self._upper] - vertices[self._lower]
        soft = np.asarray(cv2.GaussianBlur(image, (0, 0), max(0.02 * self._width_px, 0.5)), np.uint8)
        below = self._sampled(soft, vertices[self._lower], np.linspace(*SKIN, 5))
        self._skin = _smooth(np.median(below, axis=1))
        at_edge = self._sampled(soft, vertices[self._upper], np.linspace(-0.06, 0.03, 5))
        self._lashes = _smooth(at_edge.min(axis=1))

    def _sampled(self, image: Image, edge: NDArray[np.float64], depths: NDArray[np.float64]) -> NDArray[np.float32]:
        """(9, depths, 3) colours below an edge (9, 2), at depths in eye widths."""
        places = edge[:, None] + self._width_px * depths[None, :, None] * self._down
        x, y = np.moveaxis(np.round(places).astype(int), 2, 0)
        x, y = np.clip(x, 0, image.shape[1] - 1), np.clip(y, 0, image.shape[0] - 1)
        return image[y, x].astype(np.float32)

    def draw(self, canvas: Image, pose: Pose, offset: NDArray[np.float64]) -> None:
        """Lay the skin over what is stretched between the fold and the edge of the lid, as far as the eye is closed.

        Args:
            canvas: (height, width, 3) picture to draw into.
            pose: the mesh of the frame.
            offset: (2,) pixel of the pose at the canvas's origin.
        """
        upper, lower = (pose.vertices[edge].astype(np.float64) - offset for edge in (self._upper, self._lower))
        opened = lower + self._open @ pose.linear.T
        down = pose.linear @ self._down
        scale = float(np.linalg.norm(down))
        down /= max(scale, 1e-6)
        width_px = scale * self._width_px
        gap, own = (float(((lower - edge) @ down)[2:7].mean()) for edge in (upper, opened))
        if own < SHUT * width_px:
            return
        share = float(np.clip((1 - gap / own - CLOSING[0]) / (CLOSING[1] - CLOSING[0]), 0, 1))
        if share == 0:
            return
        fold = opened - FOLD * width_px * ALMOND * down
        reach = [width_px * each * ALMOND * down for each in LASHES]
        box = box_around(np.vstack([fold, upper, lower]), canvas.shape[1::-1], int(3 * SOFT * width_px) + 1)
        if box is None:
            return
        left, top, right, bottom = box
        part, low, size = canvas[top:bottom, left:right], np.array([left, top]), (right - left, bottom - top)
        place = _place_between(lower[[0, -1]] - low, size)
        for colours, outline, soft, limit in (
            (self._skin, rounded(fold, upper), SOFT, np.maximum),
            (self._lashes, rounded(upper - reach[0], upper + reach[1]), 0.3 * SOFT, np.minimum),
        ):
            coverage = cv2.GaussianBlur(polygon_coverage(outline - low, size), (0, 0), max(soft * width_px, 0.4))
            layer = cv2.remap(
                colours[None], place, np.zeros_like(place), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            blend(part, limit(layer, part), SHOWN * share * coverage)


def _place_between(ends: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float32]:
    """(height, width) where pixels lie between two corners (2, 2) of an eye: 0 to 8, as its edges are counted."""
    along = ends[1] - ends[0]
    step = along * (len(ALMOND) - 1) / max(float(along @ along), 1e-6)
    rows, columns = np.indices((size[1], size[0]), np.float32)
    return ((columns - ends[0, 0]) * step[0] + (rows - ends[0, 1]) * step[1]).astype(np.float32)


def _smooth(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """(9, 3) colours along an edge, without what one place alone shows."""
    return np.asarray(cv2.blur(colours, (1, 5), borderType=cv2.BORDER_REPLICATE), np.float32)
