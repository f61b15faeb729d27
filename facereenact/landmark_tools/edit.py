"""A part of a track, and tracks one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from facereenact.errors import InputError
from facereenact.landmark_tools.formats import check_output, read_track, write_track
from facereenact.landmark_tools.measures import end_s
from facereenact.landmark_tools.settings import MergeSettings, TrimSettings
from landmarks import LandmarkSequence
from landmarks.types import ARRAYS

SLACK_S = 1e-6  # start and end are typed with a few decimals; a frame this close counts as on time


def trim_file(path: Path, settings: TrimSettings) -> LandmarkSequence:
    """Cut a file; the part is timed from its start.

    Raises:
        InputError: the file cannot be used, or has no frame in the part.
        OutputError: the result cannot be written.
    """
    check_output(settings.output, overwrite=settings.overwrite)
    try:
        part = trimmed(read_track(path), settings.start, settings.end)
    except ValueError as error:
        raise InputError(f"{path} {error}") from error
    write_track(part, settings.output, overwrite=settings.overwrite)
    return part


def merge_files(paths: Sequence[Path], settings: MergeSettings) -> LandmarkSequence:
    """Join files one after another.

    Raises:
        InputError: a file cannot be used, or the sizes of their frames differ.
        OutputError: the result cannot be written.
    """
    check_output(settings.output, overwrite=settings.overwrite)
    parts = [read_track(path) for path in paths]
    for path, part in zip(paths, parts, strict=True):
        if part.size != parts[0].size:
            raise InputError(
                f"{path} was tracked in frames of {part.size[0]}x{part.size[1]}, {paths[0]} in "
                f"{parts[0].size[0]}x{parts[0].size[1]}; only tracks of one size can be merged"
            )
    whole = merged(parts)
    write_track(whole, settings.output, overwrite=settings.overwrite)
    return whole


def trimmed(sequence: LandmarkSequence, start_s: float, end_at_s: float | None) -> LandmarkSequence:
    """The frames from `start_s` up to but not including `end_at_s`, timed from `start_s` as a reader of videos does.

    Raises:
        ValueError: there is none.
    """
    time = sequence.timestamps_s
    kept = time >= start_s - SLACK_S
    if end_at_s is not None:
        kept &= time < end_at_s - SLACK_S
    if not kept.any():
        until = "on" if end_at_s is None else f"to {end_at_s:g} s"
        raise ValueError(f"has no frame from {start_s:g} s {until}; it lasts {end_s(sequence):.2f} s")
    first, after = int(np.argmax(kept)), len(kept) - int(np.argmax(kept[::-1]))
    part = sequence[first:after]
    return replace(part, timestamps_s=np.maximum(part.timestamps_s - start_s, 0))


def merged(parts: Sequence[LandmarkSequence]) -> LandmarkSequence:
    """Tracks of one size, each beginning when the one before ends.

    Raises:
        ValueError: there is none, or the sizes differ.
    """
    if len({part.size for part in parts}) != 1:
        raise ValueError("tracks to be merged need one size of frames")
    times = [parts[0].timestamps_s]
    after_s = end_s(parts[0])
    for part in parts[1:]:
        times.append(part.timestamps_s - part.timestamps_s[0] + after_s)
        after_s += end_s(part) - float(part.timestamps_s[0])
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS}
    arrays["timestamps_s"] = np.concatenate(times)
    trackers = dict.fromkeys(part.tracker for part in parts)
    return replace(parts[0], **arrays, tracker=" + ".join(trackers))
