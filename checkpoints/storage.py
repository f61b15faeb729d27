"""Where checkpoints lie, and the record of what is there."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from checkpoints.errors import FacereenactError, InputError, OutputError
from checkpoints.lock import locked
from checkpoints.published import Checkpoint, Drive, find

ENVIRONMENT = "FACEREENACT_CHECKPOINTS"
RECORD = "record.json"
UNFINISHED = ".unfinished"  # the folder, within a checkpoint's, of partial downloads and of files not yet in place
FORMAT = 1  # of the record

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, the bytes done and, where known, all bytes."""

State = Literal["installed", "partial", "absent"]


class NotInstalledError(FacereenactError):
    """A checkpoint is needed that is not installed; the message names the command that installs it."""


def silent(stage: str, done_bytes: int, total_bytes: int | None) -> None:
    """A progress that shows nothing."""


@dataclass(frozen=True)
class StoredFile:
    """What the record says about one file."""

    sha256: str
    bytes: int
    published_name: str
    published_sha256: str  # of the file as it came; equal to `sha256` unless it was converted
    checked: str  # what proved that it is the right one: "sha256", "git blob", "keys and shapes" or "settings"
    source: str  # URL, or "import"


def checkpoints_root(root: Path | None = None) -> Path:
    """The folder of all checkpoints: `root`, or what FACEREENACT_CHECKPOINTS names, or one in the user's cache."""
    if root is not None:
        return root.expanduser()
    if named := os.environ.get(ENVIRONMENT):
        return Path(named).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("facereenact") / "checkpoints"


def locate(checkpoint: str | Checkpoint, *, file: str | None = None, root: Path | None = None) -> Path:
    """The folder of an installed checkpoint, or one `file` of it, which may be an optional one.

    Raises:
        NotInstalledError: it is not installed, or not completely.
        InputError: there is no such checkpoint or file.
    """
    entry = find(checkpoint)
    folder = folder_of(entry, root)
    if file is None:
        if state(entry, root=root) != "installed":
            raise NotInstalledError(how_to_install(entry, root))
        return folder
    if file not in (each.stored_name for each in entry.files):
        raise InputError(
            f"{entry.name} has no file {file}; it has {', '.join(each.stored_name for each in entry.files)}"
        )
    if not is_intact(folder, file, proven_record(entry, folder)):
        raise NotInstalledError(f"{folder / file} is missing; {how_to_install(entry, root)}")
    return folder / file


def is_installed(checkpoint: str | Checkpoint, *, root: Path | None = None) -> bool:
    """Whether every required file is in place with its recorded size. `verify` also reads the contents."""
    return state(find(checkpoint), root=root) == "installed"


def state(entry: Checkpoint, *, root: Path | None = None) -> State:
    """How much of it is there."""
    folder = folder_of(entry, root)
    if not folder.is_dir():
        return "absent"
    try:
        record = proven_record(entry, folder)
    except InputError:
        return "partial"
    if all(file.optional or is_intact(folder, file.stored_name, record) for file in entry.files):
        return "installed"
    return "partial" if any(path.is_file() for path in folder.rglob("*")) else "absent"


def is_intact(folder: Path, name: str, record: dict[str, StoredFile]) -> bool:
    """Whether a recorded file is there in its recorded size."""
    try:
        return name in record and (folder / name).stat().st_size == record[name].bytes
    except OSError:
        return False


def folder_of(entry: Checkpoint, root: Path | None) -> Path:
    return checkpoints_root(root) / entry.name


def command(verb: str, name: str, root: Path | None, arguments: str = "") -> str:
    """A command line that the user can copy."""
    where = f" --checkpoints {shlex.quote(str(root))}" if root is not None else ""
    return f"facereenact checkpoints {verb} {name}{arguments and ' ' + arguments}{where}"


def how_to_install(entry: Checkpoint, root: Path | None) -> str:
    """The commands for a machine with and without a connection, on one line."""
    lacking = "not installed"
    if state(entry, root=root) == "partial":
        lacking = f"incomplete or damaged{_faulty(entry, folder_of(entry, root))}"
    missing = f"{entry.name} is {lacking} in {folder_of(entry, root)}"
    by_hand = f"download {', '.join(each.name for each in entry.files if not each.optional)} from {entry.source.page}"
    importing = f"run: {command('import', entry.name, root, 'FOLDER')}"
    if isinstance(entry.source, Drive):
        mirror = (
            f", or take an unofficial copy with: {command('pull', entry.name, root, '--mirror')}"
            if entry.mirror
            else ""
        )
        return f"{missing}; {by_hand} in a browser and {importing}{mirror}"
    pulling = f"run: {command('pull', entry.name, root)}"
    return f"{missing}; {pulling} (without a connection, {by_hand} elsewhere and {importing})"


def _faulty(entry: Checkpoint, folder: Path) -> str:
    """The files at fault, in brackets; nothing where none can be told from the others."""
    try:
        record = read_record(folder)
    except InputError:
        return f" ({RECORD})"
    names = [file.stored_name for file in entry.files if not file.optional]
    faulty = [name for name in names if not is_intact(folder, name, record)]
    return f" ({', '.join(faulty)})" if len(faulty) < len(names) else ""


def read_record(folder: Path) -> dict[str, StoredFile]:
    """The recorded files by name; empty where there is no record.

    Raises:
        InputError: the record is damaged.
    """
    path = folder / RECORD
    try:
        content = json.loads(path.read_text("utf-8"))
        if content["format"] != FORMAT:
            raise ValueError("another format")
        return {name: StoredFile(**entry) for name, entry in content["files"].items()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is damaged; run: facereenact checkpoints remove {folder.name}") from error


def proven_record(entry: Checkpoint, folder: Path) -> dict[str, StoredFile]:
    """What the record says. Published files that were copied into the folder are recorded if their hashes prove them.

    Raises:
        InputError: the record is damaged.
    """
    record = read_record(folder)
    if record or not all(file.optional or file.sha256 for file in entry.files):
        return record
    found = {file: folder / file.stored_name for file in entry.files if (folder / file.stored_name).is_file()}
    if not all(file.optional or file in found for file in entry.files):
        return {}
    for file, path in found.items():
        if file.sha256 is None:
            continue  # an optional one, which nothing proves
        digest = _digest_of(path, path.stat().st_mtime_ns)
        if file.sha256 != digest:
            return {}
        record[file.stored_name] = StoredFile(digest, path.stat().st_size, file.name, digest, "sha256", "by hand")
    with suppress(OSError):  # a folder that may only be read is used as it is
        write_record(folder, record)
        remove_if_empty(folder / UNFINISHED)
    return record


@cache
def _digest_of(path: Path, changed_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_record(folder: Path, record: dict[str, StoredFile]) -> None:
    content = {"format": FORMAT, "files": {name: asdict(record[name]) for name in sorted(record)}}
    temporary = unfinished(folder) / RECORD
    temporary.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    temporary.replace(folder / RECORD)


def unfinished(folder: Path) -> Path:
    """The folder of what is not yet in place."""
    path = folder / UNFINISHED
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def changing(entry: Checkpoint, root: Path | None) -> Iterator[Path]:
    """The folder of a checkpoint, for one process at a time to write to.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    with locked(checkpoints_root(root) / ".locks" / f"{entry.name}.lock"):
        folder = folder_of(entry, root)
        try:
            yield folder
        except OSError as error:
            raise writing_failed(error, folder) from error
        finally:
            remove_if_empty(folder / UNFINISHED)
            remove_if_empty(folder)


def writing_failed(error: OSError, folder: Path) -> OutputError:
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return OutputError(
            f"the disk of {folder} is full; make room or choose another with --checkpoints, and run again"
        )
    return OutputError(f"cannot write to {folder}: {error.strerror or error}; choose another with --checkpoints")


def require_room(folder: Path, wanted_bytes: int) -> None:
    """Raise before a long work that would fill the disk.

    Raises:
        OutputError: less than `wanted_bytes` are free.
    """
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(existing).free
    if free < wanted_bytes:
        raise OutputError(
            f"{folder} needs {readable(wanted_bytes)} and its disk has {readable(free)} free; "
            "make room or choose another with --checkpoints"
        )


def remove_if_empty(folder: Path) -> None:
    with suppress(OSError):  # not there, or in use: both are fine
        folder.rmdir()


def readable(size: int) -> str:
    """A number of bytes for people."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} bytes"
