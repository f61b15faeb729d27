"""From what the user names (files, folders, patterns, lists, addresses) to clips, each once and in order."""

from __future__ import annotations

import csv
import glob
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from facereenact.errors import InputError
from facereenact.preprocessing.stores import Clip, Output, file_system, is_address, local_stamp, stamp_of

VIDEO_SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".flv", ".wmv", ".asf", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts",
    ".mxf", ".ogv", ".3gp", ".gif",
)  # fmt: skip
LIST_SUFFIXES = (".txt", ".csv", ".parquet")
PATTERN = frozenset("*?[")
COLUMN = "path"


def find_clips(inputs: Iterable[str | Path], output: Output) -> list[Clip]:
    """The clips of all inputs, each once; what lies in the output is left out.

    A folder stands for the videos in it, at any depth; a list (.txt, a path a line; .csv and .parquet, the column
    `path` or the only one) for those that it names, relative to itself.

    Raises:
        InputError: none is given, one does not exist, a list cannot be read, or there is no clip at all.
    """
    names = [str(name) for name in inputs]
    if not names:
        raise InputError("give videos, folders or lists of them")
    found: dict[str, Clip] = {}
    for name in names:
        for clip in _clips_of(name):
            if not clip.path.startswith(output.path.rstrip("/") + "/"):
                found.setdefault(clip.path, clip)
    if not found:
        suffixes = " ".join(VIDEO_SUFFIXES)
        raise InputError(f"no clip in {', '.join(names)}: give videos, or folders of videos ({suffixes})")
    return list(found.values())


def _clips_of(name: str) -> Iterator[Clip]:
    """Raises InputError: it does not exist."""
    if name.lower().endswith(LIST_SUFFIXES):
        yield from map(named_clip, _listed(name))
    elif is_address(name):
        yield from _stored(name)
    elif os.path.isdir(name):
        yield from _in_folder(os.path.abspath(name))
    elif os.path.exists(name):
        yield named_clip(os.path.abspath(name))
    elif PATTERN.intersection(name):
        yield from _matching(name)
    else:
        raise InputError(f"{name}: no such file or folder; check the path")


def named_clip(path: str) -> Clip:
    """A clip that is named; whether it exists shows when it is opened."""
    if not is_address(path):
        return Clip(path, local_stamp(path))
    files, inside = file_system(path)
    try:
        return Clip(path, stamp_of(files.info(inside)))
    except Exception:  # each store has exceptions of its own, for what fetching will explain
        return Clip(path, "")


def _in_folder(folder: str) -> Iterator[Clip]:
    for base, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if _is_video(name):
                path = os.path.join(base, name)
                yield Clip(path, local_stamp(path))


def _matching(pattern: str) -> Iterator[Clip]:
    for path in sorted(glob.iglob(pattern, recursive=True)):
        if os.path.isfile(path):
            yield named_clip(os.path.abspath(path))
        elif os.path.isdir(path) and not pattern.endswith("**"):
            yield from _in_folder(os.path.abspath(path))


def _stored(address: str) -> Iterator[Clip]:
    """The clips at an address: one, those that match a pattern, or all in a folder."""
    files, inside = file_system(address)
    with reading(address):
        if "*" in inside:  # no other sign of a pattern: addresses may hold ? and [
            found = files.glob(inside, detail=True)
        elif not _is_video(inside) and files.isdir(inside):
            found = {path: about for path, about in files.find(inside, detail=True).items() if _is_video(path)}
        else:
            yield named_clip(address)
            return
    for path, about in sorted(found.items()):
        if about.get("type") != "directory":
            yield Clip(files.unstrip_protocol(path), stamp_of(about))


def _listed(name: str) -> Iterator[str]:
    """The paths in a list."""
    files, inside = file_system(name)
    folder = name.rpartition("/")[0] if is_address(name) else os.path.dirname(os.path.abspath(name))
    with reading(name):
        if name.lower().endswith(".txt"):
            lines = files.cat_file(inside).decode("utf-8").splitlines()
            paths = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
        elif name.lower().endswith(".csv"):
            paths = _of_rows(list(csv.reader(files.cat_file(inside).decode("utf-8-sig").splitlines())), name)
        else:
            paths = _of_parquet(files, inside, name)
    for path in paths:
        if is_address(path) or os.path.isabs(path):
            yield path
        else:
            yield f"{folder}/{path}" if is_address(name) else os.path.normpath(os.path.join(folder, path))


def _of_rows(rows: list[list[str]], name: str) -> list[str]:
    """The paths of a CSV list: its column `path`, or its only one, which needs no heading."""
    rows = [row for row in rows if row]
    if rows and COLUMN in rows[0]:
        column = rows[0].index(COLUMN)
        return [row[column] for row in rows[1:] if len(row) > column and row[column]]
    if any(len(row) != 1 for row in rows):
        raise InputError(f"{name} has no column {COLUMN!r}; name the column of the paths so")
    return [row[0] for row in rows]


def _of_parquet(files: object, inside: str, name: str) -> list[str]:
    import pyarrow.parquet as pq

    schema = pq.read_schema(inside, filesystem=files)
    columns = [COLUMN] if COLUMN in schema.names else schema.names
    if len(columns) != 1:
        raise InputError(f"{name} has no column {COLUMN!r}; name the column of the paths so")
    values = pq.read_table(inside, columns=columns, filesystem=files).column(0).to_pylist()
    return [str(value) for value in values if value]


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn what a store or a reader reports into InputError."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{name}: no such file or folder; check the address") from None
    except InputError:
        raise
    except Exception as error:  # each store has exceptions of its own
        raise InputError(f"{name} cannot be read: {str(error) or type(error).__name__}") from error


def _is_video(path: str) -> bool:
    name = os.path.basename(path.partition("?")[0])
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES
