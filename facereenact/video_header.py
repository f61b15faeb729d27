"""What a video file says about itself: rate, duration, orientation, pixel shape, and whether all of it is there."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

_MAX_RATE = 300  # above it the header states the clock of the file, not a frame rate
_FALLBACK_RATE = Fraction(30)
_MATROSKA_SEGMENT = b"\x18\x53\x80\x67"


@dataclass(frozen=True)
class Orientation:
    """How the stored picture is turned for display: transposed first, then flipped."""

    transposed: bool
    flipped_x: bool
    flipped_y: bool

    @classmethod
    def of(cls, frame: VideoFrame) -> Orientation:
        matrix: Any = frame.side_data.get("DISPLAYMATRIX")
        if matrix is None:
            return cls(False, False, False)
        # Row by row (a b u, c d v, x y w): x' = a x + c y, y' = b x + d y (FFmpeg, libavutil/display.h).
        a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(False, a < 0, d < 0)
        return cls(True, c < 0, b < 0)

    def size(self, stored: tuple[int, int]) -> tuple[int, int]:
        return stored[::-1] if self.transposed else stored

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.transposed:
            image = image.transpose(1, 0, 2)
        return np.ascontiguousarray(image[:: -1 if self.flipped_y else 1, :: -1 if self.flipped_x else 1])


def square_pixel_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """The stored size with the width that gives square pixels."""
    aspect = stream.sample_aspect_ratio
    if not aspect or not Fraction(1, 4) <= aspect <= 4:
        aspect = Fraction(1)
    return round(frame.width * aspect), frame.height


def frame_rate(stream: VideoStream) -> Fraction:
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0 < rate <= _MAX_RATE:
            return rate
    return _FALLBACK_RATE


def duration_s(container: InputContainer, stream: VideoStream, origin_s: float) -> float | None:
    """Length of the video track where the file states it, else of the whole file; reads a GIF to its end."""
    if container.format.name == "gif" and stream.time_base:
        # What FFmpeg states takes one tick for the last frame.
        end = max(((packet.pts or 0) + (packet.duration or 0) for packet in container.demux(stream)), default=0)
        return float(end * stream.time_base)
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    tag = next((text for name, text in stream.metadata.items() if name.startswith("DURATION")), "")
    try:
        hours, minutes, seconds = tag.split(":")
        return max(0.0, int(hours) * 3600 + int(minutes) * 60 + float(seconds) - origin_s)
    except ValueError:
        pass
    if container.duration is None:
        return None
    return max(0.0, (container.duration + (container.start_time or 0)) / 1_000_000 - origin_s)


def frame_count(stream: VideoStream, length_s: float | None) -> int | None:
    """What the header counts, unless it counts the first fragment only; else an estimate."""
    estimate = None if length_s is None else round(length_s * frame_rate(stream))
    if stream.frames and (estimate is None or stream.frames > estimate / 2):
        return stream.frames
    return estimate


def missing_samples_s(container: InputContainer, stream: VideoStream, origin_pts: int) -> float | None:
    """From where on the samples that an mp4 or mov lists lie beyond the end of the file; None when all are there."""
    if not container.format.name.startswith("mov") or stream.time_base is None:
        return None
    missing = [entry.timestamp for entry in stream.index_entries if entry.pos + entry.size > container.size]
    return max(0.0, float((min(missing) - origin_pts) * stream.time_base)) if missing else None


def is_cut_short(path: Path) -> bool:
    """Whether a Matroska, WebM or AVI file is shorter than its first bytes announce (they end without an error)."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head[:4] == b"RIFF":
        return int.from_bytes(head[4:8], "little") + 8 > path.stat().st_size
    start = head.find(_MATROSKA_SEGMENT)
    if head[:4] != b"\x1aE\xdf\xa3" or start < 0:
        return False
    # An EBML length: the zeros before its first one bit count the bytes that follow; all ones mean unknown (RFC 8794).
    field = head[start + 4 : start + 12]
    length = 9 - field[0].bit_length()
    value = int.from_bytes(field[:length], "big") & ((1 << 7 * length) - 1)
    return value != (1 << 7 * length) - 1 and start + 4 + length + value > path.stat().st_size
