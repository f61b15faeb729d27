"""Engines: where clips are worked on. Whichever it is and however many workers it has, the files are the same."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from queue import SimpleQueue
from typing import Protocol

from facereenact.preprocessing.results import ClipResult
from facereenact.preprocessing.stores import Clip
from facereenact.preprocessing.worker import Worker
from facereenact.preprocessing.worker_process import Work, cores

WAITING = 2  # clips handed out ahead, for each worker: none is ever idle, and a list of millions is never in flight


class Engine(Protocol):
    """Does the same work on many clips."""

    def run(self, work: Work, clips: Iterable[Clip], *, timeout_s: float) -> Generator[ClipResult]:
        """What came of each clip, as they are done; closing the generator stops the work.

        A clip that hangs for longer than the timeout, or kills its process, fails alone.

        Raises:
            FacereenactError: no clip can be done.
        """
        ...


class LocalEngine:
    """Processes of this machine, by default one for each core."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or cores()

    def run(self, work: Work, clips: Iterable[Clip], *, timeout_s: float) -> Generator[ClipResult]:
        with ExitStack() as stack:
            workers = [stack.enter_context(Worker(timeout_s)) for _ in range(self.workers)]
            yield from _shared(work, clips, workers)


def _shared(work: Work, clips: Iterable[Clip], workers: list[Worker]) -> Generator[ClipResult]:
    """What came of clips that workers share, each by a thread of this process."""
    idle: SimpleQueue[Worker] = SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def one(clip: Clip) -> ClipResult:
        worker = idle.get()
        try:
            return worker(work, clip)
        finally:
            idle.put(worker)

    pending: set[Future[ClipResult]] = set()
    with ThreadPoolExecutor(len(workers), thread_name_prefix="worker") as threads:
        try:
            for clip in clips:
                pending.add(threads.submit(one, clip))
                if len(pending) >= (1 + WAITING) * len(workers):
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            for future in pending:
                future.cancel()
            for worker in workers:
                worker.stop()
