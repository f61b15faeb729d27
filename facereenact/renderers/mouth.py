"""What shows between open lips: the driver's own mouth, or teeth and tongue painted for the source."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facereenact.renderers.background import diffuse
from facereenact.renderers.base import DriverFrame
from facereenact.renderers.layers import blend, opening_between, polygon_coverage, sample, shaded_rim, square
from facereenact.renderers.portrait import Portrait, Pose
from landmarks.face_mesh import INNER_MOUTH_CORNERS, LOWER_INNER_LIP, UPPER_INNER_LIP, mouth_outline

Image = NDArray[np.uint8]
Float = NDArray[np.floating[Any]]

INNER_MOUTH = np.array([58, 59, 60, 61, 62, 63, 64, 65])  # of the 68 points
UPPER_EDGE = [INNER_MOUTH_CORNERS[0], *UPPER_INNER_LIP, INNER_MOUTH_CORNERS[1]]
LOWER_EDGE = [INNER_MOUTH_CORNERS[0], *LOWER_INNER_LIP, INNER_MOUTH_CORNERS[1]]
UPPER_AT = range(1, 1 + len(UPPER_INNER_LIP))  # the upper lip within the outline
UPPER_LIP_BASE = (2, 97, 326)  # vertices under the nose: what the upper jaw carries
GREY_SKIN = 0.15  # skin of less saturation than this is that of a picture with little or no colour
LARGER = 1.06  # how much a borrowed mouth is enlarged, so that the driver's lips stay out of sight
OWN_GAP = 0.12  # of the mouth's width: from this gap on the source shows teeth of its own
HIGHLIGHT = 190  # above it a brightened mouth is held back
TONGUE_FOLLOWS = 0.55  # share of the lower lip's way that the tongue goes along


class MouthInterior:
    """Teeth, tongue and the dark behind them.

    Args:
        image: (height, width, 3) RGB uint8 source.
        portrait: its mesh.
    """

    def __init__(self, image: Image, portrait: Portrait) -> None:
        vertices = portrait.mesh.vertices[:, :2].astype(np.float64)
        opening = vertices[mouth_outline()]
        self.width_px = float(np.linalg.norm(vertices[291] - vertices[61]))
        self.skin = skin_colour(image, portrait.landmarks.points[0])
        reach = 1.0 * self.width_px
        self._anchor = opening.mean(axis=0)
        self._origin = np.floor(self._anchor - reach).astype(int)
        side_px = int(np.ceil(2 * reach))
        own = square(image, self._origin, side_px).astype(np.float32)
        axes = np.array([vertices[291] - vertices[61], [0, 0]]) / self.width_px
        axes[1] = [-axes[0, 1], axes[0, 0]]
        self._axes = axes
        self._lower_rest = vertices[14]
        self._upper_base = vertices[list(UPPER_LIP_BASE)].mean(axis=0)
        self._paint(own, opening - self._origin, side_px)

    def _paint(self, own: NDArray[np.float32], opening: Float, side_px: int) -> None:
        """Upper layer (cavity and upper teeth, fixed to the head) and lower layer (tongue, carried by the jaw)."""
        ys, xs = np.indices((side_px, side_px)).astype(np.float32)
        line = (opening[list(UPPER_AT)].mean(axis=0) + self._anchor - self._origin) / 2
        across = ((xs - line[0]) * self._axes[0, 0] + (ys - line[1]) * self._axes[0, 1]) / self.width_px
        down = ((xs - line[0]) * self._axes[1, 0] + (ys - line[1]) * self._axes[1, 1]) / self.width_px
        light = float(self.skin.mean()) / 165
        tint = self.skin / max(float(self.skin.mean()), 1)
        soft_tint = 1 + 0.35 * (tint - 1)

        cavity = np.array([52, 22, 20], np.float32) * light * soft_tint
        depth = np.clip(1 - 0.55 * np.exp(-((down - 0.12) ** 2) / 0.02), 0.45, 1)[..., None]
        upper = cavity * depth
        edge = 0.072 - 0.42 * across**2 - 0.010 * np.abs(np.sin(np.pi * across / 0.085)) ** 6
        teeth = np.clip((edge - down) / 0.02, 0, 1) * np.clip((0.40 - np.abs(across)) / 0.12, 0, 1)
        gaps = 1 - 0.07 * np.exp(-((((across / 0.085 + 0.5) % 1) - 0.5) ** 2) / 0.004)
        shade = (1 - 2.6 * across**2) * gaps * (0.88 + 0.12 * np.clip((edge - down) / 0.05, 0, 1))
        enamel = np.minimum(np.array([205, 195, 180], np.float32) * light * soft_tint, 225)
        upper = upper + teeth[..., None] * (enamel * shade[..., None] - upper)

        rest = max(0.0, float(((opening - line) @ self._axes[1]).max()) / self.width_px - 0.01)  # under the own teeth
        tongue = np.clip((down - rest - 0.02 - 0.10 * (across / 0.3) ** 2) / 0.05, 0, 1)
        flesh = np.array([150, 74, 72], np.float32) * light * soft_tint
        flesh = (
            flesh * (0.75 + 0.25 * np.clip((down - 0.05) / 0.15, 0, 1) - 0.08 * np.exp(-(across**2) / 0.001))[..., None]
        )
        self.lower = np.dstack([flesh, tongue * np.clip((0.40 - np.abs(across)) / 0.08, 0, 1)]).astype(np.float32)

        upper, self.lower[..., :3] = (_coloured(layer, colour_share(self.skin)) for layer in (upper, flesh))
        visible = polygon_coverage(opening, (side_px, side_px))
        gap = float(np.ptp(opening @ self._axes[1]))
        if gap > OWN_GAP * self.width_px:
            inset = 2 * int(0.015 * self.width_px) + 1
            soft = cv2.GaussianBlur(cv2.erode(visible, np.ones((inset, inset))), (0, 0), 0.4 * inset)
            upper = upper + soft[..., None] * (own - upper)
        self.upper = np.clip(upper, 0, 255).astype(np.float32)

    def draw(self, canvas: Image, pose: Pose, points: Float, offset: Float, driver: DriverFrame | None) -> None:
        """Draw what shows between the lips of a posed mesh.

        Args:
            canvas: (height, width, 3) picture to draw into.
            pose: the mesh of the frame.
            points: (68, 2) landmarks of the frame, pixels of the pose.
            offset: (2,) pixel of the pose at the canvas's origin.
            driver: where to take the inside of the mouth from; without it teeth and tongue are painted.
        """
        found = opening_between(pose.vertices, (UPPER_EDGE, LOWER_EDGE), offset, canvas.shape[1::-1])
        if found is None:
            return
        opening, (left, top, right, bottom) = found
        low, size = np.array([left, top]), (right - left, bottom - top)
        if driver is not None:
            match = ColourMatch(skin_colour(driver.image, driver.points), self.skin)
            inside = match(_borrowed(driver, points[INNER_MOUTH] - offset - low, size))
        else:
            inside = self._painted(pose, offset + low, size)
        coverage = polygon_coverage(opening - low, size)
        shade = shaded_rim(coverage, 0.04 * self.width_px, 0.65)
        blend(canvas[top:bottom, left:right], inside * shade[..., None], coverage)

    def _painted(self, pose: Pose, low: Float, size: tuple[int, int]) -> NDArray[np.float32]:
        head = pose.vertices[list(UPPER_LIP_BASE)].astype(np.float64).mean(axis=0)
        anchor = self._anchor - self._origin
        rest = self._upper_base
        target = head + pose.linear @ (self._anchor - rest) - low
        upper = sample(self.upper, pose.linear, anchor, target, size)
        way = pose.vertices[14] - low - (target + pose.linear @ (self._lower_rest - self._anchor))
        lower = sample(self.lower, pose.linear, anchor, target + TONGUE_FOLLOWS * way, size)
        return upper + lower[..., 3:] * (lower[..., :3] - upper)


def lips_only(image: Image, portrait: Portrait) -> Image:
    """The source with the teeth of an open mouth replaced by lip, so that none of them stick to a lip that closes."""
    vertices = portrait.mesh.vertices[:, :2].astype(np.float64)
    width_px = float(np.linalg.norm(vertices[291] - vertices[61]))
    opening = vertices[mouth_outline()]
    if np.linalg.norm(vertices[13] - vertices[14]) < 0.05 * width_px:
        return image
    low = np.floor(opening.mean(axis=0) - width_px).astype(int)
    side_px = int(np.ceil(2 * width_px))
    patch = square(image, low, side_px)
    inside = polygon_coverage(opening - low, (side_px, side_px)) > 0.5
    rim, lips = (cv2.dilate(inside.astype(np.uint8), _disc(share * width_px)) > 0 for share in (0.08, 0.15))
    if not (lips & ~rim).any():  # a mouth of a few pixels
        return image
    lip_colours = patch[lips & ~rim].astype(np.float32)
    usual = np.median(lip_colours, axis=0)
    spread = np.median(np.abs(lip_colours - usual), axis=0)
    strange = (np.abs(patch - usual) > 3 * spread + 12).any(axis=2)
    filled = diffuse(patch.astype(np.float32), ~(inside | (rim & strange)))
    result = image.copy()
    top, left = max(low[1], 0), max(low[0], 0)
    part = result[top : low[1] + side_px, left : low[0] + side_px]
    part[:] = filled[top - low[1] :, left - low[0] :][: part.shape[0], : part.shape[1]].astype(np.uint8)
    return result


def _disc(radius_px: float) -> NDArray[np.uint8]:
    side = 2 * max(1, round(radius_px)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


class ColourMatch:
    """Colours of the driver as they would be in the light of the source, told by the skin of both.

    Brightness follows fully, hue by half (skin differs in more than light), and a source without colour (a monochrome
    photograph) takes the colour away. Teeth stay below white.
    """

    def __init__(self, driver_skin: Float, source_skin: Float) -> None:
        driver, source = np.maximum(driver_skin, 8), np.maximum(source_skin, 8)
        brightness = np.clip(source.mean() / driver.mean(), 0.4, 2.0)
        hue = np.clip(np.sqrt(source / source.mean() * driver.mean() / driver), 0.8, 1.25)
        self._gain = (brightness * hue).astype(np.float32)
        self._colour = colour_share(source)

    def __call__(self, image: Float) -> NDArray[np.float32]:
        """(h, w, 3) 0 to 255."""
        lit = image * self._gain
        lit = np.where(lit > HIGHLIGHT, HIGHLIGHT + 0.4 * (lit - HIGHLIGHT), lit) if self._gain.max() > 1 else lit
        return np.clip(_coloured(lit, self._colour), 0, 255).astype(np.float32)


def colour_share(skin: Float) -> float:
    """How much colour a picture has, told by its skin (3,): 0 none, 1 that of a colour photograph."""
    return float(np.clip(np.ptp(skin) / max(float(np.max(skin)), 8.0) / GREY_SKIN, 0, 1))


def _coloured(image: Float, share: float) -> NDArray[np.float32]:
    """(h, w, 3) with that share of its colour."""
    grey = image.mean(axis=2, keepdims=True)
    return np.asarray(grey + share * (image - grey), np.float32)


def skin_colour(image: Image, points: Float) -> NDArray[np.float64]:
    """(3,) median colour of the cheeks, RGB 0 to 255."""
    reach = max(2, int(0.06 * np.linalg.norm(points[36] - points[45])))
    middle = (points[[2, 14]] + points[[31, 35]]) / 2
    patches = [square(image, np.round(m).astype(int) - reach, 2 * reach + 1).reshape(-1, 3) for m in middle]
    return np.asarray(np.median(np.concatenate(patches), axis=0), np.float64)


def _borrowed(driver: DriverFrame, target: Float, size: tuple[int, int]) -> NDArray[np.float32]:
    """The driver's mouth, moved so that its inner lips lie on the target's (8, 2), and a little enlarged."""
    own = driver.points[INNER_MOUTH].astype(np.float64)
    centre, aim = own.mean(axis=0), target.mean(axis=0)
    linear = LARGER * np.linalg.lstsq(own - centre, target - aim, rcond=1e-3)[0].T
    matrix = np.column_stack([linear, aim - linear @ centre])
    flags = cv2.INTER_LINEAR
    return cv2.warpAffine(driver.image, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
