"""The parts of a tracked video, and how they are joined by who is who."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facereenact.errors import FaceNotFoundError
from facereenact.track_settings import TrackSettings
from facereenact.video import Frame
from landmarks.identities import distance
from landmarks.trackers import FacesTracker, Following, TrackerName, open_tracker
from landmarks.tracking import SeenFace

Row = list[SeenFace | None]
"""The faces of one frame, each person at the same index."""

Progress = Callable[[str, int, int | None], None]

SAME_FACE = 0.5  # widths of the face, between two tracks of one person
SAME_TIME_S = 1e-4


@dataclass
class Part:
    """A stretch of a video as one tracker saw it."""

    times_s: list[float]
    rows: list[Row]

    def add(self, time_s: float, row: Row) -> None:
        """One more frame."""
        self.times_s.append(time_s)
        self.rows.append(row)

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


class PartError(Exception):
    """A part could not be tracked, or does not continue the one before."""


def raise_without_face(part: Part, settings: TrackSettings) -> None:
    """Raises FaceNotFoundError where no frame shows a face."""
    if any(face is not None for row in part.rows for face in row):
        return
    where = settings.video if settings.camera is None else f"camera {settings.camera}"
    raise FaceNotFoundError(
        f"{where}: no frame shows a face that can be found; use a video of a person facing the camera"
    )


def tracked(frames: Iterable[Frame], tracker: FacesTracker, tell: Callable[[int], None]) -> Part:
    """The faces of every frame; `tell` is told how many frames are done."""
    part = Part([], [])
    for time_s, row in timed_rows(frames, tracker):
        part.add(time_s, row)
        tell(len(part.rows))
    return part


def timed_rows(frames: Iterable[Frame], tracker: FacesTracker) -> Iterator[tuple[float, Row]]:
    """Time and faces of every frame, as the tracker follows them."""
    times_s: deque[float] = deque()

    def images() -> Iterator[NDArray[np.uint8]]:
        for frame in frames:
            times_s.append(frame.timestamp_s)
            yield frame.image

    for row in tracker.follow(images()):
        yield times_s.popleft(), row


def opened(name: TrackerName, settings: TrackSettings) -> FacesTracker:
    """The tracker that the settings describe.

    Raises:
        NotInstalledError: it needs networks that are not installed.
    """
    return open_tracker(
        name,
        Following(settings.faces, settings.face, settings.preset, settings.detector, settings.landmark_model),
    )


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def joined(parts: list[Part], from_s: list[float]) -> Part:
    """One part of several, of which each begins some frames before its own time `from_s` to show who is who.

    Raises:
        PartError: the frames or the faces shared by two parts are not the same.
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
            raise PartError(f"the clock of the video differs at {first_s:.2f} s")
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
        raise PartError("its parts follow different faces")
    left = [other for other in faces if other not in same.values()]
    return [same[place] if place in same else left.pop(0) for place in faces]
