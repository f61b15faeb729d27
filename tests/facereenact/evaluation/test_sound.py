"""How late a sound is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from facereenact.evaluation.sound import audio_offset_ms, loudness
from tests.facereenact import clips
from tests.facereenact.media import RATE, SOUND_HZ, numbered, write_clip

LENGTH_S = 2.0


def bursts(late_s: float = 0.0) -> NDArray[np.float32]:
    """Tones of uneven length and loudness."""
    time_s = np.arange(int(LENGTH_S * SOUND_HZ)) / SOUND_HZ - late_s
    loud = sum(level * ((time_s > at) & (time_s < at + long)) for at, long, level in TONES)
    return (loud * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)


TONES = ((0.3, 0.1, 0.5), (0.55, 0.25, 0.9), (1.1, 0.05, 0.7), (1.3, 0.3, 0.3))


def clip(path: Path, sound: NDArray[np.float32] | None) -> Path:
    return write_clip(path, [numbered(index % 20) for index in range(int(LENGTH_S * RATE))], sound=sound)


@pytest.mark.parametrize("late_ms", [0, 40, 187, -120])
def test_the_offset_is_found(tmp_path: Path, late_ms: int) -> None:
    driver, result = clip(tmp_path / "a.mp4", bursts()), clip(tmp_path / "b.mp4", bursts(late_ms / 1000))
    assert audio_offset_ms(driver, result) == pytest.approx(late_ms, abs=2)


def test_silence_and_other_sounds_have_no_offset(tmp_path: Path) -> None:
    driver, silent = clip(tmp_path / "a.mp4", bursts()), clip(tmp_path / "b.mp4", None)
    assert audio_offset_ms(driver, silent) is None
    assert len(loudness(silent)) == 0
    assert len(loudness(clips.still())) == 0
    noise = np.random.default_rng(0).normal(0, 0.1, int(LENGTH_S * SOUND_HZ)).astype(np.float32)
    assert audio_offset_ms(driver, clip(tmp_path / "c.mp4", noise)) is None


def test_only_the_wanted_time_counts(tmp_path: Path) -> None:
    driver = clip(tmp_path / "a.mp4", bursts())
    assert 480 <= len(loudness(driver, end_s=0.5)) <= 500
    assert len(loudness(driver)) >= 1990
