"""Tiny clips made on the fly, straight with PyAV: independent of the code under test."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

SIZE = (64, 48)
RATE = Fraction(25)
SOUND_HZ = 48000


def numbered(index: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """A grey image that tells its number after any compression."""
    return np.full((size[1], size[0], 3), 20 + 7 * index, np.uint8)


def number(image: NDArray[np.uint8]) -> int:
    return round((float(image.mean()) - 20) / 7)


def flash_and_beep(at_s: float, length_s: float) -> tuple[list[NDArray[np.uint8]], NDArray[np.float32]]:
    """Black frames that turn white, and silence that turns into a tone, at the same time."""
    frames = [np.full((SIZE[1], SIZE[0], 3), 255 * (k >= at_s * RATE), np.uint8) for k in range(int(length_s * RATE))]
    times_s = np.arange(int(length_s * SOUND_HZ)) / SOUND_HZ
    return frames, np.where(times_s >= at_s, 0.6 * np.sin(2 * np.pi * 1000 * times_s), 0).astype(np.float32)


def write_clip(
    path: Path,
    images: Sequence[NDArray[np.uint8]],
    *,
    ticks: Sequence[int] | None = None,
    time_base: Fraction = 1 / RATE,
    rate: Fraction = RATE,
    sound: NDArray[np.float32] | None = None,
    codecs: tuple[str, str] = ("libx264", "aac"),
    rotation_deg: float = 0,
    **video_settings: Any,
) -> Path:
    """Encode; picture k is shown at `ticks[k]` times `time_base`, the sound begins at 0."""
    height, width = images[0].shape[:2]
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as output:
        video: Any = output.add_stream(codecs[0], rate=rate, width=width, height=height, time_base=time_base)
        for name, value in video_settings.items():
            setattr(video, name, value)
        if rotation_deg:
            video.set_display_rotation(rotation_deg)
        audio: Any = None if sound is None else output.add_stream(codecs[1], rate=SOUND_HZ, layout="mono")
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = (index if ticks is None else ticks[index]), time_base
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        if sound is not None:
            for start in range(0, len(sound), 4800):
                piece = av.AudioFrame.from_ndarray(sound[None, start : start + 4800], "fltp", "mono")
                piece.sample_rate, piece.pts, piece.time_base = SOUND_HZ, start, Fraction(1, SOUND_HZ)
                output.mux(audio.encode(piece))
            output.mux(audio.encode(None))
    return path


def heard(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Times in seconds on the clock of the video, and the sound, mono."""
    times, sounds = [], []
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        zero_s = float((video.start_time or 0) * (video.time_base or 0))
        resampler = av.AudioResampler("fltp", "mono", SOUND_HZ)
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
        for frame in [*frames, *resampler.resample(None)]:
            samples = frame.to_ndarray()[0]
            times.append(float((frame.pts or 0) * (frame.time_base or 0)) - zero_s + np.arange(len(samples)) / SOUND_HZ)
            sounds.append(samples)
    return np.concatenate(times), np.concatenate(sounds)
