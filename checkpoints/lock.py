"""One process at a time may change a checkpoint."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from checkpoints.errors import OutputError

POLL_S = 0.2

log = logging.getLogger(__name__)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, waiting for whoever holds it; the system frees it when a process dies.

    Raises:
        OutputError: the file cannot be made or locked.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise OutputError(
            f"cannot write to {path.parent}: {error.strerror}; choose another with --checkpoints"
        ) from error
    try:
        told = False
        while not acquire(descriptor):
            if not told:
                log.warning("another process is busy with %s; waiting for it", path.stem)
                told = True
            time.sleep(POLL_S)
        yield
    finally:
        os.close(descriptor)  # which frees the lock


if sys.platform == "win32":
    import msvcrt

    def acquire(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def acquire(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise OutputError(
                f"the checkpoints' folder allows no locks ({error.strerror}); choose another with --checkpoints"
            ) from error
        return True
