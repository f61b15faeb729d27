"""Video in and out: frames by exact timestamp, and results that appear only when they are complete."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from facereenact.errors import InputError, OutputError
from facereenact.image_sequence import ImageSequence
from facereenact.images import is_image
from facereenact.media_input import check_local_file
from facereenact.output_target import OutputTarget
from facereenact.video_decoder import Picture, VideoFile, broken_error
from facereenact.video_encoder import CONTAINER_SUFFIXES, ContainerEncoder, Encoder, FolderEncoder, GifEncoder

OUTPUT_SUFFIXES = (*CONTAINER_SUFFIXES, ".gif")

_SLACK_S = 1e-6  # start and end are typed with a few decimals; a frame this close counts as on time
_ROUNDING_S = 1e-3  # mkv and webm round timestamps to milliseconds


@dataclass(frozen=True)
class VideoInfo:
    """What a reader yields, after trimming and resampling."""

    size: tuple[int, int]  # (width, height), pixels, as displayed
    rate: Fraction  # frames per second; the average when it varies
    duration_s: float | None
    frame_count: int | None  # an estimate, for progress bars
    has_audio: bool


@dataclass(frozen=True)
class Frame:
    """One picture and when it appears."""

    image: NDArray[np.uint8]  # (height, width, 3), RGB
    timestamp_s: float  # from the reader's start


class VideoReader:
    """Frames of a video, of a folder of images or of one image, streamed; can be iterated more than once.

    Timestamps increase strictly and count from `start_s`; frames from `start_s` up to but not including `end_s` are
    given. `fps` resamples: frame k shows at k / fps what the video shows then. A folder plays at `sequence_rate`.
    Pictures with a side longer than `longest_px` are reduced to it, and so is the size that `info` states.
    A file is decoded by `threads` (0: by as many as there are cores), which changes nothing but the speed.
    Raises InputError for what is not a usable local video, and while iterating where a file is broken.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        start_s: float = 0.0,
        end_s: float | None = None,
        fps: Fraction | None = None,
        sequence_rate: Fraction = Fraction(25),
        longest_px: int | None = None,
        threads: int = 0,
    ) -> None:
        if start_s < 0 or (end_s is not None and end_s <= start_s):
            raise InputError(f"the start ({start_s:g} s) must be 0 or more and the end ({end_s} s) after it")
        if (fps is not None and fps <= 0) or sequence_rate <= 0:
            raise InputError("the number of frames per second must be more than 0")
        self.path = Path(path)
        self._start_s = start_s
        self._end_s = math.inf if end_s is None else end_s
        self._fps = fps
        self._source = _open_source(self.path, sequence_rate, longest_px, threads)
        if self._source.broken_s is not None and self._source.broken_s + _SLACK_S < self._end_s:
            raise broken_error(self.path, self._source.broken_s)
        self.info = self._describe()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close: each iteration owns the file that it reads."""

    def __iter__(self) -> Iterator[Frame]:
        if self._fps is None:
            return (Frame(picture.image(), picture.time_s) for picture in self._trimmed())
        slack_s = max(_SLACK_S, min(_ROUNDING_S, self._source.tick_s))
        return _resampled(self._trimmed(), self._fps, self._end_s - self._start_s, slack_s)

    def _trimmed(self) -> Iterator[Picture]:
        """Pictures in the range, timed from its start; InputError when there is none."""
        is_empty = True
        for picture in self._source.pictures(self._start_s, self._end_s):
            if picture.time_s >= self._end_s - _SLACK_S:
                break
            if picture.time_s >= self._start_s - _SLACK_S:
                is_empty = False
                yield Picture(max(0.0, picture.time_s - self._start_s), picture.duration_s, picture.image)
        if is_empty:
            length_s = self._source.duration_s
            advice = "" if length_s is None else f"; it lasts {length_s:.2f} s"
            until = "on" if self._end_s == math.inf else f"to {self._end_s:g} s"
            raise InputError(f"{self.path} has no frame from {self._start_s:g} s {until}{advice}")

    def _describe(self) -> VideoInfo:
        source = self._source
        rate = self._fps or source.rate
        duration_s, frame_count = source.duration_s, source.frame_count
        is_whole = self._fps is None and self._start_s == 0 and self._end_s == math.inf
        if duration_s is not None and not (is_whole and frame_count):
            duration_s = max(0.0, min(duration_s, self._end_s) - self._start_s)
            frame_count = max(1, round(duration_s * rate))
        return VideoInfo(source.size, rate, duration_s, frame_count, source.has_audio)


class VideoWriter:
    """A video, an animated GIF or a folder of PNG images, chosen by the suffix of `path` (none: a folder).

    Frames keep their timestamps: to 1/90000 s in mp4 and mov, 1/1000 s in mkv and webm, 1/100 s in GIF; a folder has
    none. `rate` says how long the last frame is shown and what the file states as its rate. The sound of `audio_from`
    from `audio_start_s` to `audio_end_s` is laid under the video; GIF and folders have none. Odd sizes are made even
    by repeating the last row or column (not in GIF and PNG).

    The result appears when the `with` block ends well, else nothing does. Raises OutputError, at once for what can be
    known before any work.
    """

    def __init__(
        self,
        path: str | Path,
        size: tuple[int, int],
        rate: Fraction,
        *,
        audio_from: str | Path | None = None,
        audio_start_s: float = 0.0,
        audio_end_s: float | None = None,
        overwrite: bool = False,
        crf: int = 18,  # visually lossless for H.264 (x264's documentation)
    ) -> None:
        if rate <= 0 or min(size) <= 0:
            raise ValueError(f"a video needs a positive size and rate, not {size} and {rate}")
        self._target = OutputTarget(path, suffixes=OUTPUT_SUFFIXES, overwrite=overwrite)
        self.path = self._target.path
        self.size = size
        self._rate = rate
        self._crf = crf
        self._audio_from = None if audio_from is None else Path(audio_from)
        self._audio_start_s = audio_start_s
        self._audio_end_s = math.inf if audio_end_s is None else audio_end_s
        self._encoder: Encoder | None = None
        self._last_s = -math.inf
        self.is_published = False

    def __enter__(self) -> Self:
        try:
            with self._target.translated_errors():
                self._encoder = self._open_encoder(self._target.create())
        except BaseException:
            self._target.discard()
            raise
        return self

    def write(self, image: NDArray[np.uint8], timestamp_s: float) -> None:
        """Add an RGB image `(height, width, 3)`; timestamps start at or after 0 and increase."""
        if self._encoder is None:
            raise ValueError("write() belongs inside the with block of the VideoWriter")
        if image.shape != (self.size[1], self.size[0], 3) or image.dtype != np.uint8:
            raise ValueError(f"expected uint8 RGB of size {self.size}, not {image.dtype} {image.shape}")
        if timestamp_s < 0 or timestamp_s <= self._last_s:
            raise ValueError(f"timestamp {timestamp_s} s does not come after {max(self._last_s, 0.0)} s")
        with self._target.translated_errors():
            self._encoder.write(image, timestamp_s)
        self._last_s = timestamp_s

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        is_complete = False
        try:
            if error is None:
                self._complete()
                is_complete = True
        finally:
            if not is_complete:
                self._abandon()
            self._encoder = None

    def _open_encoder(self, partial: Path) -> Encoder:
        if self._target.is_folder:
            return FolderEncoder(partial)
        if partial.suffix.lower() == ".gif":
            return GifEncoder(partial, self.size, self._rate)
        return ContainerEncoder(
            partial,
            self.size,
            self._rate,
            crf=self._crf,
            audio_from=self._audio_from,
            audio_start_s=self._audio_start_s,
            audio_end_s=self._audio_end_s,
        )

    def _complete(self) -> None:
        if self._encoder is None or self._last_s < 0:
            raise OutputError(f"{self.path} was not written: there was no frame")
        with self._target.translated_errors():
            self._encoder.close()
            self._target.publish()
        self.is_published = True

    def _abandon(self) -> None:
        try:
            if self._encoder is not None:
                self._encoder.abandon()
        finally:
            self._target.discard()


class _Source(Protocol):
    """A video file or a sequence of images."""

    size: tuple[int, int]
    rate: Fraction
    tick_s: float  # finest step of its timestamps
    duration_s: float | None
    frame_count: int | None
    has_audio: bool
    broken_s: float | None  # from where on the file is known to be broken

    def pictures(self, start_s: float, end_s: float) -> Iterator[Picture]: ...


def _open_source(path: Path, sequence_rate: Fraction, longest_px: int | None, threads: int) -> _Source:
    if path.is_dir():
        return ImageSequence.from_folder(path, sequence_rate, longest_px)
    check_local_file(path)
    if is_image(path):
        return ImageSequence([path], sequence_rate, longest_px)
    return VideoFile(path, longest_px, threads)


def _resampled(pictures: Iterator[Picture], fps: Fraction, length_s: float, slack_s: float) -> Iterator[Frame]:
    """Hold each picture until the next one begins; `length_s` bounds the last one."""
    held: Picture | None = None
    index = 0
    for picture in pictures:
        while held is not None and index / fps < picture.time_s - slack_s:
            yield Frame(held.image(), float(index / fps))
            index += 1
        held = picture
    while held is not None and index / fps < min(held.time_s + held.duration_s, length_s) - slack_s:
        yield Frame(held.image(), float(index / fps))
        index += 1
