"""Tracks to measure, draw, convert, cut and join."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from landmarks import LandmarkSequence
from landmarks.smoothing import fill_gaps
from landmarks.types import ARRAYS
from tests.faces import acted, hopper

COUNT = 40
SIZE = (192, 192)
NAME = "talk.landmarks.safetensors"


def turning(count: int = COUNT, **how: Any) -> LandmarkSequence:
    """A head that turns from -15 to 15 degrees, at 25 frames per second."""
    how = {"turn_deg": [(0, yaw, 0) for yaw in np.linspace(15, -15, count)]} | how
    return acted(hopper().landmarks, **how)


def with_gaps(sequence: LandmarkSequence, *frames: int) -> LandmarkSequence:
    """The same, not seen in some frames, which are filled in."""
    detected, scores = sequence.detected.copy(), sequence.scores.copy()
    detected[list(frames)] = False
    scores[list(frames)] = 0
    return fill_gaps(replace(sequence, detected=detected, scores=scores))


def sized(sequence: LandmarkSequence, size: tuple[int, int]) -> LandmarkSequence:
    """The same face in frames of another size, in the middle."""
    factor = min(size) / max(sequence.size)
    middle = sequence.points[:1].mean(axis=(0, 1))
    points = (sequence.points - middle) * factor + np.array(size) / 2
    return replace(sequence, points=points.astype(np.float32), size=size)


def same(a: LandmarkSequence, b: LandmarkSequence) -> bool:
    return (a.size, a.tracker) == (b.size, b.tracker) and all(
        np.array_equal(getattr(a, name), getattr(b, name)) for name in ARRAYS
    )
