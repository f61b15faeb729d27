"""A person who moves, written once and shared by the tests. Each function gives the path of a file."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

from body import PoseSequence
from body.mediapipe.estimator import MediaPipeEstimator
from body.storage import save_pose
from body.tracking import track
from landmarks.storage import save_landmarks
from tests.facereenact.clips import Image, media, portrait_image, write_picture
from tests.facereenact.media import SOUND_HZ, write_clip
from tests.faces import Face, acted, face_in

SIDE = 320  # of the person's picture, pixels
COUNT = 10  # frames of the clip
TONE_S = 0.2  # when its sound begins


@cache
def person_image() -> Image:
    """The astronaut, half-length."""
    return np.asarray(cv2.resize(data.astronaut(), (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


@cache
def person() -> Path:
    return write_picture(media() / "person.png", person_image())


@cache
def face() -> Face:
    return face_in(person_image())


@cache
def own_pose() -> PoseSequence:
    """The person's own pose, one frame."""
    estimator = MediaPipeEstimator()
    try:
        return track([(person_image(), 0.0)], estimator)
    finally:
        estimator.close()


def posed(shift_px: NDArray[np.floating], *, rate: float = 25) -> PoseSequence:
    """The person's own pose, elsewhere: one frame for each row (x, y)."""
    own, count = own_pose(), len(shift_px)
    return replace(
        own,
        points=(own.points + np.asarray(shift_px)[:, None]).astype(np.float32),
        scores=np.repeat(own.scores, count, axis=0),
        detected=np.ones(count, bool),
        timestamps_s=np.arange(count) / rate,
    )


def saved(name: str, pose: PoseSequence) -> Path:
    path = media() / f"{name}.pose.safetensors"
    save_pose(pose, path)
    return path


@cache
def still_pose() -> Path:
    """The own pose, five times."""
    return saved("still", posed(np.zeros((5, 2))))


@cache
def step_pose() -> Path:
    """Ten frames at 12.5 per second; from 0.4 s on the person stands 12 pixels to the right."""
    return saved("step", posed(np.repeat([[0, 0], [12, 0]], 5, axis=0), rate=12.5))


@cache
def leaning_pose() -> Path:
    """Two frames; in the second the person leans by six degrees."""
    pose = posed(np.zeros((2, 2)))
    turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE), -6, 1)
    pose.points[1] = pose.points[1] @ turn[:, :2].T + turn[:, 2]
    return saved("leaning", pose)


def speaking(name: str, jaw: NDArray[np.floating], *, rate: float = 25, turn_deg: object = (0, 0, 0)) -> Path:
    """A track of the person's own face whose jaw opens as told, one value a frame."""
    path = media() / f"{name}.landmarks.safetensors"
    times_s = np.arange(len(jaw)) / rate
    save_landmarks(acted(face().landmarks, jaw=jaw, turn_deg=turn_deg, timestamps_s=times_s), path)  # type: ignore[arg-type]
    return path


@cache
def dance() -> Path:
    """The person drifts and leans, 10 frames at 25 per second, with a low tone from 0.2 s on."""
    times_s = np.arange(int(COUNT / 25 * SOUND_HZ)) / SOUND_HZ
    tone = np.where(times_s >= TONE_S, 0.6 * np.sin(2 * np.pi * 300 * times_s), 0).astype(np.float32)
    return write_clip(media() / "dance.mp4", [_moved(index) for index in range(COUNT)], sound=tone, rate=Fraction(25))


@cache
def two_people() -> Path:
    """The person at the left, Grace Hopper, who is smaller, at the right."""
    other = cv2.resize(portrait_image(), (273, SIDE), interpolation=cv2.INTER_AREA)
    between = np.full((SIDE, 80, 3), 128, np.uint8)
    return write_picture(media() / "couple.png", np.hstack([person_image(), between, other]))


def _moved(index: int) -> Image:
    turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE), 4 * np.sin(index / 3), 1.0)
    turn[0, 2] += 10 * np.sin(index / 4)
    return np.asarray(cv2.warpAffine(person_image(), turn, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE), np.uint8)
