"""One run at a time writes to an output."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from checkpoints.lock import acquire
from facereenact.errors import OutputError
from facereenact.preprocessing.stores import Output, written_to

NAME = ".lock"


@contextmanager
def only_run(output: Output) -> Iterator[None]:
    """Hold the output. A folder of this machine is free again when its holder dies, however it dies.

    Raises:
        OutputError: another run holds it, or it cannot be held.
    """
    with _held_folder(output) if output.is_local else _held_store(output):
        yield


@contextmanager
def _held_folder(output: Output) -> Iterator[None]:
    path = Path(output.inside(NAME))
    with written_to(output.path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            is_ours = acquire(descriptor)
        except OutputError as error:
            raise OutputError(f"{output.path} is on a file system without locks; choose another output") from error
        if not is_ours:
            with contextlib.suppress(OSError):
                raise _taken(output, path.read_text("utf-8"))
            raise _taken(output, "")
        with written_to(output.path):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, _own_name().encode())
        yield
    finally:
        os.close(descriptor)  # which frees the lock


@contextmanager
def _held_store(output: Output) -> Iterator[None]:
    """A store has no locks that die with their holder: a marker, taken over where its process is known to be gone.

    It is put where there is none, which stores that can do so (S3, Google Cloud Storage) do in one step: of two runs
    that start at once, one has it.
    """
    path = output.inside(NAME)
    with written_to(output.path):
        holder = _holder(output, path)
        if _is_gone(holder):
            output.files.rm_file(path)
            holder = ""
        if not holder:
            try:
                output.files.pipe_file(path, _own_name().encode(), mode="create")
            except FileExistsError:
                holder = _holder(output, path) or "another"
        if holder:
            raise _taken(output, holder, f"; if that run was killed, remove {output.path}/{NAME}")
    try:
        yield
    finally:
        with contextlib.suppress(Exception):  # each store has exceptions of its own; the marker names a dead process
            output.files.rm_file(path)


def _holder(output: Output, path: str) -> str:
    """What the marker of a run says, "" where there is none."""
    try:
        return bytes(output.files.cat_file(path)).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _own_name() -> str:
    return json.dumps({"process": os.getpid(), "machine": socket.gethostname()})


def _is_gone(holder: str) -> bool:
    """Whether the process was one of this machine and runs no more."""
    try:
        about = json.loads(holder)
        return about["machine"] == socket.gethostname() and not psutil.pid_exists(about["process"])
    except (ValueError, KeyError, TypeError):
        return False


def _taken(output: Output, holder: str, advice: str = "") -> OutputError:
    try:
        about = json.loads(holder)
        who = f"another run (process {about['process']} on {about['machine']})"
    except (ValueError, KeyError, TypeError):
        who = "another run"
    return OutputError(f"{output.path} is in use by {who}: wait for it, or choose another output{advice}")
