"""Making the results that a protocol asks for, once."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path
from typing import Any

from facereenact.drive import drive
from facereenact.driver import Progress
from facereenact.errors import InputError
from facereenact.evaluation.cache import RENDERING, contents_of, key_of, program
from facereenact.evaluation.protocols import Case
from facereenact.evaluation.settings import EvaluateSettings
from facereenact.images import write_image
from facereenact.settings import DriveSettings
from facereenact.sidecar import sidecar_path
from facereenact.video import Frame, VideoReader

FOLDER = "renders"


def render_key(case: Case, settings: EvaluateSettings) -> str:
    """What identifies the result of a case."""
    if case.result is not None:
        return contents_of(case.result)
    source = settings.source_frame if case.source is None else contents_of(case.source)
    return key_of(program(RENDERING), source, contents_of(case.driver), case.parts, settings.end, dict(settings.drive))


def rendered(case: Case, settings: EvaluateSettings, progress: Progress) -> tuple[Path, float | None]:
    """The result of a case, and the seconds that it took unless it was there already.

    Raises:
        InputError: source or driver cannot be used.
        OutputError: the result cannot be written.
    """
    if case.result is not None:
        return case.result, None
    output = settings.output / FOLDER / f"{case.name}-{render_key(case, settings)}.mp4"
    if output.exists() and sidecar_path(output).exists():
        return output, None
    began = time.perf_counter()
    source = case.source or _frame_as_picture(case.driver, settings.source_frame, output.with_suffix(".source.png"))
    chosen: dict[str, Any] = dict(settings.drive)
    drive(
        DriveSettings(source, case.driver, output, parts=case.parts, end=settings.end, overwrite=True, **chosen),
        progress=progress,
    )
    return output, time.perf_counter() - began


def frame_of(video: Path, index: int) -> Frame:
    """One frame of a video, counted from 0.

    Raises:
        InputError: it has fewer.
    """
    frame = next(islice(VideoReader(video), index, None), None)
    if frame is None:
        raise InputError(f"{video} has no frame {index}; choose another with --source-frame")
    return frame


def _frame_as_picture(video: Path, index: int, path: Path) -> Path:
    write_image(path, frame_of(video, index).image)
    return path
