"""The sound of one file laid under the pictures of another, in step with them by timestamps."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from numpy.typing import NDArray

from facereenact.images import is_image
from facereenact.media_input import check_local_file, open_media
from facereenact.video_decoder import stream_start

_log = logging.getLogger(__name__)

# What players expect in each container, by FFmpeg's codec names. The rest is encoded anew.
_MP4_CODECS = ("aac", "mp3", "ac3", "eac3", "alac")
_COPIED = {
    ".mp4": _MP4_CODECS,
    ".mov": (*_MP4_CODECS, "pcm_s16le", "pcm_s16be", "pcm_s24le"),
    ".mkv": (*_MP4_CODECS, "opus", "vorbis", "flac"),
    ".webm": ("opus", "vorbis"),
}
_AAC_RATES_HZ = (48000, 44100, 32000, 24000, 22050, 16000)
_SEEK_MARGIN_S = 1.0
_JITTER_S = 0.05  # a difference up to it between timestamp and sample count is rounding; beyond it a gap
_OPUS_DELAY_S = 0.01  # Opus starts 6.5 ms early; the Matroska writer moves its timestamps by as much


class AudioTrack:
    """Adds an audio stream to `output` and feeds it, in step with the video, from `path`.

    Copied packet by packet where the container allows the codec: then it begins and ends within one packet (21 ms for
    AAC) of the asked times, and still in sync. Otherwise decoded and encoded, exact to the sample.
    """

    def __init__(self, path: Path, output: OutputContainer, suffix: str, *, start_s: float, end_s: float) -> None:
        self._input: InputContainer = open_media(path)
        self._source: AudioStream = self._input.streams.audio[0]
        self._time_base = self._source.time_base or Fraction(1, 1_000_000)
        self._length_s = end_s - start_s
        # Zero of the video that is read from the same file, so that both are cut at the same instant.
        video = next(iter(self._input.streams.video), None)
        zero = stream_start(video or self._source, None) * float((video or self._source).time_base or 0)
        self._offset_s = zero + start_s
        if start_s > _SEEK_MARGIN_S:
            self._input.seek(int((self._offset_s - _SEEK_MARGIN_S) / self._time_base), stream=self._source)
        codec = self._source.codec_context.codec.canonical_name
        # AAC without a header is the broadcast form, which mp4 cannot hold.
        if codec in _COPIED[suffix] and (codec != "aac" or self._source.codec_context.extradata):
            self._stream = output.add_stream_from_template(self._source)
            self._packets = self._copied(_early_s(suffix, codec))
        else:
            self._stream = _add_encoder(output, suffix, self._source)
            self._packets = self._encoded()
        self._output = output
        self._waiting = next(self._packets, None)

    def mux_until(self, time_s: float) -> None:
        """Write the packets that begin before `time_s` on the clock of the video."""
        while self._waiting is not None and self._waiting[0] < time_s:
            self._output.mux(self._waiting[1])
            self._waiting = next(self._packets, None)

    def finish(self, end_s: float) -> None:
        """Write the rest, up to the end of the video."""
        self._length_s = min(self._length_s, end_s)
        self.mux_until(end_s)

    def close(self) -> None:
        self._input.close()

    def _copied(self, early_s: float) -> Iterator[_TimedPacket]:
        """Packets as they are, on the clock of the video; players skip the `early_s` before its start."""
        shift = round(self._offset_s / self._time_base)
        for packet in self._demuxed():
            if packet.pts is None or packet.dts is None:
                continue
            packet.pts -= shift
            packet.dts -= shift
            time_s = float(packet.pts * self._time_base)
            if time_s + float((packet.duration or 0) * self._time_base) / 2 >= self._length_s:
                return
            if time_s >= -early_s:
                packet.stream = self._stream
                yield time_s, packet

    def _encoded(self) -> Iterator[_TimedPacket]:
        rate_hz = self._stream.rate
        is_planar = self._stream.format.is_planar
        resampler = AudioResampler(self._stream.format, self._stream.layout, rate_hz)
        for position, samples in _gapless(self._cut(resampler), rate_hz):
            frame = AudioFrame.from_ndarray(
                np.ascontiguousarray(samples.T if is_planar else samples.reshape(1, -1)),
                self._stream.format.name,
                self._stream.layout.name,
            )
            frame.sample_rate, frame.pts, frame.time_base = rate_hz, position, Fraction(1, rate_hz)
            yield from map(_timed, self._stream.encode(frame))
        yield from map(_timed, self._stream.encode(None))

    def _cut(self, resampler: AudioResampler) -> Iterator[_Samples]:
        """Decoded sound between the start and the end."""
        channels = resampler.layout.nb_channels
        for frame in self._resampled(resampler):
            samples = frame.to_ndarray()
            samples = samples.T if resampler.format.is_planar else samples.reshape(-1, channels)
            time_s = float((frame.pts or 0) * (frame.time_base or 0)) - self._offset_s
            position = round(time_s * resampler.rate)
            room = math.inf if self._length_s == math.inf else round(self._length_s * resampler.rate) - position
            if room <= 0:
                return
            first, last = max(0, -position), int(min(len(samples), room))
            if first < last:
                yield position + first, samples[first:last]

    def _resampled(self, resampler: AudioResampler) -> Iterator[AudioFrame]:
        for packet in self._demuxed():
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue  # a damaged packet: its time is filled with silence
            for frame in frames:
                yield from resampler.resample(frame)
        yield from resampler.resample(None)

    def _demuxed(self) -> Iterator[Packet[AudioStream]]:
        """Packets up to where the file is broken: the pictures decide whether that is an error."""
        try:
            for packet in self._input.demux(self._source):
                if not packet.is_corrupt:
                    yield packet
        except av.FFmpegError:
            _log.warning("the sound of %s is broken; the rest of the result is silent", self._input.name)


_TimedPacket = tuple[float, "Packet[Any]"]  # seconds on the clock of the video
_Samples = tuple[int, NDArray[Any]]  # position of the first; (samples, channels)


def open_audio(
    path: Path | None, output: OutputContainer, suffix: str, *, start_s: float, end_s: float
) -> AudioTrack | None:
    """The sound of `path` for `output`, or None when it has none. Raises InputError."""
    if path is None or path.is_dir():
        return None
    check_local_file(path)
    if is_image(path):
        return None
    with open_media(path) as source:
        if not source.streams.audio:
            return None
    return AudioTrack(path, output, suffix, start_s=start_s, end_s=end_s)


def _early_s(suffix: str, codec: str) -> float:
    if suffix in (".mp4", ".mov"):
        return 0.05  # a decoder needs the packet before the first audible one; an edit list keeps it silent
    return _OPUS_DELAY_S if codec == "opus" else 0.0


def _add_encoder(output: OutputContainer, suffix: str, source: AudioStream) -> AudioStream:
    layout = "mono" if source.layout.nb_channels == 1 else "stereo"
    if suffix == ".webm":
        return output.add_stream("libopus", rate=48000, layout=layout, bit_rate=128_000)
    rate_hz = source.rate if source.rate in _AAC_RATES_HZ else 48000
    return output.add_stream("aac", rate=rate_hz, layout=layout, bit_rate=192_000)


def _gapless(pieces: Iterator[_Samples], rate_hz: int) -> Iterator[_Samples]:
    """Lay the pieces end to end, with silence for gaps and without what is repeated, so that no drift adds up."""
    cursor: int | None = None
    for position, samples in pieces:
        gap = 0 if cursor is None else position - cursor
        cursor = position if cursor is None else cursor
        if gap > _JITTER_S * rate_hz:
            samples = np.concatenate([np.zeros((gap, samples.shape[1]), samples.dtype), samples])
        elif gap < -_JITTER_S * rate_hz:
            samples = samples[-gap:]
        if len(samples):
            yield cursor, samples
            cursor += len(samples)


def _timed(packet: Packet[Any]) -> _TimedPacket:
    return float((packet.pts or 0) * packet.time_base), packet
