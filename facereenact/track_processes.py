"""Tracking a video in parts at once: the first part here, each other one by a process of its own.

Processes and not threads: between the networks the trackers run Python, which only one thread at a time can do.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from threading import Thread
from typing import Self

from facereenact.track_parts import Part, PartError, Progress, Work, joined, opened, tracked
from facereenact.track_settings import TrackSettings
from facereenact.video import VideoReader
from landmarks.trackers import TrackerName

# Frames that a later part tracks before its own, until it sees what a tracker from the start would see: in so many the
# tracker of OpenSeeFace looks for a lost face everywhere.
WARM_UP = 15
HEAD_START = 100  # frames that the first part has more: about as many are tracked while a process starts
SHORTEST_PART = 90  # frames
POLL_S = 0.1
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # the other cores have parts of their own


@dataclass(frozen=True)
class PartTask:
    """What a process is to track."""

    settings: TrackSettings  # with the start and the end of the part
    tracker: TrackerName
    from_s: float  # is added to the times


def part_count(frames: int, wanted: int) -> int:
    """In how many parts, at most as many as wanted, so many frames are tracked the soonest."""
    return max(1, min(wanted, (frames - HEAD_START) // SHORTEST_PART))


def read_in_parts(
    settings: TrackSettings, name: TrackerName, count: int, reader: VideoReader, progress: Progress
) -> Work:
    """The whole video, tracked in so many parts.

    Raises:
        PartError: a part went wrong, or does not continue the one before.
        InputError: the first part cannot be tracked.
    """
    assert reader.info.frame_count is not None
    total, step_s = reader.info.frame_count, float(1 / reader.info.rate)
    share = (total - HEAD_START) / count
    # Cut in the middle between frames, so that no rounding decides to which part a frame belongs.
    cuts_s = [(round(HEAD_START + index * share) - 0.5) * step_s for index in range(1, count)]
    from_s = [0.0, *(cut_s - WARM_UP * step_s for cut_s in cuts_s)]
    ends_s = [*(settings.start + cut_s for cut_s in cuts_s), settings.end]
    first, *others = (
        PartTask(replace(settings, start=settings.start + start_s, end=end_s), name, start_s)
        for start_s, end_s in zip(from_s, ends_s, strict=True)
    )
    with ExitStack() as stack:
        processes = [stack.enter_context(PartProcess(task)) for task in others]

        def tell(done: int) -> None:
            progress("tracking", min(done + sum(process.frames_done() for process in processes), total), total)

        tracker = stack.enter_context(closing(opened(name, settings)))
        part = tracked(open_part(first), tracker, tell)
        for process in processes:
            while not process.wait(POLL_S):
                tell(len(part.rows))
        tell(len(part.rows))
        whole = joined([part, *(process.part for process in processes)], [0.0, *cuts_s])
        return Work(whole, reader.info.size, tracker.name, count)


def open_part(task: PartTask) -> VideoReader:
    """The frames of a part."""
    assert task.settings.video is not None
    # Other parts have the other cores: decoders with a thread for each would take a tenth of the speed.
    return VideoReader(task.settings.video, start_s=task.settings.start, end_s=task.settings.end, threads=1)


class PartProcess:
    """A process that tracks a part from now on; leaving the `with` block ends it, done or not."""

    def __init__(self, task: PartTask) -> None:
        self.part = Part([], [])  # grows
        self._error: PartError | None = None
        try:
            self._process = subprocess.Popen(
                # With the modules that this process has, and none from the current folder.
                [sys.executable, "-P", "-m", "facereenact.track_worker"],
                env={**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(sys.path)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for this process, which then ends the others
            )
        except OSError as error:
            raise PartError(f"no further process could be started ({error.strerror})") from error
        self._listener = Thread(target=self._listen, args=(task,), daemon=True, name="part")
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._listener.join()
        self._process.communicate()

    def frames_done(self) -> int:
        """How many frames of the part are there.

        Raises:
            PartError: the part went wrong.
        """
        if self._error is not None:
            raise self._error
        return len(self.part.rows)

    def wait(self, timeout_s: float) -> bool:
        """Whether the part is there, after waiting for it at most so long."""
        self._listener.join(timeout_s)
        return not self._listener.is_alive()

    def _listen(self, task: PartTask) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            pickle.dump(task, self._process.stdin)
            self._process.stdin.flush()
            while (message := pickle.load(self._process.stdout)) is not None:
                if isinstance(message, str):
                    raise PartError(message)
                self.part.times_s += message.times_s
                self.part.rows += message.rows
        except PartError as error:
            self._error = error
        except (OSError, EOFError, pickle.UnpicklingError):
            self._error = PartError("the process of a part has gone")
