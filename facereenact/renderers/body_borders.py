"""The border between an arm and the trunk: short, and where colours change.

Both often wear the same cloth; where nothing shows the border, the shortest one is the likeliest (graph cut; Boykov,
Jolly 2001).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]
Window = tuple[slice, slice]

UNIT = 1000  # what it costs to part two pixels beside each other whose colours are alike; flows are whole numbers
FIXED = 100 * UNIT
EDGE = 6.0  # colour difference (CIELAB) at which it costs a third
LEAST = 0.02  # of it on the sharpest edge
STAY = 0.03  # of it, for each pixel that changes sides at the farthest from the border as it was


def settle_border(arm: Mask, trunk: Mask, colours: Float, *, reach_px: float, where: Mask) -> tuple[Mask, Mask]:
    """The arm and the trunk with the best border between them.

    Args:
        arm: (height, width).
        trunk: (height, width) does not overlap with the arm.
        colours: (height, width, 3) CIELAB.
        reach_px: how far the border may move.
        where: (height, width) where it may.
    """
    if not arm.any() or not trunk.any():
        return arm, trunk
    away = np.maximum(*(ndimage.distance_transform_edt(~side) for side in (arm, trunk)))
    movable = (arm | trunk) & where & (away <= reach_px)
    nodes = (arm | trunk) & (cv2.dilate(movable.astype(np.uint8), np.ones((3, 3))) > 0)
    count = int(nodes.sum())
    index = np.full(arm.shape, -1)
    index[nodes] = np.arange(count)
    source, sink = count, count + 1
    one, other, cost = _links(index, colours)
    hold = np.where(movable, STAY * UNIT * away / reach_px, FIXED)[nodes]
    first = np.where(arm[nodes], source, index[nodes])
    second = np.where(arm[nodes], index[nodes], sink)
    ways = (np.concatenate([one, other, first]), np.concatenate([other, one, second]))
    capacity = np.concatenate([cost, cost, hold]).astype(np.int32)
    graph: Any = sparse.csr_matrix((capacity, ways), shape=(count + 2, count + 2))
    rest = graph - maximum_flow(graph, source, sink).flow
    rest.eliminate_zeros()
    reached = np.zeros(count + 2, bool)
    reached[breadth_first_order(rest, source, return_predecessors=False)] = True
    arm, trunk = arm & ~nodes, trunk & ~nodes
    arm[nodes], trunk[nodes] = reached[:count], ~reached[:count]
    return arm, trunk


def neighbours(shape: tuple[int, ...]) -> Iterator[tuple[Window, Window, float]]:
    """Pixels of a (height, width) picture beside each other, each pair once: the ones, the others, how far apart."""
    height, width = shape
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = (slice(0, height - dy), slice(max(0, -dx), width - max(0, dx)))
        there = (slice(dy, height), slice(max(0, dx), width - max(0, -dx)))
        yield here, there, math.hypot(dx, dy)


def _links(index: NDArray[np.int64], colours: Float) -> tuple[NDArray[np.int64], NDArray[np.int64], Float]:
    """Both ends of the links between neighbours (indices; -1 is none), and what it costs to cut them."""
    starts, ends, costs = [], [], []
    for here, there, distance in neighbours(index.shape):
        both = (index[here] >= 0) & (index[there] >= 0)
        difference = np.linalg.norm(colours[here] - colours[there], axis=2)[both]
        starts.append(index[here][both])
        ends.append(index[there][both])
        costs.append(UNIT / distance * np.maximum(np.exp(-difference / EDGE), LEAST))
    return np.concatenate(starts), np.concatenate(ends), np.concatenate(costs).astype(np.float32)
