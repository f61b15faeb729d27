"""Who drives what: the drivers of one result, tracked and carried over to the source, part by part."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facereenact.driver import Driver, Progress, in_step, open_driver
from facereenact.errors import InputError
from facereenact.renderers.base import DriverFrame
from facereenact.settings import PARTS, DriveSettings
from landmarks import LandmarkSequence
from landmarks.mixing import Mixer, Take
from landmarks.retargeting import Retargeter
from landmarks.smoothing import SMOOTHERS, fill_gaps

if TYPE_CHECKING:
    from landmarks.trackers import TrackerName

Image = NDArray[np.uint8]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PartResult:
    """What moved one part of the face."""

    driver: Path
    neutral_frame: int  # of that driver, from 0
    gain: float


@dataclass(frozen=True, eq=False)
class Cast:
    """The drivers of one result, before they are tracked; a file that drives several parts is one driver."""

    settings: DriveSettings
    drivers: dict[Path, Driver]  # the main driver first

    @property
    def is_still(self) -> bool:
        """Whether the result is a single frame."""
        leader = _leader(self.settings)
        return self.drivers[leader].is_still if leader else all(driver.is_still for driver in self.drivers.values())

    @property
    def audio(self) -> Path | None:
        """The sound of the mouth's own driver; where it has none that of `driver`, the head's or the eyes'."""
        settings = self.settings
        paths = (settings.mouth_driver, settings.driver, settings.head_driver, settings.eyes_driver)
        return next((path for path in paths if path and self.drivers[path].audio), None)

    def track(self, progress: Progress) -> dict[Path, LandmarkSequence]:
        """The landmarks of every driver, gaps filled.

        Raises:
            FaceNotFoundError: a driver shows no face.
        """
        tracks = {}
        for path, driver in self.drivers.items():
            alone = len(self.drivers) == 1
            tracks[path] = fill_gaps(driver.track(progress if alone else _named(progress, _role(self.settings, path))))
            filled, frames = int((~tracks[path].detected).sum()), len(tracks[path])
            if filled:
                whose = "" if alone else f"{path}: "
                log.warning("%s%d of %d driver frames show no face; their motion is filled in", whose, filled, frames)
        return tracks

    def perform(self, source: LandmarkSequence, tracks: dict[Path, LandmarkSequence]) -> Performance:
        """Smooth the tracks and find out how each is carried over to the source.

        Raises:
            InputError: the asked neutral frame is not in the main driver.
        """
        smooth = SMOOTHERS.get(self.settings.smooth, _unchanged)
        takes = {path: self._take(path, smooth(track), source) for path, track in tracks.items()}
        lengths_s = {path: take.track.timestamps_s[-1] + 1 / self.drivers[path].rate for path, take in takes.items()}
        leader = _leader(self.settings) or max(lengths_s, key=lambda path: float(lengths_s[path]))
        return Performance(self, source, takes, takes[leader].track.timestamps_s, self.drivers[leader].rate)

    def _take(self, path: Path, track: LandmarkSequence, source: LandmarkSequence) -> Take:
        motion = self.settings.motion
        if len(track) == 1 and motion == "relative":
            log.warning(
                "a still driver has no motion of its own; its pose and mouth are taken as they are (--motion absolute)"
            )
            motion = "absolute"
        neutral = self.settings.neutral_frame if path == self.settings.main_driver else None
        try:
            return Take(track, Retargeter(track, source, motion=motion, neutral_frame=neutral))
        except ValueError as error:
            raise InputError(f"--neutral-frame: {error}") from error


@dataclass(frozen=True, eq=False)
class Performance:
    """What the source is to do, frame by frame."""

    cast: Cast
    source: LandmarkSequence
    takes: dict[Path, Take]
    times_s: NDArray[np.float64]  # (frames,) when the frames show, seconds; the leading driver's
    rate: Fraction  # frames per second, the leading driver's

    @property
    def parts(self) -> dict[str, PartResult]:
        """What moves each part that moves."""
        settings = self.cast.settings
        return {
            part: PartResult(path, self.takes[path].retargeter.neutral_frame, settings.gains[part])
            for part, path in settings.part_drivers.items()
        }

    def landmarks(self) -> Iterator[LandmarkSequence]:
        """The landmarks of the source, one frame at a time."""
        settings = self.cast.settings
        takes = {part: self.takes[path] for part, path in settings.part_drivers.items()}
        return Mixer(self.source, takes, settings.gains).frames(self.times_s)

    def mouths(self) -> Iterator[DriverFrame] | None:
        """The pictures that the inside of the mouth is borrowed from, one a frame; None where it is painted."""
        path = self.cast.settings.part_drivers.get("mouth")
        if path is None or self.cast.settings.mouth == "painted" or not self.cast.drivers[path].shows_face:
            return None
        track = self.takes[path].track
        frames = (DriverFrame(*pair) for pair in zip(self.cast.drivers[path].images(), track.points, strict=False))
        return in_step(while_seen(frames, track.detected), track.timestamps_s, self.times_s)

    def main_images(self) -> Iterator[Image]:
        """The pictures of the main driver, one a frame."""
        main = self.cast.settings.main_driver
        return in_step(self.cast.drivers[main].images(), self.takes[main].track.timestamps_s, self.times_s)


def while_seen(frames: Iterable[DriverFrame], detected: NDArray[np.bool_]) -> Iterator[DriverFrame]:
    """As many frames; where one shows no face the last that does, before the first such frame that one."""
    held: DriverFrame | None = None
    waiting = 0
    for frame, is_seen in zip(frames, detected, strict=False):
        waiting += 1
        held = frame if is_seen else held
        if held is not None:
            yield from repeat(held, waiting)
            waiting = 0


def open_cast(settings: DriveSettings, tracker: TrackerName = "mediapipe") -> Cast:
    """Open every driver that the settings name; `tracker` follows the faces of videos.

    Raises:
        InputError: one cannot be read.
    """
    return Cast(settings, {path: open_driver(path, settings, tracker) for path in settings.drivers})


def _leader(settings: DriveSettings) -> Path | None:
    """The driver of the face that the settings ask to give the length, if they do."""
    if settings.length_from == "driver":
        return settings.driver
    return settings.part_drivers[settings.length_from] if settings.length_from in PARTS else None


def _role(settings: DriveSettings, path: Path) -> str:
    """The parts that a driver moves, in words."""
    return "+".join(part for part, driver in settings.part_drivers.items() if driver == path)


def _named(progress: Progress, role: str) -> Progress:
    """The same, which tells the role with the stage."""
    return lambda stage, done, total: progress(f"{stage} {role}", done, total)


def _unchanged(track: LandmarkSequence) -> LandmarkSequence:
    return track
