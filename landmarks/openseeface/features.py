"""OpenSeeFace's 14 expression features and its blink, from the normalised points in space."""

from __future__ import annotations

import math
from bisect import insort
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Points = list[list[float]]

FEATURE_NAMES = (
    "eye_l",
    "eye_r",
    "eyebrow_steepness_l",
    "eyebrow_updown_l",
    "eyebrow_quirk_l",
    "eyebrow_steepness_r",
    "eyebrow_updown_r",
    "eyebrow_quirk_r",
    "mouth_corner_updown_l",
    "mouth_corner_inout_l",
    "mouth_corner_updown_r",
    "mouth_corner_inout_r",
    "mouth_open",
    "mouth_wide",
)
THRESHOLD = 0.15  # share of the neutral value beyond which a value counts as an expression
THRESHOLDS = {"steepness": 0.05, "quirk": 0.05, "inout": 0.02, "wide": 0.02}
EASING = 0.15  # how far an extreme may lie inside the first one seen, as a share of the way to the neutral value
DECAY = 0.001  # of the way there, per frame
HELD = 0.2  # share of the output of the frame before
BUFFER = 64


class Features:
    """The features of one face over time; it learns the neutral value and the extremes of each."""

    def __init__(self) -> None:
        self._scales = [SelfCalibratingScale(_threshold(name)) for name in FEATURE_NAMES]
        self.values = np.zeros(len(FEATURE_NAMES))

    def update(self, points_3d: Array) -> NDArray[np.float64]:
        """(14,) features in the order of FEATURE_NAMES, about -1 to 1, after one more frame; 0 until extremes are seen.

        Args:
            points_3d: (70, 3) normalised points.
        """
        raw = raw_features(points_3d)
        self.values = np.array(
            [scale.update(raw[name]) for scale, name in zip(self._scales, FEATURE_NAMES, strict=True)]
        )
        return self.values

    @property
    def eye_blink(self) -> NDArray[np.float64]:
        """(2,) right and left eye: 1 open, 0 closed."""
        return 1 - np.clip(-self.values[[1, 0]], 0, 1)


class SelfCalibratingScale:
    """Puts values on a scale of -1 to 1 between the smallest and largest seen, with the usual one at 0."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._median = Remedian()
        self._low: Extreme | None = None
        self._high: Extreme | None = None
        self._output = 0.0

    def update(self, value: float) -> float:
        """The smoothed output after one more value."""
        self._median.add(value)
        self._output = HELD * self._output + (1 - HELD) * self._placed(value, self._median.value)
        return self._output

    def _placed(self, value: float, median: float) -> float:
        # As in the original, nothing is stated before both extremes were seen, and a negative median breaks the share.
        share = (value - median) / median if median else 0.0
        if self._low is None:
            if value < median and -share > self._threshold:
                self._low = Extreme(value, median)
                return -1.0
            return 0.0
        if value < self._low.value:
            self._low = Extreme(value, median)
            return -1.0
        if self._high is None:
            if value > median and share > self._threshold:
                self._high = Extreme(value, median)
                return 1.0
            return 0.0
        if value > self._high.value:
            self._high = Extreme(value, median)
            return 1.0
        self._low.ease()
        self._high.ease()
        if value < median:
            return -(1 - (value - self._low.value) / (median - self._low.value))
        return (value - median) / (self._high.value - median) if value > median else 0.0


class Extreme:
    """The smallest or largest value seen, which moves a little towards the neutral value in time."""

    def __init__(self, value: float, median: float) -> None:
        self.value = value
        self._limit = value + EASING * (median - value)

    def ease(self) -> None:
        """One frame's move."""
        self.value += DECAY * (self._limit - self.value)


class Remedian:
    """A running median in little memory: medians of 64 values, medians of 64 of those, and so on.

    P. Rousseeuw, G. Bassett: The Remedian, 1990.
    """

    def __init__(self) -> None:
        self._levels: list[list[float]] = [[]]

    def add(self, value: float) -> None:
        for level in range(len(self._levels) + 1):
            if level == len(self._levels):
                self._levels.append([])
            insort(self._levels[level], value)
            if len(self._levels[level]) < BUFFER:
                return
            value = _middle(self._levels[level])
            self._levels[level].clear()

    @property
    def value(self) -> float:
        """The median of the highest level, which holds a value from the first one on."""
        return _middle(self._levels[-1])


def raw_features(points_3d: Array) -> dict[str, float]:
    """The measures behind the features, in units of the nose's bridge (heights) or of the face (widths), or degrees."""
    flat = np.asarray(points_3d, np.float64)[:, :2]
    points: Points = flat.tolist()
    x, y = flat.T.tolist()
    wide = (x[0] - x[16] + x[1] - x[15]) / 2 or 1.0
    high = (y[27] - y[30]) / 3 or 1.0
    tilt = sum(_angle_deg(points[a], points[b]) for a, b in ((42, 45), (36, 39), (0, 16), (31, 35))) / 4
    middle = sum(x[i] for i in (50, 60, 27, 30, 64, 55)) / 6
    lip = (y[49] + y[50] + y[51]) / 3
    return {
        "eye_l": _lid_gap(points, (42, 45), (43, 44), (47, 46)) / high,
        "eye_r": _lid_gap(points, (36, 39), (37, 38), (41, 40)) / high,
        "eyebrow_steepness_l": -_angle_deg(points[22], points[26]) - tilt,
        "eyebrow_steepness_r": _angle_deg(points[17], points[21]) - tilt,
        "eyebrow_quirk_l": _quirk(points[22:27]) / high,
        "eyebrow_quirk_r": _quirk(points[17:22]) / high,
        "eyebrow_updown_l": ((y[22] + y[26]) / 2 - y[27]) / high,
        "eyebrow_updown_r": ((y[17] + y[21]) / 2 - y[27]) / high,
        "mouth_corner_updown_l": (lip - y[62]) / high,
        "mouth_corner_updown_r": (lip - y[58]) / high,
        "mouth_corner_inout_l": abs(middle - x[62]) / wide,
        "mouth_corner_inout_r": abs(middle - x[58]) / wide,
        "mouth_open": abs(sum(y[59:62]) - sum(y[63:66])) / 3 / high,
        "mouth_wide": abs(x[58] - x[62]) / wide,
    }


def _middle(ordered: list[float]) -> float:
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _lid_gap(points: Points, corners: tuple[int, int], upper: tuple[int, int], lower: tuple[int, int]) -> float:
    pivot = points[corners[0]]
    angle = _angle_deg(pivot, points[corners[1]])
    height = {index: _turned(points[index], pivot, angle)[1] for index in (*upper, *lower)}
    return abs(sum(height[index] for index in upper) - sum(height[index] for index in lower)) / 2


def _quirk(brow: Points) -> float:
    """How far the inner points of a brow leave the level of its first; over x and y alike, as in the original."""
    first, *inner, last = brow
    angle = _angle_deg(first, last)
    return max(abs(value - first[1]) for point in inner for value in _turned(point, first, angle))


def _angle_deg(a: list[float], b: list[float]) -> float:
    """Angle of the line through two points from the x axis, -90 to 90 degrees.

    A line towards -x, as they all run, has its angle mirrored and not turned, as in the original.
    """
    angle = math.degrees(math.atan2(b[1] - a[1], b[0] - a[0]))
    return 180 - angle if angle > 90 else -180 - angle if angle <= -90 else angle


def _turned(point: list[float], pivot: list[float], angle_deg: float) -> tuple[float, float]:
    """A point turned about a pivot by the negative angle: meant to level a line, it doubles a mirrored one's tilt."""
    cosine, sine = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    x, y = point[0] - pivot[0], point[1] - pivot[1]
    return pivot[0] + cosine * x + sine * y, pivot[1] - sine * x + cosine * y


def _threshold(name: str) -> float:
    return next((threshold for part, threshold in THRESHOLDS.items() if part in name), THRESHOLD)
