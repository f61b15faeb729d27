"""preprocess(): clips into landmark files and a manifest. What `facereenact preprocess` calls."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.compute as pc

from body.estimators import choose_estimator
from facereenact.errors import InputError
from facereenact.preprocessing.clip_work import ClipWork
from facereenact.preprocessing.engines import Engine, LocalEngine
from facereenact.preprocessing.inputs import find_clips, named_clip
from facereenact.preprocessing.manifest import Manifest
from facereenact.preprocessing.results import ClipResult, limits_of, rows_of
from facereenact.preprocessing.run_lock import only_run
from facereenact.preprocessing.settings import PreprocessSettings
from facereenact.preprocessing.stores import Clip, Output
from landmarks.trackers import choose_tracker, open_tracker


def preprocess(
    inputs: Iterable[str | Path],
    output: str | Path,
    settings: PreprocessSettings | None = None,
    engine: Engine | None = None,
    *,
    retry_failed: bool = False,
    started: Callable[[int], None] = lambda _: None,
) -> Generator[ClipResult]:
    """Track clips, write their landmark files and the manifest, and yield what came of each as it is done.

    Args:
        inputs: files, folders, patterns, lists (.txt, .csv, .parquet) and addresses; with `retry_failed` none means
            all clips that failed.
        output: folder or address of the results.
        settings: what to make of each clip.
        engine: where the work is done; by default a process on each core.
        retry_failed: try clips again that failed in an earlier run.
        started: told how many clips there are.

    Raises:
        InputError: there is no clip, or a list cannot be read.
        NotInstalledError: the tracker needs networks that are not installed.
        OutputError: the results cannot be written, or another run writes there.
    """
    settings = settings or PreprocessSettings()
    name, _ = choose_tracker(settings.tracker)
    estimator = choose_estimator()[0] if settings.with_pose else None
    open_tracker(name).close()  # what is not installed fails here, once
    target = Output(output)
    named = list(inputs)
    clips = find_clips(named, target) if named or not retry_failed else _failed(target)
    started(len(clips))
    return _run(clips, ClipWork(target.path, settings, name, estimator), target, engine or LocalEngine(), retry_failed)


def _failed(output: Output) -> list[Clip]:
    """The clips that failed. Raises InputError: none did."""
    paths = Manifest(output).table(["path"], pc.field("status") == "failed")["path"].to_pylist()
    if not paths:
        raise InputError(f"{output.path} names no clip that failed")
    return [named_clip(path) for path in paths]


def _run(
    clips: list[Clip], work: ClipWork, output: Output, engine: Engine, retry_failed: bool
) -> Generator[ClipResult]:
    output.create()
    with only_run(output):
        output.clean()
        manifest = Manifest(output)
        manifest.merge()
        earlier = Earlier(manifest, output, work, retry_failed)
        todo = []
        for clip in clips:
            result = earlier.result(clip)
            if result is None:
                todo.append(earlier.with_content(clip))
            else:
                yield result
        bounds = work.settings.bounds
        try:
            with closing(engine.run(work, todo, timeout_s=work.settings.timeout)) as results:
                for result in results:
                    manifest.append(rows_of(result, output.folder_of(result.content), work.key, bounds))
                    yield result
        finally:
            output.clean()
            manifest.merge()


@dataclass(frozen=True)
class Row:
    """What the manifest says of a clip."""

    stamp: str
    content: str
    settings: str
    limits: str
    is_failed: bool
    error: str


class Earlier:
    """What earlier runs did."""

    def __init__(self, manifest: Manifest, output: Output, work: ClipWork, retry_failed: bool) -> None:
        self._key, self._limits = work.key, limits_of(work.settings.bounds)
        self._retry_failed = retry_failed
        self._output = output
        self._complete = output.complete()
        self._rows: dict[str, Row] = {}
        table = manifest.table(["path", "stamp", "hash", "settings", "limits", "status", "error"])
        for batch in table.to_batches(10_000):
            for path, stamp, content, settings, limits, status, error in zip(
                *(column.to_pylist() for column in batch.columns), strict=True
            ):
                if path not in self._rows:
                    is_failed = status == "failed"
                    self._rows[path] = Row(stamp, content, settings, limits, is_failed, error if is_failed else "")

    def result(self, clip: Clip) -> ClipResult | None:
        """What stands for a clip; None where there is something to do."""
        row = self._rows.get(clip.path)
        if row is None or not clip.stamp or (row.stamp, row.settings) != (clip.stamp, self._key):
            return None
        if row.is_failed:
            return None if self._retry_failed else ClipResult(clip, row.content, error=row.error, was_complete=True)
        is_there = row.limits == self._limits and self._output.folder_of(row.content) in self._complete
        return ClipResult(clip, row.content, was_complete=True) if is_there else None

    def with_content(self, clip: Clip) -> Clip:
        """The clip, with its hash where it is known."""
        row = self._rows.get(clip.path)
        return replace(clip, content=row.content) if row and clip.stamp and row.stamp == clip.stamp else clip
