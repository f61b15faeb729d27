"""What identifies a piece of work, so that it is done once: contents of its inputs, settings, and this program."""

from __future__ import annotations

import hashlib
import json
import math
import os
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from facereenact import __version__
from facereenact.errors import OutputError

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("body", "checkpoints", "facereenact", "landmarks")
MEASURING = "facereenact/evaluation"  # the code that measures results and makes none
SUFFIXES = (".py", ".csv", ".json", ".npz", ".gz")  # of source text, and of the tables that it reads
LENGTH = 12  # hexadecimal digits of a key


def key_of(*parts: Any) -> str:
    """A short name of what the parts say; contents of files enter by `contents_of`, code by `program`."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


@cache
def program(root: Path = ROOT, *, without: str | None = None) -> str:
    """Version, source text and tables of this program, but for one folder: an edited checkout is another program."""
    digest = hashlib.sha256(__version__.encode())
    for path in sorted(path for package in PACKAGES for path in (root / package).rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.suffix in SUFFIXES and not (without and name.startswith(f"{without}/")):
            digest.update(name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def contents_of(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of a folder; read again only once it has changed."""
    files = [each for each in sorted(path.iterdir()) if each.is_file()] if path.is_dir() else [path]
    return _digest(tuple((each, each.stat().st_size, each.stat().st_mtime_ns) for each in files), path.is_dir())


@lru_cache(maxsize=4096)
def _digest(files: tuple[tuple[Path, int, int], ...], with_names: bool) -> str:
    digest = hashlib.sha256()
    for path, _, _ in files:
        digest.update(path.name.encode() if with_names else b"")
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def read_json(path: Path) -> dict[str, Any] | None:
    """What was written, or None where there is nothing that can be used."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    write_text(path, json.dumps(plain(content), indent=1, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        temporary.write_text(text, "utf-8")
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def plain(value: Any) -> Any:
    """The same in types of JSON; what is no finite number is null."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
