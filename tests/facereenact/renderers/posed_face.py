"""A face for some frames, a body whose face is known to the point, and a tracker that sees a face in noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from body import PoseSequence
from body.types import (
    FACE,
    LEFT_EAR,
    LEFT_EYE,
    LEFT_SHOULDER,
    NECK,
    NOSE,
    POINT_COUNT,
    RIGHT_EAR,
    RIGHT_EYE,
    RIGHT_SHOULDER,
)
from landmarks import LandmarkSequence
from landmarks.tracking import SeenFace
from tests.faces import Picture, acted, hopper

# Of the 20 mouth points of a body's face, the point of OpenSeeFace: inner corners are the outer ones.
MOUTH = (58, 48, 49, 50, 51, 52, 62, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65)


def pose_of(face: LandmarkSequence) -> PoseSequence:
    """Head and shoulders of somebody with such a face, as a body's track shows them."""
    points = np.full((len(face), POINT_COUNT, 2), np.nan)
    points[:, FACE] = face.points[:, [*range(48), *MOUTH]]
    points[:, NOSE] = face.points[:, 30]
    points[:, RIGHT_EYE], points[:, LEFT_EYE] = face.points[:, 66], face.points[:, 67]
    points[:, RIGHT_EAR], points[:, LEFT_EAR] = face.points[:, 0], face.points[:, 16]
    across = face.points[:, 16] - face.points[:, 0]
    down = np.stack([-across[:, 1], across[:, 0]], axis=1)
    points[:, NECK] = face.points[:, 8] + 0.3 * down
    points[:, RIGHT_SHOULDER] = points[:, NECK] - across
    points[:, LEFT_SHOULDER] = points[:, NECK] + across
    return PoseSequence.from_points(points, face.size, estimator="drawn")


def still(frames: int = 1, **act: Any) -> LandmarkSequence:
    """Hopper's face for so many frames."""
    return acted(hopper().landmarks, **{"turn_deg": [(0, 0, 0)] * frames, **act})


def shrunk(factor: float, frames: int = 1, **act: Any) -> LandmarkSequence:
    """The same in a picture that is smaller by a factor."""
    face = still(frames, **act)
    size = (round(512 * factor), round(600 * factor))
    return replace(face, points=face.points * np.float32(factor), size=size)


class ScriptedTracker:
    """Sees Hopper in the middle of every view, but for some frames."""

    name = "scripted"

    def __init__(self, lost: tuple[int, ...] = ()) -> None:
        self._lost, self.views = lost, 0

    def __enter__(self) -> ScriptedTracker:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def reset(self) -> None:
        self.views = 0

    def __call__(self, image: Picture) -> SeenFace | None:
        self.views += 1
        if self.views - 1 in self._lost:
            return None
        points = hopper().landmarks.points[0]
        width = np.ptp(points[:, 0])
        return SeenFace((points - points.mean(axis=0)) * np.float32(90 / width) + np.float32(128))
