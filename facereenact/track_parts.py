"""Tracking a video in parts at once: each part by a tracker of its own, then joined by who is who."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from threading import Event

import numpy as np

from facereenact.errors import FaceNotFoundError
from facereenact.streams import ahead
from facereenact.track_settings import TrackSettings
from facereenact.video import Frame, VideoReader
from landmarks.trackers import FacesTracker, distance
from landmarks.tracking import SeenFace

Row = list[SeenFace | None]
"""The faces of one frame, each person at the same index."""

Progress = Callable[[str, int, int | None], None]

WARM_UP = 15  # frames that a later part tracks before its own, until it sees what a tracker from the start would see
SHORTEST_PART = 90  # frames; opening a tracker and warming it up would cost more than a shorter part saves
SAME_FACE = 0.5  # widths of the face, between two tracks of one person
SAME_TIME_S = 1e-4
POLL_S = 0.1


@dataclass
class Part:
    """A stretch of a video as one tracker saw it."""

    times_s: list[float]
    rows: list[Row]

    def since(self, time_s: float) -> Part:
        """The frames from a time on."""
        first = int(np.searchsorted(self.times_s, time_s))
        return Part(self.times_s[first:], self.rows[first:])


@dataclass
class Work:
    """What tracking gave."""

    part: Part
    size: tuple[int, int]  # width, height, pixels
    tracker: str
    jobs: int = 1
    packets: int = 0


class NotJoinableError(Exception):
    """Two parts do not continue each other."""


def raise_without_face(part: Part, settings: TrackSettings) -> None:
    """Raises FaceNotFoundError where no frame shows a face."""
    if any(face is not None for row in part.rows for face in row):
        return
    where = settings.video if settings.camera is None else f"camera {settings.camera}"
    raise FaceNotFoundError(
        f"{where}: no frame shows a face that can be found; use a video of a person facing the camera"
    )


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


def read_in_parts(
    settings: TrackSettings, trackers: list[FacesTracker], reader: VideoReader, progress: Progress
) -> Part:
    """The whole video, a part by each tracker in a thread of its own.

    Raises:
        NotJoinableError: a part does not continue the one before.
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
        NotJoinableError: the frames or the faces shared by two parts are not the same.
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
            raise NotJoinableError(f"the clock of the video differs at {first_s:.2f} s")
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
        raise NotJoinableError("its parts follow different faces")
    left = [other for other in faces if other not in same.values()]
    return [same[place] if place in same else left.pop(0) for place in faces]
