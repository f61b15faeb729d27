"""Processes that work at once, and are killed while they do."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from facereenact.errors import OutputError
from facereenact.evaluation.workers import DIED, in_processes


def kill_me() -> None:
    """As the system does to a process that takes too much memory."""
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def work(item: str, *, folder: Path) -> str:
    """Tell the process; die where the item says so."""
    begun = folder / f"{item}.begun"
    is_first = not begun.exists()
    begun.write_text(begun.read_text() + "." if not is_first else ".")
    if item == "deadly" or (item == "deadly once" and is_first):
        kill_me()
    if item == "disk full":
        raise OutputError("the disk is full")
    return item.upper()


def outcomes(folder: Path, *items: str, jobs: int = 2) -> dict[str, str]:
    return dict(in_processes(partial(work, folder=folder), items, jobs))


def test_a_killed_process_takes_no_other_item_with_it(tmp_path: Path) -> None:
    found = outcomes(tmp_path, "a", "deadly", "b", "deadly once", "c")
    assert found == {"a": "A", "b": "B", "c": "C", "deadly once": "DEADLY ONCE", "deadly": DIED}
    begun = {path.stem: len(path.read_text()) for path in tmp_path.iterdir()}
    assert begun == {"a": 1, "b": 1, "c": 1, "deadly once": 2, "deadly": 2}


def test_an_error_ends_all(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="the disk is full"):
        outcomes(tmp_path, "disk full", "a", "b", jobs=1)
    assert not (tmp_path / "b.begun").exists()
