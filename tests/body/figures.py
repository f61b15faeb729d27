"""Figures that a script draws: a person of given proportions who stands, bends the knees, steps aside and waves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from body import PoseSequence
from body.types import FACE, LEFT_FOOT, LEFT_HAND, POINT_COUNT, RIGHT_FOOT, RIGHT_HAND

Points = NDArray[np.float64]

SIZE = (400, 500)
LENGTHS = {
    "torso": 110.0,
    "shoulders": 70.0,
    "hips": 44.0,
    "upper arm": 60.0,
    "forearm": 52.0,
    "thigh": 80.0,
    "shin": 76.0,
    "neck": 40.0,
    "head": 14.0,  # radius of the face
    "hand": 24.0,
}


def figure(
    frames: int = 50,
    *,
    size: tuple[int, int] = SIZE,
    ground: tuple[float, float] = (200, 450),
    waving: float = 1.0,
    bending: float = 1.0,
    stepping_px: float = 0.0,
    forearms: float = 1.0,
    zoom: float = 1.0,
    **lengths: float,
) -> PoseSequence:
    """Somebody who waves, bends the knees and steps aside.

    Args:
        frames: at 25 per second; the first shows the person upright with half-raised arms.
        size: width, height of the frames.
        ground: where the feet stand in the first frame.
        waving: how much the arms move.
        bending: how much the knees bend.
        stepping_px: how far aside the person goes.
        forearms: share of their length that forearms show; below 1 they point at the camera.
        zoom: size of the person at the end, relative to the beginning; the middle of the frame is the fixed point.
        lengths: other than those of LENGTHS, by kind with underscores for spaces.
    """
    own = LENGTHS | {kind.replace("_", " "): length for kind, length in lengths.items()}
    phase = np.linspace(0, 2 * np.pi, frames)
    knee = bending * 0.35 * (1 - np.cos(phase))  # radians
    swing = 0.9 * waving * np.sin(2 * phase)
    points = np.zeros((frames, POINT_COUNT, 2))
    hips = np.zeros((frames, 2))
    hips[:, 1] = -(own["thigh"] + own["shin"]) * np.cos(knee)
    neck = hips - np.array([0, own["torso"]])
    points[:, 1], points[:, 0] = neck, neck - np.array([0, own["neck"]])
    for sign, joints, hand, foot in (
        (-1, (2, 3, 4, 8, 9, 10), RIGHT_HAND, RIGHT_FOOT),
        (1, (5, 6, 7, 11, 12, 13), LEFT_HAND, LEFT_FOOT),
    ):
        shoulder, elbow, wrist, hip, knee_joint, ankle = joints
        points[:, shoulder] = neck + np.array([sign * own["shoulders"] / 2, 0])
        points[:, elbow] = points[:, shoulder] + own["upper arm"] * _direction(0.5 + 0.4 * swing, sign)
        along = _direction(1.2 + swing, sign)
        points[:, wrist] = points[:, elbow] + forearms * own["forearm"] * along
        points[:, hip] = hips + np.array([sign * own["hips"] / 2, 0])
        points[:, knee_joint] = points[:, hip] + own["thigh"] * _direction(knee, sign)
        points[:, ankle] = points[:, knee_joint] + own["shin"] * _direction(-knee, sign)
        points[:, foot] = points[:, [ankle]] + np.array([(sign * 14, 10), (sign * 20, 9), (-sign * 4, 6)])
        reach = np.linspace(0, 1, 21)[None, :, None] * own["hand"]
        points[:, hand] = points[:, [wrist]] + reach * along[:, None] + 3 * np.sin(np.arange(21))[:, None]
    turn = np.linspace(0, 2 * np.pi, 68)
    ring = own["head"] * np.stack([-np.cos(turn), np.sin(turn)], axis=1)
    points[:, FACE] = points[:, [0]] + ring
    for index, (x, y) in {14: (-0.4, -0.5), 15: (0.4, -0.5), 16: (-1.1, -0.2), 17: (1.1, -0.2)}.items():
        points[:, index] = points[:, 0] + own["head"] * np.array([x, y])
    aside = stepping_px * np.sin(phase / 2)
    middle = np.array(size) / 2
    points += np.array(ground) - middle + np.stack([aside, 0 * aside], axis=1)[:, None]
    points = middle + points * np.geomspace(1, zoom, frames)[:, None, None]
    return PoseSequence.from_points(points, size)


def without(sequence: PoseSequence, *points: int | slice | tuple[int, ...]) -> PoseSequence:
    """The sequence without some points."""
    scores = sequence.scores.copy()
    for each in points:
        scores[:, each if isinstance(each, slice) else np.atleast_1d(each)] = 0
    return changed(sequence, scores=scores)


def changed(sequence: PoseSequence, **fields: Any) -> PoseSequence:
    """The sequence with other fields, of the right types."""
    from dataclasses import replace

    for name in ("points", "scores"):
        if name in fields:
            fields[name] = np.asarray(fields[name], np.float32)
    return replace(sequence, **fields)


def _direction(angle: NDArray[np.float64] | float, sign: int) -> Points:
    """(frames, 2) unit vectors, turned outwards from hanging down."""
    angles = np.atleast_1d(np.asarray(angle, np.float64))
    return np.stack([sign * np.sin(angles), np.cos(angles)], axis=1)
