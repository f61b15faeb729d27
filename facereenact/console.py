"""What reaches the terminal: the console that progress bars and log messages share, and what is kept off it."""

from __future__ import annotations

import atexit
import faulthandler
import logging
import os
import re
import sys
from functools import lru_cache
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

OUR_LOGGERS = ("facereenact", "landmarks", "body", "checkpoints")

CHATTER = re.compile(
    rb"Created TensorFlow Lite XNNPACK delegate"
    rb"|All log messages before absl::InitializeLog"
    rb"|inference_feedback_manager\.cc"
    rb"|landmark_projection_calculator\.cc"
    rb"|gl_context(_egl)?\.cc"
    rb"|onnxruntime.*device_discovery\.cc"
)
"""Lines that C++ libraries write whatever one does; MediaPipe 0.10.21 obeys none of its log level variables."""


@lru_cache(maxsize=1)
def console() -> Console:
    """The one console on stderr, so that messages appear above a running progress bar and stdout stays for results."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


class ConsoleHandler(logging.Handler):
    """Writes log messages to the shared console."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            prefix = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
            console().print(prefix + self.format(record), markup=False, soft_wrap=True)
        except Exception:
            self.handleError(record)


def show_log(level: int) -> None:
    """Show the messages of this project from `level` upwards."""
    for name in OUR_LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.handlers = [ConsoleHandler()]


def quiet_libraries() -> None:
    """Drop the lines of `CHATTER` from what C++ code writes to stderr, for the rest of the process.

    File descriptor 2 becomes a pipe that a thread filters; Python's own stderr goes to the terminal directly, and so
    does the report of a crash, which a pipe within the process would lose. `show_libraries` undoes it. Nothing happens
    when stderr is not the process's own (under a test runner) or is filtered already.
    """
    global _filter
    if _filter is None and _owns_descriptor_2():
        _filter = StderrFilter()


def show_libraries() -> None:
    """Let every line through again."""
    global _filter
    if _filter is not None:
        _filter.close()
        _filter = None


class StderrFilter:
    """Owns the pipe behind file descriptor 2."""

    def __init__(self) -> None:
        sys.stderr.flush()
        self.terminal = os.dup(2)
        sys.stderr = os.fdopen(self.terminal, "w", 1, sys.stderr.encoding, "backslashreplace", closefd=False)
        faulthandler.enable(sys.stderr)
        reader, writer = os.pipe()
        os.dup2(writer, 2)
        os.close(writer)
        self.thread = Thread(target=self.forward, args=(reader,), daemon=True, name="stderr-filter")
        self.thread.start()
        atexit.register(self.close)

    def forward(self, reader: int) -> None:
        with open(reader, "rb") as lines:
            for line in lines:
                if not CHATTER.search(line):
                    os.write(self.terminal, line)

    def close(self) -> None:
        os.dup2(self.terminal, 2)
        self.thread.join(timeout=1)  # a child process may hold the other end
        atexit.unregister(self.close)


_filter: StderrFilter | None = None


def _owns_descriptor_2() -> bool:
    try:
        return sys.stderr.fileno() == 2
    except (AttributeError, OSError, ValueError):
        return False
