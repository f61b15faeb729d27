"""The script of the clip: when the head turns, the eyes blink and look, how a mouth shape moves the 68 points."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation
from speech import DURATION_S, Speech

from facereenact.renderers.layers import smooth_step
from landmarks.head_pose import camera_matrix, face_model, rotation_matrices, rotation_vectors
from landmarks.motion import FaceMotion, HeadMotion, split_motion
from landmarks.retargeting import lid_openness
from landmarks.types import BROWS, LandmarkSequence

Array = NDArray[np.float64]
Keys = tuple[tuple[float, ...], ...]

FRAME_RATE_HZ = 25

# Degrees at seconds. Nose to the image's right, nose down and clockwise are positive.
YAW_DEG: Keys = (
    (0.0, 0), (0.5, 0), (0.9, -3), (1.5, 1), (2.25, 12), (2.55, 14), (2.75, 12), (3.3, -2), (3.6, -4),
    (4.1, -13), (4.35, -14), (4.85, -2), (5.3, 3), (5.8, 4), (6.4, 0), (7.2, 0),
)  # fmt: skip
PITCH_DEG: Keys = (
    (0.0, 0), (0.65, -1), (0.92, 6), (1.3, -1), (1.7, 1), (2.2, 3), (2.7, -2), (3.05, -3), (3.35, 6), (3.7, 1),
    (4.15, -6), (4.5, -1), (4.66, 4), (5.0, 0), (5.4, -2), (5.72, 7), (6.1, 0), (6.5, 5), (6.85, 0), (7.2, 0),
)  # fmt: skip
ROLL_DEG: Keys = ((0.0, 0), (1.5, 0), (2.4, 3), (3.0, 0), (3.9, -2), (4.7, 0), (5.2, 7), (5.9, 8), (6.5, 1), (7.2, 0))
SIZE: Keys = ((0.0, 1), (2.6, 1), (3.4, 1.045), (4.2, 0.99), (5.2, 1), (5.8, 1.03), (6.6, 1), (7.2, 1))
BROW_RAISE: Keys = (
    (0.0, 0), (0.68, 0), (0.88, 0.7), (1.2, 0), (2.0, 0), (2.2, 0.5), (2.5, 0), (3.1, 0), (3.3, 1), (3.7, 0.1),
    (3.9, 0.1), (4.15, 0.6), (4.5, 0), (5.45, 0), (5.7, 1), (6.1, 0.2), (6.5, 0), (7.2, 0),
)  # fmt: skip
SMILE: Keys = ((0.0, 0.2), (0.5, 0.3), (0.9, 0), (3.8, 0), (4.3, 0.35), (4.6, 0), (6.0, 0), (6.5, 0.9), (7.2, 0.9))

GAZE: Keys = (
    (0.0, 0, 0), (1.85, 1, 0), (2.6, 0, 0), (3.72, -1, 0), (4.12, -0.4, -1), (4.42, 0, 0), (6.0, 0.3, 0.2), (6.3, 0, 0),
)  # fmt: skip
"""Seconds, right and down, from -1 to 1; the eyes jump and then rest."""

BLINKS_S = ((0.40, 0.20), (1.44, 0.20), (2.64, 0.20), (3.96, 0.44), (4.92, 0.20), (6.34, 0.20))
"""Middle and duration; the lids are shut for the middle third."""

# How far things go, in face model units (1 is the outer eye distance, about 90 mm).
WIDEST_GAP = 0.28
GAZE_REACH = (0.055, 0.028)
BROW_REACH = 0.06
NECK = np.array([0.0, 0.95, 1.0])  # what the head turns about, from the nose tip

INNER_UPPER, INNER_LOWER, CORNERS = np.array([59, 60, 61]), np.array([65, 64, 63]), np.array([58, 62])
LIPS = np.arange(48, 66)
GAP_PROFILE = np.array([0.88, 1.0, 0.88])
OUTER_LIPS = {48: 59, 49: 60, 50: 60, 51: 60, 52: 61, 53: 63, 54: 64, 55: 64, 56: 64, 57: 65}  # follows which inner lip
JAW = {3: 0.06, 4: 0.18, 5: 0.45, 6: 0.75, 7: 0.95, 8: 1.0, 9: 0.95, 10: 0.75, 11: 0.45, 12: 0.18, 13: 0.06}
LID_PAIRS = ((37, 41), (38, 40), (43, 47), (44, 46))


@dataclass(frozen=True, eq=False)
class Cues:
    """What the actor does in each frame; all (frames,)."""

    time_s: Array
    yaw_deg: Array
    pitch_deg: Array
    roll_deg: Array
    size: Array
    brow_raise: Array  # 0 to 1
    smile: Array  # 0 lips at rest, 1 as in the picture
    blink: Array  # 0 open, 1 shut
    gaze_right: Array  # -1 to 1
    gaze_down: Array
    opening: Array  # of the mouth, 0 closed, 1 wide open
    width: Array  # -1 narrow, 1 spread
    pucker: Array  # 0 to 1


def cues_of(speech: Speech, seed: int = 0) -> Cues:
    """The script, sampled per frame; the same seed gives the same idle sway."""
    time_s = np.arange(round(DURATION_S * FRAME_RATE_HZ)) / FRAME_RATE_HZ
    sway = np.random.default_rng(seed).uniform(0, 2 * np.pi, (3, 2))
    slow = np.sin(2 * np.pi * 0.31 * time_s + sway[:, :1]) + 0.6 * np.sin(2 * np.pi * 0.73 * time_s + sway[:, 1:])
    fine_s = np.arange(0, DURATION_S + 0.5, 0.005)
    starts_s, right, down = np.array(GAZE, np.float64).T
    step = np.searchsorted(starts_s, fine_s, side="right") - 1
    gaze = [np.interp(time_s, fine_s, gaussian_filter1d(jumps[step], 4)) for jumps in (right, down)]
    mouth = {name: np.interp(time_s, speech.time_s, getattr(speech, name)) for name in ("opening", "width", "pucker")}
    return Cues(
        time_s=time_s,
        yaw_deg=_eased(YAW_DEG, time_s) + 0.4 * slow[0],
        pitch_deg=_eased(PITCH_DEG, time_s) + 0.3 * slow[1],
        roll_deg=_eased(ROLL_DEG, time_s) + 0.3 * slow[2],
        size=_eased(SIZE, time_s),
        brow_raise=_eased(BROW_RAISE, time_s),
        smile=_eased(SMILE, time_s),
        blink=_blinks(time_s),
        gaze_right=gaze[0],
        gaze_down=gaze[1],
        **mouth,
    )


def act(source: LandmarkSequence, cues: Cues) -> LandmarkSequence:
    """The landmarks of the one-frame source, performing the script."""
    own = split_motion(source)
    rest = face_model() + own.offsets[0]
    face = np.repeat(rest[None], len(cues.time_s), axis=0)
    _move_lips(face, rest, cues)
    _move_eyes(face, rest, cues)
    head = _move_head(own.head, cues)
    motion = FaceMotion(head, own.eyes, own.mouth).with_offsets(face - face_model())
    focal_px, (width, height) = camera_matrix(source.size)[0, 0], source.size
    across = (head.position - np.array([width, height]) / 2) / head.scale[:, None]
    frames = len(cues.time_s)
    return replace(
        source,
        points=motion.points,
        scores=np.repeat(source.scores, frames, axis=0),
        detected=np.ones(frames, bool),
        rotation=head.rotation.astype(np.float32),
        translation=np.column_stack([across, focal_px / head.scale]).astype(np.float32),
        eye_openness=lid_openness(face).astype(np.float32),
        timestamps_s=cues.time_s,
        tracker="script",
    )


def _eased(keys: Keys, time_s: Array) -> Array:
    """Through the keys without overshoot."""
    return np.asarray(PchipInterpolator(*np.array(keys, np.float64).T)(time_s))


def _blinks(time_s: Array) -> Array:
    shut = np.zeros(len(time_s))
    for middle_s, duration_s in BLINKS_S:
        away = np.abs(time_s - middle_s) / (duration_s / 2)
        shut = np.maximum(shut, smooth_step((1.15 - away) / 0.8))
    return shut


def _move_head(own: HeadMotion, cues: Cues) -> HeadMotion:
    """Turn about the neck; the picture's own pose is where the script says zero."""
    angles = np.column_stack([cues.roll_deg, -cues.yaw_deg, cues.pitch_deg])
    turned = Rotation.from_euler("ZYX", angles, degrees=True).as_matrix() @ rotation_matrices(own.rotation)
    scale = own.scale * cues.size
    nose_from_neck = -(turned @ NECK)[:, :2] * scale[:, None]
    neck_px = own.position + (rotation_matrices(own.rotation) @ NECK)[:, :2] * own.scale[:, None]
    return HeadMotion(rotation_vectors(turned), scale, neck_px + nose_from_neck)


def _move_lips(face: NDArray[Any], rest: Array, cues: Cues) -> None:
    """Shape the mouth of (frames, 68, 3): the seam of the closed lips, then apart by the opening; the jaw follows."""
    middle = rest[CORNERS].mean(axis=0)
    smile = cues.smile[:, None]
    seam = rest[INNER_UPPER, 1] + 0.3 * (rest[INNER_LOWER, 1] - rest[INNER_UPPER, 1])
    gap = WIDEST_GAP * cues.opening[:, None] * GAP_PROFILE  # (frames, 3)
    inner = {
        **dict(zip(INNER_UPPER, (seam - 0.16 * gap - rest[INNER_UPPER, 1]).T, strict=True)),
        **dict(zip(INNER_LOWER, (seam + 0.84 * gap - rest[INNER_LOWER, 1]).T, strict=True)),
    }
    for point, down in inner.items():
        face[:, point, 1] += down
    # Closed lips also touch in depth, so that they stay closed when the head turns.
    together = np.clip(1 - 3 * cues.opening, 0, 1)[:, None]
    apart = (rest[INNER_LOWER] - rest[INNER_UPPER]) * [1, 0, 1] / 2
    for upper, lower, half in zip(INNER_UPPER, INNER_LOWER, apart, strict=True):
        face[:, upper] += together * half
        face[:, lower] -= together * half
    for point, follows in OUTER_LIPS.items():
        fuller = (rest[point, 1] - rest[follows, 1]) * 0.25 * cues.pucker
        face[:, point, 1] += 0.88 * inner[follows] + fuller
    # At rest the corners of the smile come down and in; they sink a little further as the jaw opens.
    sink = 0.055 * (1 - smile) + 0.22 * gap[:, 1:2]
    face[:, LIPS, 1] += sink * ((rest[LIPS, 0] - middle[0]) / (0.5 * np.ptp(rest[CORNERS, 0]))) ** 2
    wider = np.where(cues.width > 0, 0.10 * cues.width, 0.25 * cues.width)
    stretch = 1 - 0.09 * (1 - cues.smile) + wider
    face[:, LIPS, 0] = middle[0] + (face[:, LIPS, 0] - middle[0]) * stretch[:, None]
    face[:, LIPS, 2] -= 0.05 * cues.pucker[:, None]
    for point, share in JAW.items():
        face[:, point, 1] += 0.75 * share * gap[:, 1]


def _move_eyes(face: NDArray[Any], rest: Array, cues: Cues) -> None:
    """Lids, pupils and brows of (frames, 68, 3)."""
    right, down = GAZE_REACH[0] * cues.gaze_right, GAZE_REACH[1] * cues.gaze_down
    face[:, 66:68, 0] += right[:, None]
    face[:, 66:68, 1] += down[:, None]
    lift = BROW_REACH * cues.brow_raise
    face[:, BROWS, 1] -= lift[:, None]
    for upper, lower in LID_PAIRS:
        opened = rest[upper] + np.outer(0.7 * down - 0.12 * lift, [0, 1, 0])
        shut = rest[lower] + 0.15 * (rest[upper] - rest[lower])
        blink = cues.blink[:, None]
        face[:, lower] += blink * (shut - rest[lower])
        face[:, upper] = (1 - blink) * opened + blink * shut
