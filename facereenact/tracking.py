"""track(): the faces of a video or a camera as landmark files, packets and logs. What `facereenact track` calls."""

from __future__ import annotations

import logging
import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from facereenact.errors import InputError, OutputError
from facereenact.output_target import OutputTarget
from facereenact.streams import ahead
from facereenact.track_live import followed
from facereenact.track_parts import PartError, Progress, Work, cores, opened, raise_without_face, tracked
from facereenact.track_processes import part_count, read_in_parts
from facereenact.track_settings import TrackSettings
from facereenact.video import VideoReader
from landmarks import LandmarkSequence
from landmarks.smoothing import SMOOTHERS, fill_gaps
from landmarks.storage import SUFFIX, save_landmarks
from landmarks.trackers import TrackerName, choose_tracker
from landmarks.tracking import SequenceBuilder

log = logging.getLogger(__name__)


@dataclass
class TrackResult:
    """What was tracked, and where it is."""

    outputs: list[Path]  # a landmark file per face
    csv: Path | None
    tracker: str
    tracker_reason: str
    size: tuple[int, int]  # width, height, pixels
    frames: int
    seen: list[int]  # frames in which each face was seen
    is_filled: bool
    jobs: int  # parts that were tracked at once
    packets: int  # faces sent
    tracks: list[LandmarkSequence] = field(repr=False)
    seconds: float = 0.0  # wall time of the tracking


def track_video(settings: TrackSettings, *, progress: Progress = lambda *_: None) -> TrackResult:
    """Track the faces of a video or a camera and write what the settings ask for.

    Args:
        settings: what to do.
        progress: told the stage, the frames done, and the frames in all (None where unknown).

    Raises:
        NotInstalledError: the tracker needs networks that are not installed.
        InputError: the video, the camera or the address cannot be used; FaceNotFoundError where no frame shows a face.
        OutputError: a result cannot be written.
    """
    name, reason = chosen_tracker(settings)
    _check_outputs(settings)
    begun = time.perf_counter()
    work = followed(settings, name, progress) if settings.is_live else _read(settings, name, progress)
    seconds = time.perf_counter() - begun
    raise_without_face(work.part, settings)
    tracks = [_finished(each, settings) for each in sequences(work, settings.faces)]
    return TrackResult(
        outputs=_saved(tracks, settings),
        csv=settings.csv,
        tracker=work.tracker,
        tracker_reason=reason,
        size=work.size,
        frames=len(work.part.rows),
        seen=[int(track.detected.sum()) for track in tracks],
        is_filled=settings.fill,
        jobs=work.jobs,
        packets=work.packets,
        tracks=tracks,
        seconds=seconds,
    )


def chosen_tracker(settings: TrackSettings) -> tuple[TrackerName, str]:
    """The tracker to use and why."""
    if settings.tracker == "auto" and settings.needs_openseeface:
        return "openseeface", "auto: packets and logs state what OpenSeeFace sees"
    if settings.tracker == "auto" and settings.preset == "compat":
        return "openseeface", "auto: the preset is OpenSeeFace's"
    return choose_tracker(settings.tracker)


def sequences(work: Work, faces: int) -> list[LandmarkSequence]:
    """The landmarks of each face that was seen at all; frames without it are marked and not filled in."""
    found = []
    for place in range(faces):
        builder = SequenceBuilder(work.size, work.tracker)
        for time_s, row in zip(work.part.times_s, work.part.rows, strict=True):
            builder.add_face(row[place], time_s)
        if any(row[place] is not None for row in work.part.rows):
            found.append(builder.build())
    return found


def _finished(track: LandmarkSequence, settings: TrackSettings) -> LandmarkSequence:
    """Filled in and smoothed, as asked for; what is not to be filled is zero in the end."""
    result = fill_gaps(track)
    if settings.smooth != "none":
        result = SMOOTHERS[settings.smooth](result)
    if settings.fill:
        return result
    kept: dict[str, Any] = {}
    for name in ("points", "rotation", "translation", "eye_openness"):
        values = getattr(result, name)
        seen = track.detected.reshape(-1, *[1] * (values.ndim - 1))
        kept[name] = np.where(seen, values, 0).astype(np.float32)
    return replace(result, **kept)


def face_path(output: Path, index: int, faces: int) -> Path:
    """`NAME.0.landmarks.safetensors` and so on where there can be several faces."""
    return output if faces == 1 else output.with_name(f"{output.name.removesuffix(SUFFIX)}.{index}{SUFFIX}")


def _check_outputs(settings: TrackSettings) -> None:
    """Everything that can be known before the work.

    Raises:
        OutputError: a result exists already or cannot be put where it shall go.
        InputError: a result would replace the video.
    """
    results: dict[Path, tuple[str, ...]] = {}
    if settings.output_path is not None:
        if not settings.output_path.name.endswith(SUFFIX):
            raise OutputError(f"{settings.output_path}: the name of a landmark file ends in {SUFFIX}")
        for index in range(settings.faces):
            results[face_path(settings.output_path, index, settings.faces)] = (".safetensors",)
    if settings.csv is not None:
        results[settings.csv] = (".csv",)
    for path, suffixes in results.items():
        if settings.video is not None and path.resolve() in (
            settings.video.resolve(),
            *settings.video.resolve().parents,
        ):
            raise InputError(f"{path} is an input or holds one; choose another output")
        OutputTarget(path, suffixes=suffixes, overwrite=settings.overwrite)


def _saved(tracks: list[LandmarkSequence], settings: TrackSettings) -> list[Path]:
    """The files of the tracks; those of faces that an earlier run found and this one did not are removed."""
    if settings.output_path is None:
        return []
    paths = [face_path(settings.output_path, index, settings.faces) for index in range(settings.faces)]
    for path, track in zip(paths, tracks, strict=False):
        save_landmarks(track, path)
    for path in paths[len(tracks) :]:
        path.unlink(missing_ok=True)
    return paths[: len(tracks)]


def _read(settings: TrackSettings, name: TrackerName, progress: Progress) -> Work:
    """Track a video: in parts at once where that is quicker."""
    assert settings.video is not None
    reader = VideoReader(settings.video, start_s=settings.start, end_s=settings.end, fps=settings.fps)
    total = reader.info.frame_count
    # Resampled frames show what began before them, which a part that begins there cannot know.
    if settings.fps is None and total is not None and (count := part_count(total, settings.jobs or cores())) > 1:
        try:
            return read_in_parts(settings, name, count, reader, progress)
        except (PartError, InputError) as error:
            log.info("tracking from start to end: %s", error)
    with (
        closing(opened(name, settings)) as tracker,
        closing(ahead(reader)) as frames,
    ):
        part = tracked(frames, tracker, lambda done: progress("tracking", done, total))
        progress("tracking", len(part.rows), len(part.rows))
        return Work(part, reader.info.size, tracker.name)
