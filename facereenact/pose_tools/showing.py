"""show_pose(): a track as a video, on the pictures that it was made from, or the bare guide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from body import PoseSequence
from body.guides import draw_guides
from body.storage import load_pose
from facereenact.errors import InputError
from facereenact.images import MAX_PIXELS
from facereenact.output_target import OutputTarget
from facereenact.pose_tools.measures import end_s, mean_rate, step_s
from facereenact.pose_tools.settings import PoseShowSettings
from facereenact.streams import ahead
from facereenact.video import OUTPUT_SUFFIXES, Frame, VideoReader, VideoWriter
from facereenact.video_encoder import CONTAINER_SUFFIXES

Image = NDArray[np.uint8]
Progress = Callable[[str, int, int | None], None]

SAME_SHAPE = 0.01  # share by which the proportions of a scaled video may differ from the track's
DARKENED = 0.6  # the picture under the guide
GUIDE_SIDE_PX = 640  # shorter side at which a guide is drawn, so that its lines are wide enough on large pictures
LOST = (255, 176, 0)  # border of frames without the person


@dataclass(frozen=True)
class Shown:
    """What was made."""

    output: Path
    frames: int
    frames_without_person: int
    size: tuple[int, int]  # width, height, pixels
    has_audio: bool


def show_pose(path: Path, settings: PoseShowSettings, *, progress: Progress = lambda *_: None) -> Shown:
    """Draw a track on its video, or its guide on black, and write the result.

    Args:
        path: the pose file.
        settings: where to draw and to write.
        progress: told the stage, the frames done, and the frames in all.

    Raises:
        InputError: the track or the video cannot be used, or they do not belong together.
        OutputError: the result cannot be written.
    """
    OutputTarget(settings.output, suffixes=OUTPUT_SUFFIXES, overwrite=settings.overwrite)
    track = load_pose(path)
    for needed in (path, settings.video):
        if needed is not None and settings.output.resolve() in (needed.resolve(), *needed.resolve().parents):
            raise InputError(f"{settings.output} is an input or holds one; choose another output")
    if settings.video is None:
        return _write(track, mean_rate(track), None, _guides(track), settings, progress)
    end = settings.video_start + end_s(track) - step_s(track) / 2
    reader = VideoReader(settings.video, start_s=settings.video_start, end_s=end)
    track = _scaled(track, path, reader, settings.video)
    audio = settings.video if reader.info.has_audio else None
    return _write(track, reader.info.rate, audio, _overlays(track, reader), settings, progress)


def _write(
    track: PoseSequence,
    rate: Fraction,
    audio: Path | None,
    frames: Iterator[tuple[Frame, bool]],
    settings: PoseShowSettings,
    progress: Progress,
) -> Shown:
    shown = lost = 0
    sound: dict[str, Any] = {"audio_from": audio, "audio_start_s": settings.video_start}
    with VideoWriter(settings.output, track.size, rate, overwrite=settings.overwrite, **sound) as writer:
        for frame, is_seen in frames:
            writer.write(frame.image, frame.timestamp_s)
            shown += 1
            lost += not is_seen
            progress("drawing", shown, max(shown, len(track)))
    has_audio = audio is not None and settings.output.suffix.lower() in CONTAINER_SUFFIXES
    return Shown(settings.output, shown, lost, track.size, has_audio)


def _guides(track: PoseSequence) -> Iterator[tuple[Frame, bool]]:
    if track.size[0] * track.size[1] > MAX_PIXELS:
        raise InputError(f"frames of {track.size[0]}x{track.size[1]} are too large to draw")
    for guide, time_s, is_seen in zip(draw_guides(track), track.timestamps_s, track.detected, strict=True):
        yield Frame(guide, float(time_s)), bool(is_seen)


def _overlays(track: PoseSequence, reader: VideoReader) -> Iterator[tuple[Frame, bool]]:
    """Each frame of the video with the track's nearest frame on it."""
    zoom = max(1.0, min(track.size) / GUIDE_SIDE_PX)
    small = (max(1, round(track.size[0] / zoom)), max(1, round(track.size[1] / zoom)))
    with closing(ahead(reader)) as frames:
        for frame in frames:
            index = int(np.abs(track.timestamps_s - frame.timestamp_s).argmin())
            (guide,) = draw_guides(track[index : index + 1], small)
            image = overlay(frame.image, guide, is_seen=bool(track.detected[index]))
            yield Frame(image, frame.timestamp_s), bool(track.detected[index])


def overlay(image: Image, guide: Image, *, is_seen: bool) -> Image:
    """A picture with a guide on it, and an orange border where the person was not seen."""
    size = (image.shape[1], image.shape[0])
    guide = np.asarray(cv2.resize(guide, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    result = np.where(guide.any(axis=2, keepdims=True), guide, (image * DARKENED).astype(np.uint8))
    if not is_seen:
        width = max(2, round(min(size) / 60))
        cv2.rectangle(result, (0, 0), (size[0] - 1, size[1] - 1), LOST, 2 * width)
    return np.asarray(result, np.uint8)


def _scaled(track: PoseSequence, path: Path, reader: VideoReader, video: Path) -> PoseSequence:
    """The track in the pixels of the video.

    Raises:
        InputError: the video has other proportions.
    """
    width, height = reader.info.size
    if abs(width / track.size[0] / (height / track.size[1]) - 1) > SAME_SHAPE:
        raise InputError(
            f"{video} is {width}x{height}, but {path} was tracked in frames of {track.size[0]}x{track.size[1]}; "
            "give the video that it was made from"
        )
    return track.resized(reader.info.size)
