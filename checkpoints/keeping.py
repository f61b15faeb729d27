"""Looking after what is installed: is it intact, and away with it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from checkpoints.digests import sha256_of
from checkpoints.errors import InputError
from checkpoints.published import Checkpoint, catalogue, find
from checkpoints.storage import (
    RECORD,
    UNFINISHED,
    NotInstalledError,
    Progress,
    changing,
    folder_of,
    how_to_install,
    read_record,
    silent,
)


@dataclass(frozen=True)
class Finding:
    """What became of one stored file."""

    path: Path
    state: Literal["intact", "changed", "missing"]
    checked: str  # what proved it when it came, as in the record


def recorded(*, root: Path | None = None) -> list[Checkpoint]:
    """The checkpoints of which something is stored."""
    return [entry for entry in catalogue() if (folder_of(entry, root) / RECORD).exists()]


def verify(checkpoint: str | Checkpoint, *, root: Path | None = None, progress: Progress = silent) -> list[Finding]:
    """Read every file of a checkpoint again and compare it with the hash recorded when it came.

    Raises:
        NotInstalledError: there is no record of it.
    """
    entry = find(checkpoint)
    folder = folder_of(entry, root)
    record = read_record(folder)
    if not record:
        raise NotInstalledError(how_to_install(entry, root))
    findings = [
        Finding(folder / file.stored_name, "missing", "")
        for file in entry.files
        if not file.optional and file.stored_name not in record
    ]
    for file in entry.files:
        if stored := record.get(file.stored_name):
            path = folder / file.stored_name
            stage = f"checking {file.stored_name}"
            if not path.is_file():
                findings.append(Finding(path, "missing", stored.checked))
            elif sha256_of(path, stage=stage, progress=progress) != stored.sha256:
                findings.append(Finding(path, "changed", stored.checked))
            else:
                findings.append(Finding(path, "intact", stored.checked))
    return findings


def remove(checkpoint: str | Checkpoint, *, root: Path | None = None) -> int:
    """Delete a checkpoint and its partial downloads; return the bytes freed. Files of others in its folder stay.

    Raises:
        InputError: there is nothing of it.
        OutputError: it cannot be deleted.
    """
    entry = find(checkpoint)
    with changing(entry, root) as folder:
        ours = [folder / name for name in (RECORD, *(file.stored_name for file in entry.files))]
        ours += (folder / UNFINISHED).glob("*")
        present = [path for path in ours if path.is_file()]
        if not present:
            raise InputError(f"nothing of {entry.name} is in {folder}")
        freed = sum(path.stat().st_size for path in present)
        for path in present:
            path.unlink()
        shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
    return freed
