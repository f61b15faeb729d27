"""Taking a checkpoint from files that the user has."""

from __future__ import annotations

import logging
from collections.abc import Container, Sequence
from pathlib import Path

from checkpoints.errors import InputError
from checkpoints.installing import Checked, check, clear_staged, commit, stage
from checkpoints.published import Checkpoint, PublishedFile, find
from checkpoints.storage import Progress, changing, folder_of, is_intact, read_record, require_room, silent

log = logging.getLogger(__name__)


def import_files(
    checkpoint: str | Checkpoint,
    paths: Path | Sequence[Path],
    *,
    root: Path | None = None,
    progress: Progress = silent,
) -> Path:
    """Check files, store them as a checkpoint and return its folder.

    Weights in pickles are read without running code and stored as safetensors. Nothing is stored unless every file is
    right and none is missing. The given files stay where they are.

    Args:
        paths: a folder that holds the files under their published names, or the files.

    Raises:
        InputError: a file is missing, damaged, for another network, or wants to run code.
        OutputError: the folder cannot be written or the disk is full.
    """
    entry = find(checkpoint)
    given = find_files(entry, [paths] if isinstance(paths, Path) else list(paths))
    _require_all(entry, given, folder_of(entry, root))
    checked = [check(file, path, progress=progress) for file, path in given.items()]
    with changing(entry, root) as folder:
        for each in checked:
            if each.file.sha256 and each.proof != "sha256":
                log.warning("%s is not the published file, though its %s fit", each.path, each.proof)
        store(checked, folder, progress)
    return folder


def _require_all(entry: Checkpoint, given: Container[PublishedFile], folder: Path) -> None:
    """Raises InputError: a file is neither given nor there already."""
    record = read_record(folder)
    missing = [
        file.name
        for file in entry.files
        if file not in given and not file.optional and not is_intact(folder, file.stored_name, record)
    ]
    if missing:
        raise InputError(f"{entry.name} also needs {', '.join(missing)}; give all together")


def store(checked: list[Checked], folder: Path, progress: Progress) -> None:
    """Write all files under temporary names, then put all in their places."""
    require_room(folder, sum(each.path.stat().st_size for each in checked))
    clear_staged(folder)
    try:
        staged = [stage(each, folder, progress=progress) for each in checked]
        for each, path in zip(checked, staged, strict=True):
            commit(each, path, folder, source="import", progress=progress)
    finally:
        clear_staged(folder)


def find_files(entry: Checkpoint, paths: list[Path]) -> dict[PublishedFile, Path]:
    """Which path is which file of the checkpoint.

    Raises:
        InputError: a path does not exist or has no part in the checkpoint.
    """
    found: dict[PublishedFile, Path] = {}
    for path in paths:
        if path.is_dir():
            matches = best_folder(entry, path)
        elif path.is_file():
            matches = {file: path for file in entry.files if path.name in file.names}
        else:
            raise InputError(f"no such file or folder: {path}")
        if not matches:
            raise InputError(
                f"{path} is no part of {entry.name}, which has {', '.join(file.name for file in entry.files)}"
            )
        found |= matches
    return found


def best_folder(entry: Checkpoint, folder: Path) -> dict[PublishedFile, Path]:
    """The files in the sub-folder that is known to hold them, or in the folder itself, whichever has more."""
    candidates = [folder / name for name in entry.folders] + [folder]
    return max((files_in(entry, candidate) for candidate in candidates), key=len)


def files_in(entry: Checkpoint, folder: Path) -> dict[PublishedFile, Path]:
    found = {}
    for file in entry.files:
        present = [folder / name for name in file.names if (folder / name).is_file()]
        if present:
            found[file] = present[0]
    return found
