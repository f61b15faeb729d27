"""Hashes of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from checkpoints.storage import Progress, silent

CHUNK_BYTES = 1 << 20


def sha256_of(path: Path, *, stage: str = "", progress: Progress = silent) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    return _digest(path, hashlib.sha256(), stage, progress)


def git_blob_of(path: Path, *, stage: str = "", progress: Progress = silent) -> str:
    """The name that git gives to a file with this content."""
    return _digest(path, hashlib.sha1(b"blob %d\0" % path.stat().st_size), stage, progress)


def _digest(path: Path, digest: hashlib._Hash, stage: str, progress: Progress) -> str:
    total, done = path.stat().st_size, 0
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            progress(stage, done, total)
    return digest.hexdigest()
