"""Offline clean-up of a track: gaps filled, jitter removed without lag."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landmarks.motion import FaceMotion, HeadMotion, split_motion
from landmarks.types import LEFT_EYE, MOUTH, RIGHT_EYE, LandmarkSequence, joined

Array = NDArray[np.floating[Any]]
PUPILS = slice(66, 68)
CHUNK = 512  # frames at a time, so that memory does not grow with the length of the video


def fill_gaps(sequence: LandmarkSequence) -> LandmarkSequence:
    """Frames without a face get values interpolated between the nearest frames that show one, in time.

    Before the first and after the last such frame the nearest values hold. `detected` and `scores` stay as they are.
    """
    seen, time = sequence.detected, sequence.timestamps_s
    if seen.all():
        return sequence
    filled: dict[str, Any] = {}
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
        time, reach_s = sequence.timestamps_s, 3 * sum(max(widths) for widths in (self.head_s, self.face_s))
        parts = []
        for start in range(0, len(sequence), CHUNK):
            end = min(start + CHUNK, len(sequence))
            low, high = np.searchsorted(time, (time[start] - reach_s, time[end - 1] + reach_s), "right")
            parts.append(self._smooth(sequence[int(low) : int(high)])[start - int(low) : end - int(low)])
        return joined(parts)

    def scaled(self, factor: float) -> Smoother:
        """The same with all widths and the noise multiplied."""
        widths = {
            name: tuple(factor * s for s in getattr(self, name)) for name in ("head_s", "face_s", "mouth_s", "eyes_s")
        }
        return replace(self, **widths, noise=factor * self.noise)

    def _smooth(self, sequence: LandmarkSequence) -> LandmarkSequence:
        motion = split_motion(sequence)
        time, head, noise = sequence.timestamps_s, motion.head, self.noise
        noise_px = noise * head.scale[:, None]
        smooth_head = HeadMotion(
            rotation=adaptive_mean(head.rotation, time, self.head_s, 2 * noise),
            scale=adaptive_mean(head.scale[:, None], time, self.head_s, noise_px)[:, 0],
            position=adaptive_mean(head.position, time, self.head_s, noise_px),
        )
        offsets = motion.offsets
        smooth = adaptive_mean(offsets, time, self.face_s, noise)
        for part in (RIGHT_EYE, LEFT_EYE, PUPILS):
            smooth[:, part] = adaptive_mean(offsets[:, part], time, self.eyes_s, noise)
        smooth[:, MOUTH] = adaptive_mean(offsets[:, MOUTH], time, self.mouth_s, noise)
        result = FaceMotion(smooth_head, motion.eyes, motion.mouth).with_offsets(smooth)
        distance = sequence.translation[:, 2:]
        return replace(
            sequence,
            points=result.points,
            rotation=smooth_head.rotation.astype(np.float32),
            translation=adaptive_mean(sequence.translation, time, self.head_s, noise * distance).astype(np.float32),
            eye_openness=adaptive_mean(sequence.eye_openness, time, self.eyes_s, noise).astype(np.float32),
        )


SMOOTHERS = {"light": Smoother().scaled(0.5), "normal": Smoother(), "strong": Smoother().scaled(2)}
"""By the names that users know; "none" is no smoother."""


def adaptive_mean(
    values: Array, time_s: Array, widths_s: tuple[float, float], noise: float | Array
) -> NDArray[np.float64]:
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
    moving = difference**2 / (difference**2 + np.maximum(noise, 1e-9) ** 2)
    return wide + moving * (narrow - wide)


def gaussian_mean(values: Array, time_s: Array, width_s: float) -> NDArray[np.float64]:
    """Mean of (frames, ...) weighted by a Gaussian in time, whatever the spacing; symmetric, so without lag."""
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
