"""Offline clean-up of a track: gaps filled, jitter removed without lag."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from body.types import (
    BODY,
    FACE,
    LEFT_ANKLE,
    LEFT_FOOT,
    LEFT_HAND,
    LEFT_HIP,
    LEFT_SHOULDER,
    LEFT_WRIST,
    NECK,
    NOSE,
    RIGHT_ANKLE,
    RIGHT_FOOT,
    RIGHT_HAND,
    RIGHT_HIP,
    RIGHT_SHOULDER,
    RIGHT_WRIST,
    VISIBLE,
    PoseSequence,
)
from landmarks.smoothing import adaptive_mean

Array = NDArray[np.floating[Any]]

LONGEST_GAP_S = 1.0  # out of sight in which a point of a person in view is taken to be where it was going
SHORTEST_SIGHT_S = 0.12  # below it a point that shows up between longer gaps is a mistake

# A part, and the joint with which it moves where it is out of sight.
PARTS = (
    (FACE, NOSE),
    (LEFT_FOOT, LEFT_ANKLE),
    (RIGHT_FOOT, RIGHT_ANKLE),
    (LEFT_HAND, LEFT_WRIST),
    (RIGHT_HAND, RIGHT_WRIST),
)


def fill_gaps(sequence: PoseSequence) -> PoseSequence:
    """Points out of sight get the values between those of the nearest frames that show them, in time.

    In frames without the person that concerns everything. In the other frames a point that is out of sight for up to
    `LONGEST_GAP_S` counts as seen afterwards; after a longer absence its place is filled in, its score stays low. Face,
    feet and hands stay with nose, ankle and wrist meanwhile. Before the first and after the last sight values hold.
    `detected` stays as it is.
    """
    time, points = sequence.timestamps_s, sequence.points.astype(np.float64)
    scores = sequence.scores.astype(np.float64)
    there = sequence.detected
    if there.any() and not there.all():
        points[~there] = _interpolated(points, time, there)[~there]
        scores[~there] = _interpolated(scores, time, there)[~there]
    still = np.zeros((len(time), 2))
    for index in range(BODY.stop):
        _fill_point(points[:, index], scores[:, index], time, still)
    for part, joint in PARTS:
        for index in range(part.start, part.stop):
            _fill_point(points[:, index], scores[:, index], time, points[:, joint])
    return replace(sequence, points=points.astype(np.float32), scores=scores.astype(np.float32))


def _fill_point(points: Array, scores: Array, time: Array, origin: Array) -> None:
    """Fill the gaps of one point (frames, 2) in place, relative to an origin (frames, 2)."""
    scores[_lone_sights(scores >= VISIBLE, time)] = 0
    seen = scores >= VISIBLE
    if seen.all() or not seen.any():
        return
    points[~seen] = (origin + _interpolated(points - origin, time, seen))[~seen]
    for first, after in _runs(~seen):
        if first > 0 and after < len(time) and time[after] - time[first - 1] <= LONGEST_GAP_S:
            scores[first:after] = _interpolated(scores, time, seen)[first:after]


def _lone_sights(seen: NDArray[np.bool_], time: Array) -> NDArray[np.bool_]:
    """(frames,) which frames show a point too briefly to be believed."""
    lone = np.zeros(len(seen), bool)
    runs = _runs(seen)
    for place, (first, after) in enumerate(runs):
        before_s = time[first] - (time[runs[place - 1][1] - 1] if place else -np.inf)
        after_s = (time[runs[place + 1][0]] if place + 1 < len(runs) else np.inf) - time[after - 1]
        is_inside = first > 0 and after < len(seen)
        is_short = is_inside and time[after] - time[first] < SHORTEST_SIGHT_S
        lone[first:after] = is_short and min(before_s, after_s) > LONGEST_GAP_S
    return lone


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First index and the index after the last of each run of True."""
    borders = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(first), int(after)) for first, after in borders.reshape(-1, 2)]


def _interpolated(values: Array, time: Array, seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(frames, ...) values everywhere, from the frames where they are seen."""
    flat = values.reshape(len(values), -1)
    columns = [np.interp(time, time[seen], column[seen]) for column in flat.T]
    return np.stack(columns, axis=1).reshape(values.shape)


@dataclass(frozen=True)
class Smoother:
    """A zero-phase low-pass that is strong where a point is still and light where it moves.

    Each point is a mix of a wide and a narrow Gaussian mean in time. Where the two differ by less than the noise of the
    estimator the wide one counts, where they differ by more the narrow one, so that a fast gesture keeps its reach.
    Widths are standard deviations in seconds.
    """

    body_s: tuple[float, float] = (0.025, 0.15)  # with the feet
    face_s: tuple[float, float] = (0.015, 0.08)
    hands_s: tuple[float, float] = (0.015, 0.10)
    noise: float = 0.012  # of the torso; below it motion counts as jitter

    def __call__(self, sequence: PoseSequence) -> PoseSequence:
        """The smoothed sequence, of the same length and timing; fill its gaps first."""
        points, time = sequence.points.astype(np.float64), sequence.timestamps_s
        noise_px = self.noise * torso_px(sequence)
        for part, widths_s in (
            (slice(0, FACE.start), self.body_s),
            (FACE, self.face_s),
            (slice(FACE.stop, None), self.hands_s),
        ):
            points[:, part] = adaptive_mean(points[:, part], time, widths_s, noise_px)
        return replace(sequence, points=points.astype(np.float32))

    def scaled(self, factor: float) -> Smoother:
        """The same with all widths and the noise multiplied."""
        widths = {name: tuple(factor * s for s in getattr(self, name)) for name in ("body_s", "face_s", "hands_s")}
        return replace(self, **widths, noise=factor * self.noise)


SMOOTHERS = {"light": Smoother().scaled(0.5), "normal": Smoother(), "strong": Smoother().scaled(2)}
"""By the names that users know; "none" is no smoother."""


def torso_px(sequence: PoseSequence) -> float:
    """The usual size of the person: about the length of the torso, pixels.

    The median over frames of the greater of shoulder width x 1.4 and neck to hips: one of the two is seen at length.
    """
    points, visible = sequence.points.astype(np.float64), sequence.visible
    lengths = np.zeros((len(points), 3))
    for column, (start, end, factor) in enumerate(
        ((LEFT_SHOULDER, RIGHT_SHOULDER, 1.4), (NECK, LEFT_HIP, 1.0), (NECK, RIGHT_HIP, 1.0))
    ):
        both = visible[:, start] & visible[:, end]
        lengths[both, column] = factor * np.linalg.norm(points[both, start] - points[both, end], axis=1)
    longest = lengths.max(axis=1)
    return float(np.median(longest[longest > 0])) if (longest > 0).any() else 0.1 * max(sequence.size)
