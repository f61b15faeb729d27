"""Putting rendered squares of a face back into the picture that they were cut from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facereenact.renderers.background import person_matte
from landmarks.guides import FaceCrop

Float = NDArray[np.float32]
Image = NDArray[np.uint8]

RAMP = 0.08  # share of the crop's side over which the rendered square fades into the picture
RIM = 0.03  # of background around the person that is taken from the rendering too, as a share of the side
MOST_STRETCH = 1.25  # of contrast, when colours are matched


class FacePaste:
    """One crop of a picture, and the way back into it.

    Args:
        image: (height, width, 3) RGB.
        crop: the square; it may reach beyond the picture, whose border then repeats.
        side_px: of the rendered squares.
        matte: (height, width) 0 background to 1 person; estimated where None.
        keep_background: return the picture's own pixels outside the person, so that a plain background stays still.
    """

    def __init__(
        self,
        image: Image,
        crop: FaceCrop,
        *,
        side_px: int,
        matte: Float | None = None,
        keep_background: bool = True,
    ) -> None:
        self._image = image
        self._crop = crop
        self._side_px = side_px
        self.square = cut(image, crop, side_px)
        self._is_person = _cut_matte(self.square, crop, matte, side_px)
        self._fade = _fade(crop, (image.shape[1], image.shape[0]), side_px)
        self._keep_background = keep_background

    def match(self, rendered: Image) -> ColourMatch:
        """What gives the rendering of a clip the colours of the picture, from its first square."""
        return ColourMatch.between(rendered, self.square, self._is_person > 0.5)

    def __call__(self, rendered: Image) -> Image:
        """The whole picture with a rendered square (side, side, 3) in its place."""
        alpha = self._fade
        if self._keep_background:
            alpha = alpha * _around(np.maximum(self._is_person, person_matte(rendered)))
        left, top, right, bottom = self._crop.xyxy
        height, width = self._image.shape[:2]
        inner = (slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width)))
        own = (slice(inner[0].start - top, inner[0].stop - top), slice(inner[1].start - left, inner[1].stop - left))
        face = resized(rendered, self._crop.side_px)[own].astype(np.float32)
        weight = resized(alpha, self._crop.side_px)[own][..., None]
        result = self._image.copy()
        mixed = result[inner] + weight * (face - result[inner])
        result[inner] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
        return result


@dataclass(frozen=True, eq=False)
class ColourMatch:
    """A stretch and a shift of each channel; one for a whole clip, since one for each frame would flicker.

    After Reinhard et al., "Color Transfer between Images", 2001, in RGB: renderings differ in gain and offset, not in
    the kind of light.
    """

    stretch: Float  # (3,)
    shift: Float  # (3,), of channels from 0 to 255

    @classmethod
    def between(cls, rendered: Image, wanted: Image, where: NDArray[np.bool_]) -> ColourMatch:
        """What gives one picture the mean and contrast of another, measured where both show the same thing.

        Args:
            rendered: (height, width, 3) RGB.
            wanted: the same size.
            where: (height, width); nothing is changed when it is empty.
        """
        if not where.any():
            return cls(np.ones(3, np.float32), np.zeros(3, np.float32))
        have, want = (picture[where].astype(np.float32) for picture in (rendered, wanted))
        ratio = want.std(axis=0) / np.maximum(have.std(axis=0), 1e-3)
        stretch = np.clip(ratio, 1 / MOST_STRETCH, MOST_STRETCH)
        return cls(stretch, want.mean(axis=0) - stretch * have.mean(axis=0))

    def towards(self, other: ColourMatch, share: float) -> ColourMatch:
        """The match that lies a share of the way to another."""
        return ColourMatch(
            self.stretch + share * (other.stretch - self.stretch), self.shift + share * (other.shift - self.shift)
        )

    def __call__(self, rendered: Image) -> Image:
        return np.clip(rendered * self.stretch + self.shift + 0.5, 0, 255).astype(np.uint8)


def cut(image: Image, crop: FaceCrop, side_px: int) -> Image:
    """The square of a picture, resized to `side_px`."""
    left, top, right, bottom = crop.xyxy
    rows = np.clip(np.arange(top, bottom), 0, image.shape[0] - 1)
    columns = np.clip(np.arange(left, right), 0, image.shape[1] - 1)
    return np.asarray(resized(image[np.ix_(rows, columns)], side_px), np.uint8)


def cut_square(image: Image, corner: NDArray[np.float64], side: float, side_px: int) -> Image:
    """A square of a picture that begins between its pixels, resized; beyond the picture its border repeats.

    Args:
        image: (height, width, 3).
        corner: (2,) top left of the square, pixels.
        side: of the square, pixels.
        side_px: of the result.
    """
    zoom = side_px / side
    small = image
    if zoom < 1:  # what follows looks at four pixels only
        width, height = (max(1, round(zoom * length)) for length in image.shape[1::-1])
        small = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    rest = zoom * np.array(image.shape[1::-1]) / small.shape[1::-1]
    shift = 0.5 * rest - 0.5 - zoom * corner
    matrix = np.array([[rest[0], 0, shift[0]], [0, rest[1], shift[1]]])
    flags = cv2.INTER_LINEAR if zoom < 1 else cv2.INTER_CUBIC
    return np.asarray(
        cv2.warpAffine(small, matrix, (side_px, side_px), flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def lay_square(image: Image, square: Image, alpha: Float, corner: NDArray[np.float64], side: float) -> Image:
    """A picture with a square over it, the way back from `cut_square`.

    Args:
        image: (height, width, 3).
        square: (side_px, side_px, 3).
        alpha: (side_px, side_px) 0 to 1, how much of it shows.
        corner: (2,) top left of its place, pixels.
        side: of its place, pixels.
    """
    low = np.maximum(np.floor(corner).astype(int), 0)
    high = np.minimum(np.ceil(corner + side).astype(int), image.shape[1::-1])
    if (high <= low).any():
        return image
    layer = resized(np.dstack([square.astype(np.float32), alpha]), max(1, round(side)))
    rest = side / len(layer)
    shift = 0.5 * rest - 0.5 + corner - low
    matrix = np.array([[rest, 0, shift[0]], [0, rest, shift[1]]])
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    layer = cv2.warpAffine(layer, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    result = image.copy()
    part = result[low[1] : high[1], low[0] : high[0]]
    mixed = part + np.clip(layer[..., 3:], 0, 1) * (layer[..., :3] - part)
    part[:] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
    return result


def resized(picture: NDArray[Any], side_px: int) -> NDArray[Any]:
    """A square picture (side, side) or (side, side, channels) of another side."""
    if len(picture) == side_px:
        return picture
    method = cv2.INTER_AREA if side_px < len(picture) else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (side_px, side_px), interpolation=method))


def _cut_matte(square: Image, crop: FaceCrop, matte: Float | None, side_px: int) -> Float:
    """(side, side) the person in the square."""
    if matte is None:
        return person_matte(square)
    grey = np.round(matte * 255).astype(np.uint8)
    return cut(grey[..., None], crop, side_px).reshape(side_px, side_px).astype(np.float32) / 255


def _fade(crop: FaceCrop, size: tuple[int, int], side_px: int) -> Float:
    """(side, side) 1 in the square, falling to 0 at those of its edges that lie inside the picture."""
    left, top, right, bottom = crop.xyxy
    edge = ramp((np.arange(side_px) + 0.5) / (RAMP * side_px))
    across, down = np.ones(side_px), np.ones(side_px)
    for line, is_start_inside, is_end_inside in (
        (across, left > 0, right < size[0]),
        (down, top > 0, bottom < size[1]),
    ):
        if is_start_inside:
            line *= edge
        if is_end_inside:
            line *= edge[::-1]
    return np.outer(down, across).astype(np.float32)


def ramp(share: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """0 up to 0, 1 from 1, without an edge between."""
    inside = np.clip(share, 0.0, 1.0)
    return inside * inside * (3 - 2 * inside)


def _around(person: Float) -> Float:
    """(side, side) 1 on the person and a rim around it, fading to 0."""
    rim = max(1, round(RIM * len(person)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1))
    grown = cv2.dilate((person > 0.3).astype(np.float32), kernel)
    return np.asarray(cv2.GaussianBlur(grown, (0, 0), rim / 2), np.float32)
