"""The driver: a video, a still picture or a landmark file, behind one interface."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from body import PoseSequence
from body.storage import SUFFIX as POSE
from facereenact.errors import FaceNotFoundError, InputError
from facereenact.guide_tracking import open_guide_tracker
from facereenact.images import is_image
from facereenact.settings import DriveSettings
from facereenact.streams import ahead
from facereenact.video import VideoReader
from landmarks import LandmarkSequence
from landmarks.storage import SUFFIX, load_landmarks
from landmarks.tracking import track
from landmarks.types import ARRAYS

if TYPE_CHECKING:
    from landmarks.trackers import TrackerName

Image = NDArray[np.uint8]
Item = TypeVar("Item")
Sequence = TypeVar("Sequence", LandmarkSequence, PoseSequence)
Progress = Callable[[str, int, int | None], None]

log = logging.getLogger(__name__)


class Driver(Protocol):
    """Where the motion comes from."""

    path: Path
    rate: Fraction
    is_still: bool
    frame_count: int | None  # None where it shows only when it is read
    audio: Path | None  # the file whose sound belongs to the motion
    shows_face: bool  # whether `images` are pictures of the face, not only its points

    def track(self, progress: Progress) -> LandmarkSequence:
        """The landmarks of every frame; frames without a face are not filled in."""
        ...

    def images(self) -> Iterator[Image]:
        """The frames again, in step with the landmarks, for looking at and borrowing from."""
        ...


def open_driver(path: Path, settings: DriveSettings, tracker: TrackerName = "mediapipe") -> Driver:
    """One of the drivers that the settings name, in the time range and at the rate of the settings.

    Args:
        tracker: follows the face of one that was not tracked before.

    Raises:
        InputError: it cannot be read.
    """
    if path.name.endswith(POSE):
        raise InputError(f"{path} holds the motion of a body; give it as --body-driver")
    if path.name.endswith(SUFFIX):
        return LandmarkDriver(path, settings)
    if settings.prepared is not None and path.is_file() and not is_image(path):
        is_usual = settings.driver_face == "largest"
        prepared = prepared_track(settings.prepared, path) if is_usual else None
        if prepared is not None:
            return PreparedDriver(path, settings, prepared)
        log.warning("%s has no whole track in %s; it is tracked anew", path, settings.prepared)
    return VideoDriver(path, settings, tracker)


def prepared_track(folder: Path, path: Path) -> LandmarkSequence | None:
    """The track of a video in the output of `facereenact preprocess`, if it is there as one.

    Raises:
        InputError: the folder is no such output.
    """
    try:
        from facereenact.preprocessing.reading import track_of
    except ModuleNotFoundError as error:
        raise InputError(f"--prepared needs {error.name}; run: pip install 'facereenact[preprocess]'") from error
    return track_of(folder, path)


def open_reader(path: Path, span: tuple[float, float | None], fps: Fraction | None) -> VideoReader:
    """The frames from start to end, seconds; a picture has no length and is there in any case.

    Raises:
        InputError: it cannot be read.
    """
    start_s, end_s = (0.0, None) if path.is_file() and is_image(path) else span
    return VideoReader(path, start_s=start_s, end_s=end_s, fps=fps)


class VideoDriver:
    """A video, GIF, folder of images or single image."""

    shows_face = True

    def __init__(self, path: Path, settings: DriveSettings, tracker: TrackerName = "mediapipe") -> None:
        self._tracker: TrackerName = tracker
        self._reader = open_reader(path, settings.span, settings.fps)
        self.path = path
        self._face = settings.driver_face if path == settings.main_driver else "largest"
        self.rate = self._reader.info.rate
        self.frame_count: int | None = self._reader.info.frame_count
        self.is_still = self.frame_count == 1
        self.audio = path if self._reader.info.has_audio else None

    def track(self, progress: Progress) -> LandmarkSequence:
        total = self._reader.info.frame_count

        def frames() -> Iterator[tuple[Image, float]]:
            for index, frame in enumerate(stream):
                progress("tracking", index, total)
                yield frame.image, frame.timestamp_s

        with closing(ahead(self._reader)) as stream, open_guide_tracker(self._tracker, self._face) as tracker:
            try:
                sequence = track(frames(), tracker)
            except FaceNotFoundError:
                raise FaceNotFoundError(
                    f"{self.path}: no frame shows a face that can be found; use a video of one person facing the camera"
                ) from None
            except InputError as error:
                if isinstance(self._face, int) and tracker.faces_seen and not 0 <= self._face < tracker.faces_seen:
                    raise InputError(f"{self.path}: {error} (--driver-face)") from error
                raise
            if tracker.faces_seen > 1 and self._face == "largest":
                log.warning(
                    "%s shows %d faces; the largest drives (--driver-face chooses another)",
                    self.path,
                    tracker.faces_seen,
                )
        progress("tracking", len(sequence), len(sequence))
        return sequence

    def images(self) -> Iterator[Image]:
        return (frame.image for frame in self._reader)


class PreparedDriver(VideoDriver):
    """A video that was tracked before."""

    def __init__(self, path: Path, settings: DriveSettings, sequence: LandmarkSequence) -> None:
        super().__init__(path, settings)
        self._sequence = trimmed(sequence, ARRAYS, path, settings.span, settings.fps)

    def track(self, progress: Progress) -> LandmarkSequence:
        progress("tracking", len(self._sequence), len(self._sequence))
        return self._sequence

    def images(self) -> Iterator[Image]:
        """One for each row of the track, whatever rounding made of the times."""
        frames = iter(self._reader)
        frame = next(frames)
        following = next(frames, None)
        for time_s in self._sequence.timestamps_s:
            while following is not None and following.timestamp_s - time_s < time_s - frame.timestamp_s:
                frame, following = following, next(frames, None)
            yield frame.image


class LandmarkDriver:
    """A track that was saved before. It shows nobody: the driver stays private."""

    audio: Path | None = None
    shows_face = False

    def __init__(self, path: Path, settings: DriveSettings) -> None:
        self.path = path
        self._sequence = trimmed(load_landmarks(path), ARRAYS, path, settings.span, settings.fps)
        if not self._sequence.detected.any():
            raise FaceNotFoundError(f"{path}: no frame from {settings.start:g} s on shows a face")
        self.frame_count: int | None = len(self._sequence)
        self.is_still = self.frame_count == 1
        self.rate = settings.fps or mean_rate(self._sequence.timestamps_s)

    def track(self, progress: Progress) -> LandmarkSequence:
        progress("tracking", len(self._sequence), len(self._sequence))
        return self._sequence

    def images(self) -> Iterator[Image]:
        """The points on black: all that is known of the driver."""
        width, height = self._sequence.size
        radius = max(1, round(min(width, height) / 200))
        for points in self._sequence.points:
            canvas = np.zeros((height, width, 3), np.uint8)
            for x, y in points:
                cv2.circle(canvas, (int(x), int(y)), radius, (0, 255, 0), -1, cv2.LINE_AA)
            yield canvas


def mean_rate(time: NDArray[np.float64]) -> Fraction:
    """Frames per second of times (frames,); a single frame is shown for 1/25 s, as a picture is."""
    if len(time) < 2:
        return Fraction(25)
    return Fraction((len(time) - 1) / float(time[-1] - time[0])).limit_denominator(1001)


def trimmed(
    sequence: Sequence, arrays: tuple[str, ...], path: Path, span: tuple[float, float | None], fps: Fraction | None
) -> Sequence:
    """The part of a saved track from start to end, seconds, at a rate, timed from the start as `VideoReader` does.

    Args:
        arrays: the fields of the sequence that hold one value a frame.

    Raises:
        InputError: it has no frame there.
    """
    time = sequence.timestamps_s
    start_s = span[0] if len(time) > 1 else 0.0
    step = float(np.median(np.diff(time))) if len(time) > 1 else 0.04
    end = min(time[-1] + step, span[1] if span[1] is not None else np.inf)
    if fps is None:
        wanted = time[(time >= start_s - 1e-6) & (time < end - 1e-6)]
    else:
        wanted = np.arange(start_s, end - 1e-6, float(1 / fps))
    if not len(wanted):
        raise InputError(f"{path} has no frame from {start_s:g} s on; it lasts {time[-1] + step:.2f} s")
    held = np.maximum(np.searchsorted(time, wanted + 1e-6, "right") - 1, 0)
    values = {name: getattr(sequence, name)[held] for name in arrays}
    return replace(sequence, **{**values, "timestamps_s": np.maximum(wanted - start_s, 0)})


def in_step(items: Iterable[Item], own_s: NDArray[np.float64], times_s: NDArray[np.float64]) -> Iterator[Item]:
    """For each of the times the item whose own time is nearest; the last one holds.

    Args:
        items: read once, in order.
        own_s: (items,) seconds, increasing.
        times_s: (frames,) seconds, increasing.
    """
    nearest = np.searchsorted((own_s[1:] + own_s[:-1]) / 2, times_s)
    position, stream = -1, iter(items)
    held: Item | None = None
    for wanted in nearest:
        while position < wanted:
            held, position = next(stream, held), position + 1
        if held is not None:
            yield held
