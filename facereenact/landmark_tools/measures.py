"""What a track holds, in numbers that people understand: gaps, head angles, blinks, lips."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import percentile_filter

from landmarks import LandmarkSequence
from landmarks.head_pose import euler_deg, face_model
from landmarks.motion import split_motion
from landmarks.retargeting import CLOSED_LIDS, lip_gaps

CHUNK = 512  # frames at a time, so that memory does not grow with the length of the track
STILL_S = 0.04  # how long a single picture is shown
USUAL_WINDOW_S = 3.0  # around each frame, for how far the eyes are usually open
SHUT, REOPENED = 0.55, 0.7  # share of the usual opening at which a blink begins and ends
LONGEST_BLINK_S = 0.8  # beyond it eyes are closed, not blinking (a blink lasts 0.1 to 0.4 s)
EVEN = 0.02  # share of the usual step by which the times of an even track may differ: mkv rounds to milliseconds

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curves:
    """The motion over time; NaN in frames without a face."""

    time_s: Float  # (frames,)
    yaw_deg: Float  # (frames,), nose to the image's right is positive
    pitch_deg: Float  # (frames,), nose down is positive
    roll_deg: Float  # (frames,), clockwise is positive
    lids: Float  # (frames, 2), right and left eye: lid gap over eye width
    lips: Float  # (frames,), gap of the inner lips over the distance of the outer eye corners


@dataclass(frozen=True)
class Gap:
    """Consecutive frames without a face."""

    first_frame: int  # from 0
    last_frame: int
    start_s: float
    end_s: float  # when the next frame begins


@dataclass(frozen=True)
class Range:
    """Smallest and largest value."""

    min: float
    max: float


@dataclass(frozen=True)
class Summary:
    """What `facereenact landmarks info` tells. Ranges are None where no frame shows a face."""

    frames: int
    duration_s: float
    rate_hz: float  # mean
    rate: str  # the same as a number or a fraction, such as 30000/1001
    rate_varies: bool
    size: tuple[int, int]  # width, height, pixels
    tracker: str
    detected_frames: int
    detected_share: float
    gaps: tuple[Gap, ...]
    yaw_deg: Range | None
    pitch_deg: Range | None
    roll_deg: Range | None
    lids_right: Range | None  # lid gap over eye width
    lids_left: Range | None
    mouth_opening: Range | None  # lip gap over the distance of the outer eye corners
    blinks: int
    mean_score: float  # of the frames that show a face


def summarise(sequence: LandmarkSequence) -> Summary:
    """Measure a track."""
    curves = measure(sequence)
    rate = mean_rate(sequence)
    steps = np.diff(sequence.timestamps_s)
    seen = int(sequence.detected.sum())
    return Summary(
        frames=len(sequence),
        duration_s=round(end_s(sequence) - float(sequence.timestamps_s[0]), 6),
        rate_hz=round(float(rate), 6),
        rate=str(rate),
        rate_varies=len(steps) > 1 and bool(np.ptp(steps) > max(EVEN * np.median(steps), 0.0021)),
        size=sequence.size,
        tracker=printable(sequence.tracker),
        detected_frames=seen,
        detected_share=round(seen / len(sequence), 6),
        gaps=find_gaps(sequence),
        yaw_deg=_range(curves.yaw_deg, 2),
        pitch_deg=_range(curves.pitch_deg, 2),
        roll_deg=_range(curves.roll_deg, 2),
        lids_right=_range(curves.lids[:, 0], 4),
        lids_left=_range(curves.lids[:, 1], 4),
        mouth_opening=_range(curves.lips, 4),
        blinks=len(find_blinks(curves)),
        mean_score=round(sequence.mean_score, 4),
    )


def measure(sequence: LandmarkSequence) -> Curves:
    """The curves of a track, from the frames in which the face was seen."""
    angles, lids, lips = (np.full((len(sequence), count), np.nan) for count in (3, 2, 1))
    for start in range(0, len(sequence), CHUNK):
        part = sequence[start : start + CHUNK]
        seen = start + np.flatnonzero(part.detected)
        if not len(seen):
            continue
        with np.errstate(all="ignore"):  # points that coincide have no size: what follows is NaN
            gaps = lip_gaps(face_model() + split_motion(part).offsets)
        angles[seen] = euler_deg(part.rotation)[part.detected]
        lids[seen] = part.eye_openness[part.detected]
        lips[seen, 0] = np.maximum(gaps.mean(axis=1), 0)[part.detected]
    lips[~np.isfinite(lips)] = np.nan
    pitch, yaw, roll = angles.T
    return Curves(sequence.timestamps_s, yaw, pitch, roll, lids, lips[:, 0])


def find_gaps(sequence: LandmarkSequence) -> tuple[Gap, ...]:
    """The runs of frames without a face."""
    missing = np.concatenate([[False], ~sequence.detected, [False]])
    borders = np.flatnonzero(np.diff(missing.astype(np.int8)))
    begins = [round(time, 6) for time in [*sequence.timestamps_s.tolist(), end_s(sequence)]]
    pairs = borders.reshape(-1, 2).tolist()
    return tuple(Gap(first, after - 1, begins[first], begins[after]) for first, after in pairs)


def find_blinks(curves: Curves) -> list[float]:
    """When blinks begin, seconds: both eyes close to about half of what is usual at that time, and open again."""
    openness = curves.lids.mean(axis=1)
    seen = np.isfinite(openness)
    openness, time = openness[seen], curves.time_s[seen]
    if len(time) < 3:
        return []
    step_s = float(np.median(np.diff(time)))
    window = max(3, int(USUAL_WINDOW_S / step_s) // 2 * 2 + 1)
    usual = percentile_filter(openness, 80, size=min(window, len(time)), mode="nearest")
    usual = np.maximum(usual, 0.6 * np.percentile(openness, 80))
    share = (openness - CLOSED_LIDS) / np.maximum(usual - CLOSED_LIDS, 0.05)
    blinks, begin_s = [], None
    was_open = False
    for now_s, opened in zip(time.tolist(), share.tolist(), strict=True):
        if begin_s is None and was_open and opened < SHUT:
            begin_s = now_s
        elif begin_s is not None and opened > REOPENED:
            if now_s - begin_s <= LONGEST_BLINK_S:
                blinks.append(begin_s)
            begin_s = None
        was_open = opened > SHUT
    return blinks


def step_s(sequence: LandmarkSequence) -> float:
    """The usual time from one frame to the next, seconds."""
    time = sequence.timestamps_s
    return float(np.median(np.diff(time))) if len(time) > 1 else STILL_S


def end_s(sequence: LandmarkSequence) -> float:
    """When the last frame ends, seconds."""
    return float(sequence.timestamps_s[-1]) + step_s(sequence)


def mean_rate(sequence: LandmarkSequence) -> Fraction:
    """Frames per second."""
    time = sequence.timestamps_s
    if len(time) < 2:
        return Fraction(round(1 / STILL_S))
    rate = Fraction((len(time) - 1) / float(time[-1] - time[0]))
    return rate.limit_denominator(1001) or rate


def printable(text: str) -> str:
    """A text from a file, without what could move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:200]


def _range(values: Float, digits: int) -> Range | None:
    finite = values[np.isfinite(values)]
    return Range(round(float(finite.min()), digits), round(float(finite.max()), digits)) if len(finite) else None
