"""A track at the times of another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from body.types import PoseSequence


def resample(sequence: PoseSequence, times_s: NDArray[np.float64]) -> PoseSequence:
    """A filled sequence at other times (frames,), seconds, increasing: interpolated, and held at both ends.

    At the sequence's own times its values come back exactly. `detected` and `scores` are those of the nearest frame.
    """
    time, last = sequence.timestamps_s, len(sequence) - 1
    before = np.clip(np.searchsorted(time, times_s, "right") - 1, 0, last)
    after = np.minimum(before + 1, last)
    share = np.clip((times_s - time[before]) / np.maximum(time[after] - time[before], 1e-9), 0, 1)
    nearest = np.where(share < 0.5, before, after)
    low, high = sequence.points[before].astype(np.float64), sequence.points[after].astype(np.float64)
    return replace(
        sequence,
        points=(low + share[:, None, None] * (high - low)).astype(np.float32),
        scores=sequence.scores[nearest],
        detected=sequence.detected[nearest],
        timestamps_s=np.array(times_s, np.float64),
    )
