"""What runs in a worker process: tasks come in by standard input, answers go out by standard output."""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO

from checkpoints.lock import acquire
from facereenact.errors import FacereenactError, OutputError
from facereenact.preprocessing.results import ClipResult
from facereenact.preprocessing.stores import Clip

Work = Callable[[Clip, Callable[[], None]], ClipResult]
"""What is done with a clip; it calls its second argument whenever something has come of it. It can be pickled."""

REARM_S = 0.5


@dataclass(frozen=True)
class Task:
    """A clip to be done."""

    work: Work
    clip: Clip
    timeout_s: float
    stack: Path  # where the stack is left when the time is up


def main() -> None:
    """Answer each task with its result or the exception that it raised; ends with the parent."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    settle_in()
    tasks: SimpleQueue[Task | Exception | None] = SimpleQueue()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, tasks), daemon=True, name="tasks").start()
    while True:
        task = tasks.get()
        pickle.dump(watched(task) if isinstance(task, Task) else task, answers)
        answers.flush()


def _receive(stream: BinaryIO, tasks: SimpleQueue[Task | Exception | None]) -> None:
    """Pass tasks on; when the parent is gone, however it went, this process has no business any more."""
    while True:
        try:
            message = pickle.load(stream)
        except EOFError:
            os._exit(0)
        try:
            tasks.put(pickle.loads(message))
        except Exception as error:  # a work that is defined where this process cannot import it
            tasks.put(FacereenactError(f"a worker cannot read its task: {error}"))


def watched(task: Task) -> ClipResult | Exception:
    """Do a task, and end the process once nothing has come of it for so long.

    The watch is a thread that needs no interpreter: a decoder that never returns does not hold it up.
    """
    with task.stack.open("w", encoding="utf-8") as file:
        armed_s = -REARM_S

        def feed() -> None:
            nonlocal armed_s
            if time.monotonic() - armed_s >= REARM_S:
                armed_s = time.monotonic()
                faulthandler.dump_traceback_later(task.timeout_s, exit=True, file=file)

        feed()
        try:
            return task.work(task.clip, feed)
        except Exception as error:
            return error
        finally:
            faulthandler.cancel_dump_traceback_later()


def settle_in() -> None:
    """Once: one thread, one core."""
    import cv2

    from facereenact.console import quiet_libraries

    quiet_libraries()
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its workers
    keep_a_core()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep_a_core() -> int | None:
    """Keep this process on one core that no other worker of this user keeps, and tell which; None where none is free.

    A file for each core is locked until the process ends. Decoders and MediaPipe start as many threads as they see
    cores, so that without it workers would crowd each other.
    """
    if sys.platform != "linux":
        return None
    for core in sorted(os.sched_getaffinity(0)):
        path = Path(tempfile.gettempdir()) / f"facereenact-{os.getuid()}-core-{core}.lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            if acquire(descriptor):  # and never closed: the lock is the process's
                os.sched_setaffinity(0, {core})
                return core
            os.close(descriptor)
        except (OSError, OutputError):
            return None
    return None


if __name__ == "__main__":
    # By its name, so that there is one `Task`.
    from facereenact.preprocessing.worker_process import main as run

    run()
