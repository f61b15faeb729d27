"""Pictures out of one video file, with timestamps that can be trusted and an error where the file is broken."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from facereenact.errors import InputError
from facereenact.media_input import open_media
from facereenact.video_header import (
    Orientation,
    duration_s,
    frame_count,
    frame_rate,
    is_cut_short,
    missing_samples_s,
    square_pixel_size,
)

_NEAR_S = 5.0  # below it decoding from the start is quicker than a seek
_SEEK_MARGIN_S = 1.0  # a seek goes by decoding time, which runs ahead of presentation by the reordered frames
_RESTART_S = 0.5  # a step back by more is a clock that was set back, not jitter
_HD_HEIGHT_PX = 720  # players take an untagged video of this height or more for BT.709, a smaller one for BT.601
_UNSPECIFIED_COLORSPACE = 2


@dataclass(frozen=True)
class Picture:
    """One frame before its conversion to RGB, which is done only for the frames that are used."""

    time_s: float  # from the start of the video
    duration_s: float
    image: Callable[[], NDArray[np.uint8]]  # (height, width, 3), RGB


class VideoFile:
    """What a video file holds, and its pictures in order. Raises InputError when it is no usable video."""

    def __init__(self, path: Path, longest_px: int | None = None, threads: int = 0) -> None:
        self.path, self._threads = path, threads
        with open_media(path) as container:
            stream = video_stream(container, path)
            self._time_base = stream.time_base or Fraction(1, 1000)
            self.tick_s = float(self._time_base)
            self.rate = frame_rate(stream)
            self.has_audio = bool(container.streams.audio)
            first = _first_frame(container, stream, path)
            # AVI stores frames at a constant rate in decoding order; the timestamps made up from that are shuffled.
            self._has_pts = first.pts is not None and container.format.name != "avi"
            self._origin_pts = stream_start(stream, first.pts)
            self.broken_s = missing_samples_s(container, stream, self._origin_pts)
            self._picture_size = reduced_size(square_pixel_size(first, stream), longest_px)
            self.duration_s = duration_s(container, stream, self._origin_pts * self.tick_s)
            self.frame_count = frame_count(stream, self.duration_s)
        self._orientation = Orientation.of(first)
        self.size = self._orientation.size(self._picture_size)

    def pictures(self, start_s: float, end_s: float) -> Iterator[Picture]:
        """Pictures from a keyframe before `start_s`, or from the start, to the first one at or after `end_s`.

        Times increase strictly. Raises InputError where the file is broken, unless that is after `end_s`.
        """
        done_s = 0.0
        with open_media(self.path) as container:
            stream = video_stream(container, self.path)
            stream.thread_type, stream.thread_count = "AUTO", self._threads
            try:
                for picture in self._clocked(self._frames(container, stream, start_s)):
                    yield picture
                    if picture.time_s >= end_s:
                        return
                    done_s = picture.time_s
            except _BrokenError as error:
                raise broken_error(self.path, done_s) from error
        if is_cut_short(self.path) and done_s + 2 / self.rate < end_s:
            raise broken_error(self.path, done_s)

    def _frames(self, container: InputContainer, stream: VideoStream, start_s: float) -> Iterator[VideoFrame]:
        """Decoded frames; after a seek that landed too late, from the start instead."""
        if start_s > _NEAR_S and self._has_pts:
            container.seek(self._origin_pts + int((start_s - _SEEK_MARGIN_S) / self.tick_s), stream=stream)
            frames = self._decode(container, stream)
            first = next(frames, None)
            if first is not None and first.pts is not None and self._seconds(first.pts) <= start_s:
                yield first
                yield from frames
                return
            container.seek(self._origin_pts, stream=stream)
        yield from self._decode(container, stream)

    def _decode(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        started = False
        try:
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    if started:
                        raise
                    continue  # a recording may begin between two keyframes
                started = started or bool(frames)
                yield from frames
        except (av.FFmpegError, OSError) as error:
            raise _BrokenError from error

    def _clocked(self, frames: Iterator[VideoFrame]) -> Iterator[Picture]:
        """Give each frame its time: missing timestamps are counted on, repeated ones moved on by one tick."""
        step_s = 1 / float(self.rate)
        last_s, shift_s = -math.inf, 0.0
        for frame in frames:
            time_s = max(0.0, last_s + step_s)
            if frame.pts is not None and self._has_pts:
                time_s = self._seconds(frame.pts) + shift_s
            if time_s < last_s - _RESTART_S:
                shift_s += last_s + step_s - time_s
                time_s = last_s + step_s
            elif time_s <= last_s:
                time_s = last_s + self.tick_s
            last_s = time_s
            yield Picture(time_s, (frame.duration or 0) * self.tick_s or step_s, self._converter(frame))

    def _converter(self, frame: VideoFrame) -> Callable[[], NDArray[np.uint8]]:
        return lambda: self._orientation.apply(_to_rgb(frame, self._picture_size))

    def _seconds(self, pts: int) -> float:
        # Rounded once, at the end: frame k of 29.97 is exactly float(Fraction(k * 1001, 30000)).
        return (pts - self._origin_pts) * self._time_base.numerator / self._time_base.denominator


def reduced_size(size: tuple[int, int], longest_px: int | None) -> tuple[int, int]:
    """The size of which the longer side is at most so many pixels."""
    scale = 1.0 if longest_px is None else min(1.0, longest_px / max(size))
    return max(1, round(scale * size[0])), max(1, round(scale * size[1]))


class _BrokenError(Exception):
    """Decoding cannot go on."""


def broken_error(path: Path, seconds: float) -> InputError:
    last_whole_s = math.floor(seconds * 100) / 100
    advice = f"use --end {last_whole_s:g} or less to keep what is before, or " if last_whole_s else ""
    return InputError(f"{path} is broken after {seconds:.2f} s; {advice}download or record it again")


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first video stream that is no cover picture."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    raise InputError(f"{path} has no video track; give a video")


def stream_start(stream: Stream, first_pts: int | None) -> int:
    """Timestamp, in ticks, that counts as the time 0 of a track."""
    if stream.start_time is not None:
        return stream.start_time
    return first_pts or 0


def _first_frame(container: InputContainer, stream: VideoStream, path: Path) -> VideoFrame:
    for packet in container.demux(stream):
        try:
            for frame in packet.decode():
                return frame
        except av.FFmpegError:
            continue  # a recording may begin between two keyframes
    raise InputError(f"{path} holds no picture that can be decoded; download or record it again")


def _to_rgb(frame: VideoFrame, size: tuple[int, int]) -> NDArray[np.uint8]:
    is_untagged_hd = frame.colorspace == _UNSPECIFIED_COLORSPACE and frame.height >= _HD_HEIGHT_PX
    has_alpha = any(component.is_alpha for component in frame.format.components)
    pixels: NDArray[np.uint8] = frame.to_ndarray(
        width=size[0],
        height=size[1],
        format="rgba" if has_alpha else "rgb24",
        src_colorspace="ITU709" if is_untagged_hd and not frame.format.is_rgb else None,
        threads=1,  # measured: swscale's threads cost more than they bring up to 1080p
    )  # type: ignore[assignment]  # 8 bits per channel by the choice of format
    return _over_white(pixels) if has_alpha else pixels


def _over_white(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    alpha = rgba[..., 3:].astype(np.uint16)
    if alpha.min() == 255:
        return rgba[..., :3]
    return ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
