"""show(): a track as a video, on the pictures that it was made from or on black."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facereenact.errors import InputError
from facereenact.images import MAX_PIXELS
from facereenact.landmark_tools.formats import read_track
from facereenact.landmark_tools.measures import end_s, mean_rate, step_s
from facereenact.landmark_tools.overlay import Overlay
from facereenact.landmark_tools.settings import ShowSettings
from facereenact.output_target import OutputTarget
from facereenact.streams import ahead
from facereenact.video import OUTPUT_SUFFIXES, Frame, VideoReader, VideoWriter
from facereenact.video_encoder import CONTAINER_SUFFIXES
from landmarks import LandmarkSequence

Progress = Callable[[str, int, int | None], None]

SAME_SHAPE = 0.01  # share by which the proportions of a scaled video may differ from the track's

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shown:
    """What was made."""

    output: Path
    frames: int
    frames_without_face: int
    size: tuple[int, int]  # width, height, pixels
    has_audio: bool


def show_file(path: Path, settings: ShowSettings, *, progress: Progress = lambda *_: None) -> Shown:
    """Draw a track on its video, or on black, and write the result.

    Args:
        path: the track.
        settings: where to draw and to write.
        progress: told the stage, the frames done, and the frames in all.

    Raises:
        InputError: the track or the video cannot be used, or they do not belong together.
        OutputError: the result cannot be written.
    """
    OutputTarget(settings.output, suffixes=OUTPUT_SUFFIXES, overwrite=settings.overwrite)
    track = read_track(path)
    for needed in (path, settings.video):
        if needed is not None and settings.output.resolve() in (needed.resolve(), *needed.resolve().parents):
            raise InputError(f"{settings.output} is an input or holds one; choose another output")
    if settings.video is None:
        return _write(track, settings, _Black(track), progress)
    reader = VideoReader(
        settings.video, start_s=settings.video_start, end_s=settings.video_start + end_s(track) - step_s(track) / 2
    )
    pictures = _Pictures(reader, settings)
    return _write(_scaled(track, path, reader, settings), settings, pictures, progress)


class _Black:
    """A black picture at each time of a track."""

    audio: Path | None = None

    def __init__(self, track: LandmarkSequence) -> None:
        if track.size[0] * track.size[1] > MAX_PIXELS:
            raise InputError(f"frames of {track.size[0]}x{track.size[1]} are too large to draw")
        self._track = track
        self.rate = mean_rate(track)

    def __iter__(self) -> Iterator[Frame]:
        width, height = self._track.size
        black = np.full((height, width, 3), 12, np.uint8)
        return (Frame(black, time_s) for time_s in self._track.timestamps_s.tolist())


class _Pictures:
    """The frames of a video while the track lasts."""

    def __init__(self, reader: VideoReader, settings: ShowSettings) -> None:
        self._reader = reader
        self.rate = reader.info.rate
        self.audio = settings.video if reader.info.has_audio else None

    def __iter__(self) -> Iterator[Frame]:
        return iter(self._reader)


def _write(track: LandmarkSequence, settings: ShowSettings, pictures: _Black | _Pictures, progress: Progress) -> Shown:
    overlay, finder = Overlay(track), _Finder(track)
    sound = {"audio_from": pictures.audio, "audio_start_s": settings.video_start}
    shown = without_face = 0
    with (
        VideoWriter(settings.output, track.size, pictures.rate, overwrite=settings.overwrite, **sound) as writer,  # type: ignore[arg-type]
        closing(ahead(pictures)) as frames,
    ):
        for frame in frames:
            index = finder(frame.timestamp_s)
            writer.write(overlay.draw(frame.image, index), frame.timestamp_s)
            shown += 1
            without_face += index is None or not track.detected[index]
            progress("drawing", shown, max(shown, len(track)))
    if finder.last < len(track) - 1:
        log.warning("%s ends before the track: %d of %d frames are shown", settings.video, finder.last + 1, len(track))
    has_audio = pictures.audio is not None and settings.output.suffix.lower() in CONTAINER_SUFFIXES
    return Shown(settings.output, shown, without_face, track.size, has_audio)


class _Finder:
    """Finds the frame of a track that belongs to a time: the nearest, at most about a frame away."""

    def __init__(self, track: LandmarkSequence) -> None:
        self._times_s = track.timestamps_s
        self._reach_s = max(step_s(track), 0.04)
        self.last = -1  # frame that was found

    def __call__(self, time_s: float) -> int | None:
        after = int(np.searchsorted(self._times_s, time_s))
        near = [index for index in (after - 1, after) if 0 <= index < len(self._times_s)]
        index = min(near, key=lambda index: abs(self._times_s[index] - time_s))
        # Within a track of a varying rate a frame lasts until the next, however late that is.
        is_inside = self._times_s[0] <= time_s <= self._times_s[-1]
        if not is_inside and abs(self._times_s[index] - time_s) > self._reach_s:
            return None
        self.last = max(self.last, index)
        return index


def _scaled(track: LandmarkSequence, path: Path, reader: VideoReader, settings: ShowSettings) -> LandmarkSequence:
    """The track in the pixels of the video.

    Raises:
        InputError: the video has other proportions.
    """
    factors = np.array(reader.info.size, np.float64) / track.size
    if abs(factors[0] / factors[1] - 1) > SAME_SHAPE:
        width, height = reader.info.size
        raise InputError(
            f"{settings.video} is {width}x{height}, but {path} was tracked in frames of "
            f"{track.size[0]}x{track.size[1]}; give the video that it was made from"
        )
    return replace(track, points=(track.points * factors).astype(np.float32), size=reader.info.size)
