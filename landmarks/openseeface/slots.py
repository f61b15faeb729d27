"""The faces that a tracker follows: which find is which face, and what is remembered of each."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from landmarks.openseeface.boxes import overlap
from landmarks.openseeface.face import PUPIL_POINTS, Face, FacePoints
from landmarks.openseeface.features import Features
from landmarks.openseeface.pose import HeadPose, PoseSolver, normalised
from landmarks.openseeface.regression import Regression

SAME_FACE = 0.3  # intersection over union
KNOWN_BONUS = 0.1  # confidence that a face already followed has ahead of a new find
CONFIDENT = 0.4  # mean peak from which points are good enough for features
GOOD_FIT = 300.0  # pixels of error up to which a pose is


@dataclass(frozen=True, eq=False)
class Find:
    """A face in the frame, not yet told which."""

    face: Regression
    is_known: bool  # found in the place of a face that is followed


@dataclass
class Slot:
    """The memory of one face."""

    number: int
    pose: HeadPose | None = None
    found: Regression | None = None  # in the frame before
    features: Features = field(default_factory=Features)

    def forget_pose(self) -> None:
        """The face is not in the frame; what is usual for it stays known."""
        self.pose, self.found = None, None

    def see(self, found: Regression, *, score_limit: float) -> FacePoints:
        """The face in one more frame, without its pupils."""
        self.found = found
        points, scores = np.zeros((PUPIL_POINTS.stop, 2), np.float32), np.zeros(PUPIL_POINTS.stop, np.float32)
        points[: PUPIL_POINTS.start] = found.points
        np.clip(found.heat, 0, score_limit, out=scores[: PUPIL_POINTS.start])
        return FacePoints(
            number=self.number,
            points=points,
            scores=scores,
            confidence=found.confidence,
            box_xywh=found.box_xywh,
        )

    def state(self, face: FacePoints, size: tuple[int, int], *, solver: PoseSolver) -> Face:
        """The face with its pose and expression, in a frame of (width, height)."""
        self.pose = pose = solver(face.points, size, self.pose)
        points_3d = pose.points_3d
        if face.confidence >= CONFIDENT and pose.sent.error <= GOOD_FIT:
            points_3d = normalised(points_3d)
            if np.isfinite(points_3d).all():
                self.features.update(points_3d)
        return Face(
            **vars(face),
            rotation=pose.rotation,
            translation=pose.translation,
            points_3d=points_3d,
            features=self.features.values,
            eye_blink=self.features.eye_blink,
            sent=pose.sent,
        )


def best_finds(finds: list[Find], count: int) -> list[Regression]:
    """The best find of each face, at most `count`, best first: finds that overlap are one face."""
    groups: list[list[Find]] = []
    for find in finds:
        near = (group for group in groups if overlap(group[0].face.box_xywh, find.face.box_xywh) >= SAME_FACE)
        group = next(near, None)
        if group is None:
            groups.append([find])
        else:
            group.append(find)
    best = sorted((max(group, key=_rank) for group in groups), key=_rank, reverse=True)
    return [find.face for find in best[:count]]


def assigned(finds: list[Regression], slots: list[Slot]) -> list[tuple[Slot, Regression | None]]:
    """Each slot with its face of this frame: the nearest pairs first, what is new to the first empty slots."""
    if len(finds) == len(slots) == 1:  # as below, at once
        return [(slots[0], finds[0])]
    pairs = []
    for index, find in enumerate(finds):
        for slot in slots:
            far = np.inf if slot.found is None else float(np.linalg.norm(slot.found.centre - find.centre))
            pairs.append((far, slot.number, index))
    of_slot: dict[int, int] = {}
    for _, number, index in sorted(pairs):
        if number not in of_slot and index not in of_slot.values():
            of_slot[number] = index
    return [(slot, finds[of_slot[slot.number]] if slot.number in of_slot else None) for slot in slots]


def _rank(find: Find) -> float:
    return find.face.confidence + KNOWN_BONUS * find.is_known
