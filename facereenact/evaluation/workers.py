"""Several pieces of work at once, each in a process that may die without harm to the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from queue import SimpleQueue
from typing import Generic, TypeVar

from facereenact.console import quiet_libraries, show_log

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

ATTEMPTS = 2
DIED = "the process that worked on it was killed, twice: perhaps memory ran out; try fewer --jobs"


def in_processes(
    work: Callable[[Item], Outcome], items: Iterable[Item], jobs: int
) -> Iterator[tuple[Item, Outcome | str]]:
    """Each item with what came of it, or with why nothing did, in the order in which they are finished."""
    idle: SimpleQueue[Worker[Item, Outcome]] = SimpleQueue()
    workers: list[Worker[Item, Outcome]] = [Worker(work) for _ in range(jobs)]
    for worker in workers:
        idle.put(worker)

    def by_any(item: Item) -> Outcome | str:
        worker = idle.get()
        try:
            return worker(item)
        finally:
            idle.put(worker)

    with ThreadPoolExecutor(jobs) as threads:
        futures = {threads.submit(by_any, item): item for item in items}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            threads.shutdown(cancel_futures=True)
            for worker in workers:
                worker.close()


class Worker(Generic[Item, Outcome]):
    """A process for one item after another; the next one takes over from one that was killed."""

    def __init__(self, work: Callable[[Item], Outcome]) -> None:
        self._work = work
        self._pool = fresh_process()

    def __call__(self, item: Item) -> Outcome | str:
        for _ in range(ATTEMPTS):
            try:
                return self._pool.submit(self._work, item).result()
            except BrokenProcessPool:
                log.debug("the process that worked on %s was killed", item)
                self.close()
                self._pool = fresh_process()
        return DIED

    def close(self) -> None:
        self._pool.shutdown()


def fresh_process() -> ProcessPoolExecutor:
    """A pool of one, so that it is known which item it was at when it was killed."""
    # Not a fork: MediaPipe and OpenCV do not survive one.
    return ProcessPoolExecutor(1, get_context("spawn"), initializer=_begin)


def _begin() -> None:
    """What the command line does for its own process."""
    quiet_libraries()
    show_log(logging.WARNING)
