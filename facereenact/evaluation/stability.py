"""What must not change over time: still backgrounds, the passage between windows, the person."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from facereenact.evaluation.mean import Mean
from facereenact.evaluation.readings import Reading
from landmarks.face_mesh import FACE_OVAL

Image = NDArray[np.uint8]
Float = NDArray[np.float64]
Grey = NDArray[np.int16]
Mask = NDArray[np.bool_]

# Beside, above and below the face, in its widths and heights: hair, neck and collar. Where the driver itself tells what
# is still, its skin alone is left out.
HEAD_REACH, SKIN_REACH = (0.6, 0.7, 1.0), (0.1, 0.1, 0.1)
NOISE_LEVELS = 6  # second difference up to which the driver's own pixel counts as still, of 255
LEAST_REGION = 0.02  # of the picture; a smaller still region says nothing
DRIFT_SHARE = 0.1  # of the clip at either end
SHORTEST_DRIFT = 20  # frames

# fmt: off
SOLID_VERTICES = (
    33, 133, 263, 362, 168, 6, 197, 195, 5, 4, 1, 98, 327, 10, 151, 9, 8, 127, 356, 234, 454, 93, 323, 116, 345,
)
"""Vertices of the mesh that no expression moves much: eye corners, nose, forehead, temples, cheekbones."""
# fmt: on


class Flicker:
    """Shimmer of what stands still: |frame - mean of its neighbours| outside the head, levels of 255.

    A pixel that goes smoothly from one value to another counts little, one that goes to and fro much. Where both videos
    show the same scene, only pixels that are still in the driver count.
    """

    def __init__(self, *, in_place: bool) -> None:
        self._in_place = in_place
        self._last: list[tuple[Grey, Grey, Mask, Mask]] = []
        self._means = Mean(), Mean()  # driver, result

    def add(self, driver: Image, result: Image, seen: tuple[Reading | None, Reading | None]) -> None:
        one, other = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.int16) for image in (driver, result))
        reach = SKIN_REACH if self._in_place else HEAD_REACH
        masks = [_outside(image.shape, reading, reach) for image, reading in zip((one, other), seen, strict=True)]
        if self._in_place:
            masks = [masks[0] & masks[1]] * 2
        self._last = [*self._last[-2:], (one, other, masks[0], masks[1])]
        if len(self._last) == 3:
            self._measure()

    def _measure(self) -> None:
        drivers, results, driver_masks, result_masks = zip(*self._last, strict=True)
        region, result_region = np.logical_and.reduce(driver_masks), np.logical_and.reduce(result_masks)
        change = _second_difference(drivers)
        if self._in_place:
            region = result_region = region & (change <= NOISE_LEVELS)
        self._means[0].add(_mean_within(change, region))
        self._means[1].add(_mean_within(_second_difference(results), result_region))

    def result(self) -> dict[str, float | None]:
        values = [mean.value for mean in self._means]
        driver, result = (None if value is None else value / 2 for value in values)
        return {"driver_flicker": driver, "flicker": result}


def _second_difference(frames: tuple[Grey, Grey, Grey]) -> Grey:
    return np.abs(frames[2] - 2 * frames[1] + frames[0])


def _mean_within(values: Grey, region: Mask) -> float | None:
    return float(values[region].mean()) if region.mean() >= LEAST_REGION else None


def _outside(shape: tuple[int, ...], reading: Reading | None, reach: tuple[float, float, float]) -> Mask:
    """All pixels but those within reach of the face; none where it was not found."""
    if reading is None:
        return np.zeros(shape, np.bool_)
    left, top, right, bottom = reading.box_xyxy
    width, height = right - left, bottom - top
    beside, above, below = reach
    outside = np.ones(shape, np.bool_)
    rows = slice(max(int(top - above * height), 0), max(int(bottom + below * height), 0))
    outside[rows, max(int(left - beside * width), 0) : max(int(right + beside * width), 0)] = False
    return outside


class Seams:
    """Jumps where a renderer begins a new window of frames: how much more changes there than elsewhere."""

    def __init__(self) -> None:
        self._last: tuple[Image, Image] | None = None
        self._changes: tuple[list[float], list[float]] = ([], [])

    def add(self, driver: Image, result: Image) -> None:
        if self._last is not None:
            for changes, before, now in zip(self._changes, self._last, (driver, result), strict=True):
                changes.append(float(cv2.norm(before, now, cv2.NORM_L1)) / now.size)
        self._last = driver, result

    def result(self, window: int | None) -> dict[str, float | None]:
        """The change at the boundaries over the change elsewhere, with the driver's own taken out; 1 is no seam."""
        if window is None:
            return {}
        ratios = [_boundary_ratio(np.array(changes), window) for changes in self._changes]
        driver, result = ratios
        return {"seam": result / driver if driver and result is not None else None}


def _boundary_ratio(changes: Float, window: int) -> float | None:
    """`changes[i]` is from frame i to i + 1."""
    is_boundary = (np.arange(1, len(changes) + 1) % window) == 0
    if not is_boundary.any() or is_boundary.all():
        return None
    elsewhere = float(changes[~is_boundary].mean())
    return float(changes[is_boundary].mean()) / elsewhere if elsewhere > 0 else None


class Drift:
    """How the result slowly becomes somebody else: colour of the face, and its proportions."""

    def __init__(self) -> None:
        self._first: tuple[Float, Float] | None = None
        self._colour: list[float] = []
        self._shape: list[float] = []

    def add(self, image: Image, mesh: Reading | None) -> None:
        """Take in a frame of the result and MediaPipe's mesh in it."""
        if mesh is None:
            return
        colour = _face_colour(image, mesh)
        solid = mesh.pose[list(SOLID_VERTICES)]
        if self._first is None:
            self._first = colour, solid
        self._colour.append(float(np.abs(colour - self._first[0]).mean()))
        self._shape.append(_misfit(self._first[1], solid))

    def result(self) -> dict[str, float | None]:
        return {"drift.colour": drift(self._colour), "drift.shape": drift(self._shape)}


def drift(distances: list[float]) -> float | None:
    """From distances to the source over time: the mean of the last tenth less that of the first; None if too short."""
    if len(distances) < SHORTEST_DRIFT:
        return None
    ends = max(int(DRIFT_SHARE * len(distances)), 1)
    return float(np.mean(distances[-ends:]) - np.mean(distances[:ends]))


def _face_colour(image: Image, mesh: Reading) -> Float:
    """(3,) mean RGB within the outline of the face, levels of 255."""
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [mesh.points[list(FACE_OVAL)].astype(np.int32)], (1,))
    return np.array(cv2.mean(image, mask)[:3])


def _misfit(one: Float, other: Float) -> float:
    """What is left between two (n, 3) sets of points after the best turn, scale and shift, over the spread of one."""
    a, b = one - one.mean(axis=0), other - other.mean(axis=0)
    u, s, vt = np.linalg.svd(a.T @ b)
    s[2] *= np.sign(np.linalg.det(u @ vt))
    square = float((a**2).sum())
    left = (b**2).sum() - s.sum() ** 2 / square
    return float(np.sqrt(max(left, 0.0) / (b**2).sum()))
