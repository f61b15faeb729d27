"""Triangle rasteriser with a depth buffer: for each output pixel, where in the source it comes from."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float = NDArray[np.float32]

TINY = np.float32(1e-5)  # pixels on the edge of two triangles belong to both, lest one belong to none
ONE = np.float32(1)
FOLD_PX = np.float32(5)  # two neighbours of a pixel that come from so much farther apart than 2 pixels lie on a fold


def rasterise(target: Float, depth: Float, source: Float, triangles: NDArray[np.int32], maps: Float) -> None:
    """Add a deformed mesh to a sampling map; where surfaces overlap the nearest is seen.

    Args:
        target: (vertices, 2) where each vertex goes, pixels of the output.
        depth: (vertices,) smaller is nearer.
        source: (vertices, 2) where each vertex comes from, pixels of the source.
        triangles: (triangles, 3) indices of vertices.
        maps: (3, height, width) x and y in the source, and depth (infinite where nothing is yet); changed in place.
    """
    _rasterise(target, depth, source, triangles, maps[0], maps[1], maps[2])


def empty_maps(size: tuple[int, int]) -> Float:
    """(3, height, width) maps on which nothing is drawn: each pixel comes from its own place; size is width, height."""
    rows, columns = np.indices(size[::-1], np.float32)
    return np.stack([columns, rows, np.full_like(rows, np.inf)])


@njit(cache=True, nogil=True)
def over(layers: NDArray[np.uint8], behind: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay a picture with alpha (h, w, 4) over another (h, w, 3)."""
    height, width = behind.shape[:2]
    result = np.empty_like(behind)
    for y in range(height):
        for x in range(width):
            alpha = np.int32(layers[y, x, 3])
            for channel in range(3):
                below = np.int32(behind[y, x, channel])
                above = np.int32(layers[y, x, channel])
                mixed = below * 255 + alpha * (above - below)
                result[y, x, channel] = (mixed + 128) * 257 >> 16  # divided by 255, rounded
    return result


@njit(cache=True, nogil=True)
def soften_folds(picture: NDArray[np.uint8], maps: Float) -> NDArray[np.uint8]:
    """Smooth the steps where a near surface hides a far one: mean of 3x3 pixels wherever the map leaps."""
    height, width = picture.shape[:2]
    result = picture.copy()
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            leap_x = abs(maps[0, y, x + 1] - maps[0, y, x - 1] - 2) + abs(maps[1, y, x + 1] - maps[1, y, x - 1])
            leap_y = abs(maps[0, y + 1, x] - maps[0, y - 1, x]) + abs(maps[1, y + 1, x] - maps[1, y - 1, x] - 2)
            if max(leap_x, leap_y) < FOLD_PX:
                continue
            for channel in range(3):
                total = np.int32(0)
                for row in range(y - 1, y + 2):
                    for column in range(x - 1, x + 2):
                        total += picture[row, column, channel]
                result[y, x, channel] = (total + 4) // 9
    return result


@njit(cache=True, nogil=True, fastmath=True)
def _rasterise(
    target: Float, depth: Float, source: Float, triangles: NDArray[np.int32], map_x: Float, map_y: Float, buffer: Float
) -> None:
    height, width = map_x.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, bx, by, cx, cy = target[a, 0], target[a, 1], target[b, 0], target[b, 1], target[c, 0], target[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < TINY:
            continue
        # Barycentric weights v of b and w of c are linear in x and y; so are depth and source position.
        vx, vy = (cy - ay) / area, (ax - cx) / area
        wx, wy = (ay - by) / area, (bx - ax) / area
        z_x = vx * (depth[b] - depth[a]) + wx * (depth[c] - depth[a])
        sx_x = vx * (source[b, 0] - source[a, 0]) + wx * (source[c, 0] - source[a, 0])
        sy_x = vx * (source[b, 1] - source[a, 1]) + wx * (source[c, 1] - source[a, 1])
        left = max(int(np.ceil(min(ax, bx, cx))), 0)
        right = min(int(np.floor(max(ax, bx, cx))), width - 1)
        for y in range(max(int(np.ceil(min(ay, by, cy))), 0), min(int(np.floor(max(ay, by, cy))), height - 1) + 1):
            v0 = vy * (y - ay) - vx * ax  # at x = 0
            w0 = wy * (y - ay) - wx * ax
            first, last = left, right
            for slope, start in ((vx, v0), (wx, w0), (-vx - wx, ONE - v0 - w0)):  # where each weight is positive
                if slope > 0:
                    first = max(first, int(np.ceil((-TINY - start) / slope)))
                elif slope < 0:
                    last = min(last, int(np.floor((-TINY - start) / slope)))
                elif start < -TINY:
                    last = -1
            if first > last:
                continue
            v, w = v0 + vx * first, w0 + wx * first
            z = depth[a] + v * (depth[b] - depth[a]) + w * (depth[c] - depth[a])
            sx = source[a, 0] + v * (source[b, 0] - source[a, 0]) + w * (source[c, 0] - source[a, 0])
            sy = source[a, 1] + v * (source[b, 1] - source[a, 1]) + w * (source[c, 1] - source[a, 1])
            for x in range(first, last + 1):
                step = np.float32(x - first)
                z_here = z + step * z_x
                if z_here < buffer[y, x]:
                    buffer[y, x] = z_here
                    map_x[y, x] = sx + step * sx_x
                    map_y[y, x] = sy + step * sy_x
