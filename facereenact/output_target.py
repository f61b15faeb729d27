"""The file or folder that a result becomes: checked before the work, hidden during it, whole or absent after it."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import av

from facereenact.errors import OutputError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class OutputTarget:
    """Where a result goes. A path without a suffix, one that ends in a slash, or a folder is a folder of images.

    Raises OutputError when the result could not be put there.
    """

    def __init__(self, path: str | Path, *, suffixes: tuple[str, ...], overwrite: bool) -> None:
        self.path = Path(path)
        suffix = self.path.suffix.lower()
        is_existing_folder = self.path.is_dir() and suffix not in suffixes
        self.is_folder = not suffix or is_existing_folder or str(path).endswith(("/", os.sep))
        self._partial: Path | None = None
        if not self.is_folder and suffix not in suffixes:
            known = ", ".join(suffixes)
            raise OutputError(f"{path}: unknown suffix; end in {known}, or in no suffix for a folder of PNG images")
        if not self.path.parent.is_dir():
            raise OutputError(f"the folder {self.path.parent} does not exist; create it first")
        if not os.access(self.path.parent, os.W_OK | os.X_OK):
            raise OutputError(f"the folder {self.path.parent} may not be written to; choose another output")
        self._check_existing(overwrite)

    def _check_existing(self, overwrite: bool) -> None:
        if not os.path.lexists(self.path):
            return
        if self.is_folder != self.path.is_dir():
            kind = "file" if self.is_folder else "folder"
            raise OutputError(f"{self.path} exists and is a {kind}; choose another output")
        if self.is_folder:
            names = [entry.name for entry in self.path.iterdir()]
            if any(not (name.endswith(".png") and name[:-4].isdecimal()) for name in names):
                raise OutputError(f"{self.path} holds other files than numbered images; choose another output")
            if not names:
                return
        if not overwrite:
            raise OutputError(f"{self.path} exists; use --overwrite or choose another output")

    def create(self) -> Path:
        """Name to write under: hidden, in the same folder and with the same suffix. A file is created at once."""
        self._partial = self.path.with_name(f".{self.path.stem}.{secrets.token_hex(4)}.partial{self.path.suffix}")
        if not self.is_folder:
            os.close(os.open(self._partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        return self._partial

    def publish(self) -> None:
        """Give the complete result its name."""
        assert self._partial is not None
        if self.is_folder and self.path.is_dir():
            old = self._partial.with_name(self._partial.name + ".old")
            os.replace(self.path, old)
            os.replace(self._partial, self.path)
            shutil.rmtree(old)
        else:
            os.replace(self._partial, self.path)

    def discard(self) -> None:
        """Remove what was written so far."""
        if self._partial is None:
            return
        if self._partial.is_dir():
            shutil.rmtree(self._partial, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                self._partial.unlink(missing_ok=True)

    @contextlib.contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Turn what the system or FFmpeg report into OutputError."""
        try:
            yield
        except OutputError as error:
            raise OutputError(str(error).replace(str(self._partial), str(self.path))) from error
        except (OSError, av.FFmpegError) as error:
            raise output_error(self.path, error) from error


def output_error(path: Path, error: OSError | av.FFmpegError) -> OutputError:
    """What a failed write means to the user."""
    if error.errno in _FULL:
        return OutputError(f"{path} was not written: disk full; free some space first")
    if isinstance(error, PermissionError):
        return OutputError(f"{path} may not be written; choose another output")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return OutputError(f"the folder {path.parent} does not exist; create it first")
    return OutputError(f"{path} cannot be written: {error.strerror or error}; choose another output")
