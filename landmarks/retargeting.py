"""Retargeting: the driver's motion on the source's face, with the source's proportions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from landmarks.head_pose import face_model, rotation_matrices, rotation_vectors
from landmarks.motion import FaceMotion, HeadMotion, split_motion
from landmarks.types import MOUTH, LandmarkSequence

Motion = Literal["relative", "absolute"]
Points = NDArray[np.float64]

EYES = ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47))
LID_PAIRS = ((1, 5), (2, 4))  # upper and lower lid, positions within EYES
LIP_PAIRS = ((59, 65), (60, 64), (61, 63))  # inner upper and lower lip
LOWER_LIP = np.array([*range(53, 58), 63, 64, 65])
UPPER_LIP = np.array([*range(48, 53), 59, 60, 61])
CHIN = np.array([6, 7, 8, 9, 10])
CORNERS = (58, 62)
CLOSED_LIDS = 0.02  # lid gap over eye width that the tracker reports for a closed eye (median over eight videos)
CLOSED_LIPS = 0.029  # inner lip gap of a closed mouth, face model units (0.026 to 0.034 over eight videos)


@dataclass(frozen=True, eq=False)
class Retargeted:
    """The driver's motion as the source performs it."""

    landmarks: LandmarkSequence  # in pixels of the source picture
    neutral_frame: int  # the driver's frame that corresponds to the source as it is


def retarget(
    driver: LandmarkSequence, source: LandmarkSequence, *, motion: Motion = "relative", neutral_frame: int | None = None
) -> Retargeted:
    """Move the source's face as the driver's face moves.

    Relative motion: the driver's neutral frame stands for the source as it is; head rotation, translation and size, and
    the offsets of every point, are carried over as differences from that frame in the frame of the head, scaled to the
    source. Apertures are not differences: closed lids close the source's lids and closed lips its lips, whatever the
    proportions of the two. Absolute motion takes over head rotation and expression as they are (position and size of
    the face stay relative): for a driver that is a single picture.

    Args:
        driver: a filled sequence (`fill_gaps`), at least one frame.
        source: one frame.
        motion: "relative" or "absolute".
        neutral_frame: index in the driver; by default the frame most like the source (`find_neutral_frame`).

    Raises:
        ValueError: the neutral frame is not in the driver.
    """
    if neutral_frame is not None and not 0 <= neutral_frame < len(driver):
        raise ValueError(f"neutral frame {neutral_frame} is not in the driver's {len(driver)} frames")
    driven, own = split_motion(driver), split_motion(source)
    neutral = find_neutral_frame(driver, source) if neutral_frame is None else neutral_frame
    head = _retarget_head(driven.head, own.head, neutral, motion)
    offsets = _retarget_offsets(driven.offsets, own.offsets[0], neutral, motion)
    result = FaceMotion(head, driven.eyes, driven.mouth).with_offsets(offsets)
    ratio = head.scale / driven.head.scale
    landmarks = replace(
        driver,
        points=result.points,
        rotation=head.rotation.astype(np.float32),
        translation=(driver.translation / np.maximum(ratio, 1e-6)[:, None]).astype(np.float32),
        eye_openness=lid_openness(face_model() + offsets).astype(np.float32),
        size=source.size,
    )
    return Retargeted(landmarks, neutral)


def find_neutral_frame(driver: LandmarkSequence, source: LandmarkSequence) -> int:
    """The driver's frame most like the source in head rotation, mouth, lids and gaze; the first of near equals."""
    driven, own = split_motion(driver), split_motion(source)
    turn = rotation_matrices(driven.head.rotation) @ rotation_matrices(own.head.rotation).transpose(0, 2, 1)
    angle = np.linalg.norm(rotation_vectors(turn), axis=1)
    face, own_face = face_model() + driven.offsets, face_model() + own.offsets
    lips = np.abs(lip_gaps(face) - lip_gaps(own_face)).mean(axis=1)
    lids = np.abs(lid_openness(face) - lid_openness(own_face)).max(axis=1)
    usual = np.median(lid_openness(face), axis=0)
    blinking = np.clip(1 - lid_openness(face) / (0.75 * usual), 0, 1).max(axis=1)
    typical = np.median(driven.offsets, axis=0)  # expressions far from the driver's usual face make a poor neutral
    unusual = np.linalg.norm((driven.offsets - typical)[:, MOUTH], axis=2).mean(axis=1)
    shape = np.linalg.norm(driven.offsets - own.offsets, axis=2)[:, 48:].mean(axis=1)
    cost = angle + 2 * lips + 0.5 * lids + 2 * blinking + unusual + 2 * shape
    cost[~driver.detected] = np.inf
    return int(np.argmax(cost <= cost.min() + 0.03))


def lid_openness(face: Points) -> Points:
    """(frames, 2) mean lid gap, across the line of the eye corners, over eye width; (frames, 68, 3), frame of the head."""
    return np.stack([_lid_gaps(face, eye)[0].mean(axis=1) for eye in EYES], axis=1)


def _lid_gaps(face: Points, eye: tuple[int, ...]) -> tuple[Points, Points, Points]:
    """Gaps of both lid pairs over eye width (frames, 2), eye width (frames,), and the direction up (frames, 3)."""
    along = face[:, eye[3]] - face[:, eye[0]]
    width = np.linalg.norm(along, axis=1)
    along = along * np.where(along[:, :1] < 0, -1, 1) / width[:, None]
    up = np.cross(along, [0.0, 0.0, 1.0])
    up /= np.linalg.norm(up, axis=1, keepdims=True)
    gaps = [np.einsum("fc,fc->f", face[:, eye[upper]] - face[:, eye[lower]], up) for upper, lower in LID_PAIRS]
    return np.stack(gaps, axis=1) / width[:, None], width, up


def lip_gaps(face: Points) -> Points:
    """(frames, 3) distances of the inner lips of (frames, 68, 3) points, face model units."""
    return np.stack([np.linalg.norm(face[:, upper] - face[:, lower], axis=1) for upper, lower in LIP_PAIRS], axis=1)


def _retarget_head(driver: HeadMotion, source: HeadMotion, neutral: int, motion: Motion) -> HeadMotion:
    driven = rotation_matrices(driver.rotation)
    if motion == "relative":
        driven = driven @ driven[neutral].T @ rotation_matrices(source.rotation)[0]
    size_ratio = source.scale[0] / driver.scale[neutral]
    return HeadMotion(
        rotation=rotation_vectors(driven),
        scale=driver.scale * size_ratio,
        position=source.position + (driver.position - driver.position[neutral]) * size_ratio,
    )


def _retarget_offsets(driver: Points, source: Points, neutral: int, motion: Motion) -> Points:
    """(frames, 68, 3) offsets of the source's face."""
    model = face_model()
    start = driver[neutral] if motion == "relative" else source
    size = _part_sizes(model + source) / _part_sizes(model + start)
    offsets = source + (driver - start) * np.clip(size, 0.6, 1.6)[:, None]
    if motion == "absolute":
        offsets[:, :48] = source[:48] + (driver - driver[neutral])[:, :48]
    face = model + offsets
    _set_lids(face, model + driver, model + source, neutral)
    mouth_size = float(np.clip(size[CORNERS[0]], 0.6, 1.6))
    _set_lips(face, CLOSED_LIPS + np.maximum(lip_gaps(model + driver) - CLOSED_LIPS, 0) * mouth_size)
    return face - model


def _part_sizes(face: Points) -> Points:
    """(68,) size of the part that each point of (68, 3) belongs to: eye width, mouth width, or 1 for the rest."""
    sizes = np.ones(len(face))
    for eye, pupil in zip(EYES, (66, 67), strict=True):
        sizes[[*eye, pupil]] = np.linalg.norm(face[eye[0]] - face[eye[3]])
    sizes[MOUTH] = np.linalg.norm(face[CORNERS[0]] - face[CORNERS[1]])
    return sizes


def _set_lids(face: Points, driver: Points, source: Points, neutral: int) -> None:
    """Close and open the lids of (frames, 68, 3) by the driver's openness, each eye in terms of its own range."""
    opened = lid_openness(driver)
    usual = np.maximum(opened[neutral], 0.6 * np.percentile(opened, 80, axis=0))
    share = np.clip((opened - CLOSED_LIDS) / np.maximum(usual - CLOSED_LIDS, 0.05), 0, 1.8)
    for side, eye in enumerate(EYES):
        gaps, width, up = _lid_gaps(face, eye)
        rest = _lid_gaps(source[None], eye)[0]  # (1, 2)
        missing = (np.maximum(share[:, side : side + 1] * rest, 0) - gaps) * width[:, None]
        for pair, (upper, _) in enumerate(LID_PAIRS):
            face[:, eye[upper]] += missing[:, pair, None] * up


def _set_lips(face: Points, gaps: Points) -> None:
    """Bring the inner lips of (frames, 68, 3) to the gaps (frames, 3); lips and chin follow."""
    upper, lower = (np.array(side) for side in zip(*LIP_PAIRS, strict=True))
    between = face[:, lower] - face[:, upper]
    down = face[:, LOWER_LIP].mean(axis=1) - face[:, UPPER_LIP].mean(axis=1)
    down /= np.maximum(np.linalg.norm(down, axis=1, keepdims=True), 1e-6)
    wider = gaps - np.einsum("fpc,fc->fp", between, down)  # (frames, 3)
    mean = wider.mean(axis=1)
    face[:, lower] += 0.7 * wider[..., None] * down[:, None]
    face[:, upper] -= 0.3 * wider[..., None] * down[:, None]
    face[:, 53:58] += 0.7 * mean[:, None, None] * down[:, None]
    face[:, 48:53] -= 0.3 * mean[:, None, None] * down[:, None]
    face[:, CHIN] += 0.5 * mean[:, None, None] * down[:, None]
