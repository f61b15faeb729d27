"""The engine for a Ray cluster: a task a clip, retried by Ray where a machine or one of Ray's processes is lost."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from functools import cache
from typing import Any

from checkpoints.storage import NotInstalledError
from facereenact.errors import FacereenactError, InputError
from facereenact.preprocessing.results import ClipResult
from facereenact.preprocessing.stores import Clip
from facereenact.preprocessing.worker import Worker
from facereenact.preprocessing.worker_process import Work, cores

RETRIES = 5  # of a task whose machine or Ray process was lost; a clip's own faults are counted by `Worker`
KNOCK_S = 10.0
QUIET: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
WAITING = 2  # tasks handed out ahead, for each core of the cluster

log = logging.getLogger(__name__)


class RayEngine:
    """A core of a Ray cluster for each clip.

    Args:
        address: of a cluster, "auto" for the one that this machine belongs to, or None to start Ray here for the run.
            The machines of a cluster need this package, the tracker's networks, and the output at the same path.
        workers: how many clips to do at once; by default as many as there are cores.
    """

    def __init__(self, address: str | None = None, workers: int | None = None) -> None:
        self.address = address
        self.workers = workers

    def run(self, work: Work, clips: Iterable[Clip], *, timeout_s: float) -> Generator[ClipResult]:
        """See `Engine`. Raises NotInstalledError: Ray is missing; InputError: there is no such cluster."""
        try:
            import ray
        except ImportError as error:
            raise NotInstalledError("--engine ray needs Ray: pip install 'facereenact[ray]'") from error
        with self._connected(ray):
            task = ray.remote(num_cpus=1, max_retries=RETRIES)(done)
            shared = ray.put(work)
            pending: dict[Any, Clip] = {}
            try:
                for clip in clips:
                    pending[task.remote(shared, clip, timeout_s)] = clip
                    while len(pending) >= self._most_pending(ray):
                        yield _next(ray, pending)
                while pending:
                    yield _next(ray, pending)
            finally:
                for reference in pending:
                    ray.cancel(reference, force=True)

    def _most_pending(self, ray: Any) -> int:
        """What keeps every core busy; a cluster may grow and shrink while it works."""
        if self.workers is not None and self.address is not None:
            return self.workers
        return (1 + WAITING) * max(1, int(ray.cluster_resources().get("CPU", 1)))

    @contextmanager
    def _connected(self, ray: Any) -> Generator[None]:
        """Raises InputError: there is no such cluster."""
        if ray.is_initialized():
            yield
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
        with _own_signals():
            if self.address is None:
                count = self.workers or cores()
                ray.init(address="local", num_cpus=count, include_dashboard=False, **QUIET)
            else:
                try:
                    _knock(self.address)
                    ray.init(address=self.address, **QUIET)
                except (OSError, RuntimeError, ValueError) as error:
                    raise InputError(
                        f"no Ray cluster at {self.address!r} ({error}); start one with `ray start --head`, or leave "
                        "--ray-address out to start Ray for this run"
                    ) from error
        try:
            yield
        finally:
            ray.shutdown()


def _knock(address: str) -> None:
    """Raises OSError: nobody answers. Ray itself would wait for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if port.isdecimal():
        socket.create_connection((host, int(port)), timeout=KNOCK_S).close()


@contextmanager
def _own_signals() -> Generator[None]:
    """Take back what Ray puts in place of the handler that lets SIGTERM clean up."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def _next(ray: Any, pending: dict[Any, Clip]) -> ClipResult:
    """The result of a task that is done."""
    (reference,), _ = ray.wait(list(pending), num_returns=1)
    clip = pending.pop(reference)
    try:
        answer: ClipResult | FacereenactError = ray.get(reference)
    except ray.exceptions.RayError as error:
        log.debug("%s", error)
        return ClipResult(clip, error=f"Ray lost its task {RETRIES + 1} times ({type(error).__name__})")
    if isinstance(answer, FacereenactError):
        raise answer
    return answer


def done(work: Work, clip: Clip, timeout_s: float) -> ClipResult | FacereenactError:
    """In a process of Ray: do a clip in a process below it, which may die without Ray's noticing."""
    try:
        return worker(timeout_s)(work, clip)
    except FacereenactError as error:
        return error


@cache  # Ray keeps its processes from task to task, and so the process below is kept with its networks
def worker(timeout_s: float) -> Worker:
    return Worker(timeout_s)
