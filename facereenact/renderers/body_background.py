"""Filling in what a person hides, with the texture of the rest of the picture.

Every small patch that touches the gap is to look like some patch of the known part: in turn, the most similar patches
are searched (PatchMatch; Barnes et al. 2009) and their colours averaged where they overlap, from a coarse picture to a
fine one (Wexler, Shechtman, Irani 2007).
"""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from facereenact.renderers.background import diffuse

Float = NDArray[np.float32]
Image = NDArray[np.uint8]
Ints = NDArray[np.int32]

RADIUS = 3  # of a patch
FINEST_PX = 256  # longest side of the picture in which patches are compared; the result has the detail of the picture
COARSEST_PX = 32
CERTAIN = 1.3  # how much more a patch counts than one that is a pixel farther from what is known
BAND = 0.1  # how far up or down better matches are looked for, of the height: floors and skies stay in their places
BESIDE = 4  # how much nearer what is beside a pixel counts, to begin with, than what is above or below
MOST_LACKING = 16  # of 255; more is another texture rather than another light
ROUNDS = 4  # at each size


def fill_by_patches(image: Image, unknown: NDArray[np.bool_]) -> Image:
    """The picture with its unknown part replaced.

    Args:
        image: (height, width, 3) uint8.
        unknown: (height, width) what to replace.
    """
    height, width = unknown.shape
    scale = min(1.0, FINEST_PX / max(height, width))
    sizes = [(max(8, round(width * scale)), max(8, round(height * scale)))]
    while max(sizes[0]) > 2 * COARSEST_PX:
        sizes.insert(0, (max(8, sizes[0][0] // 2), max(8, sizes[0][1] // 2)))
    matches: Ints | None = None
    for size in sizes:
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        gap = cv2.resize(unknown.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
        usable = _usable(gap)
        if not usable.any() or not gap.any():
            return np.clip(diffuse(image.astype(np.float32), ~unknown), 0, 255).astype(np.uint8)
        touched = cv2.dilate(gap.astype(np.uint8), np.ones((2 * RADIUS + 1, 2 * RADIUS + 1))) > 0
        deep = cv2.distanceTransform(gap.astype(np.uint8), cv2.DIST_L2, 5)
        trust = (CERTAIN**-deep).astype(np.float32)
        if matches is None:
            matches = _nearest(usable)
            current = _spread(small, gap)
        else:
            matches = _enlarged(matches, usable)
            current = _average(small, gap, touched, matches, trust)
        for _ in range(ROUNDS):
            _improve(current, touched, usable, matches)
            current = _average(current, gap, touched, matches, trust)
    assert matches is not None
    lacking = cv2.resize(_lacking(small, gap, touched, matches), (width, height), interpolation=cv2.INTER_LINEAR)
    filled = np.clip(_copied(image, unknown, matches) + lacking, 0, 255).astype(np.uint8)
    return np.where(unknown[..., None], filled, image)


def _nearest(usable: NDArray[np.bool_]) -> Ints:
    """(height, width, 2) row and column of the nearest usable patch: rather beside, in rows that have any."""
    plain, beside = (
        ndimage.distance_transform_edt(~usable, (far, 1), return_distances=False, return_indices=True)
        for far in (1, BESIDE)
    )
    rows = np.clip(np.arange(len(usable)), RADIUS, len(usable) - RADIUS - 1)  # no patch has its middle at the border
    nearest = np.where(usable.any(axis=1)[rows][:, None], beside, plain)
    return np.ascontiguousarray(nearest.transpose(1, 2, 0), np.int32)


def _spread(picture: Float, gap: NDArray[np.bool_]) -> Float:
    """The gap filled with the colours around, those beside spread farther than those above and below."""
    tall = diffuse(np.repeat(picture, BESIDE, axis=0), ~np.repeat(gap, BESIDE, axis=0))
    return tall.reshape(gap.shape[0], BESIDE, gap.shape[1], 3).mean(axis=1)


def _usable(gap: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Middles of patches that lie in the picture and are known."""
    usable = cv2.erode((~gap).astype(np.uint8), np.ones((2 * RADIUS + 1, 2 * RADIUS + 1))) > 0
    inside = np.zeros_like(usable)
    inside[RADIUS:-RADIUS, RADIUS:-RADIUS] = True
    return usable & inside


def _enlarged(matches: Ints, usable: NDArray[np.bool_]) -> Ints:
    """The matches of a smaller picture for a larger one; where they are not usable, the nearest that are."""
    height, width = usable.shape
    rows, columns = np.indices(usable.shape)
    small = (rows * matches.shape[0] // height, columns * matches.shape[1] // width)
    ratio = np.array([height / matches.shape[0], width / matches.shape[1]])
    # A patch keeps its offset, so that neighbours stay neighbours.
    offset = (matches[small] - np.stack(small, axis=2)) * ratio
    found = np.round(np.stack([rows, columns], axis=2) + offset).astype(int)
    found = np.clip(found, 0, (height - 1, width - 1))
    return _nearest(usable)[found[..., 0], found[..., 1]]


def _lacking(picture: Float, gap: NDArray[np.bool_], touched: NDArray[np.bool_], matches: Ints) -> Float:
    """(height, width, 3) what the matches lack in brightness around the gap, spread over it: light changes slowly."""
    around = touched & ~gap
    wrong = picture - picture[matches[..., 0], matches[..., 1]]
    return diffuse(np.clip(wrong, -MOST_LACKING, MOST_LACKING), around)


def _copied(image: Image, unknown: NDArray[np.bool_], matches: Ints) -> Float:
    """The full picture, its gap copied from where the matches of the small one point, softly from one to the next."""
    height, width = unknown.shape
    rows, columns = np.indices(matches.shape[:2])
    offset = (matches - np.stack([rows, columns], axis=2)).astype(np.float32)
    offset *= np.array([height / matches.shape[0], width / matches.shape[1]], np.float32)
    at_row, at_column = np.nonzero(unknown)
    y = (at_row + 0.5) * matches.shape[0] / height - 0.5
    x = (at_column + 0.5) * matches.shape[1] / width - 0.5
    total, weights = np.zeros((len(y), 3), np.float32), np.zeros((len(y), 1), np.float32)
    for dy in (0, 1):
        for dx in (0, 1):
            row = np.clip(np.floor(y).astype(int) + dy, 0, matches.shape[0] - 1)
            column = np.clip(np.floor(x).astype(int) + dx, 0, matches.shape[1] - 1)
            share = np.maximum((1 - np.abs(y - row)) * (1 - np.abs(x - column)), 1e-6)[:, None]
            source_row = np.clip(np.round(at_row + offset[row, column, 0]).astype(int), 0, height - 1)
            source_column = np.clip(np.round(at_column + offset[row, column, 1]).astype(int), 0, width - 1)
            share = share * np.where(unknown[source_row, source_column], 1e-6, 1)[:, None]
            total += share * image[source_row, source_column]
            weights += share
    result = image.astype(np.float32)
    result[unknown] = total / weights + 0.5
    return result


@njit(cache=True, nogil=True)
def _distance(picture: Float, row: int, column: int, other_row: int, other_column: int, most: float) -> float:
    """Squared difference of two patches, or anything above `most`."""
    height, width = picture.shape[:2]
    total = 0.0
    for dy in range(-RADIUS, RADIUS + 1):
        y = min(max(row + dy, 0), height - 1)
        for dx in range(-RADIUS, RADIUS + 1):
            x = min(max(column + dx, 0), width - 1)
            for channel in range(3):
                step = picture[y, x, channel] - picture[other_row + dy, other_column + dx, channel]
                total += step * step
        if total > most:
            return total
    return total


@njit(cache=True, nogil=True)
def _improve(picture: Float, touched: NDArray[np.bool_], usable: NDArray[np.bool_], matches: Ints) -> None:
    """Better matches for the patches that touch the gap, in place: the neighbours' shifted, and random ones around."""
    height, width = touched.shape
    np.random.seed(0)
    for sweep in range(2):
        step = 1 if sweep == 0 else -1
        for i in range(height):
            row = i if step == 1 else height - 1 - i
            for j in range(width):
                column = j if step == 1 else width - 1 - j
                if not touched[row, column]:
                    continue
                best_row, best_column = matches[row, column]
                best = _distance(picture, row, column, best_row, best_column, np.inf)
                band = max(BAND * height, abs(best_row - row))
                reach = max(height, width)
                trial = 0
                while trial < 2 or reach >= 1:
                    if trial < 2:
                        from_row, from_column = row - step * (trial == 0), column - step * (trial == 1)
                        if not (0 <= from_row < height and 0 <= from_column < width):
                            trial += 1
                            continue
                        y = matches[from_row, from_column, 0] + row - from_row
                        x = matches[from_row, from_column, 1] + column - from_column
                    else:
                        y = best_row + np.random.randint(-reach, reach + 1)
                        x = best_column + np.random.randint(-reach, reach + 1)
                        reach //= 2
                    trial += 1
                    if 0 <= y < height and 0 <= x < width and usable[y, x] and abs(y - row) <= band:
                        distance = _distance(picture, row, column, y, x, best)
                        if distance < best:
                            best, best_row, best_column = distance, y, x
                matches[row, column, 0], matches[row, column, 1] = best_row, best_column


@njit(cache=True, nogil=True)
def _average(picture: Float, gap: NDArray[np.bool_], touched: NDArray[np.bool_], matches: Ints, trust: Float) -> Float:
    """The picture with the gap filled by the mean of all matched patches that overlap there, the better the heavier."""
    height, width = gap.shape
    total, weights = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
    for row in range(height):
        for column in range(width):
            if not touched[row, column]:
                continue
            y, x = matches[row, column]
            weight = trust[row, column] / (20 + _distance(picture, row, column, y, x, np.inf) / 147)
            for dy in range(-RADIUS, RADIUS + 1):
                for dx in range(-RADIUS, RADIUS + 1):
                    to_row, to_column = row + dy, column + dx
                    if 0 <= to_row < height and 0 <= to_column < width and gap[to_row, to_column]:
                        for channel in range(3):
                            total[to_row, to_column, channel] += weight * picture[y + dy, x + dx, channel]
                        weights[to_row, to_column] += weight
    result = picture.copy()
    for row in range(height):
        for column in range(width):
            if gap[row, column] and weights[row, column] > 0:
                for channel in range(3):
                    result[row, column, channel] = total[row, column, channel] / weights[row, column]
    return result
