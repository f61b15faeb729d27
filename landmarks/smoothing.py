"""Offline clean-up of a track: gaps filled, jitter removed without lag."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landmarks.motion import FaceMotion, HeadMotion, split_motion
from landmarks.types import BROWS, LEFT_EYE, MOUTH, RIGHT_EYE, LandmarkSequence

Array = NDArray[np.floating[Any]]


def fill_gaps(sequence: LandmarkSequence) -> LandmarkSequence:
    """Frames without a face get values interpolated between the nearest frames that show one, in time.

    Before the first and after the last such frame the nearest values hold. `detected` and `scores` stay as they are.
    """
    seen, time = sequence.detected, sequence.timestamps_s
    if seen.all():
        return sequence
    filled = {}
    for name in ("points", "rotation", "translation", "eye_openness"):
        values = getattr(sequence, name)
        flat = values.reshape(len(values), -1)
        columns = [np.interp(time, time[seen], column[seen]) for column in flat.T]
        filled[name] = np.stack(columns, axis=1).reshape(values.shape).astype(np.float32)
    return replace(sequence, **filled)


@dataclass(frozen=True)
class Smoother:
    """A zero-phase low-pass that is strong where the face is still and light where it moves.

    Each value is a mix of a wide and a narrow Gaussian mean in time. Where the two differ by less than the noise of the
    tracker the wide one counts (a still driver gives a still result), where they differ by more the narrow one (a fast
    turn keeps its shape). Widths are standard deviations in seconds.
    """

    head_s: tuple[float, float] = (0.020, 0.120)
    face_s: tuple[float, float] = (0.020, 0.080)  # contour, nose and brows
    mouth_s: tuple[float, float] = (0.008, 0.045)
    eyes_s: tuple[float, float] = (0.006, 0.040)  # a blink lasts 0.1 to 0.3 s
    noise: float = 0.004  # of the eye distance; below it motion counts as jitter

    def __call__(self, sequence: LandmarkSequence) -> LandmarkSequence:
        """The smoothed sequence, of the same length and timing."""
        if len(sequence) < 3:
            return sequence
        motion = split_motion(sequence)
        time, head = sequence.timestamps_s, motion.head
        unit = float(np.median(head.scale))
        smooth_head = HeadMotion(
            rotation=adaptive_mean(head.rotation, time, self.head_s, 2 * self.noise),
            scale=adaptive_mean(head.scale[:, None], time, self.head_s, self.noise * unit)[:, 0],
            position=adaptive_mean(head.position, time, self.head_s, self.noise * unit),
        )
        offsets = motion.offsets
        smooth = adaptive_mean(offsets, time, self.face_s, self.noise)
        for part in (RIGHT_EYE, LEFT_EYE, slice(66, 68)):
            smooth[:, part] = adaptive_mean(offsets[:, part], time, self.eyes_s, self.noise)
        smooth[:, MOUTH] = adaptive_mean(offsets[:, MOUTH], time, self.mouth_s, self.noise)
        smooth[:, BROWS] = adaptive_mean(offsets[:, BROWS], time, self.face_s, self.noise)
        result = FaceMotion(smooth_head, motion.eyes, motion.mouth).with_offsets(smooth)
        translation = adaptive_mean(sequence.translation, time, self.head_s, self.noise * float(sequence.translation[:, 2].mean()))
        return replace(
            sequence,
            points=result.points,
            rotation=smooth_head.rotation.astype(np.float32),
            translation=translation.astype(np.float32),
            eye_openness=adaptive_mean(sequence.eye_openness, time, self.eyes_s, self.noise).astype(np.float32),
        )


def adaptive_mean(values: Array, time_s: Array, widths_s: tuple[float, float], noise: float) -> NDArray[np.float64]:
    """Mix of a narrow and a wide Gaussian mean over time, by how far the two differ (see `Smoother`).

    Args:
        values: (frames, ...).
        time_s: (frames,) seconds.
        widths_s: standard deviations of the narrow and the wide Gaussian.
        noise: difference at which both count alike, in the unit of the values.
    """
    narrow, wide = (gaussian_mean(values, time_s, width_s) for width_s in widths_s)
    difference = np.abs(narrow - wide)
    if difference.ndim > 1:  # the components of a point move together
        difference = np.linalg.norm(difference, axis=-1, keepdims=True)
    difference = gaussian_mean(difference, time_s, widths_s[0])
    moving = difference**2 / (difference**2 + noise**2)
    return wide + moving * (narrow - wide)


def gaussian_mean(values: Array, time_s: Array, width_s: float) -> NDArray[np.float64]:
    """Mean of (frames, ...) weighted by a Gaussian in time, whatever the spacing of the frames; symmetric, so without lag."""
    flat = np.asarray(values, np.float64).reshape(len(values), -1)
    total, weights = flat.copy(), np.ones(len(flat))
    for step in range(1, len(flat)):
        gap_s = time_s[step:] - time_s[:-step]
        if gap_s.min() > 3 * width_s:
            break
        weight = np.exp(-0.5 * (gap_s / width_s) ** 2)
        total[step:] += weight[:, None] * flat[:-step]
        total[:-step] += weight[:, None] * flat[step:]
        weights[step:] += weight
        weights[:-step] += weight
    return (total / weights[:, None]).reshape(np.shape(values))
