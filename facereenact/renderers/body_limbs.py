"""The parts of a person that move over each other, their bones as lines, and how thick the person is around them."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from body.guides import BONES
from body.types import NOSE
from facereenact.renderers.body_skeleton import (
    ENDS,
    FEET,
    FOREARMS,
    HAND_POINTS,
    HANDS,
    HIPS,
    PALM,
    SHINS,
    SHOULDERS,
    THIGHS,
    UPPER_ARMS,
    Points,
    Skeleton,
    rotations,
)

Float = NDArray[np.float32]
Segment = tuple[Points, Points]

TRUNK, UPPER_ARM_PARTS, FOREARM_PARTS = 0, (1, 2), (3, 4)  # the right, the left (the subject's); forearms have hands
PART_COUNT = 5

# Lengths in shoulder widths.
HALF_ARM, WIDEST_ARM = 0.17, 0.28  # an upper arm with its sleeve, usually and at most
HALF_FOREARM, WIDEST_FOREARM, NARROWEST, FINGER = 0.12, 0.16, 0.08, 0.045  # likewise
TORSO_MARGIN = 0.15  # of what may be the trunk beyond the lines between shoulders and hips
UNKNOWN_HAND, HAND = 0.12, 0.25  # how much of a hand is sure where its points are unknown, where its fingers are
JOINT = 1.25  # reach of what two parts share, half widths of the limb


class Limbs:
    """The parts of the person in the source picture.

    Args:
        skeleton: the bones.
        matte: (height, width) 0 to 1, what belongs to the person.
    """

    def __init__(self, skeleton: Skeleton, matte: Float) -> None:
        self.skeleton = skeleton
        self.radius_px = np.full(PART_COUNT, TORSO_MARGIN * skeleton.width_px)  # half widths
        self.pivots = {bone: skeleton.points[start] for bone, (start, _) in ENDS.items()}  # (2,), what bones turn about
        self.segments: list[list[Segment]] = [self._trunk()] + [[] for _ in range(PART_COUNT - 1)]
        for side in (0, 1):
            if skeleton.present[UPPER_ARMS[side]]:
                self._add_upper_arm(side, matte)
            if skeleton.present[FOREARMS[side]]:
                self._add_forearm(side, matte)

    def joint_px(self, part: int) -> float:
        """Reach of what an arm's part shares with the part before it, around the joint between them."""
        return JOINT * float(self.radius_px[part])

    def elbow(self, side: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """(height, width) around an elbow, as far as no hand lies there."""
        mask, part = np.zeros(shape, np.uint8), FOREARM_PARTS[side]
        if self.segments[part]:
            x, y = np.clip(np.round(self.pivots[FOREARMS[side]]), -9999, 9999).astype(int)
            cv2.circle(mask, (int(x), int(y)), round(float(self.radius_px[part])), (1,), -1)
            if self.skeleton.present[HANDS[side]]:
                hand = np.round(self.skeleton.points[HAND_POINTS[side]]).astype(np.int32)
                cv2.fillConvexPoly(mask, cv2.convexHull(hand), (0,))
        return mask > 0

    def outwards(self, side: int, size: tuple[int, int], scale: float = 1.0) -> Float:
        """(height, width) how far each pixel lies from the line of an upper arm, away from the trunk, source pixels.

        Args:
            side: 0 right, 1 left.
            size: width, height of the map.
            scale: of the map in terms of the source.
        """
        (x, y), (outwards_x, outwards_y) = self.pivots[UPPER_ARMS[side]], self._outwards(side)
        rows, columns = np.ogrid[: size[1], : size[0]]
        return np.asarray((columns / scale - x) * outwards_x + (rows / scale - y) * outwards_y, np.float32)

    def fingers(self, side: int) -> Points:
        """(2,) about where those of an unknown hand are."""
        of, bone = self.skeleton, FOREARMS[side]
        return np.asarray(self._ends(bone)[1] + HAND * of.width_px * of.bone(bone) / of.length(bone))

    def palm(self, side: int) -> Points | None:
        """(6, 2) its outline; None where the hand is unknown."""
        points = self.skeleton.points[HAND_POINTS[side]]
        return points[list(PALM)] if self.skeleton.present[HANDS[side]] else None

    def distance(self, part: int, size: tuple[int, int], scale: float = 1.0) -> Float:
        """(height, width) from each pixel to the bones of a part, half widths of the part.

        Args:
            part: which.
            size: width, height of the map.
            scale: of the map in terms of the source.
        """
        mask = np.ones(size[::-1], np.uint8)
        if part == TRUNK:
            self._clear_torso(mask, scale)
        draw_lines(mask, self.segments[part][:1], 0, scale=scale)
        distance = cv2.distanceTransform(mask, cv2.DIST_L2, 5) / (scale * self.radius_px[part])
        if part in FOREARM_PARTS and self.segments[part]:
            mask[:] = 1
            draw_lines(mask, self.segments[part][1:], 0, scale=scale)
            finger_px = FINGER * self.skeleton.width_px
            distance = np.minimum(distance, cv2.distanceTransform(mask, cv2.DIST_L2, 5) / (scale * finger_px))
        return np.asarray(distance, np.float32)

    def _clear_torso(self, mask: NDArray[np.uint8], scale: float) -> None:
        """Zero where the trunk may be: no more than the torso between shoulders and hips, anywhere above and below."""
        of = self.skeleton
        right, left = (of.points[shoulder] for shoulder in SHOULDERS)
        right_hip, left_hip = (of.points[hip] for hip in HIPS)
        far, down, wide = 50 * of.across, 50 * of.spine, 0.3 * of.hip_line
        for outline in (
            [right, left, left_hip + wide, right_hip - wide],
            [right - far, left + far, left + far - down, right - far - down],
            [right_hip - far, left_hip + far, left_hip + far + down, right_hip - far + down],
        ):
            corners = np.clip(np.round(np.array(outline) * scale), -30000, 30000).astype(np.int32)
            cv2.fillPoly(mask, [corners], (0,))

    def _trunk(self) -> list[Segment]:
        """Lines well inside: a torso narrower than shoulders and hips, neck and head, legs."""
        of = self.skeleton
        top = [of.neck + share * of.across + 0.12 * of.spine for share in (-0.28, 0.28)]
        bottom = [of.points[HIPS[0]] + share * of.hip_line for share in (0.1, 0.9)]
        lines = [(top[0], bottom[0]), (top[1], bottom[1]), (top[0], top[1]), (bottom[0], bottom[1])]
        lines += [(of.neck, of.neck + of.spine), (of.neck - 0.2 * of.across, of.neck + 0.2 * of.across)]
        if of.seen[NOSE]:
            lines.append((of.neck, of.points[NOSE]))
        return lines + [self._ends(bone) for bone in (*THIGHS, *SHINS, *FEET) if of.present[bone]]

    def _ends(self, bone: int) -> Segment:
        start, end = ENDS[bone]
        return self.skeleton.points[start], self.skeleton.points[end]

    def _add_upper_arm(self, side: int, matte: Float) -> None:
        """Estimators see the shoulder off the middle of the arm: what the arm turns about is moved there."""
        of, bone, part = self.skeleton, UPPER_ARMS[side], UPPER_ARM_PARTS[side]
        shoulder, elbow = self._ends(bone)
        outwards = self._outwards(side)
        usual = HALF_ARM * of.width_px
        reach = self._reach((shoulder, elbow), outwards, WIDEST_ARM, matte)
        reach = usual if reach is None else reach
        self.pivots[bone] = shoulder + max(reach - usual, 0) * outwards
        self.radius_px[part] = np.clip(reach, NARROWEST * of.width_px, usual)
        self.segments[part] = [(self.pivots[bone], elbow)]

    def _outwards(self, side: int) -> Points:
        """(2,) across an upper arm, away from the trunk, of length one."""
        of, bone = self.skeleton, UPPER_ARMS[side]
        across = rotations(np.pi / 2) @ of.bone(bone) / of.length(bone)
        towards = of.neck + of.spine / 2 - self._ends(bone)[0]
        return np.asarray(-across if across @ towards > 0 else across)

    def _add_forearm(self, side: int, matte: Float) -> None:
        of, bone, part = self.skeleton, FOREARMS[side], FOREARM_PARTS[side]
        ends = self._ends(bone)
        across = rotations(np.pi / 2) @ of.bone(bone) / of.length(bone)
        found = [self._reach(ends, way * across, WIDEST_FOREARM, matte) for way in (-1, 1)]
        nearer = min((reach for reach in found if reach is not None), default=HALF_FOREARM * of.width_px)
        self.radius_px[part] = max(nearer, NARROWEST * of.width_px)
        if of.present[HANDS[side]]:
            points = of.points[HAND_POINTS[side]]
            hand = [(points[start], points[end]) for start, end in BONES]
        else:
            hand = [(ends[1], ends[1] + UNKNOWN_HAND * of.width_px * of.bone(bone) / of.length(bone))]
        self.segments[part] = [ends, *hand]

    def _reach(self, ends: Segment, way: Points, most: float, matte: Float) -> float | None:
        """How far the background is from a bone in one direction, pixels; None beyond `most` shoulder widths."""
        steps = np.outer(np.arange(most * self.skeleton.width_px), way)
        starts = (ends[0] + t * (ends[1] - ends[0]) for t in np.linspace(0.3, 0.8, 9))
        found = float(np.median([_steps_inside(matte, start + steps) for start in starts]))
        return found if found < len(steps) else None


def draw_lines(mask: NDArray[np.uint8], lines: Iterable[Segment], value: int, *, scale: float = 1.0) -> None:
    """Lines of source pixels, one pixel wide, in a mask of another scale."""
    for line in lines:
        start, end = (tuple(int(v) for v in np.clip(np.round(point * scale), -9999, 9999)) for point in line)
        cv2.line(mask, start, end, (value,), 1)


def _steps_inside(matte: Float, way: Points) -> int:
    """How many points (n, 2) of a way lie on the person before the first that does not."""
    columns, rows = np.round(way).astype(int).T
    inside = (columns >= 0) & (rows >= 0) & (columns < matte.shape[1]) & (rows < matte.shape[0])
    inside[inside] = matte[rows[inside], columns[inside]] > 0.5
    return int(np.argmin(np.append(inside, False)))
