"""One worker process that does one clip at a time and may die: killed, out of memory, crashed, or hung in a decoder.

`concurrent.futures` gives up all its processes when one dies, and has no timeouts; here a process fails alone.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from facereenact.errors import FacereenactError
from facereenact.preprocessing.results import ClipResult
from facereenact.preprocessing.stores import Clip
from facereenact.preprocessing.worker_process import Task, Work

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS")
ENVIRONMENT = {
    **dict.fromkeys(THREADS, "1"),
    "MALLOC_MMAP_THRESHOLD_": str(2 << 20),  # of glibc: pictures go back to the system and leave no holes of their size
}
ATTEMPTS = 2  # a process may be killed for what others did; a clip that takes two with it is at fault itself


class Worker:
    """A process of its own, started when it is needed and replaced when it dies. For one thread; `stop` is for any."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopped = False

    def __call__(self, work: Work, clip: Clip) -> ClipResult:
        """Do a clip; one that hangs for longer than the timeout, or takes two processes with it, has failed.

        Raises:
            FacereenactError: processes cannot be started, or the work says that no other clip can be done either.
        """
        cause = ""
        for _ in range(ATTEMPTS):
            process = self._started()
            with tempfile.TemporaryDirectory(prefix="facereenact-") as folder:
                stack = Path(folder) / "stack"
                try:
                    answer = _asked(process, Task(work, clip, self._timeout_s, stack))
                except EOFError:
                    self._process = None
                    cause = _ended(process)
                    if stack.is_file() and stack.stat().st_size:
                        return ClipResult(clip, error=f"gave no sign of life for {self._timeout_s:g} s (--timeout)")
                    continue
            if isinstance(answer, ClipResult):
                return answer
            raise answer
        return ClipResult(clip, error=f"its worker process died, and so did a second one ({cause})")

    def stop(self) -> None:
        """End the process, whatever it does: a clip that is being done has failed."""
        self._is_stopped = True
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """End the process, and wait until it has."""
        self.stop()
        if self._process is not None:
            _ended(self._process)
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _started(self) -> subprocess.Popen[bytes]:
        """The process, ready."""
        process = self._process
        if process is None:
            environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": os.pathsep.join(sys.path)}
            command = [sys.executable, "-m", "facereenact.preprocessing.worker_process"]
            try:
                process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
            except OSError as error:
                raise FacereenactError(f"no worker process can be started: {error.strerror or error}") from error
            self._process = process
            try:
                _asked(process, None)
            except EOFError:
                self._process = None
                raise FacereenactError(f"a worker process ended as it started: {_ended(process)}") from None
        if self._is_stopped:
            process.kill()
        return process


def _asked(process: subprocess.Popen[bytes], task: Task | None) -> ClipResult | Exception:
    """The answer of a process. Raises EOFError where it has died."""
    assert process.stdin is not None and process.stdout is not None
    try:
        pickle.dump(pickle.dumps(task), process.stdin)
        process.stdin.flush()
        answer: ClipResult | Exception = pickle.load(process.stdout)
        return answer
    except (OSError, pickle.UnpicklingError) as error:
        raise EOFError from error


def _ended(process: subprocess.Popen[bytes]) -> str:
    """How a process that answers no more ended."""
    process.kill()
    code = process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        try:
            pipe.close()
        except OSError:
            continue  # what was still to be sent
    if code < 0:
        name = signal.Signals(-code).name
        return f"{name}, which is how the system ends what takes too much memory" if name == "SIGKILL" else name
    return f"exit code {code}"
