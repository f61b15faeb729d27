"""The estimator that needs no download: MediaPipe's pose, hands and face as the 134 points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from body.mediapipe import hands
from body.mediapipe.graphs import Image, Points, Region
from body.mediapipe.hands import Hand, HandFinder
from body.mediapipe.people import PeopleDetector, Pose, PoseNetwork
from body.people import Person, distance
from body.tracking import Estimator
from body.types import (
    BODY,
    FACE,
    LEFT_ELBOW,
    LEFT_EYE,
    LEFT_FOOT,
    LEFT_HAND,
    LEFT_SHOULDER,
    LEFT_WRIST,
    NECK,
    NOSE,
    POINT_COUNT,
    RIGHT_ELBOW,
    RIGHT_EYE,
    RIGHT_FOOT,
    RIGHT_HAND,
    RIGHT_SHOULDER,
    RIGHT_WRIST,
    VISIBLE,
)

NAME = "mediapipe-0.10.21/pose-hands-face"
MOST_PEOPLE = 5
CONFIDENCES = (0.5, 0.3)  # asked of the detector: usually, and while nobody is in view
LOOK_AROUND = 10  # frames from one search for newcomers to the next
SEARCH = 50  # frames for which the detector looks for somebody who was lost
SAME = 0.1  # of the longer side: two poses closer than this are of one person
KNOWN_REGION = 0.1  # of its side: likewise for where the detector sees somebody

POSE_OF_BODY = (0, 11, 12, 14, 16, 11, 13, 15, 24, 26, 28, 23, 25, 27, 5, 2, 8, 7)
"""MediaPipe's pose point of each body point; the neck, second, is the mean of two."""

POSE_OF_FEET = ((LEFT_FOOT, (31, 31, 29)), (RIGHT_FOOT, (32, 32, 30)))
"""Big toe, small toe (unknown to MediaPipe) and heel."""

# fmt: off
MESH_OF_FACE = (
    127, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 356,  # jaw
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,  # brows
    168, 197, 5, 4, 98, 97, 2, 326, 327,  # nose
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # eyes
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 81, 13, 311, 308, 402, 14, 178,  # mouth
)
"""The mesh vertex nearest to each of the 68 face points."""
MESH_OF_NOSE_AND_EYES = (4, 468, 473)  # tip, middle of the right and the left iris
# fmt: on

ARMS = ((LEFT_HAND, LEFT_ELBOW, LEFT_WRIST), (RIGHT_HAND, RIGHT_ELBOW, RIGHT_WRIST))
HAND_SEARCH = 2.4  # side of the square in which a hand is looked for, in forearms
HAND_AHEAD = 0.25  # forearms beyond the wrist where its middle lies
HAND_REACH = 0.5  # forearms: how far the wrist of a hand may lie from the wrist of the arm
WRONG_SIDE = 0.2  # forearms that a hand counts as farther away when its shape is the other side's
WRIST_STEP = 0.2  # a frame, of the way from the wrist of the pose to that of the hand
SHORTEST_FOREARM = 0.6  # of the shoulders' distance, for arms that point at the camera


@dataclass
class _Arm:
    """The hand that was last seen at the end of an arm.

    The hand network places the wrist better than the pose network. So that the wrist does not jump when the hand
    appears or is lost, it moves from the one's place to the other's over some frames.
    """

    hand: Hand | None = None  # of the frame before
    offset_px: Points = field(default_factory=lambda: np.zeros(2, np.float32))  # from the pose's wrist to the hand's
    share: float | None = None  # of the offset that is applied; None before the first frame

    def wrist(self, wrist: Points) -> Points:
        """The place of the wrist, of that of the pose."""
        if self.hand is not None:
            self.offset_px = self.hand.points[0] - wrist
        target = float(self.hand is not None)
        share = target if self.share is None else self.share
        self.share = share + float(np.clip(target - share, -WRIST_STEP, WRIST_STEP))
        return wrist + self.share * self.offset_px


@dataclass
class _Followed:
    """Somebody in view, and where to look next."""

    network: PoseNetwork
    region: Region
    person: Person  # without hands
    arms: tuple[_Arm, _Arm]  # left, right


class MediaPipeEstimator(Estimator):
    """Finds people, their hands and faces; it remembers where they were, which makes it steady and fast."""

    name = NAME

    def __init__(self) -> None:
        self._detectors: list[PeopleDetector] = []
        self._hands: HandFinder | None = None
        self._followed: list[_Followed] = []
        self._frame = 0
        self._search_until = 0  # frame up to which somebody who was lost is looked for in every frame

    def reset(self) -> None:
        """Forget everything seen."""
        for each in self._followed:
            each.network.close()
        self._followed, self._frame, self._search_until = [], 0, 0

    def close(self) -> None:
        self.reset()
        for detector in self._detectors:
            detector.close()
        if self._hands is not None:
            self._hands.close()
        self._detectors, self._hands = [], None

    def begin(self, image: Image) -> Callable[[], list[Person]]:
        """Find at most five people in the next frame, RGB uint8 (height, width, 3); the rest finds their hands."""
        image = np.ascontiguousarray(image)
        self._detectors = self._detectors or [PeopleDetector(confidence=each) for each in CONFIDENCES]
        self._hands = self._hands or HandFinder()
        self._look_again(image)
        if not self._followed or self._frame % LOOK_AROUND == 0 or self._frame < self._search_until:
            self._add_newcomers(image)
        self._frame += 1
        followed, finder = list(self._followed), self._hands
        return lambda: [_with_hands(image, each, finder) for each in followed]

    def _look_again(self, image: Image) -> None:
        """Keep those who were in view and still are."""
        before, self._followed = self._followed, []
        for each in before:
            self._follow(image, each.network, each.region, each.arms)
        if len(self._followed) < len(before):
            self._search_until = self._frame + SEARCH

    def _add_newcomers(self, image: Image) -> None:
        """Find those who are not in view yet."""
        for region in self._detect(image):
            if len(self._followed) < MOST_PEOPLE and not self._is_known(region):
                network = PoseNetwork()
                pose = network(image, region)
                # Again, from where the next frame will be looked at.
                self._follow(image, network, region if pose is None else pose.region, (_Arm(), _Arm()))

    def _follow(self, image: Image, network: PoseNetwork, region: Region, arms: tuple[_Arm, _Arm]) -> None:
        """Keep whom a network sees in a region, unless it is somebody who is kept already."""
        pose = network(image, region)
        if pose is not None:
            person = person_of(pose)
            if not any(distance(person, each.person) < SAME for each in self._followed):
                self._followed.append(_Followed(network, pose.region, person, arms))
                return
        network.close()

    def _is_known(self, region: Region) -> bool:
        return any(region.is_near(each.region, share=KNOWN_REGION) for each in self._followed)

    def _detect(self, image: Image) -> list[Region]:
        """Regions of people; faint ones (drawings, for example) where nobody else is in view."""
        for detector in self._detectors[:1] if self._followed else self._detectors:
            if regions := detector(image):
                return regions
        return []


def _with_hands(image: Image, followed: _Followed, finder: HandFinder) -> Person:
    """The person with the hands that are seen; where they are is kept for the next frame."""
    points, scores = followed.person.points.copy(), followed.person.scores.copy()
    shoulders_px = float(np.linalg.norm(points[LEFT_SHOULDER] - points[RIGHT_SHOULDER]))
    found: list[Hand] = []
    forearms_px: list[float] = []
    for (_, elbow, wrist), arm in zip(ARMS, followed.arms, strict=True):
        along = points[wrist] - points[elbow]
        forearms_px.append(max(float(np.linalg.norm(along)), SHORTEST_FOREARM * shoulders_px, 1.0))
        if scores[wrist] < VISIBLE:
            continue
        again = None if arm.hand is None else finder.look(image, hands.region_of(arm.hand.points))
        if again is not None and _apart_px(again, points[wrist]) < HAND_REACH * forearms_px[-1]:
            found.append(again)
        else:
            found += finder.search(image, points[wrist] + HAND_AHEAD * along, HAND_SEARCH * forearms_px[-1])
    for (part, _, wrist), arm, hand in zip(ARMS, followed.arms, _assigned(found, points, forearms_px), strict=True):
        arm.hand = hand
        points[wrist] = arm.wrist(points[wrist])
        if hand is not None:
            points[part], scores[part] = hand.points, hand.score
    return Person(points, scores)


def person_of(pose: Pose) -> Person:
    """A person without hands."""
    points = np.zeros((POINT_COUNT, 2), np.float32)
    scores = np.zeros(POINT_COUNT, np.float32)
    points[BODY], scores[BODY] = pose.points[list(POSE_OF_BODY)], pose.visibility[list(POSE_OF_BODY)]
    shoulders = [LEFT_SHOULDER, RIGHT_SHOULDER]
    points[NECK], scores[NECK] = points[shoulders].mean(axis=0), scores[shoulders].min()
    for foot, own in POSE_OF_FEET:
        points[foot], scores[foot] = pose.points[list(own)], pose.visibility[list(own)]
        scores[foot.start + 1] = 0
    if pose.face is not None:
        points[FACE], scores[FACE] = pose.face[list(MESH_OF_FACE)], scores[NOSE]
        points[[NOSE, RIGHT_EYE, LEFT_EYE]] = pose.face[list(MESH_OF_NOSE_AND_EYES)]  # steadier than the pose's
    return Person(points, scores)


def _assigned(found: list[Hand], points: Points, forearms_px: list[float]) -> list[Hand | None]:
    """The left and the right hand: each the nearest to its wrist, none for both."""
    costs: list[tuple[float, int, int]] = []
    for side, (_, _, wrist) in enumerate(ARMS):
        for index, hand in enumerate(found):
            far = _apart_px(hand, points[wrist]) / forearms_px[side]
            costs.append((far + WRONG_SIDE * (hand.is_left != (side == 0)), side, index))
    chosen: list[Hand | None] = [None, None]
    for cost, side, index in sorted(costs):
        other = chosen[1 - side]
        if chosen[side] is None and cost < HAND_REACH and (other is None or not _is_one_hand(found[index], other)):
            chosen[side] = found[index]
    return chosen


def _is_one_hand(hand: Hand, other: Hand) -> bool:
    """Whether two squares showed the same hand."""
    apart = np.linalg.norm(hand.points - other.points, axis=1).mean()
    return bool(apart < 0.25 * np.ptp(hand.points, axis=0).max())


def _apart_px(hand: Hand, wrist: Points) -> float:
    return float(np.linalg.norm(hand.points[0] - wrist))
