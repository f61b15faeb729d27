"""Downloading a checkpoint."""

from __future__ import annotations

import logging
from pathlib import Path

from checkpoints.downloads import DownloadError, UnreachableError, discard, download, size_of
from checkpoints.errors import InputError
from checkpoints.installing import check, clear_staged, commit, stage
from checkpoints.published import Checkpoint, Drive, Hub, PublishedFile, Source, find
from checkpoints.storage import (
    Progress,
    changing,
    command,
    folder_of,
    how_to_install,
    is_intact,
    read_record,
    require_room,
    silent,
    unfinished,
)

PART = ".part"  # ends the name of a partial download

log = logging.getLogger(__name__)


def pull(
    checkpoint: str | Checkpoint, *, source: Source | None = None, root: Path | None = None, progress: Progress = silent
) -> Path:
    """Download what is missing of a checkpoint and return its folder.

    A file counts once its hash, or its keys and shapes, are proven. An interrupted download continues where it
    stopped. While another process pulls the same checkpoint, this one waits and then finds it done.

    Args:
        source: where to take it from instead of its publisher, such as `Checkpoint.mirror`.

    Raises:
        DownloadError: a server is out of reach or refuses, or what it sent is not the published file.
        OutputError: the folder cannot be written or the disk is full; what has arrived is kept.
    """
    entry = find(checkpoint)
    chosen = source or entry.source
    if not missing_files(entry, folder_of(entry, root)):
        return folder_of(entry, root)
    if isinstance(chosen, Drive):
        raise DownloadError(how_to_install(entry, root))
    with changing(entry, root) as folder:
        missing = missing_files(entry, folder)  # by now another process may have pulled it
        clear_staged(folder)
        require_room(folder, sum((file.bytes or 0) - arrived_bytes(folder, file) for file in missing))
        for file in missing:
            pull_file(entry, file, chosen, folder, root=root, progress=progress)
    return folder


def pull_file(
    entry: Checkpoint, file: PublishedFile, source: Source, folder: Path, *, root: Path | None, progress: Progress
) -> None:
    """Download one file, prove it, put it in its place."""
    url = source.url(file.name)
    part = unfinished(folder) / (file.name + PART)
    # A mirror need not hold the very bytes; the hash or the keys and shapes decide.
    expected_bytes = file.bytes if source == entry.source else None
    try:
        origin = download(
            url,
            part,
            expected_bytes=expected_bytes,
            token=hub_token(source),
            stage=file.stored_name,
            progress=progress,
        )
    except UnreachableError as error:
        raise UnreachableError(
            f"{error}; without a connection, get {file.name} elsewhere and run: "
            f"{command('import', entry.name, root, 'FOLDER')} (stores it as {folder / file.stored_name})"
        ) from error
    try:
        checked = check(file, part, required_sha256=file.sha256 or origin.stated_sha256, progress=progress)
        if checked.converts:
            require_room(folder, part.stat().st_size)
        staged = stage(checked, folder, progress=progress)
    except InputError as error:
        discard(part)
        raise DownloadError(f"{url} brought another file than expected, which was deleted: {error}") from error
    commit(checked, staged, folder, source=url, progress=progress)
    discard(part)
    log.info("%s: proven by its %s", file.stored_name, checked.proof)


def missing_files(entry: Checkpoint, folder: Path) -> list[PublishedFile]:
    record = read_record(folder)
    return [file for file in entry.files if not is_intact(folder, file.stored_name, record)]


def arrived_bytes(folder: Path, file: PublishedFile) -> int:
    """How much of a file of known size an earlier run left."""
    return min(size_of(unfinished(folder) / (file.name + PART)), file.bytes or 0)


def hub_token(source: Source) -> str | None:
    """The user's token for a model hub, which raises its limits; public files need none.

    Raises:
        UnreachableError: the user's environment forbids calls to hubs (HF_HUB_OFFLINE).
    """
    if not isinstance(source, Hub):
        return None
    from huggingface_hub import constants, get_token

    if constants.HF_HUB_OFFLINE:
        raise UnreachableError(f"{source.page} is out of bounds while HF_HUB_OFFLINE is set")
    return get_token()
