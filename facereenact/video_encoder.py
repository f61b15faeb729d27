"""Encoders: one class for each kind of result, all fed with RGB images and their times."""

from __future__ import annotations

import contextlib
import math
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from facereenact.audio_track import open_audio
from facereenact.images import write_image

_FINE_TICKS_HZ = 90_000  # what broadcast uses: every common rate is a whole number of ticks
_MAX_TICKS_HZ = 1_000_000
_GIF_TICKS_HZ = 100
_GIF_MIN_DELAY = 2  # browsers slow a shorter delay down to 10

_BT709 = 1
_LIMITED_RANGE = 1

# Measured at 512x512 with two threads: veryfast encodes 2.5 times faster than faster at equal size, for 0.5 dB less;
# VP9 in real-time mode reaches the quality of H.264 at the same crf. No B-frames: mp4 sums durations in decoding order,
# so that a reordered last frame would give a variable-rate file the wrong length (costs 20 to 50 % in size, at +30 %
# in speed).
_CODECS: dict[str, tuple[str, dict[str, str]]] = {
    "h264": ("libx264", {"preset": "veryfast", "bf": "0"}),
    "vp9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "6", "b": "0", "row-mt": "1", "tile-columns": "1"}),
}
_VIDEO_CODEC = {".mp4": "h264", ".mov": "h264", ".mkv": "h264", ".webm": "vp9"}
CONTAINER_SUFFIXES = tuple(_VIDEO_CODEC)


class Encoder(Protocol):
    """Writes one result under a temporary name."""

    def write(self, image: NDArray[np.uint8], timestamp_s: float) -> None: ...

    def close(self) -> None:
        """Complete the result."""

    def abandon(self) -> None:
        """Let go of an incomplete result; never raises."""


class ContainerEncoder:
    """H.264 or VP9 with the sound of another file; timestamps are kept, so a variable rate stays variable."""

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        rate: Fraction,
        *,
        crf: int,
        audio_from: Path | None,
        audio_start_s: float,
        audio_end_s: float,
    ) -> None:
        self._time_base = _time_base(rate)
        self._step = max(1, round(1 / (rate * self._time_base)))
        self._last_pts = -1
        suffix = path.suffix.lower()
        options = {"movflags": "+faststart"} if suffix in (".mp4", ".mov") else {}
        self._output = av.open(str(path.absolute()), "w", container_options=options)
        codec, codec_options = _CODECS[_VIDEO_CODEC[suffix]]
        self._stream: VideoStream = self._output.add_stream(  # type: ignore[assignment]  # by the codec's name
            codec,
            rate=rate,
            options={**codec_options, "crf": str(crf)},
            width=size[0] + size[0] % 2,
            height=size[1] + size[1] % 2,
            time_base=self._time_base,
        )
        self._stream.thread_count = 2
        context = self._stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED_RANGE
        self._audio = open_audio(audio_from, self._output, suffix, start_s=audio_start_s, end_s=audio_end_s)

    def write(self, image: NDArray[np.uint8], timestamp_s: float) -> None:
        frame = _to_yuv(image)
        frame.pts = max(self._last_pts + 1, round(timestamp_s / self._time_base))
        frame.time_base = self._time_base
        frame.duration = self._step  # of use for the last frame only: the others last until the next
        self._last_pts = frame.pts
        if self._audio is not None:
            self._audio.mux_until(timestamp_s)
        self._output.mux(self._stream.encode(frame))

    def close(self) -> None:
        self._output.mux(self._stream.encode(None))
        if self._audio is not None:
            self._audio.finish(float((self._last_pts + self._step) * self._time_base))
            self._audio.close()
        self._output.close()

    def abandon(self) -> None:
        with contextlib.suppress(Exception):
            self._output.close()
        if self._audio is not None:
            self._audio.close()


class GifEncoder:
    """256 colours chosen per frame; delays in 1/100 s. Frames that follow too closely for a GIF are left out."""

    def __init__(self, path: Path, size: tuple[int, int], rate: Fraction) -> None:
        # A frame lasts until the next one; the last has no next.
        last_delay = max(_GIF_MIN_DELAY, round(_GIF_TICKS_HZ / rate))
        self._output = av.open(str(path.absolute()), "w", container_options={"final_delay": str(last_delay)})
        self._stream = self._output.add_stream(
            "gif", rate=_GIF_TICKS_HZ, width=size[0], height=size[1], time_base=Fraction(1, _GIF_TICKS_HZ)
        )
        self._stream.pix_fmt = "pal8"
        self._last_pts = -_GIF_MIN_DELAY

    def write(self, image: NDArray[np.uint8], timestamp_s: float) -> None:
        pts = round(timestamp_s * _GIF_TICKS_HZ)
        if pts < self._last_pts + _GIF_MIN_DELAY:
            return
        frame = _to_palette(image)
        frame.pts, frame.time_base = pts, Fraction(1, _GIF_TICKS_HZ)
        self._last_pts = pts
        self._output.mux(self._stream.encode(frame))

    def close(self) -> None:
        self._output.mux(self._stream.encode(None))
        self._output.close()

    def abandon(self) -> None:
        with contextlib.suppress(Exception):
            self._output.close()


class FolderEncoder:
    """Lossless numbered images; a folder has no place for timestamps."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self._path = path
        self._count = 0

    def write(self, image: NDArray[np.uint8], timestamp_s: float) -> None:
        write_image(self._path / f"{self._count:06d}.png", image)
        self._count += 1

    def close(self) -> None:
        """Every image is complete already."""

    def abandon(self) -> None:
        """Nothing is held open."""


def _time_base(rate: Fraction) -> Fraction:
    """A tick that divides the frame of `rate` exactly and is fine enough for a variable rate."""
    if rate.numerator > _MAX_TICKS_HZ:
        return Fraction(1, _FINE_TICKS_HZ)
    return Fraction(1, rate.numerator * math.ceil(_FINE_TICKS_HZ / rate.numerator))


def _to_yuv(image: NDArray[np.uint8]) -> VideoFrame:
    height, width = image.shape[:2]
    if height % 2 or width % 2:  # 4:2:0 halves the colour in both directions
        image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
    return frame.reformat(
        format="yuv420p", dst_colorspace="ITU709", src_color_range="JPEG", dst_color_range="MPEG", threads=1
    )


def _to_palette(image: NDArray[np.uint8]) -> VideoFrame:
    # Measured: 6 times faster than FFmpeg's palettegen at equal PSNR, and half the file.
    indexed = Image.fromarray(image).quantize(256, method=Image.Quantize.FASTOCTREE)
    colours = np.array(indexed.getpalette("RGB"), np.uint8).reshape(-1, 3)
    palette = np.full((256, 4), 255, np.uint8)  # ARGB
    palette[: len(colours), 1:] = colours
    return VideoFrame.from_ndarray((np.asarray(indexed), palette), "pal8")  # type: ignore[arg-type]  # a pair for pal8
