"""A log for machines: one JSON object a line, written out at once."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from facereenact.errors import OutputError
from facereenact.preprocessing.results import ClipResult


class JsonLog:
    """Writes `started`, a `clip` for each result, and `finished` unless the run was cut short; each with its time.

    Raises:
        OutputError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begun_s = time.monotonic()
        self._clips = self._failed = 0
        try:
            self._file = path.open("w", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror or error}; choose another log") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._write("finished", clips=self._clips, failed=self._failed)
        finally:
            self._file.close()

    def started(self, clips: int) -> None:
        self._write("started", clips=clips)

    def clip(self, result: ClipResult) -> None:
        self._clips += 1
        self._failed += bool(result.error)
        self._write(
            "clip",
            path=result.clip.path,
            hash=result.content,
            status="failed" if result.error else "complete" if result.was_complete else "done",
            error=result.error,
            frames=result.frames,
            video_s=round(result.seconds, 3),
        )

    def _write(self, event: str, **values: object) -> None:
        line = json.dumps({"event": event, "elapsed_s": round(time.monotonic() - self._begun_s, 3), **values})
        try:
            self._file.write(line + "\n")
            self._file.flush()
        except OSError as error:
            raise OutputError(f"{self._path} cannot be written: {error.strerror or error}") from error
