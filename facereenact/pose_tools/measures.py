"""What a pose file holds, in numbers that people understand."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from body import PoseSequence
from body.smoothing import torso_px
from body.storage import load_pose
from body.types import (
    FACE,
    LEFT_ANKLE,
    LEFT_ELBOW,
    LEFT_HAND,
    LEFT_HIP,
    LEFT_KNEE,
    LEFT_SHOULDER,
    LEFT_WRIST,
    NOSE,
    RIGHT_ANKLE,
    RIGHT_ELBOW,
    RIGHT_HAND,
    RIGHT_HIP,
    RIGHT_KNEE,
    RIGHT_SHOULDER,
    RIGHT_WRIST,
)

STILL_S = 0.04  # how long a single picture is shown
EVEN = 0.02  # share of the usual step by which the times of an even track may differ
ROUNDING_S = 0.0021  # likewise: mkv rounds to milliseconds

PARTS: dict[str, tuple[int, ...]] = {
    "head": (NOSE,),
    "face": (FACE.start + 30,),
    "shoulders": (LEFT_SHOULDER, RIGHT_SHOULDER),
    "right arm": (RIGHT_ELBOW, RIGHT_WRIST),
    "left arm": (LEFT_ELBOW, LEFT_WRIST),
    "right hand": (RIGHT_HAND.start,),
    "left hand": (LEFT_HAND.start,),
    "hips": (RIGHT_HIP, LEFT_HIP),
    "right leg": (RIGHT_KNEE, RIGHT_ANKLE),
    "left leg": (LEFT_KNEE, LEFT_ANKLE),
}
"""Points that must be seen for a part to count as seen."""


@dataclass(frozen=True)
class Gap:
    """Consecutive frames without the person."""

    first_frame: int  # from 0
    last_frame: int
    start_s: float
    end_s: float  # when the next frame begins


@dataclass(frozen=True)
class PoseSummary:
    """What `facereenact pose info` tells."""

    frames: int
    duration_s: float
    rate_hz: float  # mean
    rate: str  # the same as a number or a fraction, such as 30000/1001
    rate_varies: bool
    size: tuple[int, int]  # width, height, pixels
    estimator: str
    detected_frames: int
    detected_share: float
    gaps: tuple[Gap, ...]
    torso_px: float  # about neck to hips, median
    parts: dict[str, float]  # share of all frames in which each part is seen or filled in


def summarise_file(path: Path) -> PoseSummary:
    """Measure the track of a pose file.

    Raises:
        InputError: no such file, damaged, or no pose file.
    """
    return summarise(load_pose(path))


def summarise(sequence: PoseSequence) -> PoseSummary:
    """Measure a track."""
    rate, steps = mean_rate(sequence), np.diff(sequence.timestamps_s)
    seen = int(sequence.detected.sum())
    visible = sequence.visible
    return PoseSummary(
        frames=len(sequence),
        duration_s=round(end_s(sequence) - float(sequence.timestamps_s[0]), 6),
        rate_hz=round(float(rate), 6),
        rate=str(rate),
        rate_varies=len(steps) > 1 and bool(np.ptp(steps) > max(EVEN * np.median(steps), ROUNDING_S)),
        size=sequence.size,
        estimator="".join(letter if letter.isprintable() else " " for letter in sequence.estimator)[:200],
        detected_frames=seen,
        detected_share=round(seen / len(sequence), 6),
        gaps=find_gaps(sequence),
        torso_px=round(torso_px(sequence), 1),
        parts={name: round(float(visible[:, points].all(axis=1).mean()), 4) for name, points in PARTS.items()},
    )


def find_gaps(sequence: PoseSequence) -> tuple[Gap, ...]:
    """The runs of frames without the person."""
    missing = np.concatenate([[False], ~sequence.detected, [False]])
    borders = np.flatnonzero(np.diff(missing.astype(np.int8)))
    begins = [round(time, 6) for time in [*sequence.timestamps_s.tolist(), end_s(sequence)]]
    pairs = borders.reshape(-1, 2).tolist()
    return tuple(Gap(first, after - 1, begins[first], begins[after]) for first, after in pairs)


def step_s(sequence: PoseSequence) -> float:
    """The usual time from one frame to the next, seconds."""
    time = sequence.timestamps_s
    return float(np.median(np.diff(time))) if len(time) > 1 else STILL_S


def end_s(sequence: PoseSequence) -> float:
    """When the last frame ends, seconds."""
    return float(sequence.timestamps_s[-1]) + step_s(sequence)


def mean_rate(sequence: PoseSequence) -> Fraction:
    """Frames per second."""
    time = sequence.timestamps_s
    if len(time) < 2:
        return Fraction(round(1 / STILL_S))
    rate = Fraction((len(time) - 1) / float(time[-1] - time[0]))
    return rate.limit_denominator(1001) or rate
