"""Retargeting: the driver's motion on the source's figure, in the source's place, with the source's proportions."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from body.framing import Extents, fit_axis
from body.proportions import measure, ratios
from body.skeleton import ANKLES, FEET, HIPS, KINDS, KNEES, PELVIS, Points, pelvis_seen, rebuilt, with_pelvis
from body.types import (
    BODY,
    LEFT_ELBOW,
    LEFT_SHOULDER,
    LEFT_WRIST,
    NECK,
    NOSE,
    POINT_COUNT,
    RIGHT_ELBOW,
    RIGHT_SHOULDER,
    RIGHT_WRIST,
    PoseSequence,
)
from checkpoints.errors import InputError

Legs = Literal["moved", "still", "left out"]
Mask = NDArray[np.bool_]

SHOWN = 0.5  # share of frames in which a driver must show a joint
SAME_FIGURE = 0.03  # of the figure: a frame that lies on the source as exactly shows the same proportions
OWN_FRAME = 0.99  # how much the figure is the same where the source is a frame of the driver
TIE = 1e-4  # unlikeness by which frames are equal; the first counts
LIKE = 0.03  # beyond the most similar frame's unlikeness: frames that are as good for comparing places
LIKE_SIZE = 0.05  # of the logarithm of the figure's size: likewise
MISSING = 0.5  # unlikeness of a frame that shows no joint of the source's
FEWEST_JOINTS = 4  # that two figures must share to be compared
JOINT_WEIGHTS = np.ones(BODY.stop)  # arms say little about how a figure stands
JOINT_WEIGHTS[[RIGHT_ELBOW, LEFT_ELBOW]], JOINT_WEIGHTS[[RIGHT_WRIST, LEFT_WRIST]] = 0.3, 0.1
HEAD_TOP = 0.8  # of the way from the neck to the nose, beyond the nose: where the head ends
HEAD_SIDE = 0.7  # of its length, to both sides of the nose: likewise
FARTHEST_LEAN = 0.2  # of the torso: how far the neck moves over hips that stay where they are

log = logging.getLogger(__name__)


class Retargeter:
    """Carries a driver's motion over to a source.

    Every segment keeps the direction and the foreshortening that it has in the driver, and gets the source's length
    (`body.proportions`: lengths are compared over the whole sequence, not in one frame). The driver's frame most like
    the source stands for the source as it is: the anchor (ankles, else the middle of the hips, else the neck) moves
    from the source's place as far as the driver's moves from its place in that frame, in the scale of the figure; feet
    that stand in the driver stand in the result. Where head or feet would leave the source's picture, the figure's way
    is damped or moved (`body.framing`).

    Legs that the source does not show are left out; those that the driver does not show stay as they are in the
    source. `legs` tells, and so does a warning. A source that is a frame of the driver leaves everything as it is.

    Args:
        driver: a filled sequence (`body.smoothing.fill_gaps`).
        source: one frame.

    Raises:
        ValueError: the source has more than one frame.
        InputError: the driver or the source does not show both shoulders, or they have too few joints in common.
    """

    def __init__(self, driver: PoseSequence, source: PoseSequence) -> None:
        if len(source) != 1:
            raise ValueError(f"a source is one frame, not {len(source)}")
        seen, shown = pelvis_seen(source.visible)[0], pelvis_seen(driver.visible).mean(axis=0) >= SHOWN
        _require_shoulders(seen, shown)
        self._source, self._source_scores, self._size = with_pelvis(source.points)[0], source.scores[0], source.size
        self.neutral_frame, unlikeness, scale = find_similar_frame(driver, source)
        same = float(np.exp(-((unlikeness[self.neutral_frame] / SAME_FIGURE) ** 2)))
        is_own = same > OWN_FRAME and np.array_equal(source.visible[0], driver.visible[self.neutral_frame])
        if is_own:  # and shows what the driver shows
            shown |= seen
        self.legs: Legs = _legs(seen, shown)
        self._anchor = _anchor(seen, shown, self.legs)
        self._on_feet = self._anchor not in ((PELVIS,), (NECK,))
        self._absent = [] if is_own else _absent(seen, self.legs)
        build = measure(driver)
        self._times_s, self._sizes = driver.timestamps_s, build.size / build.size[self.neutral_frame]
        found, figure = ratios(measure(source), build, driver_size=float(build.size[self.neutral_frame]))
        self.ratios = {kind: float(found[kind] ** (1 - same) * scale**same) for kind in KINDS}
        self._way_ratio = float(figure ** (1 - same) * scale**same)
        if self._on_feet:  # feet slide least in the scale of the legs
            self._way_ratio = float(np.sqrt(self.ratios["thigh"] * self.ratios["shin"]))
        self._gains, self._shift = np.ones(2), np.zeros(2)
        # Somebody who comes nearer stands lower, too: that is seen where feet are. Elsewhere a change of size is as
        # likely the camera's, and a figure that shrinks would come loose from the border that cuts it off.
        self._size_gain = 1.0 if self._on_feet else same
        self._origin = self._driver_place(driver, unlikeness, same)
        if self.legs == "still":
            self._hold_hips(driver)
        else:
            self._fit(driver, seen)
        if self.legs == "left out" and shown[list(KNEES)].any():
            log.warning("the source shows no legs: the upper body alone is animated")
        elif self.legs == "still":
            log.warning("the driver shows no legs: those of the source stay where they are")

    def __call__(self, driver: PoseSequence) -> PoseSequence:
        """The points of the source's figure, in its own pixels, for any part of the driver's sequence."""
        points, scores = self._placed(driver), driver.scores.copy()
        scores[:, self._absent] = 0
        if self.legs == "still":
            held = [*HIPS, *KNEES, *ANKLES, *FEET]
            points[:, held], scores[:, held] = self._source[held], self._source_scores[held]
        return replace(driver, points=points[:, :POINT_COUNT].astype(np.float32), scores=scores, size=self._size)

    def _placed(self, driver: PoseSequence) -> Points:
        """(frames, 135, 2) pixels of the source."""
        points = self._at_constant_size(driver)
        figure = rebuilt(points, self.ratios)
        way = self._gains * self._way_ratio * (_place(points, self._anchor) - self._origin)
        place = _place(self._source[None], self._anchor) + self._shift + way
        return figure + (place - _place(figure, self._anchor))[:, None]

    def _at_constant_size(self, driver: PoseSequence) -> Points:
        """(frames, 135, 2) the driver's points as from a constant distance, as far as `_size_gain` is below 1.

        Distance and zoom alike enlarge the picture around its middle.
        """
        sizes = np.interp(driver.timestamps_s, self._times_s, self._sizes)
        middle = np.array(driver.size) / 2
        return middle + (with_pelvis(driver.points) - middle) * sizes[:, None, None] ** (self._size_gain - 1)

    def _driver_place(self, driver: PoseSequence, unlikeness: Points, same: float) -> Points:
        """(2,) where the driver's anchor is when the source's is in its place.

        That of the neutral frame where it shows the source's very pose; else the median over all frames that are about
        as similar, so that one frame in mid-air does not lift the whole sequence.
        """
        places = _place(self._at_constant_size(driver), self._anchor)
        like = unlikeness <= unlikeness[self.neutral_frame] + LIKE
        like &= np.abs(np.log(self._sizes)) <= LIKE_SIZE
        return np.asarray(same * places[self.neutral_frame] + (1 - same) * np.median(places[like], axis=0))

    def _hold_hips(self, driver: PoseSequence) -> None:
        """Over legs that stay, the hips stay, too; a neck without hips may lean."""
        self._gains = np.zeros(2)
        if self._anchor == (NECK,):
            way = self._way_ratio * (_place(self._at_constant_size(driver), self._anchor) - self._origin)
            torso = float(np.linalg.norm(self._source[PELVIS] - self._source[NECK]))
            self._gains += min(1.0, FARTHEST_LEAN * torso / max(float(np.linalg.norm(way, axis=1).max()), 1e-6))

    def _fit(self, driver: PoseSequence, seen: Mask) -> None:
        """Keep head and feet in the picture, as far as they are in it in the driver."""
        watched = [*(point for point in (NOSE, NECK) if seen[point]), *(self._anchor if self._on_feet else ())]
        points = with_pelvis(driver.points)
        inside = _inside(points, driver.size) & pelvis_seen(driver.visible) & _inside(self._source[None], self._size)
        rim = _inside(_head_rim(points), driver.size) & _inside(_head_rim(self._source[None]), self._size)
        matters = np.concatenate([inside[:, watched], inside[:, [NOSE]] & rim], axis=1)

        def extents(axis: int, gain: float) -> Extents:
            self._gains[axis] = gain
            if axis == 1 and self._on_feet:
                self._size_gain = gain
            placed = self._placed(driver)
            at = np.concatenate([placed[:, watched], _head_rim(placed)], axis=1)[..., axis]
            return np.where(matters, at, np.inf).min(axis=1), np.where(matters, at, -np.inf).max(axis=1)

        down = fit_axis(lambda gain: extents(1, gain), side_px=self._size[1], may_shift=False)
        extents(1, down.gain)
        across = fit_axis(lambda gain: extents(0, gain), side_px=self._size[0], may_shift=True)
        extents(0, across.gain)
        self._shift[0] = across.shift_px
        if min(down.gain, across.gain) < 1:
            shares = (100 * across.gain, 100 * down.gain)
            log.info("to stay in the picture the figure goes %.0f %% of its way across, %.0f %% up and down", *shares)


def find_similar_frame(driver: PoseSequence, source: PoseSequence) -> tuple[int, Points, float]:
    """The driver's frame that, scaled and moved, lies best on the source.

    Returns:
        Its index; (frames,) how far each frame is from the source, as a share of the figure; the index's scale.

    Raises:
        InputError: no frame shows enough joints of the source's.
    """
    own = source.visible[:, BODY]
    both = driver.visible[:, BODY] & own & driver.detected[:, None]
    weights = np.where(both, JOINT_WEIGHTS, 0)[..., None]
    centred = []
    for points in (source.points[:, BODY].astype(np.float64), driver.points[:, BODY].astype(np.float64)):
        mean = (points * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-12)
        centred.append((points - mean[:, None]) * np.sqrt(weights))
    target, given = centred
    energy = (target**2).sum(axis=(1, 2))
    scale = (target * given).sum(axis=(1, 2)) / np.maximum((given**2).sum(axis=(1, 2)), 1e-12)
    left = ((target - scale[:, None, None] * given) ** 2).sum(axis=(1, 2))
    count = both.sum(axis=1)
    unlikeness = np.sqrt(left / np.maximum(energy, 1e-12)) + MISSING * (1 - count / max(own.sum(), 1))
    unlikeness[(count < FEWEST_JOINTS) | (scale <= 0)] = np.inf
    best = int(np.argmax(unlikeness <= unlikeness.min() + TIE))
    if not np.isfinite(unlikeness[best]):
        raise InputError("no frame of the driver shows what the source shows: take a driver with as much of the body")
    return best, unlikeness, float(scale[best])


def _require_shoulders(seen: Mask, shown: Mask) -> None:
    for mask, name in ((seen, "source"), (shown, "driver")):
        if not mask[[NECK, LEFT_SHOULDER, RIGHT_SHOULDER]].all():
            raise InputError(f"the {name} does not show both shoulders: take one that shows at least the upper body")


def _legs(seen: Mask, shown: Mask) -> Legs:
    if not seen[list(KNEES)].any():
        return "left out"
    needed = [each for each in (HIPS, KNEES, ANKLES) if seen[list(each)].any()]
    return "moved" if all(shown[list(each)].any() for each in needed) else "still"


def _anchor(seen: Mask, shown: Mask, legs: Legs) -> tuple[int, ...]:
    """The points that carry the figure."""
    ankles = tuple(ankle for ankle in ANKLES if seen[ankle] and shown[ankle])
    if ankles and legs == "moved":
        return ankles
    return (PELVIS,) if seen[PELVIS] and shown[PELVIS] else (NECK,)


def _absent(seen: Mask, legs: Legs) -> list[int]:
    """The points that the result does not show."""
    absent: list[int] = []
    if not seen[list(HIPS)].any():
        absent += HIPS
    if legs == "left out":
        absent += KNEES
    if legs == "left out" or not seen[list(ANKLES)].any():
        absent += [*ANKLES, *FEET]
    return absent


def _place(points: Points, anchor: tuple[int, ...]) -> Points:
    """(frames, 2) of the anchor of (frames, 135, 2): the middle across, the lowest down."""
    own = points[:, list(anchor)]
    return np.stack([own[..., 0].mean(axis=1), own[..., 1].max(axis=1)], axis=1)


def _head_rim(points: Points) -> Points:
    """(frames, 3, 2) where the head ends: at its top, and to both sides."""
    nose, along = points[:, NOSE], points[:, NOSE] - points[:, NECK]
    aside = np.zeros_like(along)
    aside[:, 0] = HEAD_SIDE * np.linalg.norm(along, axis=1)
    return np.stack([nose + HEAD_TOP * along, nose - aside, nose + aside], axis=1)


def _inside(points: Points, size: tuple[int, int]) -> Mask:
    return np.asarray(((points >= 0) & (points <= np.array(size))).all(axis=-1))
