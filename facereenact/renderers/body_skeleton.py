"""The bones of a still person."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from body.guides import BONES
from body.types import (
    LEFT_ANKLE,
    LEFT_EAR,
    LEFT_ELBOW,
    LEFT_EYE,
    LEFT_FOOT,
    LEFT_HAND,
    LEFT_HIP,
    LEFT_KNEE,
    LEFT_SHOULDER,
    LEFT_WRIST,
    NOSE,
    RIGHT_ANKLE,
    RIGHT_EAR,
    RIGHT_ELBOW,
    RIGHT_EYE,
    RIGHT_FOOT,
    RIGHT_HAND,
    RIGHT_HIP,
    RIGHT_KNEE,
    RIGHT_SHOULDER,
    RIGHT_WRIST,
    VISIBLE,
)
from facereenact.errors import InputError
from facereenact.renderers.layers import smooth_step

Points = NDArray[np.float64]
Array = NDArray[np.floating[Any]]

CHEST, PELVIS, HEAD = 0, 1, 2
UPPER_ARMS, FOREARMS, HANDS = (3, 6), (4, 7), (5, 8)  # the right, the left (the subject's)
THIGHS, SHINS, FEET = (9, 12), (10, 13), (11, 14)
BONE_COUNT = 15
SHOULDERS, HIPS = (RIGHT_SHOULDER, LEFT_SHOULDER), (RIGHT_HIP, LEFT_HIP)
HAND_POINTS = (RIGHT_HAND, LEFT_HAND)
PALM = (0, 1, 5, 9, 13, 17)  # outline, of a hand: wrist, root of the thumb, knuckles
KNUCKLE = 9  # of the middle finger, in a hand

ENDS = {
    3: (RIGHT_SHOULDER, RIGHT_ELBOW), 4: (RIGHT_ELBOW, RIGHT_WRIST), 5: (RIGHT_WRIST, RIGHT_HAND.start + KNUCKLE),
    6: (LEFT_SHOULDER, LEFT_ELBOW), 7: (LEFT_ELBOW, LEFT_WRIST), 8: (LEFT_WRIST, LEFT_HAND.start + KNUCKLE),
    9: (RIGHT_HIP, RIGHT_KNEE), 10: (RIGHT_KNEE, RIGHT_ANKLE), 11: (RIGHT_ANKLE, RIGHT_FOOT.start),
    12: (LEFT_HIP, LEFT_KNEE), 13: (LEFT_KNEE, LEFT_ANKLE), 14: (LEFT_ANKLE, LEFT_FOOT.start),
}  # fmt: skip
"""Points at the two ends of each bone of a limb."""

HEAD_POINTS = (RIGHT_EAR, LEFT_EAR, RIGHT_EYE, LEFT_EYE, NOSE)
HEAD_TRUST = np.array([1.0, 1.0, 0.5, 0.5, 0.25])  # what lies farther in front of the neck tells more of other turns
TORSO = 1.6  # usual length, shoulder widths
CHEST_HALF, HIPS_HALF = 0.3, 0.4  # what surely is torso, of the lines between shoulders and hips
LEAST_WIDTH = 0.45  # of the shoulders of somebody seen from the side, lengths of the torso


class Skeleton:
    """The bones of the person in the source picture.

    Args:
        points: (134, 2) pixels.
        scores: (134,) points below `VISIBLE` are unknown, and so are the bones they end.

    Raises:
        InputError: the shoulders are unknown.
    """

    def __init__(self, points: Array, scores: Array) -> None:
        self.points, self.seen = np.array(points, np.float64), np.asarray(scores) >= VISIBLE
        if not self.seen[list(SHOULDERS)].all():
            raise InputError("the source picture does not show both shoulders: take one that shows the upper body")
        self.across = self.points[LEFT_SHOULDER] - self.points[RIGHT_SHOULDER]  # (2,)
        self.neck = self.points[list(SHOULDERS)].mean(axis=0)  # (2,)
        if not self.seen[list(HIPS)].all():  # below the picture: where they may be
            down = np.array([-self.across[1], self.across[0]]) * (1 if self.across[0] >= 0 else -1)
            self.points[list(HIPS)] = self.neck + TORSO * down + 0.3 * np.outer((-1, 1), self.across)
        self.hip_line = self.points[LEFT_HIP] - self.points[RIGHT_HIP]  # (2,)
        self.spine = self.points[list(HIPS)].mean(axis=0) - self.neck  # (2,), from the neck to between the hips
        self.width_px = max(norm(self.across), LEAST_WIDTH * norm(self.spine), 1.0)
        self.present = np.ones(BONE_COUNT, bool)
        for bone, ends in ENDS.items():
            self.present[bone] = self.seen[list(ends)].all() and self.present[parent(bone)]
        self._add_head()

    def _add_head(self) -> None:
        known = [point for point in HEAD_POINTS if self.seen[point]] or list(SHOULDERS)
        ears = norm(self.points[RIGHT_EAR] - self.points[LEFT_EAR]) if known[:2] == [RIGHT_EAR, LEFT_EAR] else 0.0
        self.head = self.points[known[:2]].mean(axis=0)  # (2,), between the ears
        self.head_px = max(ears, 0.35 * self.width_px)
        self.head_pivot = self.neck + 0.35 * (self.head - self.neck)  # (2,)

    def along_head(self, points: Points) -> tuple[Points, Points]:
        """How far points (n, 2) lie beside and above the middle between the ears, head widths."""
        up = (self.head - self.neck) / max(norm(self.head - self.neck), 1e-6)
        away = (points - self.head) / self.head_px
        return away @ np.array([-up[1], up[0]]), away @ up

    def lines(self) -> list[Points]:
        """(2, 2) lines that run inside the person; first from the neck to the nose, or to itself."""
        right, left = (self.points[shoulder] for shoulder in SHOULDERS)
        top = self.points[NOSE] if self.seen[NOSE] else self.neck
        chest_right, chest_left, left_hip, right_hip = self.torso()
        sides = [(chest_right, right_hip), (chest_left, left_hip), (right_hip, left_hip)]
        torso = [(self.neck, top), (right, left), *sides]
        limbs = [tuple(self.points[list(ends)]) for bone, ends in ENDS.items() if self.present[bone]]
        fingers = [tuple(hand[list(ends)]) for hand in self.hands() for ends in BONES]
        return [np.stack(line) for line in (*torso, *limbs, *fingers)]

    def hands(self) -> list[Points]:
        """(21, 2) the points of each hand that is known, the right first."""
        return [self.points[hand] for hand, bone in zip(HAND_POINTS, HANDS, strict=True) if self.present[bone]]

    def torso(self) -> Points:
        """(4, 2) corners of what surely is torso: a waist is narrower than shoulders and hips."""
        across, hip_line, hips = CHEST_HALF * self.across, HIPS_HALF * self.hip_line, self.neck + self.spine
        return np.stack([self.neck - across, self.neck + across, hips + hip_line, hips - hip_line])

    def bone(self, bone: int, points: Points | None = None) -> Points:
        """(2,) from the start to the end of a limb's bone; in the source unless other points are given."""
        start, end = ENDS[bone]
        of = self.points if points is None else points
        return of[end] - of[start]

    def length(self, bone: int) -> float:
        """Pixels from the start to the end of a limb's bone."""
        return max(norm(self.bone(bone)), 1e-6)

    def straightness(self, side: int) -> float:
        """1 where forearm and upper arm lie end to end in the picture, 0 where one lies on the other."""
        upper, fore = UPPER_ARMS[side], FOREARMS[side]
        between = self.bone(upper) / self.length(upper) + self.bone(fore) / self.length(fore)
        return float(smooth_step((norm(between) / 2 - 0.4) / 0.3)) * self.trust(side)

    def trust(self, side: int) -> float:
        """1 where the forearm lies in the picture plane, 0 where it points at the camera: it has no direction then."""
        share = self.length(FOREARMS[side]) / self.length(UPPER_ARMS[side])
        return float(smooth_step((share - 0.3) / 0.3))


def parent(bone: int) -> int:
    """The bone that another hangs on."""
    if bone in UPPER_ARMS or bone in (HEAD, PELVIS):
        return CHEST
    return PELVIS if bone in THIGHS else bone - 1


def norm(vector: Array) -> float:
    """Length of a vector."""
    return float(np.linalg.norm(vector))


def rotations(angles: Array | float) -> Points:
    """(..., 2, 2) from x towards y by (...) radians."""
    cos, sin = np.cos(angles), np.sin(angles)
    return np.stack([np.stack([cos, -sin], axis=-1), np.stack([sin, cos], axis=-1)], axis=-2)


def angle_between(start: Array, end: Array) -> float:
    """Radians from one direction (2,) to another, the shorter way round."""
    return float(np.arctan2(start[0] * end[1] - start[1] * end[0], start @ end))


def wrapped(angle: float, least: float = -np.pi) -> float:
    """The same angle between `least` and a full turn more, radians."""
    return float((angle - least) % (2 * np.pi) + least)


def within(angle: float, most_deg: float) -> float:
    """The angle, radians, or the nearest that is no farther from zero than so many degrees."""
    return float(np.clip(angle, -np.radians(most_deg), np.radians(most_deg)))
