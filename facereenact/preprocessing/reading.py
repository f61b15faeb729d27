"""Reading what was prepared: every sequence, for training, or the track of one video, for driving."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from facereenact.preprocessing.manifest import NAME, read_manifest
from facereenact.preprocessing.stores import Output, content_hash, fetched
from landmarks import LandmarkSequence
from landmarks.storage import load_landmarks
from landmarks.types import joined

Row = dict[str, Any]
"""A row of the manifest, by column."""


def sequences(
    output: str | Path | Output, where: pc.Expression | None = None
) -> Iterator[tuple[Row, LandmarkSequence]]:
    """The sequences that kept the limits, with their rows, ordered by path, shot and person; one in memory at a time.

    Args:
        output: the folder of `facereenact preprocess`, its manifest, or the folder's address.
        where: which rows, e.g. `pyarrow.compute.field("face_px") > 256`.

    Raises:
        InputError: there is no manifest, or something is damaged.
    """
    output = opened(output)
    usable = pc.field("status") == "ok"
    rows = read_manifest(output, where=usable if where is None else usable & where)
    for batch in rows.to_batches(max_chunksize=1024):
        for row in batch.to_pylist():
            yield row, _landmarks(output, row)


def track_of(output: str | Path | Output, video: Path) -> LandmarkSequence | None:
    """The track of a whole video, found by its content, whatever its name; its shots are joined.

    None where the video was not prepared, or not as one track: a shot shows nobody, several people, or broke a limit.

    Raises:
        InputError: there is no manifest, or something is damaged.
    """
    output = opened(output)
    rows = read_manifest(output, where=pc.field("hash") == content_hash(video, lambda: None)).to_pylist()
    shots = {row["shot"]: row for row in rows if row["status"] == "ok"}
    if not shots or len(shots) != len(rows) or sum(row["frames"] for row in rows) != rows[0]["clip_frames"]:
        return None
    parts = (_landmarks(output, shots[number]) for number in sorted(shots))
    starts_s = (shots[number]["start_s"] for number in sorted(shots))
    return joined(
        replace(part, timestamps_s=part.timestamps_s + start_s) for part, start_s in zip(parts, starts_s, strict=True)
    )


def opened(output: str | Path | Output) -> Output:
    """The output, also where its manifest is named."""
    if isinstance(output, Output):
        return output
    return Output(str(output).removesuffix(f"/{NAME}"))


def _landmarks(output: Output, row: Row) -> LandmarkSequence:
    if output.is_local:
        return load_landmarks(Path(output.inside(row["landmarks"])))
    address = f"{output.path.rstrip('/')}/{row['landmarks']}"
    with tempfile.TemporaryDirectory() as folder, fetched(address, Path(folder), lambda: None) as copy:
        return load_landmarks(copy)
