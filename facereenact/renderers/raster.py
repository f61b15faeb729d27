"""Triangle rasteriser with a depth buffer: for each output pixel, where in the source it comes from."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float = NDArray[np.float32]


def rasterise(
    target: Float, depth: Float, source: Float, triangles: NDArray[np.int32], map_x: Float, map_y: Float, buffer: Float
) -> None:
    """Fill the sampling map of a deformed mesh; where surfaces overlap the nearest is seen.

    Args:
        target: (vertices, 2) where each vertex goes, pixels of the output.
        depth: (vertices,) smaller is nearer.
        source: (vertices, 2) where each vertex comes from, pixels of the source.
        triangles: (triangles, 3) indices of vertices.
        map_x, map_y: (height, width) results, source pixels; pixels that no triangle covers keep their value.
        buffer: (height, width) scratch for depth.
    """
    buffer.fill(np.inf)
    _rasterise(target, depth, source, triangles, map_x, map_y, buffer)


@njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _rasterise(
    target: Float, depth: Float, source: Float, triangles: NDArray[np.int32], map_x: Float, map_y: Float, buffer: Float
) -> None:
    height, width = map_x.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, bx, by, cx, cy = target[a, 0], target[a, 1], target[b, 0], target[b, 1], target[c, 0], target[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-6:
            continue
        left = max(int(np.ceil(min(ax, bx, cx))), 0)
        right = min(int(np.floor(max(ax, bx, cx))), width - 1)
        top = max(int(np.ceil(min(ay, by, cy))), 0)
        bottom = min(int(np.floor(max(ay, by, cy))), height - 1)
        inverse = np.float32(1.0) / area
        # Barycentric weights of b and c are linear in x and y; so are depth and source position.
        vx, vy = (cy - ay) * inverse, (ax - cx) * inverse
        wx, wy = (ay - by) * inverse, (bx - ax) * inverse
        for y in range(top, bottom + 1):
            v_row = vy * (y - ay) - vx * ax
            w_row = wy * (y - ay) - wx * ax
            for x in range(left, right + 1):
                v = v_row + vx * x
                w = w_row + wx * x
                if v < -1e-5 or w < -1e-5 or v + w > 1.00001:
                    continue
                u = np.float32(1.0) - v - w
                z = u * depth[a] + v * depth[b] + w * depth[c]
                if z < buffer[y, x]:
                    buffer[y, x] = z
                    map_x[y, x] = u * source[a, 0] + v * source[b, 0] + w * source[c, 0]
                    map_y[y, x] = u * source[a, 1] + v * source[b, 1] + w * source[c, 1]
