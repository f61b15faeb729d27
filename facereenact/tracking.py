"""track(): the faces of a video or a camera as landmark files, packets and logs. What `facereenact track` calls."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

import cv2
import numpy as np

from facereenact.errors import FaceNotFoundError, InputError, OutputError
from facereenact.output_target import OutputTarget
from facereenact.streams import ahead
from facereenact.track_settings import TrackSettings
from facereenact.video import Frame, VideoReader
from landmarks import LandmarkSequence
from landmarks.live_smoothing import LIVE_RESPONSES, StateSmoother
from landmarks.openseeface import Face
from landmarks.openseeface.csv_log import CsvLog
from landmarks.openseeface.packets import FaceSender
from landmarks.smoothing import Smoother, fill_gaps
from landmarks.storage import SUFFIX, save_landmarks
from landmarks.trackers import FacesTracker, OpenSeeFaceFaces, TrackerName, choose_tracker, distance, open_tracker
from landmarks.tracking import SeenFace, SequenceBuilder

Row = list[SeenFace | None]
"""The faces of one frame, each person at the same index."""

Progress = Callable[[str, int, int | None], None]

log = logging.getLogger(__name__)

SMOOTHERS = {"light": Smoother().scaled(0.5), "normal": Smoother(), "strong": Smoother().scaled(2)}
WARM_UP = 15  # frames that a later part tracks before its own, until it sees what a tracker from the start would see
SHORTEST_PART = 90  # frames; opening a tracker and warming it up would cost more than a shorter part saves
SAME_FACE = 0.5  # widths of the face, between two tracks of one person
SAME_TIME_S = 1e-4
POLL_S = 0.1


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


@dataclass
class Part:
    """A stretch of a video as one tracker saw it."""

    times_s: list[float]
    rows: list[Row]

    def since(self, time_s: float) -> Part:
        """The frames from a time on."""
        first = int(np.searchsorted(self.times_s, time_s))
        return Part(self.times_s[first:], self.rows[first:])


class _NotJoinableError(Exception):
    """Two parts do not continue each other."""


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
    work = _followed(settings, name, progress) if settings.is_live else _read(settings, name, progress)
    seconds = time.perf_counter() - begun
    _require_face(work.part, settings)
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


@dataclass
class Work:
    """What tracking gave."""

    part: Part
    size: tuple[int, int]  # width, height, pixels
    tracker: str
    jobs: int = 1
    packets: int = 0


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


def _require_face(part: Part, settings: TrackSettings) -> None:
    if any(face is not None for row in part.rows for face in row):
        return
    where = settings.video if settings.camera is None else f"camera {settings.camera}"
    raise FaceNotFoundError(
        f"{where}: no frame shows a face that can be found; use a video of a person facing the camera"
    )


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
    jobs = 1 if settings.fps is not None or total is None else min(settings.jobs or cores(), total // SHORTEST_PART)
    if jobs > 1:
        trackers = [open_tracker(name, faces=settings.faces, preset=settings.preset) for _ in range(jobs)]
        try:
            part = _read_in_parts(settings, trackers, reader, progress)
            return Work(part, reader.info.size, trackers[0].name, jobs)
        except (_NotJoinableError, InputError) as error:
            log.info("tracking from start to end: %s", error)
        finally:
            for tracker in trackers:
                tracker.close()
    with closing(open_tracker(name, faces=settings.faces, preset=settings.preset)) as tracker:
        part = tracked(reader, tracker, lambda done: progress("tracking", done, total))
        progress("tracking", len(part.rows), len(part.rows))
        return Work(part, reader.info.size, tracker.name)


def tracked(
    frames: Iterable[Frame], tracker: FacesTracker, tell: Callable[[int], None], *, from_s: float = 0.0
) -> Part:
    """The faces of every frame; `from_s` is added to the times, `tell` is told how many frames are done."""
    part = Part([], [])
    with closing(ahead(frames)) as stream:
        for frame in stream:
            part.rows.append(tracker(frame.image))
            part.times_s.append(frame.timestamp_s + from_s)
            tell(len(part.rows))
    return part


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _read_in_parts(
    settings: TrackSettings, trackers: list[FacesTracker], reader: VideoReader, progress: Progress
) -> Part:
    """The whole video, a part by each tracker in a thread of its own.

    Raises:
        _NotJoinableError: a part does not continue the one before.
    """
    assert settings.video is not None and reader.info.frame_count is not None
    total, step_s = reader.info.frame_count, float(1 / reader.info.rate)
    # Cut in the middle between frames, so that no rounding decides to which part a frame belongs.
    cuts_s = [(round(index * total / len(trackers)) - 0.5) * step_s for index in range(1, len(trackers))]
    from_s = [0.0, *(cut_s - WARM_UP * step_s for cut_s in cuts_s)]
    ends_s = [*(settings.start + cut_s for cut_s in cuts_s), settings.end]
    readers = [
        VideoReader(settings.video, start_s=settings.start + start_s, end_s=end_s)
        for start_s, end_s in zip(from_s, ends_s, strict=True)
    ]
    done, stopped = [0] * len(trackers), Event()

    def work(index: int) -> Part:
        def tell(count: int) -> None:
            done[index] = count
            if stopped.is_set():
                raise InterruptedError

        return tracked(readers[index], trackers[index], tell, from_s=from_s[index])

    with ThreadPoolExecutor(len(trackers), thread_name_prefix="tracking") as pool:
        futures = [pool.submit(work, index) for index in range(len(trackers))]
        try:
            _wait(futures, lambda: progress("tracking", min(sum(done), total), total))
        finally:
            stopped.set()
    parts = [future.result() for future in futures]
    return joined(parts, [0.0, *cuts_s])


def _wait(futures: list[Future[Part]], tell: Callable[[], None]) -> None:
    """Until all are done, or one has failed."""
    while not all(future.done() for future in futures):
        finished, _ = wait(futures, timeout=POLL_S)
        for future in finished:
            future.result()
        tell()
    for future in futures:
        future.result()


def joined(parts: list[Part], from_s: list[float]) -> Part:
    """One part of several, of which each begins some frames before its own time `from_s` to show who is who.

    Raises:
        _NotJoinableError: the frames or the faces shared by two parts are not the same.
    """
    whole = parts[0]
    for part, first_s in zip(parts[1:], from_s[1:], strict=True):
        own = part.since(first_s)
        lead = Part(part.times_s[: len(part.rows) - len(own.rows)], part.rows[: len(part.rows) - len(own.rows)])
        tail = Part(whole.times_s[-len(lead.rows) :], whole.rows[-len(lead.rows) :]) if lead.rows else Part([], [])
        is_same_time = len(tail.times_s) == len(lead.times_s) and np.allclose(
            tail.times_s, lead.times_s, rtol=0, atol=SAME_TIME_S
        )
        if not own.rows or not lead.rows or not is_same_time:
            raise _NotJoinableError(f"the clock of the video differs at {first_s:.2f} s")
        order = _places(tail.rows, lead.rows)
        rows: list[Row] = [[row[index] for index in order] for row in own.rows]
        whole = Part(whole.times_s + own.times_s, whole.rows + rows)
    return whole


def _places(before: list[Row], after: list[Row]) -> list[int]:
    """For each place of the rows before, the place of the same person in those after, by the frames that both saw."""
    faces = range(len(before[0]))
    apart: dict[tuple[int, int], float] = {}
    for place in faces:
        for other in faces:
            pairs = [(a[place], b[other]) for a, b in zip(before, after, strict=True)]
            distances = [distance(a, b) for a, b in pairs if a is not None and b is not None]
            if distances:
                apart[place, other] = float(np.median(distances))
    same: dict[int, int] = {}
    for (place, other), far in sorted(apart.items(), key=lambda item: item[1]):
        if far < SAME_FACE and place not in same and other not in same.values():
            same[place] = other
    if apart and not same:
        raise _NotJoinableError("its parts follow different faces")
    left = [other for other in faces if other not in same.values()]
    return [same[place] if place in same else left.pop(0) for place in faces]


def _followed(settings: TrackSettings, name: TrackerName, progress: Progress) -> Work:
    """Track frame by frame, and send and log what OpenSeeFace states meanwhile."""
    part, size, packets = Part([], []), (0, 0), 0
    with ExitStack() as stack:
        tracker = stack.enter_context(closing(open_tracker(name, faces=settings.faces, preset=settings.preset)))
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
        _require_face(part, settings)
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
