"""Writing on pictures, with the typeface that comes with Pillow."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@lru_cache(maxsize=16)
def font(height_px: int) -> Font:
    """Pillow's own typeface."""
    return ImageFont.load_default(height_px)


@lru_cache(maxsize=4)
def _measure() -> ImageDraw.ImageDraw:
    return ImageDraw.Draw(Image.new("L", (1, 1)))


def width_px(text: str, height_px: int) -> float:
    """How wide a text is."""
    return float(_measure().textlength(text, font(height_px)))


def strip(words: list[tuple[str, tuple[int, int, int]]], height_px: int) -> NDArray[np.uint8]:
    """RGBA (height, width, 4): words, each in its colour, one after another on nothing."""
    width = int(sum(width_px(word, height_px) for word, _ in words)) + 2
    picture = Image.new("RGBA", (width, round(1.35 * height_px)), (0, 0, 0, 0))
    draw, x = ImageDraw.Draw(picture), 0.0
    for word, colour in words:
        draw.text((x, picture.height / 2), word, (*colour, 255), font(height_px), anchor="lm")
        x += width_px(word, height_px)
    return np.asarray(picture)
