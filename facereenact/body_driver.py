"""The body driver: a video, a still picture or a pose file, behind one interface."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from body import PoseSequence
from body.estimators import EstimatorName, choose_estimator, open_estimator
from body.guides import draw_guides
from body.people import PersonNotFoundError
from body.resampling import resample
from body.smoothing import fill_gaps
from body.storage import load_pose
from body.types import ARRAYS
from facereenact.driver import Progress, mean_rate, open_reader, trimmed
from facereenact.pose_tools.tracking import follow
from facereenact.settings import DriveSettings

Image = NDArray[np.uint8]


class BodyDriver(Protocol):
    """Where the motion of the body comes from."""

    path: Path
    rate: Fraction
    is_still: bool
    frame_count: int | None  # None where it shows only when it is read
    has_audio: bool
    estimator: EstimatorName  # what finds, or found, its points
    estimator_reason: str

    def track(self, progress: Progress) -> PoseSequence:
        """The person in every frame, gaps filled, smoothed."""
        ...

    def images(self) -> Iterator[Image]:
        """The frames again, in step with the points, for looking at."""
        ...


def open_body_driver(settings: DriveSettings) -> BodyDriver:
    """The body driver that the settings name, in their time range and at their rate.

    Raises:
        InputError: it cannot be read.
        NotInstalledError: the estimator needs networks that are not installed.
    """
    path = cast(Path, settings.body.body_driver)
    return PoseDriver(path, settings) if path.name.endswith(".safetensors") else VideoBodyDriver(path, settings)


class VideoBodyDriver:
    """A video, GIF, folder of images or single image."""

    def __init__(self, path: Path, settings: DriveSettings) -> None:
        self._reader = open_reader(path, settings.body_span, settings.fps)
        self.path = path
        self._person, self._smooth = settings.body.body_person, settings.smooth
        self.rate = self._reader.info.rate
        self.frame_count: int | None = self._reader.info.frame_count
        self.is_still = self.frame_count == 1
        self.has_audio = self._reader.info.has_audio
        self.estimator, self.estimator_reason = choose_estimator(settings.body.body_estimator)

    def track(self, progress: Progress) -> PoseSequence:
        with closing(open_estimator(self.estimator)) as estimator:
            try:
                return follow(
                    self._reader,
                    estimator,
                    person=self._person,
                    smooth=self._smooth,
                    progress=lambda stage, done, total: progress(f"{stage} body", done, total),
                )
            except PersonNotFoundError as error:
                advice = "" if self._person == "largest" else " (--body-person)"
                raise PersonNotFoundError(f"{error}{advice}") from error

    def images(self) -> Iterator[Image]:
        return (frame.image for frame in self._reader)


class PoseDriver:
    """A track that was made before. It is taken as it is: whoever made it has smoothed it."""

    has_audio = False

    def __init__(self, path: Path, settings: DriveSettings) -> None:
        self.path = path
        sequence = trimmed(load_pose(path), ARRAYS, path, settings.body_span, None)
        if not sequence.detected.any():
            raise PersonNotFoundError(f"{path}: no frame from {settings.body_span[0]:g} s on shows the person")
        sequence = fill_gaps(sequence)
        if settings.fps is not None:
            frames = round(len(sequence) * settings.fps / mean_rate(sequence.timestamps_s))
            sequence = resample(sequence, np.arange(max(frames, 1)) / float(settings.fps))
        self._sequence = sequence
        self.frame_count: int | None = len(self._sequence)
        self.is_still = self.frame_count == 1
        self.rate = settings.fps or mean_rate(self._sequence.timestamps_s)
        self.estimator, self.estimator_reason = choose_estimator(settings.body.body_estimator)
        if settings.body.body_estimator == "auto" and self._sequence.estimator.startswith("mediapipe"):
            self.estimator, self.estimator_reason = "mediapipe", "auto: it made the pose file"

    def track(self, progress: Progress) -> PoseSequence:
        progress("tracking body", len(self._sequence), len(self._sequence))
        return self._sequence

    def images(self) -> Iterator[Image]:
        """The limbs on black: all that is known of the driver."""
        return draw_guides(self._sequence)
