"""The body clip: somebody made of 18 points who sways to a beat, bends the knees, shrugs and lifts an arm.

A body driver needs no video: `facereenact drive --body-driver` takes what a script has written, too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from body import PoseSequence
from body.types import (
    LEFT_ANKLE,
    LEFT_EAR,
    LEFT_ELBOW,
    LEFT_EYE,
    LEFT_HIP,
    LEFT_KNEE,
    LEFT_SHOULDER,
    LEFT_WRIST,
    NECK,
    NOSE,
    RIGHT_ANKLE,
    RIGHT_EAR,
    RIGHT_ELBOW,
    RIGHT_EYE,
    RIGHT_HIP,
    RIGHT_KNEE,
    RIGHT_SHOULDER,
    RIGHT_WRIST,
)

Float = NDArray[np.float64]

SIZE = (512, 768)
RATE_HZ = 12.5
LENGTH_S = 7.2  # as long as talk.mp4
BEAT_HZ = 0.5
GROUND = (256.0, 700.0)  # between the feet
STANCE, HIPS, SHOULDERS = 90.0, 74.0, 128.0  # pixels apart
SHIN, THIGH, TORSO, NECK_LENGTH, UPPER_ARM, FOREARM = 150.0, 155.0, 185.0, 62.0, 98.0, 88.0
HEAD = {NOSE: (0, 0), RIGHT_EYE: (-14, -14), LEFT_EYE: (14, -14), RIGHT_EAR: (-34, -6), LEFT_EAR: (34, -6)}
SIDES = (
    (-1, RIGHT_SHOULDER, RIGHT_ELBOW, RIGHT_WRIST, RIGHT_HIP, RIGHT_KNEE, RIGHT_ANKLE),
    (1, LEFT_SHOULDER, LEFT_ELBOW, LEFT_WRIST, LEFT_HIP, LEFT_KNEE, LEFT_ANKLE),
)


def body_clip() -> PoseSequence:
    """The whole clip; it begins and ends at rest."""
    time_s = np.arange(round(LENGTH_S * RATE_HZ)) / RATE_HZ
    return PoseSequence.from_points(figure(time_s), SIZE, rate=RATE_HZ)


def figure(time_s: Float) -> Float:
    """(frames, 18, 2) pixels."""
    ease = _bump(time_s, 0, LENGTH_S, 0.8)
    sway = ease * np.sin(2 * np.pi * BEAT_HZ * time_s)
    dip = 6 * ease * np.sin(2 * np.pi * BEAT_HZ * time_s) ** 2
    lift = _bump(time_s, 2.6, 4.8, 0.7)
    shrug = 9 * _bump(time_s, 5.2, 6.2, 0.4)
    points = np.zeros((len(time_s), 18, 2))
    middle = _at(GROUND[0] + 6 * sway, GROUND[1] - SHIN - THIGH + 4 + dip)
    points[:, NECK] = neck = middle + TORSO * _up(np.radians(1.5 * sway))
    tilt = np.radians(6 * ease * np.sin(2 * np.pi * BEAT_HZ * time_s - 0.6))
    for point, (x, y) in HEAD.items():
        along = _up(tilt)
        points[:, point] = neck + (NECK_LENGTH - y) * along + x * np.stack([-along[:, 1], along[:, 0]], axis=1)
    for sign, shoulder, elbow, wrist, hip, knee, ankle in SIDES:
        slope = np.radians(-3 * sway)
        points[:, shoulder] = neck + sign * SHOULDERS / 2 * np.stack([np.cos(slope), np.sin(slope)], axis=1)
        points[:, shoulder, 1] -= shrug
        raised = np.radians(12 + 5 * sign * sway + (22 * lift if sign < 0 else 0))
        bent = np.radians(8 + (100 * lift + 20 * lift * np.sin(2 * np.pi * 1.5 * time_s) if sign < 0 else 0))
        points[:, elbow] = points[:, shoulder] + UPPER_ARM * _out(raised, sign)
        points[:, wrist] = points[:, elbow] + FOREARM * _out(raised + bent, sign)
        points[:, hip] = middle + _at(np.full(len(time_s), sign * HIPS / 2), 0)
        points[:, ankle] = np.add(GROUND, (sign * STANCE / 2, 0))
        points[:, knee] = _knee(points[:, hip], points[:, ankle], sign)
    return points


def _knee(hip: Float, ankle: Float, sign: int) -> Float:
    """(frames, 2) where thigh and shin meet, bent outwards."""
    way = ankle - hip
    length = np.linalg.norm(way, axis=1, keepdims=True)
    along = (THIGH**2 - SHIN**2 + length**2) / (2 * length)
    aside = np.sqrt(np.maximum(THIGH**2 - along**2, 0))
    across = sign * np.stack([way[:, 1], -way[:, 0]], axis=1) / length
    return np.asarray(hip + along * way / length + aside * across)


def _bump(time_s: Float, start_s: float, end_s: float, ramp_s: float) -> Float:
    """0 before the start and after the end, 1 between, with soft ramps."""
    share = np.clip(np.minimum(time_s - start_s, end_s - time_s) / ramp_s, 0, 1)
    return np.asarray(share * share * (3 - 2 * share))


def _up(angle: Float) -> Float:
    """(frames, 2) unit vectors upwards, leaning to the right of the picture by an angle in radians."""
    return np.stack([np.sin(angle), -np.cos(angle)], axis=1)


def _out(angle: Float, sign: int) -> Float:
    """(frames, 2) unit vectors, turned outwards from hanging down."""
    return np.stack([sign * np.sin(angle), np.cos(angle)], axis=1)


def _at(x: Float, y: Float | float) -> Float:
    return np.stack([x, np.broadcast_to(y, x.shape)], axis=1)
