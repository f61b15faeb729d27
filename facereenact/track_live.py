"""Tracking frame by frame as the frames come: a camera, OpenSeeFace's packets, its log."""

from __future__ import annotations

import socket
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager

import cv2
import numpy as np

from facereenact.errors import InputError
from facereenact.output_target import OutputTarget
from facereenact.streams import ahead
from facereenact.track_parts import Part, Progress, Work, opened, raise_without_face
from facereenact.track_settings import TrackSettings
from facereenact.video import Frame, VideoReader
from landmarks.live_smoothing import LIVE_RESPONSES, StateSmoother
from landmarks.openseeface import Face
from landmarks.openseeface.csv_log import CsvLog
from landmarks.openseeface.packets import FaceSender
from landmarks.trackers import OpenSeeFaceFaces, TrackerName


def followed(settings: TrackSettings, name: TrackerName, progress: Progress) -> Work:
    """Track frame by frame, and send and log what OpenSeeFace states meanwhile."""
    part, size, packets = Part([], []), (0, 0), 0
    with ExitStack() as stack:
        tracker = stack.enter_context(closing(opened(name, settings)))
        frames, total = _frames(settings, stack)
        writer = stack.enter_context(_log(settings)) if settings.csv else None
        sender = stack.enter_context(_sender(settings.send)) if settings.send else None
        smooth = _StateSmoothers(settings)
        begin_s: float | None = None
        try:
            for index, frame in enumerate(frames):
                size = (frame.image.shape[1], frame.image.shape[0])
                part.rows.append(tracker(frame.image))
                part.times_s.append(frame.timestamp_s)
                states = tracker.states if isinstance(tracker, OpenSeeFaceFaces) else []
                if writer is not None:
                    writer.write(states, frame=index + 1, time_s=frame.timestamp_s, size=size)
                if sender is not None:
                    begin_s = begin_s if begin_s is not None else time.monotonic() - frame.timestamp_s
                    if settings.camera is None:
                        time.sleep(max(0.0, begin_s + frame.timestamp_s - time.monotonic()))
                    _send(sender, smooth(states, frame.timestamp_s, size), settings, size)
                    packets += len(states)
                progress("tracking", index + 1, total)
        except KeyboardInterrupt:
            if settings.camera is None:
                raise
            del part.rows[len(part.times_s) :]  # the frame that was cut short
        if not part.rows:
            raise InputError(f"camera {settings.camera} gave no picture; check that nothing else uses it")
        raise_without_face(part, settings)
    return Work(part, size, tracker.name, packets=packets)


def _send(sender: FaceSender, states: list[Face], settings: TrackSettings, size: tuple[int, int]) -> None:
    try:
        sender.send(states, time_s=time.time(), size=size)
    except OSError as error:
        where = ":".join(map(str, settings.send or ()))
        raise InputError(f"--send: {where} cannot be reached ({error.strerror or error}); check the address") from error


class _StateSmoothers:
    """A live smoother per face."""

    def __init__(self, settings: TrackSettings) -> None:
        self._responses = LIVE_RESPONSES.get(settings.smooth)
        self._of: dict[int, StateSmoother] = {}

    def __call__(self, states: list[Face], time_s: float, size: tuple[int, int]) -> list[Face]:
        if self._responses is None:
            return states
        return [self._of.setdefault(face.number, StateSmoother(self._responses))(face, time_s, size) for face in states]


def _frames(settings: TrackSettings, stack: ExitStack) -> tuple[Iterable[Frame], int | None]:
    """The frames of the video or the camera, and how many there are."""
    if settings.camera is not None:
        return stack.enter_context(closing(camera_frames(settings.camera, end_s=settings.end))), None
    assert settings.video is not None
    reader = VideoReader(settings.video, start_s=settings.start, end_s=settings.end, fps=settings.fps)
    return stack.enter_context(closing(ahead(reader))), reader.info.frame_count


def camera_frames(number: int, *, end_s: float | None = None) -> Generator[Frame]:
    """The pictures of a camera as they come, timed from the first.

    Raises:
        InputError: it cannot be opened.
    """
    level = cv2.setLogLevel(0)  # silent: the error below says it in one line
    capture = cv2.VideoCapture(number)
    cv2.setLogLevel(level)
    try:
        if not capture.isOpened():
            raise InputError(
                f"camera {number} cannot be opened; check that it is plugged in and used by no other program, "
                "or give another number"
            )
        begun = None
        while True:
            is_read, image = capture.read()
            now = time.perf_counter()
            begun = now if begun is None else begun
            if not is_read or (end_s is not None and now - begun >= end_s):
                return
            yield Frame(np.ascontiguousarray(image[..., ::-1]), now - begun)
    finally:
        capture.release()


@contextmanager
def _log(settings: TrackSettings) -> Iterator[CsvLog]:
    """OpenSeeFace's log, which appears when it is complete. Its times are those of the video."""
    assert settings.csv is not None
    target = OutputTarget(settings.csv, suffixes=(".csv",), overwrite=settings.overwrite)
    is_complete = False
    try:
        with target.translated_errors(), target.create().open("w", newline="", encoding="utf-8") as file:
            yield CsvLog(file, fps=float(settings.fps or 0))
        with target.translated_errors():
            target.publish()
        is_complete = True
    finally:
        if not is_complete:
            target.discard()


@contextmanager
def _sender(address: tuple[str, int]) -> Iterator[FaceSender]:
    """Sends to an address.

    Raises:
        InputError: there is no such host, or it cannot be sent to.
    """
    host, port = address
    try:
        resolved = socket.gethostbyname(host)
    except OSError:
        raise InputError(f"--send: the host {host} is not known; give its name or its four numbers") from None
    with FaceSender((resolved, port)) as sender:
        yield sender
