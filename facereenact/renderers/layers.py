"""Small pieces that the layers of the warp renderer share."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


def polygon_coverage(outline: Array, size: tuple[int, int]) -> NDArray[np.float32]:
    """(height, width) how much of each pixel a polygon (n, 2) covers, 0 to 1; size is width, height."""
    width, height = size
    mask = np.zeros((height * 4, width * 4), np.uint8)
    corners = np.round(((outline + 0.5) * 4 - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners], (255,), shift=4)
    return np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.float32) / 255


@cache
def _curve_weights(count: int, steps: int = 4) -> NDArray[np.float64]:
    """((count - 1) * steps + 1, count) samples of the Catmull-Rom curve through points, as their weights."""
    rows = []
    for position in np.linspace(0, count - 1, (count - 1) * steps + 1):
        before = min(int(position), count - 2)
        t = position - before
        row = np.zeros(count)
        basis = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3)
        for index, weight in zip(range(before - 1, before + 3), basis, strict=True):
            row[min(max(index, 0), count - 1)] += weight / 2
        rows.append(row)
    return np.array(rows)


def opening_between(
    vertices: Array, edges: tuple[list[int], list[int]], offset: Array, picture: tuple[int, ...]
) -> tuple[NDArray[np.float64], tuple[int, int, int, int]] | None:
    """The outline (n, 2) of an eye or the mouth in a picture, and the pixels around it, xyxy; None outside the picture.

    Args:
        vertices: (vertices, 2) of a posed mesh.
        edges: vertices of the upper and of the lower edge, which share their ends.
        offset: (2,) pixel of the pose at the picture's origin.
        picture: width, height.
    """
    upper, lower = (np.asarray(vertices[edge], np.float64) - offset for edge in edges)
    outline = rounded(upper, lower)
    box = box_around(outline, picture)
    return None if box is None else (outline, box)


def rounded(upper: Array, lower: Array) -> NDArray[np.float64]:
    """The outline of an opening between two edges (n, 2) that share their end points, as smooth curves."""
    return np.vstack([_curve_weights(len(upper)) @ upper, (_curve_weights(len(lower)) @ lower)[-2:0:-1]])


def shaded_rim(coverage: NDArray[np.float32], width_px: float, darkest: float) -> NDArray[np.float32]:
    """(h, w) light inside an opening: `darkest` at its edge, 1 from `width_px` inwards; lips and lids cast a shadow."""
    blurred = cv2.GaussianBlur(coverage, (0, 0), max(width_px / 2, 0.5), borderType=cv2.BORDER_CONSTANT)
    return np.asarray(darkest + (1 - darkest) * np.clip(2 * blurred - 1, 0, 1), np.float32)


def box_around(outline: Array, picture: tuple[int, ...], margin_px: int = 2) -> tuple[int, int, int, int] | None:
    """The pixels around points (n, 2), xyxy, clipped to a picture (width, height); None where nothing is left."""
    low = np.maximum(np.floor(outline.min(axis=0)).astype(int) - margin_px, 0)
    high = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + margin_px + 1, picture)
    if (high - low < 2).any():
        return None
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def sample(patch: Array, linear: Array, anchor: Array, target: Array, size: tuple[int, int]) -> NDArray[np.float32]:
    """A patch (h, w, channels) mapped by `linear` (2, 2) so that `anchor` lands on `target`; size is width, height."""
    matrix = np.column_stack([linear, target - linear @ anchor])
    return cv2.warpAffine(patch, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def blend(canvas: NDArray[np.uint8], layer: Array, alpha: Array) -> None:
    """Lay a picture (h, w, 3) over a part of the canvas, in place; alpha is (h, w), 0 to 1."""
    mixed = canvas + alpha[..., None] * (layer - canvas)
    canvas[:] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)


def square(image: NDArray[Any], low: NDArray[Any], side_px: int) -> NDArray[Any]:
    """A square part of a picture from pixel (x, y); beyond the border the border repeats."""
    rows = np.clip(np.arange(low[1], low[1] + side_px), 0, image.shape[0] - 1)
    columns = np.clip(np.arange(low[0], low[0] + side_px), 0, image.shape[1] - 1)
    return np.asarray(image[np.ix_(rows, columns)])


def smooth_step(value: Array | float) -> NDArray[np.float64]:
    """0 below 0, 1 above 1, smooth between."""
    t = np.clip(np.asarray(value, np.float64), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))
