"""By how much the sound of a result is late against its driver's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from facereenact.images import is_image
from facereenact.media_input import open_media
from facereenact.video_decoder import stream_start

Float = NDArray[np.float64]

RATE_HZ = 8000
STEP = 8  # samples: the loudness is taken every millisecond
STEP_MS = 1000 * STEP / RATE_HZ
MOST_OFFSET_MS = 2000.0
LEAST_ALIKE = 0.5  # correlation below which the two sounds are different ones


def audio_offset_ms(driver: Path, result: Path, *, end_s: float | None = None) -> float | None:
    """How late the sound of the result is, on the clocks of the pictures; None where one is silent or they differ."""
    one, other = (loudness(path, end_s=end_s) for path in (driver, result))
    if not (one.any() and other.any()):
        return None
    one, other = one - one.mean(), other - other.mean()
    reach = int(MOST_OFFSET_MS / STEP_MS)
    size = 1 << (max(len(one), len(other)) + reach).bit_length()
    spectrum = np.fft.rfft(other, size) * np.conj(np.fft.rfft(one, size))
    products = np.fft.irfft(spectrum, size)
    alike = np.concatenate([products[-reach:], products[: reach + 1]])
    best = int(alike.argmax())
    if alike[best] < LEAST_ALIKE * np.linalg.norm(one) * np.linalg.norm(other):
        return None
    return (best - reach) * STEP_MS


def loudness(path: Path, *, end_s: float | None = None) -> Float:
    """(steps,) level from the first picture on, every millisecond; empty for what has no sound."""
    pieces = [] if path.is_dir() or is_image(path) else list(_pieces(path, end_s))
    total = np.zeros(max((first + len(levels) for first, levels in pieces), default=0))
    for first, levels in pieces:
        total[first : first + len(levels)] += levels
    return total


def _pieces(path: Path, end_s: float | None) -> Iterator[tuple[int, Float]]:
    """The sound by its packets: the first step, on the clock of the video, and the level of each step."""
    with open_media(path) as container:
        if not container.streams.audio:
            return
        video = next(iter(container.streams.video), None)
        zero_s = float(stream_start(video, None) * (video.time_base or 0)) if video else 0.0
        resampler = AudioResampler("flt", "mono", RATE_HZ)
        for packet in container.demux(container.streams.audio[0]):
            try:
                frames = [piece for frame in packet.decode() for piece in resampler.resample(frame)]
            except av.FFmpegError:
                continue  # a damaged packet is silence
            for frame in frames:
                start = round((float((frame.pts or 0) * (frame.time_base or 0)) - zero_s) * RATE_HZ)
                samples = np.abs(frame.to_ndarray()[0]).astype(np.float64)[max(-start, 0) :]
                start = max(start, 0)
                if end_s is not None:
                    samples = samples[: max(round(end_s * RATE_HZ) - start, 0)]
                if len(samples):
                    steps = (start + np.arange(len(samples))) // STEP
                    yield int(steps[0]), np.bincount(steps - steps[0], samples).astype(np.float64)
