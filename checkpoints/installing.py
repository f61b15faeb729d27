"""From a file that has come here to the file in its place: check, convert, rename, record."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from checkpoints.digests import git_blob_of, sha256_of
from checkpoints.errors import InputError
from checkpoints.published import PublishedFile
from checkpoints.storage import Progress, StoredFile, read_record, silent, unfinished, write_record
from checkpoints.weights import check_layout, is_safetensors, write_safetensors

NEW = ".new"  # ends the name of a file that is complete but not yet in place


@dataclass(frozen=True)
class Checked:
    """A file that was found to be what it should be."""

    file: PublishedFile
    path: Path
    sha256: str
    proof: str  # as in StoredFile.checked
    converts: bool  # weights in a pickle, which are stored as safetensors


def check(file: PublishedFile, path: Path, *, required_sha256: str = "", progress: Progress = silent) -> Checked:
    """Prove that `path` is the published file, by its hash, or else that it holds what the file must hold.

    Args:
        required_sha256: the only hash that will do; without it, the right keys and shapes do as well.

    Raises:
        InputError: it is neither.
    """
    try:
        sha256 = sha256_of(path, stage=f"checking {file.stored_name}", progress=progress)
        if required_sha256 and sha256 != required_sha256:
            raise InputError(f"its SHA-256 is {sha256} instead of {required_sha256}")
        proof = proof_by_hash(file, path, sha256)
        if file.layout is not None:
            check_layout(path, file.layout)
            proof = proof or "keys and shapes"
        elif file.settings:
            check_settings(path, file)
            proof = proof or "settings"
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    if not proof:
        raise InputError(f"{path} is not the published {file.name}: {wrong_hash(file, sha256)}")
    return Checked(file, path, sha256, proof, converts=file.layout is not None and not is_safetensors(path))


def proof_by_hash(file: PublishedFile, path: Path, sha256: str) -> str:
    """Which known hash fits, or nothing."""
    if sha256 == file.sha256:
        return "sha256"
    if file.sha256 is None and file.git_blob is not None and git_blob_of(path) == file.git_blob:
        return "git blob"
    return ""


def wrong_hash(file: PublishedFile, sha256: str) -> str:
    if file.sha256:
        return f"its SHA-256 is {sha256} instead of {file.sha256}"
    return f"its git blob id is not {file.git_blob}"


def check_settings(path: Path, file: PublishedFile) -> None:
    """Compare the entries of a JSON file that matter.

    Raises:
        InputError: it is no JSON, or an entry differs.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not a JSON file; download it again") from error
    for key, wanted in file.settings:
        found = content.get(key) if isinstance(content, dict) else None
        if found != wanted:
            raise InputError(f"{path} is for another network: {key} is {found} instead of {wanted}")


def stage(checked: Checked, folder: Path, *, progress: Progress = silent) -> Path:
    """Make the file as it will be stored, under a temporary name: weights in a pickle are converted, others copied.

    Raises:
        InputError: the file is not what it was when it was checked.
        OSError: it cannot be written.
    """
    target = unfinished(folder) / (checked.file.stored_name + NEW)
    if checked.converts and checked.file.layout is not None:
        size = checked.path.stat().st_size
        progress(f"converting {checked.file.stored_name}", 0, size)
        write_safetensors(checked.path, checked.file.layout, target=target)
        progress(f"converting {checked.file.stored_name}", size, size)
    elif checked.path.parent == target.parent:
        checked.path.replace(target)  # a finished download
    else:
        shutil.copyfile(checked.path, target)
    with open(target, "r+b") as file:
        os.fsync(file.fileno())
    return target


def commit(checked: Checked, staged: Path, folder: Path, *, source: str, progress: Progress = silent) -> None:
    """Put a staged file in its place and record it."""
    stored = StoredFile(
        sha256=sha256_of(staged, stage=f"hashing {checked.file.stored_name}", progress=progress)
        if checked.converts
        else checked.sha256,
        bytes=staged.stat().st_size,
        published_name=checked.file.name if source != "import" else checked.path.name,
        published_sha256=checked.sha256,
        checked=checked.proof,
        source=source,
    )
    staged.replace(folder / checked.file.stored_name)
    write_record(folder, {**read_record(folder), checked.file.stored_name: stored})


def clear_staged(folder: Path) -> None:
    """Delete what an interrupted run staged."""
    for path in unfinished(folder).glob(f"*{NEW}"):
        path.unlink()
