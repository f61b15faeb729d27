"""How alike two faces move, as one tracker sees both videos: points, expression, pose, and each part over time."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from facereenact.evaluation.mean import Mean
from facereenact.evaluation.readings import POSE, Reading

Float = NDArray[np.float64]

CURVES = ("mouth", "lid_right", "lid_left", "eyes", "gaze_x", "gaze_y", *POSE)
PRESENT = 0.5  # score from which a keypoint counts as seen
MOST_LAG = 10  # frames that a result may be early or late by and still be found out
LEAST_ALIKE = 0.5  # correlation at the best shift below which the curves do not show one motion
STILL = 1e-6  # standard deviation up to which a curve has no motion, and so no correlation


class MotionComparison:
    """The motion metrics of a result against its driver, frame by frame.

    Args:
        in_place: whether both show the same scene, so that points can be compared where they are.
    """

    def __init__(self, *, in_place: bool) -> None:
        self._in_place = in_place
        self._first: tuple[Reading, Reading] | None = None
        self._curves: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in CURVES}
        self._frames = self._found = self._wanted = self._missing = 0
        self._distance, self._still_distance, self._expression = Mean(), Mean(), Mean()
        self._jitters = Jitter(), Jitter()

    def add(self, driver: Reading | None, result: Reading | None) -> float:
        """Take in a frame and give how far the result is off in it: in points, or else in expression; NaN unknown."""
        self._frames += 1
        self._found += result is not None
        if driver is not None:
            wanted = driver.scores >= PRESENT
            self._wanted += int(wanted.sum())
            self._missing += int(wanted.sum() if result is None else (wanted & (result.scores < PRESENT)).sum())
        if driver is None or result is None:
            self._draw(None, None)
            return math.nan
        self._first = self._first or (driver, result)
        self._draw(driver, result)
        for jitter, reading in zip(self._jitters, (driver, result), strict=True):
            jitter.add(reading)
        return self._compare(driver, result)

    def _compare(self, driver: Reading, result: Reading) -> float:
        assert self._first is not None
        first, first_result = self._first
        change = driver.expression - first.expression, result.expression - first_result.expression
        expression = float(np.linalg.norm(change[0] - change[1], axis=1).mean())
        self._expression.add(expression)
        if not self._in_place:
            return expression
        distance = keypoint_distance(driver, result)
        self._distance.add(distance)
        self._still_distance.add(keypoint_distance(driver, first))
        return distance

    def _draw(self, driver: Reading | None, result: Reading | None) -> None:
        """Extend the curves by a frame."""
        for side, reading in enumerate((driver, result)):
            values: dict[str, float] = {}
            if reading is not None and self._first is not None:
                values = {**reading.measures, **dict(zip(POSE, reading.turn_from(self._first[side]), strict=True))}
            for name, pair in self._curves.items():
                pair[side].append(float(values.get(name, math.nan)))

    @property
    def curves(self) -> dict[str, tuple[Float, Float]]:
        """Of driver and result, (frames,), NaN where one of them shows no face. Only those that the tracker gives."""
        pairs = {name: (np.array(a), np.array(b)) for name, (a, b) in self._curves.items()}
        return {name: pair for name, pair in pairs.items() if np.isfinite(pair[1]).any()}

    def result(self) -> dict[str, float | None]:
        values: dict[str, float | None] = {
            "detected": self._found / self._frames if self._frames else None,
            "missing_keypoints": self._missing / self._wanted if self._wanted else None,
            "aed": self._expression.value,
            "driver_jitter": self._jitters[0].value,
            "jitter": self._jitters[1].value,
        }
        if self._in_place:
            values |= {"akd": self._distance.value, "copy_akd": self._still_distance.value}
        curves = self.curves
        angles = [curves[name] for name in POSE if name in curves]
        if angles:
            values["apd_deg"] = float(np.mean([mean_error(a, b) or 0.0 for a, b in angles]))
            values["copy_apd_deg"] = float(np.mean([np.nanmean(np.abs(a)) for a, _ in angles]))
        for name, (a, b) in curves.items():
            values |= {f"{name}.correlation": correlation(a, b), f"{name}.error": mean_error(a, b)}
            values |= {f"{name}.lag_frames": lag_frames(a, b)}
        return values


class Jitter:
    """Mean acceleration of the points over the distance of the eyes, over the frames in which both faces are seen."""

    def __init__(self) -> None:
        self._last: list[Float] = []
        self._mean = Mean()

    def add(self, reading: Reading) -> None:
        self._last = [*self._last[-2:], reading.points]
        if len(self._last) == 3:
            acceleration = self._last[2] - 2 * self._last[1] + self._last[0]
            self._mean.add(float(np.linalg.norm(acceleration, axis=1).mean()) / reading.eye_distance_px)

    @property
    def value(self) -> float | None:
        return self._mean.value


def keypoint_distance(driver: Reading, result: Reading) -> float:
    """Mean distance of the points over the driver's distance of the eyes."""
    return float(np.linalg.norm(driver.points - result.points, axis=1).mean()) / driver.eye_distance_px


def mean_error(one: Float, other: Float) -> float | None:
    """Mean absolute difference where both are known."""
    difference = np.abs(one - other)
    return float(np.nanmean(difference)) if np.isfinite(difference).any() else None


def correlation(one: Float, other: Float) -> float | None:
    """Pearson's, where both are known; None without motion."""
    both = np.isfinite(one) & np.isfinite(other)
    a, b = one[both], other[both]
    if len(a) < 2 or a.std() <= STILL or b.std() <= STILL:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def lag_frames(driver: Float, result: Float) -> float | None:
    """By how many frames the result is late (early where negative): where their correlation is highest.

    Between frames the peak is that of a parabola through the three highest values. None without motion, for clips too
    short to tell, and where no shift within `MOST_LAG` frames makes the two alike.
    """
    if len(driver) < 4 * MOST_LAG:
        return None
    found = [correlation(*_shifted(driver, result, lag)) for lag in range(-MOST_LAG, MOST_LAG + 1)]
    if any(value is None for value in found):
        return None
    scores = np.array(found, np.float64)
    best = int(scores.argmax())
    if best in (0, len(scores) - 1) or scores[best] < LEAST_ALIKE:
        return None
    before, peak, after = scores[best - 1 : best + 2]
    bend = before - 2 * peak + after
    return best - MOST_LAG + (0.5 * float((before - after) / bend) if bend < 0 else 0.0)


def _shifted(driver: Float, result: Float, lag: int) -> tuple[Float, Float]:
    """Both, so that frame i of the driver meets frame i + lag of the result."""
    length = len(driver) - abs(lag)
    return driver[max(-lag, 0) :][:length], result[max(lag, 0) :][:length]
