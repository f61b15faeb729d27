"""The three forms of a track: this project's file, OpenSeeFace's CSV log, and JSON lines; told by the suffix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from facereenact.errors import InputError, OutputError
from facereenact.landmark_tools.csv_track import read_csv, write_csv
from facereenact.landmark_tools.json_track import read_json_lines, write_json_lines
from facereenact.landmark_tools.settings import ConvertSettings
from facereenact.output_target import OutputTarget
from landmarks import LandmarkSequence
from landmarks.storage import SUFFIX, load_landmarks, save_landmarks

CSV, JSON_LINES = ".csv", ".jsonl"
SUFFIXES = (SUFFIX, CSV, JSON_LINES)
NAMED = f"{SUFFIX} (this program's), {CSV} (OpenSeeFace's log) or {JSON_LINES} (JSON lines)"


@dataclass(frozen=True)
class Conversion:
    """What was converted and what the new form has no place for."""

    track: LandmarkSequence
    losses: tuple[str, ...]


def convert_file(source: Path, output: Path, settings: ConvertSettings) -> Conversion:
    """Write a track in another form.

    Raises:
        InputError: the source cannot be used.
        OutputError: the result cannot be written.
    """
    check_output(output, overwrite=settings.overwrite)
    if form_of(source) != CSV and (settings.fps is not None or settings.face_id is not None):
        raise InputError(f"{source} is no CSV log: --fps and --face-id go with logs only")
    track = read_track(source, settings)
    losses = read_losses(source) + written_losses(track, output)
    write_track(track, output, overwrite=settings.overwrite)
    return Conversion(track, losses)


def read_track(path: Path, settings: ConvertSettings | None = None) -> LandmarkSequence:
    """Read a track of any form.

    Raises:
        InputError: no such file, an unknown suffix, or a damaged file.
    """
    form = form_of(path)
    if form is None:
        raise InputError(f"{path}: unknown suffix; a track ends in {NAMED}")
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    if form == SUFFIX:
        return load_landmarks(path)
    if form == JSON_LINES:
        return read_json_lines(path)
    settings = settings or ConvertSettings()
    return read_csv(path, fps=settings.fps, face_id=settings.face_id)


def write_track(sequence: LandmarkSequence, path: Path, *, overwrite: bool) -> None:
    """Write a track in the form that the suffix names; the file appears under its name only when complete.

    Raises:
        OutputError: an unknown suffix, an existing file, or a place that cannot be written.
    """
    check_output(path, overwrite=overwrite)
    if form_of(path) == SUFFIX:
        save_landmarks(sequence, path)
        return
    write = write_csv if form_of(path) == CSV else write_json_lines
    with _published(path, overwrite=overwrite) as partial:
        write(sequence, partial)


def check_output(path: Path, *, overwrite: bool) -> None:
    """Everything about a result that can be known before the work.

    Raises:
        OutputError: it cannot be written.
    """
    if form_of(path) is None:
        raise OutputError(f"{path}: unknown suffix; end in {NAMED}")
    OutputTarget(path, suffixes=(path.suffix.lower(),), overwrite=overwrite)


def form_of(path: Path) -> str | None:
    """The suffix of `SUFFIXES` that a name ends in."""
    return next((suffix for suffix in SUFFIXES if path.name.endswith(suffix)), None)


def read_losses(path: Path) -> tuple[str, ...]:
    """What of a file has no place in a track."""
    if form_of(path) != CSV:
        return ()
    return ("OpenSeeFace's points in space, features and blink; its head pose is solved anew from the points",)


def written_losses(track: LandmarkSequence, path: Path) -> tuple[str, ...]:
    """What of a track has no place in a file."""
    if form_of(path) != CSV:
        return ()
    losses = ["the name of the tracker", "its head pose, which is solved anew with OpenSeeFace's face model"]
    missing = int((~track.detected).sum())
    if missing:
        losses.insert(0, f"{missing} frames without a face: a log has no rows for them")
    return tuple(losses)


@contextmanager
def _published(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A hidden name to write under, which becomes the path when the block ends well."""
    target = OutputTarget(path, suffixes=(path.suffix.lower(),), overwrite=overwrite)
    try:
        with target.translated_errors():
            yield target.create()
            target.publish()
    finally:
        target.discard()
