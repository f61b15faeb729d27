"""Which pixels of a person belong to the trunk, to the upper arms, to the forearms with their hands.

Each part spreads from what surely belongs to it, near its bones, over the person; colour edges, the background, the
distance from its bones and, for a forearm with its hand, colours unlike those on the bones are steep ground, and a
pixel belongs to the part that is nearest on that ground (geodesic segmentation; Criminisi, Sharp, Blake 2008).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import KDTree

from facereenact.renderers.body_borders import neighbours, settle_border
from facereenact.renderers.body_limbs import (
    FOREARM_PARTS,
    PART_COUNT,
    TRUNK,
    UPPER_ARM_PARTS,
    Limbs,
    Segment,
    draw_lines,
)
from facereenact.renderers.body_skeleton import norm

Float = NDArray[np.float32]
Image = NDArray[np.uint8]
Labels = NDArray[np.int8]

WORK_PX = 320  # longest side of the picture in which parts spread
OUTSIDE = 12.0  # how much farther a pixel of background is than one of the person
FARTHEST = 20  # from the bones of a part, half widths; beyond it all is equally far
MOVABLE = 0.3  # how far the border of an upper arm that lies on the trunk is uncertain, half widths of the arm
ARM_END = 1.4  # how far a covered upper arm reaches from its bone, half widths
SHADE = 10.0  # how far colours of a forearm and a hand are from those on their bones
SAMPLES = np.linspace(0.05, 0.95, 19)  # along a bone


def label_parts(image: Image, matte: Float, limbs: Limbs) -> tuple[Labels, tuple[bool, bool]]:
    """(height, width) the part that each pixel belongs to, also outside the person, in a smaller picture.

    Also whether the right and the left upper arm pass behind the trunk.

    Args:
        image: (height, width, 3) RGB.
        matte: (height, width) 0 to 1, what belongs to the person.
        limbs: the bones.
    """
    height, width = matte.shape
    scale = min(1.0, WORK_PX / max(height, width))
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    colours = np.asarray(cv2.bilateralFilter(lab, 7, 20, 3), np.float32)  # outlines stay, texture goes
    person = cv2.resize(matte, size, interpolation=cv2.INTER_AREA) >= 0.5
    ground = (1 + OUTSIDE * ~person).astype(np.float32)
    seeds = _seeds(limbs, size, scale)
    of_trunk = _way_from(seeds == TRUNK, colours, ground)
    right, left = (_uncover(seeds, of_trunk, part, limbs, scale) for part in UPPER_ARM_PARTS)
    covered = dict(zip(UPPER_ARM_PARTS, (right, left), strict=True))
    ways = []
    for part in range(PART_COUNT):
        away = limbs.distance(part, size, scale)
        slope = np.minimum(away, FARTHEST) ** 4
        if part in FOREARM_PARTS:
            slope += np.maximum(_unlike(seeds == part, colours) - SHADE, 0)
        way = _way_from(seeds == part, colours, ground + slope)
        ways.append(np.where(away > ARM_END, np.inf, way) if covered.get(part) else way)
    labels = np.argmin(ways, axis=0).astype(np.int8)
    for side, part in enumerate(UPPER_ARM_PARTS):
        if limbs.segments[part] and not covered[part]:
            arm, trunk = settle_border(
                (labels == part) & person,
                (labels == TRUNK) & person,
                colours,
                reach_px=MOVABLE * scale * float(limbs.radius_px[part]),
                where=limbs.outwards(side, size, scale) < 0,
            )
            labels[arm], labels[trunk] = part, TRUNK
    return labels, (right, left)


def _seeds(limbs: Limbs, size: tuple[int, int], scale: float) -> Labels:
    """(height, width) parts where they are sure, -1 elsewhere."""
    seeds = np.full(size[::-1], -1, np.int8)
    for part in range(PART_COUNT):
        lines = limbs.segments[part]
        mask = np.zeros(size[::-1], np.uint8)
        if part in UPPER_ARM_PARTS:  # the shoulder is the trunk's as well
            lines = [(start + 0.3 * (end - start), end) for start, end in lines]
        if part in FOREARM_PARTS and lines:
            seeds[limbs.distance(part, size, scale) < 0.7] = -1  # what lies below a forearm does not show
            palm = limbs.palm(FOREARM_PARTS.index(part))
            if palm is not None:
                cv2.fillPoly(mask, [np.round(palm * scale).astype(np.int32)], (1,))
        draw_lines(mask, lines, 1, scale=scale)
        seeds[mask > 0] = part
    return seeds


def _uncover(seeds: Labels, of_trunk: Float, part: int, limbs: Limbs, scale: float) -> bool:
    """Whether the trunk lies on an upper arm; the seeds of the arm, changed in place, lose what is the trunk's.

    From the shoulder outwards an arm may be bare or dressed like the trunk, or first dressed and then bare. When it is
    first bare and then looks like the trunk, the trunk lies on it.

    Args:
        seeds: (height, width) parts.
        of_trunk: (height, width) way from the trunk.
        part: the arm's.
        limbs: the bones.
        scale: size of these maps in terms of the source.
    """
    if not limbs.segments[part]:
        return False
    rows, columns = _pixels(limbs.segments[part][0], scale)
    if min(rows.min(), columns.min()) < 0 or rows.max() >= seeds.shape[0] or columns.max() >= seeds.shape[1]:
        return False
    away = of_trunk[rows, columns]
    bare = min(away[SAMPLES < 0.3].max(), away[SAMPLES > 0.8].max())
    like_trunk = (away < 0.5 * bare) & (SAMPLES > 0.2)
    if like_trunk.sum() < 4:
        return False
    start, end = limbs.segments[part][0]
    unsure = like_trunk | ((1 - SAMPLES) * norm(end - start) < limbs.radius_px[part])  # the elbow is the forearm's
    for row, column in zip(rows[unsure], columns[unsure], strict=True):
        near = seeds[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3]
        near[near == part] = -1
    return True


def _unlike(seeds: NDArray[np.bool_], colours: Float) -> Float:
    """(height, width) how far the colour of each pixel is from the nearest of those of the seeds; 0 without seeds."""
    if not seeds.any():
        return np.zeros(seeds.shape, np.float32)
    given = colours[seeds]
    away, _ = KDTree(given[:: len(given) // 500 + 1]).query(colours)
    return np.asarray(away, np.float32)


def _pixels(line: Segment, scale: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns along a line of source pixels, in a picture of another scale."""
    columns, rows = np.round((line[0] + SAMPLES[:, None] * (line[1] - line[0])) * scale).astype(int).T
    return rows, columns


def _way_from(seeds: NDArray[np.bool_], colours: Float, ground: Float) -> Float:
    """(height, width) length of the shortest way from the seeds; infinite where there are none.

    Args:
        seeds: (height, width) where the way begins.
        colours: (height, width, 3) CIELAB, whose difference is part of the way.
        ground: (height, width) how far one pixel is.
    """
    height, width = seeds.shape
    if not seeds.any():
        return np.full((height, width), np.inf, np.float32)
    index = np.arange(height * width).reshape(height, width)
    starts, ends, lengths = [], [], []
    for here, there, distance in neighbours(seeds.shape):
        edge = np.linalg.norm(colours[here] - colours[there], axis=2)
        starts.append(index[here].ravel())
        ends.append(index[there].ravel())
        lengths.append((distance * (ground[here] + ground[there]) / 2 + edge).ravel())
    ways = (np.concatenate(lengths), (np.concatenate(starts), np.concatenate(ends)))
    graph = sparse.csr_matrix(ways, shape=(height * width, height * width))
    length = dijkstra(graph, directed=False, indices=np.flatnonzero(seeds), min_only=True)
    return np.asarray(length.reshape(height, width), np.float32)
