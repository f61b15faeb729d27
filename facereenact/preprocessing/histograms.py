"""Histograms of the figures in a manifest, as one picture."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

PLOTTED = {
    "seconds": "length, seconds",
    "face_px": "size of the face, pixels",
    "detected": "share of frames with the face",
    "turn_deg": "turn of the head, degrees",
    "sharpness": "sharpness",
    "blur": "blur",
    "jitter": "jitter, eye distances",
    "rate_hz": "frames per second",
}
"""The columns that are drawn, and what they are called."""

SHARES = ("detected", "blur")  # drawn from 0 to 1
ACROSS = 4
WIDTH, HEIGHT = 340, 240  # of a plot, pixels
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 34, 26  # around its bars
BINS = 40
TAIL_PERCENT = 0.5  # the values beyond are drawn in the last bar: one stray would flatten the rest
OK, FILTERED, INK, LINE = (66, 133, 244), (244, 180, 100), (40, 40, 40), (200, 200, 200)


def draw_histograms(table: pa.Table) -> Image.Image:
    """What is ok stands on what was filtered."""
    rows = -(-len(PLOTTED) // ACROSS)
    picture = Image.new("RGB", (ACROSS * WIDTH, rows * HEIGHT + 24), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    is_ok = pc.equal(table["status"], "ok").to_numpy()
    for index, (name, title) in enumerate(PLOTTED.items()):
        values = table[name].to_numpy().astype(np.float64)
        corner = index % ACROSS * WIDTH, index // ACROSS * HEIGHT
        is_known = np.isfinite(values)
        limits = (0.0, 1.0) if name in SHARES else None
        _plot(draw, corner, title, values[is_known & is_ok], values[is_known & ~is_ok], limits)
    for x, colour, label in ((LEFT, OK, "ok"), (LEFT + 70, FILTERED, "filtered")):
        draw.rectangle((x, rows * HEIGHT + 5, x + 12, rows * HEIGHT + 17), fill=colour)
        draw.text((x + 18, rows * HEIGHT + 3), label, INK, _font(13))
    return picture


def _plot(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    title: str,
    ok: NDArray[np.float64],
    filtered: NDArray[np.float64],
    limits: tuple[float, float] | None,
) -> None:
    left, top, right, bottom = corner[0] + LEFT, corner[1] + TOP, corner[0] + WIDTH - RIGHT, corner[1] + HEIGHT - BOTTOM
    draw.text((left, corner[1] + 10), title, INK, _font(14))
    both = np.concatenate([ok, filtered])
    if not len(both):
        draw.text((left, (top + bottom) // 2), "nothing", INK, _font(13))
        return
    low, high = limits or np.percentile(both, (TAIL_PERCENT, 100 - TAIL_PERCENT)).tolist()
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    counts = [np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] for values in (filtered, ok)]
    most = max(1, int((counts[0] + counts[1]).max()))
    for index, (below, above) in enumerate(zip(*counts, strict=True)):
        x = [round(left + (right - left) * (index + side) / BINS) for side in (0, 1)]
        first, second = (round(bottom - (bottom - top) * count / most) for count in (below, below + above))
        if first < bottom:
            draw.rectangle((x[0], first, x[1] - 1, bottom - 1), fill=FILTERED)
        if second < first:
            draw.rectangle((x[0], second, x[1] - 1, first - 1), fill=OK)
    draw.line((left, bottom, right, bottom), LINE)
    draw.text((left - 6, top), f"{most}", INK, _font(12), anchor="ra")
    draw.text((left, bottom + 5), f"{edges[0]:.4g}", INK, _font(12), anchor="la")
    draw.text((right, bottom + 5), f"{edges[-1]:.4g}", INK, _font(12), anchor="ra")


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
