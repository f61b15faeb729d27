"""Tracks as JSON lines: a line about the track, then one line a frame; for programs that know no safetensors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from facereenact.errors import InputError
from facereenact.landmark_tools.rebuilding import rebuilt
from landmarks import LandmarkSequence
from landmarks.types import POINT_COUNT

FORMAT = "facereenact-landmarks-jsonl"
FORMAT_VERSION = 1
SHAPES = {
    "points": (POINT_COUNT, 2),
    "scores": (POINT_COUNT,),
    "rotation": (3,),
    "translation": (3,),
    "eye_openness": (2,),
}
COMPUTED = ("rotation", "translation", "eye_openness")  # from the points, where a frame does not state them

Frame = dict[str, Any]


def write_json_lines(sequence: LandmarkSequence, path: Path) -> None:
    """Write a track; every number is the shortest that gives back the same float."""
    about = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "size": sequence.size,
        "tracker": sequence.tracker,
        "frames": len(sequence),
    }
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(about) + "\n")
        for index, (time_s, detected) in enumerate(zip(sequence.timestamps_s, sequence.detected, strict=True)):
            frame: Frame = {"frame": index, "time_s": float(time_s), "detected": bool(detected)}
            frame |= {name: _shortest(getattr(sequence, name)[index]) for name in SHAPES}
            file.write(json.dumps(frame, separators=(",", ":")) + "\n")


def read_json_lines(path: Path) -> LandmarkSequence:
    """Read a track. A frame needs `time_s` and `points`; the rest is computed from the points where it is missing.

    Raises:
        InputError: the file is no such track, or a line is wrong; the message names the line.
    """
    try:
        with path.open(encoding="utf-8") as file:
            lines = _parsed(path, file)
            _, about = next(lines, (0, {}))
            if about.get("format") != FORMAT:
                raise InputError(f'{path}: its first line must state "format": "{FORMAT}", "version", "size"')
            if about.get("version") != FORMAT_VERSION:
                raise InputError(f"{path}: version {about.get('version')}; this program reads {FORMAT_VERSION}")
            size = _size(path, about.get("size"))
            frames = [_frame(path, number, line) for number, line in lines]
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8; check which file it is") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    if not frames:
        raise InputError(f"{path} has no frames")
    if isinstance(about.get("frames"), int) and about["frames"] != len(frames):
        raise InputError(f"{path} is cut short: {len(frames)} of {about['frames']} frames; make it again")
    return _sequence(path, frames, size, str(about.get("tracker", "unknown")))


def _parsed(path: Path, lines: Any) -> Iterator[tuple[int, Frame]]:
    """The number, from 1, and the object of each line that is not empty."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line, parse_constant=_refused)
            if not isinstance(value, dict):
                raise ValueError("not an object in braces")
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: line {number} is no JSON object ({str(error)[:80]})") from error
        yield number, value


def _frame(path: Path, number: int, line: Frame) -> Frame:
    """A frame with arrays of the right shape.

    Raises:
        InputError: a value is missing or wrong.
    """
    try:
        time_s = line["time_s"]
        if isinstance(time_s, bool) or not isinstance(time_s, int | float) or time_s < 0:
            raise ValueError("time_s must be seconds from 0 on")
        frame: Frame = {"time_s": float(time_s), "detected": line.get("detected", True)}
        if not isinstance(frame["detected"], bool):
            raise ValueError("detected must be true or false")
        for name, shape in SHAPES.items():
            if name in line:
                with np.errstate(over="ignore"):  # what is too large is refused below
                    frame[name] = np.asarray(line[name], np.float32)
                if frame[name].shape != shape or not np.isfinite(frame[name]).all():
                    raise ValueError(f"{name} must hold {' x '.join(map(str, shape))} numbers")
        frame["points"]
    except KeyError as error:
        raise InputError(f"{path}: line {number} has no {error}") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{path}: line {number}: {str(error)[:120]}") from error
    return frame


def _sequence(path: Path, frames: list[Frame], size: tuple[int, int], tracker: str) -> LandmarkSequence:
    detected = np.array([frame["detected"] for frame in frames])
    times_s = np.array([frame["time_s"] for frame in frames])
    points = np.stack([frame["points"] for frame in frames])
    scores = np.stack([frame.get("scores", np.full(POINT_COUNT, frame["detected"], np.float32)) for frame in frames])
    late = np.flatnonzero(np.diff(times_s) <= 0)
    if len(late):
        raise InputError(f"{path}: time_s must increase; frame {int(late[0]) + 1} (from 0) does not")
    if any(name not in frame for frame in frames for name in COMPUTED):
        return rebuilt(path, points, scores, detected, times_s, size=size, tracker=tracker)
    rest = {name: np.stack([frame[name] for frame in frames]) for name in COMPUTED}
    return LandmarkSequence(
        points=points, scores=scores, detected=detected, timestamps_s=times_s, size=size, tracker=tracker, **rest
    )


def _size(path: Path, value: Any) -> tuple[int, int]:
    if not (isinstance(value, list) and len(value) == 2 and all(type(side) is int and side > 0 for side in value)):
        raise InputError(f'{path}: "size" in the first line must be [width, height] in pixels')
    return value[0], value[1]


def _shortest(values: NDArray[np.float32]) -> list[Any]:
    """The numbers with as few digits as tell them apart."""
    nested: list[Any] = values.astype("U32").astype(np.float64).tolist()
    return nested


def _refused(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
