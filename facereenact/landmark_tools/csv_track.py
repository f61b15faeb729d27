"""Tracks as OpenSeeFace's CSV log, which its own `--log-data` writes: one row per face and frame."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from facereenact.errors import FaceNotFoundError, InputError
from facereenact.landmark_tools.measures import mean_rate
from facereenact.landmark_tools.rebuilding import rebuilt
from landmarks import LandmarkSequence
from landmarks.openseeface.csv_log import FIRST_COLUMNS, CsvLog, header
from landmarks.openseeface.face import Face
from landmarks.openseeface.features import Features
from landmarks.openseeface.pose import CorrectedPose, HeadPose, normalised
from landmarks.types import LEFT_EYE, LEFT_PUPIL, POINT_COUNT, RIGHT_EYE, RIGHT_PUPIL

COLUMNS = len(header())
FIRST_POINT = len(FIRST_COLUMNS)
AFTER_POINTS = FIRST_POINT + 3 * POINT_COUNT
FRAME, TIME, WIDTH, HEIGHT, FPS, FACE_ID = (
    FIRST_COLUMNS.index(name) for name in ("Frame", "Time", "Width", "Height", "FPS", "FaceID")
)
MOST_FRAMES = 1_000_000  # nine hours; beyond it the number of a frame is a mistake
TIME_OF_DAY_S = 1e8  # seconds since 1970 are larger, those since the start of a video smaller
TRACKER = "OpenSeeFace CSV log"

log = logging.getLogger(__name__)


@dataclass
class Rows:
    """The rows of one face."""

    frames: list[int] = field(default_factory=list)  # from 1
    times_s: list[float] = field(default_factory=list)
    points: list[NDArray[np.float64]] = field(default_factory=list)  # (68, 3): x, y, score


def write_csv(sequence: LandmarkSequence, path: Path) -> None:
    """Write the frames that show a face; times count from the start of the track."""
    solve, features = CorrectedPose(), Features()
    pose: HeadPose | None = None
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = CsvLog(file, fps=float(mean_rate(sequence)))
        for index in range(len(sequence)):
            if not sequence.detected[index]:
                pose = None
                continue
            points, scores = sequence.points[index], sequence.scores[index]
            pose = solve(points, sequence.size, pose)
            face = _face(points, scores, pose, features)
            writer.write([face], frame=index + 1, time_s=float(sequence.timestamps_s[index]), size=sequence.size)


def read_csv(path: Path, *, fps: Fraction | None = None, face_id: int | None = None) -> LandmarkSequence:
    """Read one face of a log, the one in most rows unless `face_id` names another; frames without a row are filled in.

    Args:
        path: the log.
        fps: frame k, counted from 1, is at (k - 1) / fps; without it the times of the log count.
        face_id: the FaceID to take.

    Raises:
        InputError: the file is no such log, or a line is wrong; the message names the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            faces, size, rate = _read(path, file)
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8; check which file it is") from error
    except csv.Error as error:
        raise InputError(f"{path} is no OpenSeeFace log ({error})") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    rows = _chosen(path, faces, face_id)
    if fps is None and rate <= 0 and rows.times_s[0] > TIME_OF_DAY_S:
        log.warning(
            "%s was made from a video: its times are those of the work, not of the video; "
            "give the video's rate with `landmarks convert --fps`",
            path,
        )
    numbers = np.array(rows.frames)
    times_s = np.arange(numbers[-1]) / float(fps) if fps else _times(path, numbers, np.array(rows.times_s))
    points, scores = np.zeros((len(times_s), POINT_COUNT, 2), np.float32), np.zeros((len(times_s), POINT_COUNT))
    values = np.stack(rows.points)
    points[numbers - 1], scores[numbers - 1] = values[..., :2], values[..., 2]
    detected = np.zeros(len(times_s), bool)
    detected[numbers - 1] = True
    _place_unseen_pupils(points, scores)
    return rebuilt(path, points, scores.astype(np.float32), detected, times_s, size=size, tracker=TRACKER)


def _read(path: Path, file: TextIO) -> tuple[dict[int, Rows], tuple[int, int], float]:
    """The rows by FaceID, the size of the frames, and the rate of the camera (0 for a video)."""
    reader = csv.reader(file)
    if tuple(next(reader, ())[:FIRST_POINT]) != FIRST_COLUMNS:
        raise InputError(f"{path} is no OpenSeeFace log: its first line does not begin with Frame,Time,Width,Height")
    faces: dict[int, Rows] = {}
    size, rate = (0, 0), 0.0
    for line, numbers in _numbers(path, reader):
        frame, shape = int(numbers[FRAME]), (int(numbers[WIDTH]), int(numbers[HEIGHT]))
        if size not in ((0, 0), shape) or min(shape) < 1:
            raise InputError(f"{path}: line {line}: the size of the frames changes to {shape[0]}x{shape[1]}")
        size, rate = shape, float(numbers[FPS])
        rows = faces.setdefault(int(numbers[FACE_ID]), Rows())
        if not (rows.frames[-1] if rows.frames else 0) < frame <= MOST_FRAMES:
            raise InputError(f"{path}: line {line}: frame {frame} is out of order")
        rows.frames.append(frame)
        rows.times_s.append(float(numbers[TIME]))
        rows.points.append(numbers[FIRST_POINT:AFTER_POINTS].reshape(POINT_COUNT, 3))
    if not faces:
        raise FaceNotFoundError(f"{path}: the log has no rows, so it shows no face")
    return faces, size, rate


def _numbers(path: Path, reader: Iterator[list[str]]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """The number of each line, from 2, and its values up to the points. A last line that is cut short is left out."""
    broken: InputError | None = None
    for line, row in enumerate(reader, 2):
        if not row:
            continue
        if broken is not None:
            raise broken
        try:
            if len(row) != COLUMNS:
                raise ValueError(f"it has {len(row)} values, not {COLUMNS}")
            named = row[: FACE_ID + 1] + row[FIRST_POINT:AFTER_POINTS]
            numbers = np.array([float(text) for text in named])
            if not np.isfinite(numbers).all() or np.abs(numbers[FACE_ID + 1 :]).max() > 1e6:
                raise ValueError("a value is no number or out of all range")
        except ValueError as error:
            broken = InputError(f"{path}: line {line} is no row of an OpenSeeFace log ({error})")
            continue
        whole = np.zeros(AFTER_POINTS)
        whole[: FACE_ID + 1], whole[FIRST_POINT:] = numbers[: FACE_ID + 1], numbers[FACE_ID + 1 :]
        yield line, whole
    if broken is not None:
        log.warning("%s; it is the last and left out", broken)


def _chosen(path: Path, faces: dict[int, Rows], face_id: int | None) -> Rows:
    known = ", ".join(f"{number} ({len(faces[number].frames)} frames)" for number in sorted(faces))
    if face_id is None:
        most = max(sorted(faces), key=lambda number: len(faces[number].frames))
        if len(faces) > 1:
            log.warning("%s holds the faces %s; %d is taken (--face-id chooses another)", path, known, most)
        return faces[most]
    if face_id not in faces:
        raise InputError(f"{path} has no face {face_id} (--face-id); it holds {known}")
    return faces[face_id]


def _times(path: Path, numbers: NDArray[np.int64], times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """(frames,) seconds of all frames from the first on, from those that have a row."""
    if times_s[0] > TIME_OF_DAY_S:
        times_s = times_s - times_s[0]
    if np.any(np.diff(times_s) <= 0):
        late = int(numbers[1:][np.diff(times_s) <= 0][0])
        raise InputError(f"{path}: the time of frame {late} does not come after the one before; give --fps RATE")
    before = int(numbers[0]) - 1
    if before:
        step_s = float(np.median(np.diff(times_s) / np.diff(numbers))) if len(numbers) > 1 else 0.04
        begin_s = float(times_s[0]) - before * step_s
        if begin_s < -0.5 * step_s:  # the log's clock began with the first face
            times_s, begin_s = times_s - begin_s, 0.0
        numbers, times_s = np.append(1, numbers), np.append(max(begin_s, 0.0), times_s)
    if times_s[0] < 0:
        raise InputError(f"{path}: times must not be negative; give --fps RATE")
    return np.interp(np.arange(1, numbers[-1] + 1), numbers, times_s)


def _place_unseen_pupils(points: NDArray[np.float32], scores: NDArray[np.float64]) -> None:
    """Put pupils that were not seen, (0, 0) with score 0 in a log, in the middle of their eyes."""
    for pupil, eye in ((RIGHT_PUPIL, RIGHT_EYE), (LEFT_PUPIL, LEFT_EYE)):
        unseen = (scores[:, pupil] <= 0) & (points[:, pupil] == 0).all(axis=1)
        points[unseen, pupil] = points[unseen, eye].mean(axis=1)


def _face(points: NDArray[np.float32], scores: NDArray[np.float32], pose: HeadPose, features: Features) -> Face:
    points_3d = normalised(pose.points_3d)
    if np.isfinite(points_3d).all():
        features.update(points_3d)
    low, high = points[:RIGHT_PUPIL].min(axis=0), points[:RIGHT_PUPIL].max(axis=0)
    return Face(
        number=0,
        points=points,
        scores=scores,
        confidence=float(scores[:RIGHT_PUPIL].mean()),
        box_xywh=np.concatenate([low, high - low]),
        rotation=pose.rotation,
        translation=pose.translation,
        points_3d=points_3d,
        features=features.values,
        eye_blink=features.eye_blink,
        sent=pose.sent,
    )
