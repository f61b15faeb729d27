"""Files here and in stores (s3://, gs://, https:// and whatever else fsspec knows), read and written alike."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facereenact.errors import InputError, OutputError
from facereenact.output_target import output_error

CHUNK_BYTES = 1 << 20
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+(://|::)")
RECORD = "clip.json"
WORK = ".work"


@dataclass(frozen=True)
class Clip:
    """An input."""

    path: str  # absolute, or an address
    stamp: str  # differs once the file does; "" where there is no such file
    content: str = ""  # SHA-256, where an earlier run read the file as it is


def is_address(path: str) -> bool:
    return ADDRESS.match(path) is not None


def file_system(address: str) -> tuple[Any, str]:
    """The fsspec file system of an address or a path, and the path in it.

    Raises:
        InputError: nothing can open such an address.
    """
    import fsspec

    if not is_address(address):
        return fsspec.filesystem("file"), address
    try:
        return fsspec.core.url_to_fs(address)
    except ImportError as error:
        raise InputError(f"{address} needs a package that is not installed: {error}") from error
    except ValueError as error:
        raise InputError(f"{address} is no address that can be opened: {error}") from error


def stamp_of(about: dict[str, Any]) -> str:
    """A stamp from what a store tells of a file."""
    return hashlib.sha256(repr(sorted((key, str(value)) for key, value in about.items())).encode()).hexdigest()[:16]


def local_stamp(path: str) -> str:
    """The stamp of a file of this machine; "" where there is none."""
    try:
        about = os.stat(path)
    except OSError:
        return ""
    return f"{about.st_size}-{about.st_mtime_ns}"


@contextmanager
def fetched(path: str, folder: Path, feed: Callable[[], None]) -> Iterator[Path]:
    """The input as a local file: itself, or a copy in `folder` that is removed afterwards.

    Raises:
        InputError: it cannot be fetched.
    """
    if not is_address(path):
        yield Path(path)
        return
    files, inside = file_system(path)
    copy = folder / f"input{Path(inside.partition('?')[0]).suffix}"
    try:
        try:
            with files.open(inside, "rb") as source, copy.open("wb") as target:
                while chunk := source.read(CHUNK_BYTES):
                    target.write(chunk)
                    feed()
        except FileNotFoundError:
            raise InputError(f"{path}: no such file; check the address") from None
        except Exception as error:  # each store has exceptions of its own
            if isinstance(error, OSError) and error.filename == str(copy):
                raise output_error(copy, error) from error
            raise InputError(f"{path} cannot be fetched: {str(error) or type(error).__name__}") from error
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def content_hash(path: Path, feed: Callable[[], None]) -> str:
    """SHA-256 of a file.

    Raises:
        InputError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                feed()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the path") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()


class Output:
    """The folder of the results, here or in a store. A clip's folder appears when it is complete, and whole.

    Raises:
        OutputError: it cannot be made.
        InputError: nothing can open such an address.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path) if is_address(str(path)) else str(Path(path).absolute())
        self.files, self.root = file_system(self.path)
        self.is_local = not is_address(self.path)

    def create(self) -> None:
        """Make the folder."""
        self.create_folder("")

    def create_folder(self, name: str) -> None:
        """Make a folder in it."""
        with written_to(self.path):
            self.files.makedirs(self.inside(name), exist_ok=True)

    def inside(self, name: str) -> str:
        """The path of something in the folder, for `files`."""
        return f"{self.root.rstrip('/')}/{name}"

    def folder_of(self, content: str) -> str:
        """A clip's folder, relative."""
        return f"clips/{content[:32]}"

    def record(self, content: str) -> bytes | None:
        """The record of a complete clip."""
        try:
            return bytes(self.files.cat_file(self.inside(f"{self.folder_of(content)}/{RECORD}")))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def complete(self) -> set[str]:
        """The folders of clips that are there, relative."""
        folder = self.inside("clips")
        if not self.files.isdir(folder):
            return set()
        if self.is_local:
            return {f"clips/{name}" for name in os.listdir(folder)}
        return {f"clips/{name.rstrip('/').rsplit('/', 1)[-1]}" for name in self.files.ls(folder, detail=False)}

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder to work in, and to make a clip's files in a folder of."""
        with written_to(self.path):
            base = Path(self.root) / WORK if self.is_local else None
            if base is not None:
                base.mkdir(exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix="clip-", dir=base))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, folder: Path, content: str) -> None:
        """Give the files of a clip, its record among them, their place; those of an earlier version go."""
        target = self.inside(self.folder_of(content))
        with written_to(self.path):
            if self.is_local:
                _swap(folder, Path(target))
                return
            if self.files.exists(target):
                self.files.rm(target, recursive=True)
            self.files.makedirs(target, exist_ok=True)
            for file in sorted(folder.iterdir(), key=lambda file: (file.name == RECORD, file.name)):
                self.files.put_file(str(file), f"{target}/{file.name}")

    def write(self, name: str, content: bytes) -> None:
        """A file of the folder; it appears when it is complete."""
        with written_to(self.path):
            if not self.is_local:
                self.files.pipe_file(self.inside(name), content)
                return
            target = Path(self.inside(name))
            temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
            try:
                temporary.write_bytes(content)
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)

    def clean(self) -> None:
        """Remove what workers and runs that were killed left half made."""
        if self.is_local:
            shutil.rmtree(Path(self.root) / WORK, ignore_errors=True)


@contextmanager
def written_to(path: str) -> Iterator[None]:
    """Turn what a file system reports into OutputError."""
    try:
        yield
    except (InputError, OutputError):
        raise
    except OSError as error:
        raise output_error(Path(path), error) from error
    except Exception as error:  # each store has exceptions of its own
        raise OutputError(f"{path} cannot be written: {str(error) or type(error).__name__}") from error


def _swap(folder: Path, target: Path) -> None:
    """Rename a finished folder to its place; nobody ever sees half of it."""
    target.parent.mkdir(exist_ok=True)
    earlier = folder.with_name("earlier")
    with contextlib.suppress(FileNotFoundError):
        target.rename(earlier)
    try:
        folder.rename(target)
    except OSError:
        if (target / RECORD).is_file():
            return  # another worker was quicker with the same content
        if earlier.is_dir():
            earlier.rename(target)
        raise
