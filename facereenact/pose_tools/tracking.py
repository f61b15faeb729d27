"""track_pose(): one person of a video as a pose file. What `facereenact pose track` calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from body import PoseSequence
from body.estimators import choose_estimator, open_estimator
from body.people import PersonChoice, PersonNotFoundError
from body.smoothing import SMOOTHERS, fill_gaps
from body.storage import SUFFIX, save_pose
from body.tracking import Estimator, track
from facereenact.errors import InputError, OutputError
from facereenact.output_target import OutputTarget
from facereenact.pose_tools.settings import PoseTrackSettings
from facereenact.streams import ahead
from facereenact.video import VideoReader

Progress = Callable[[str, int, int | None], None]


@dataclass
class PoseTrackResult:
    """What was tracked, and where it is."""

    output: Path
    estimator: str
    estimator_reason: str
    frames: int
    seen: int  # frames in which the person was seen
    size: tuple[int, int]  # width, height, pixels
    seconds: float  # wall time of the tracking
    sequence: PoseSequence = field(repr=False)


def track_pose(settings: PoseTrackSettings, *, progress: Progress = lambda *_: None) -> PoseTrackResult:
    """Track one person of a video, fill gaps, smooth and write the points.

    Args:
        settings: what to do.
        progress: told the stage, the frames done, and the frames in all (None where unknown).

    Raises:
        NotInstalledError: the estimator needs networks that are not installed.
        InputError: the video cannot be used; PersonNotFoundError where it shows nobody, or not the chosen one.
        OutputError: the result cannot be written.
    """
    name, reason = choose_estimator(settings.estimator)
    _check_output(settings)
    reader = VideoReader(settings.video, start_s=settings.start, end_s=settings.end, fps=settings.fps)
    begun = time.perf_counter()
    with closing(open_estimator(name)) as estimator:
        sequence = follow(reader, estimator, person=settings.person, smooth=settings.smooth, progress=progress)
    seconds = time.perf_counter() - begun
    save_pose(sequence, settings.output_path)
    return PoseTrackResult(
        output=settings.output_path,
        estimator=sequence.estimator,
        estimator_reason=reason,
        frames=len(sequence),
        seen=int(sequence.detected.sum()),
        size=sequence.size,
        seconds=seconds,
        sequence=sequence,
    )


def follow(
    reader: VideoReader, estimator: Estimator, *, person: PersonChoice, smooth: str, progress: Progress
) -> PoseSequence:
    """One person of a video, gaps filled and smoothed.

    Raises:
        InputError: the video is broken; PersonNotFoundError where it shows nobody, or not the chosen one.
    """
    with closing(_frames(reader, progress)) as frames:
        try:
            sequence = track(frames, estimator, person=person)
        except PersonNotFoundError as error:
            raise PersonNotFoundError(f"{reader.path}: {error}") from error
    sequence = fill_gaps(sequence)
    return sequence if smooth == "none" else SMOOTHERS[smooth](sequence)


def _frames(reader: VideoReader, progress: Progress) -> Generator[tuple[NDArray[np.uint8], float]]:
    done = 0
    with closing(ahead(reader)) as stream:
        for done, frame in enumerate(stream, 1):
            yield frame.image, frame.timestamp_s
            progress("tracking", done, max(done, reader.info.frame_count or done))
    progress("tracking", done, done)


def _check_output(settings: PoseTrackSettings) -> None:
    """Everything about the result that can be known before the work."""
    output = settings.output_path
    if not output.name.endswith(SUFFIX):
        raise OutputError(f"{output}: the name of a pose file ends in {SUFFIX}")
    if output.resolve() in (settings.video.resolve(), *settings.video.resolve().parents):
        raise InputError(f"{output} is an input or holds one; choose another output")
    OutputTarget(output, suffixes=(".safetensors",), overwrite=settings.overwrite)
