"""How bones move so that the joints of the source lie where retargeted points say.

What a picture can show moved is limited: beyond a range of angles and lengths the points are not followed but held at
its end, and `BonePose.clamped` tells so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from body.types import LEFT_HIP, LEFT_SHOULDER, RIGHT_HIP, RIGHT_SHOULDER, VISIBLE
from facereenact.renderers.body_limbs import Limbs
from facereenact.renderers.body_skeleton import (
    BONE_COUNT,
    CHEST,
    ENDS,
    FEET,
    FOREARMS,
    HANDS,
    HEAD,
    HEAD_POINTS,
    HEAD_TRUST,
    HIPS,
    PELVIS,
    SHINS,
    SHOULDERS,
    THIGHS,
    UPPER_ARMS,
    Array,
    Points,
    angle_between,
    norm,
    parent,
    rotations,
    within,
    wrapped,
)

# What looks right. Degrees and ratios are changes against the source; lengths are in shoulder widths.
RAISED_DEG = (-40.0, 100.0)  # upper arm, from hanging along the chest, outwards; no change
THIGH_DEG, KNEE_DEG = 40.0, 60.0
HAND_DEG, FOOT_DEG = 45.0, 20.0  # beyond it nobody is told
STILL_DEG = 20.0  # how far the driver moves an arm that stays before it counts as held back
FACING_RAISED_DEG = 60.0  # where the forearm points at the camera: an arm at length would have to show it
FACING_DEG = 25.0  # a forearm that points at the camera turns with the upper arm as far as this
TILT_DEG, LINE_DEG, ROLL_DEG = 25.0, 15.0, 30.0  # spine; shoulders and hips against it; head against it
WIDTH = (0.88, 1.08)  # of shoulders and hips against the length of the spine: a turn by some 25 degrees
SPINE, ARM, LEG, SIZE = (0.8, 1.1), (0.65, 1.5), (0.7, 1.2), (0.7, 1.35)  # of lengths; of everything
SHRUG, NOD, SINK = 0.12, 0.2, 0.1  # how far shoulders and head leave their place on the chest; the head, downwards


@dataclass(frozen=True, eq=False)
class BonePose:
    """Bone i takes a point x of the source to `places[i] + rotation(angles[i]) @ stretches[i] @ (x - anchors[i])`."""

    angles: Points  # (15,), radians, from x towards y; those of neighbours differ by no more than half a turn
    stretches: Points  # (15, 2, 2)
    anchors: Points  # (15, 2), source pixels
    places: Points  # (15, 2), output pixels
    clamped: bool  # whether the points asked for more than the range

    def matrices(self) -> Points:
        """(15, 2, 3) the same as affine maps."""
        linear = rotations(self.angles) @ self.stretches
        shift = self.places - np.einsum("bij,bj->bi", linear, self.anchors)
        return np.concatenate([linear, shift[:, :, None]], axis=2)


def pose_bones(
    limbs: Limbs,
    points: Array,
    scores: Array,
    *,
    head_roll: float | None = None,
    still_arms: tuple[bool, bool] = (False, False),
) -> BonePose:
    """How the bones of the source move for retargeted points (134, 2), source pixels.

    A limb that is not seen (scores (134,) below `VISIBLE`) keeps its angle to the bone it hangs on; legs that are not
    seen stay on their feet. Without shoulders nothing moves. A roll of the head, radians, from x towards y, is taken
    in place of that of its points. The right or the left arm can be told to stay as it is on the chest.
    """
    posing = _Posing(limbs, np.array(points, np.float64), np.asarray(scores) >= VISIBLE)
    if posing.seen[list(SHOULDERS)].all():
        posing.pose_torso()
        posing.pose_head(head_roll)
        for side in (0, 1):
            posing.pose_arm(side, is_still=still_arms[side])
            posing.pose_leg(side)
    return BonePose(posing.angles, posing.stretches, posing.anchors, posing.places, posing.clamped)


class _Posing:
    """One pose in the making, bone by bone from the chest outwards."""

    def __init__(self, limbs: Limbs, points: Points, seen: NDArray[np.bool_]) -> None:
        self._skeleton, self._pivots = limbs.skeleton, limbs.pivots
        self._points, self.seen = points, seen.copy()
        self.clamped = False
        self.size = 1.0
        self.angles = np.zeros(BONE_COUNT)
        self.stretches = np.tile(np.eye(2), (BONE_COUNT, 1, 1))
        self.anchors = np.zeros((BONE_COUNT, 2))
        self.places = np.zeros((BONE_COUNT, 2))

    def pose_torso(self) -> None:
        """Chest and pelvis: one spine, each with the slope and the width of its own line."""
        of, points = self._skeleton, self._points
        across, neck = points[LEFT_SHOULDER] - points[RIGHT_SHOULDER], points[list(SHOULDERS)].mean(axis=0)
        widths = norm(across) / max(norm(of.across), 1e-6)
        if self.seen[list(HIPS)].all():
            spine, hip_line = points[list(HIPS)].mean(axis=0) - neck, points[LEFT_HIP] - points[RIGHT_HIP]
        else:
            turn = widths * rotations(angle_between(of.across, across))
            spine, hip_line = turn @ of.spine, turn @ of.hip_line
        lengths = norm(spine) / max(norm(of.spine), 1e-6)
        self.size = self._held(max(widths, lengths), SIZE)
        tilt = self._turn(angle_between(of.spine, spine), TILT_DEG)
        length = self.size * self._held(lengths / self.size, SPINE)
        for bone, line, target in ((CHEST, of.across, across), (PELVIS, of.hip_line, hip_line)):
            self.angles[bone] = tilt
            self.stretches[bone] = self._torso_stretch(line, target, tilt, length)
        self.anchors[CHEST], self.places[CHEST] = of.neck, neck
        self.anchors[PELVIS] = of.neck + of.spine
        self.places[PELVIS] = self._carried(CHEST, self.anchors[PELVIS])

    def _torso_stretch(self, line: Points, target: Points, tilt: float, length: float) -> Points:
        """(2, 2) what gives shoulders or hips their width and slope, and the spine its length."""
        of = self._skeleton
        before = np.column_stack([line, of.spine])
        if abs(np.linalg.det(before)) < 0.2 * of.width_px * norm(of.spine):  # somebody seen from the side
            return np.asarray(length * np.eye(2))
        width = self.size * self._held(norm(target) / norm(line) / self.size, WIDTH)
        slope = self._turn(angle_between(line, target) - tilt, LINE_DEG)
        after = np.column_stack([width * rotations(slope) @ line, length * of.spine])
        return np.asarray(after @ np.linalg.inv(before))

    def pose_head(self, roll: float | None) -> None:
        """The head rolls, shifts and scales; its other turns are the face's."""
        self.angles[HEAD], self.stretches[HEAD] = self.angles[CHEST], self.size * np.eye(2)
        self.anchors[HEAD], self.places[HEAD] = self._skeleton.neck, self.places[CHEST]
        if roll is not None:
            self._roll_head(roll)
            return
        known = [i for i, point in enumerate(HEAD_POINTS) if self._skeleton.seen[point] and self.seen[point]]
        if len(known) < 2:
            return
        chosen, trust = [HEAD_POINTS[i] for i in known], HEAD_TRUST[known] / HEAD_TRUST[known].sum()
        own, target = self._skeleton.points[chosen], self._points[chosen]
        middle, goal = trust @ own, trust @ target
        a, b = own - middle, target - goal
        cross, dot = trust @ (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]), trust @ (a * b).sum(axis=1)
        self.angles[HEAD] += self._turn(float(np.arctan2(cross, dot)) - self.angles[CHEST], ROLL_DEG)
        upright = self.places[CHEST] + self.size * rotations(self.angles[CHEST]) @ (middle - self._skeleton.neck)
        shift = self._offset(goal - upright, NOD)
        down = rotations(self.angles[CHEST]) @ self._skeleton.spine / max(norm(self._skeleton.spine), 1e-6)
        shift -= max(shift @ down - SINK * self._skeleton.width_px * self.size, 0) * down  # a bow hides no neck
        self.anchors[HEAD], self.places[HEAD] = middle, upright + shift

    def _roll_head(self, roll: float) -> None:
        """Turn the head about its pivot on the neck, to an angle in the picture."""
        pivot = self._skeleton.head_pivot
        self.anchors[HEAD], self.places[HEAD] = pivot, self._carried(CHEST, pivot)
        self.angles[HEAD] += self._turn(roll - self.angles[CHEST], ROLL_DEG)

    def pose_arm(self, side: int, *, is_still: bool) -> None:
        """Upper arm from the shoulder, forearm from the elbow, hand from the wrist."""
        if is_still:
            for bone in (UPPER_ARMS[side], FOREARMS[side]):
                self._turn(self._change(bone), STILL_DEG)
            self.seen[list(ENDS[FOREARMS[side]])] = False
        upper, fore, hand, shoulder = UPPER_ARMS[side], FOREARMS[side], HANDS[side], SHOULDERS[side]
        shrug = self._offset(self._points[shoulder] - self._carried(CHEST, self._skeleton.points[shoulder]), SHRUG)
        place = self._carried(CHEST, self._pivots[upper]) + shrug
        self._set(upper, place, self._raised(side), self._length(upper, ARM))
        trust = self._skeleton.trust(side)
        self._set(fore, self._end(upper), self._bent(side), self._length(fore, ARM, trust))
        self._set(hand, self._end(fore), trust * within(self._change(hand), HAND_DEG))

    def _raised(self, side: int) -> float:
        """Turn of an upper arm against the chest, no higher than what a sleeve bears."""
        of, bone = self._skeleton, UPPER_ARMS[side]
        if not self._known(bone):
            return 0.0
        outwards = (1, -1)[side] * np.sign(of.across[0] * of.spine[1] - of.across[1] * of.spine[0])
        spine = rotations(self.angles[CHEST]) @ of.spine
        # Beyond the head an arm counts as raised outwards still.
        own = wrapped(outwards * angle_between(of.spine, of.bone(bone)), np.radians(-120))
        raised = wrapped(outwards * angle_between(spine, of.bone(bone, self._points)), np.radians(-120))
        low, high = np.radians(RAISED_DEG)
        high -= (1 - of.trust(side)) * (high - np.radians(FACING_RAISED_DEG))
        return float(outwards * (self._held(raised, (min(low, own), max(high, own))) - own))

    def _bent(self, side: int) -> float:
        """Turn of a forearm against the upper arm; one that points at the camera has no angle to turn from."""
        upper = UPPER_ARMS[side]
        upright = within(self.angles[upper], FACING_DEG) - self.angles[upper]
        return upright + self._skeleton.trust(side) * wrapped(self._change(FOREARMS[side]) - upright)

    def pose_leg(self, side: int) -> None:
        """From where the hip is to where knee and ankle are to be; a foot stays about as flat as it was."""
        of, (thigh, shin, foot) = self._skeleton, (THIGHS[side], SHINS[side], FEET[side])
        hip, knee, ankle = HIPS[side], ENDS[thigh][1], ENDS[shin][1]
        place = self._carried(PELVIS, of.points[hip])
        if of.present[shin] and not self.seen[[knee, ankle]].all():  # the foot stands
            self.seen[[knee, ankle]] = True
            self._points[ankle] = of.points[ankle]
            self._points[knee] = of.points[knee] + (place - of.points[hip]) / 2
        self._points[hip], self.seen[hip] = place, True
        self._set(thigh, place, self._turn(self._change(thigh), THIGH_DEG), self._length(thigh, LEG))
        self._points[knee] = self._end(thigh)
        self._set(shin, self._end(thigh), self._turn(self._change(shin), KNEE_DEG), self._length(shin, LEG))
        tip = within(wrapped(self._change(foot) + self.angles[shin]), FOOT_DEG) if self._known(foot) else 0.0
        self._set(foot, self._end(shin), tip - self.angles[shin])

    def _held(self, value: float, limits: tuple[float, float]) -> float:
        """The value within its range; going beyond is remembered."""
        self.clamped |= not limits[0] - 1e-6 <= value <= limits[1] + 1e-6
        return min(max(value, limits[0]), limits[1])

    def _turn(self, angle: float, most_deg: float) -> float:
        """An angle, by the shorter way round, within a range on both sides."""
        return self._held(wrapped(angle), (-np.radians(most_deg), np.radians(most_deg)))

    def _offset(self, offset: Points, most: float) -> Points:
        """A shift no longer than so many shoulder widths."""
        length = norm(offset)
        return offset * (self._held(length, (0, most * self._skeleton.width_px * self.size)) / max(length, 1e-9))

    def _known(self, bone: int) -> bool:
        return bool(self._skeleton.present[bone] and self.seen[list(ENDS[bone])].all())

    def _change(self, bone: int) -> float:
        """How far a bone turns more than the one it hangs on, the shorter way round."""
        if not self._known(bone):
            return 0.0
        turn = angle_between(self._skeleton.bone(bone), self._skeleton.bone(bone, self._points))
        return wrapped(turn - self.angles[parent(bone)])

    def _length(self, bone: int, limits: tuple[float, float], trust: float = 1.0) -> float:
        """How much longer a bone gets than the figure, as far as its own length is to be trusted, within a range."""
        if not self._known(bone):
            return 1.0
        length = norm(self._skeleton.bone(bone, self._points)) / self._skeleton.length(bone) / self.size
        return self._held(1 + trust * (length - 1), limits)

    def _set(self, bone: int, place: Points, turn: float, length: float = 1.0) -> None:
        """Start a bone at a place, turned against the one it hangs on, with another length."""
        along = self._skeleton.bone(bone) / self._skeleton.length(bone)
        self.angles[bone] = self.angles[parent(bone)] + turn
        self.stretches[bone] = self.size * (np.eye(2) + (length - 1) * np.outer(along, along))
        self.anchors[bone], self.places[bone] = self._pivots[bone], place

    def _carried(self, bone: int, point: Array) -> Points:
        """(2,) where a bone takes a point of the source."""
        turned = rotations(self.angles[bone]) @ self.stretches[bone] @ (point - self.anchors[bone])
        return np.asarray(self.places[bone] + turned)

    def _end(self, bone: int) -> Points:
        return self._carried(bone, self._skeleton.points[ENDS[bone][1]])
