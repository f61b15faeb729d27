"""Making the results that a protocol asks for, once."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

from body.estimators import DWPOSE
from checkpoints import checkpoints_root
from checkpoints.storage import read_record
from facereenact.diffusion import decoder_place
from facereenact.diffusion_settings import COMBINED_CHECKPOINTS
from facereenact.drive import drive
from facereenact.driver import Progress
from facereenact.errors import InputError
from facereenact.evaluation.cache import MEASURING, contents_of, key_of, program
from facereenact.evaluation.protocols import Case
from facereenact.evaluation.settings import EvaluateSettings
from facereenact.images import write_image
from facereenact.renderer_choice import FACE_CHECKPOINTS, RendererName, choose_renderer
from facereenact.settings import DriveSettings
from facereenact.sidecar import sidecar_path
from facereenact.video import Frame, VideoReader
from landmarks.trackers import OPENSEEFACE

FOLDER = "renders"
NO_CONTENT = {"source", "output", "save_landmarks", "save_pose", "checkpoints"}  # settings whose paths identify nothing


def render_key(case: Case, settings: EvaluateSettings) -> str:
    """What identifies the result of a case: all that it is made from.

    Raises:
        NotInstalledError: the renderer that was asked for needs checkpoints that are not installed.
        InputError: settings that the renderer does not have.
    """
    if case.result is not None:
        return contents_of(case.result)
    source = settings.source_frame if case.source is None else contents_of(case.source)
    asked = _drive_settings(case, settings)
    renderer, _ = choose_renderer(asked)
    used = {**asdict(asked), "renderer": renderer}
    return key_of(program(without=MEASURING), source, _by_content(used), _weights(asked, renderer))


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
    drive(replace(_drive_settings(case, settings), source=source, output=output), progress=progress)
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


def _drive_settings(case: Case, settings: EvaluateSettings) -> DriveSettings:
    """How a case is rendered; the driver stands for a source that is yet to be made."""
    chosen: dict[str, Any] = dict(settings.drive)
    return DriveSettings(
        case.source or case.driver, case.driver, parts=case.parts, end=settings.end, overwrite=True, **chosen
    )


def _by_content(value: Any) -> Any:
    """The same settings, with what lies at a path in place of the path."""
    if isinstance(value, dict):
        return {name: _by_content(each) for name, each in value.items() if name not in NO_CONTENT}
    return contents_of(value) if isinstance(value, Path) and value.exists() else value


def _weights(asked: DriveSettings, renderer: RendererName) -> dict[str, dict[str, str]]:
    """The recorded hashes of the checkpoints that a render may use."""
    moves_body = asked.body.body_driver is not None
    folders = [checkpoints_root() / DWPOSE] if moves_body else []
    if renderer == "diffusion":
        folders.append(checkpoints_root() / OPENSEEFACE)  # from whose points the guides are drawn where it is there
        decoder = decoder_place(asked.diffusion)
        names = COMBINED_CHECKPOINTS if moves_body else FACE_CHECKPOINTS
        folders += [checkpoints_root(asked.diffusion.checkpoints) / name for name in names]
        folders += [decoder] if decoder else []
    return {folder.name: {name: file.sha256 for name, file in read_record(folder).items()} for folder in folders}


def _frame_as_picture(video: Path, index: int, path: Path) -> Path:
    write_image(path, frame_of(video, index).image)
    return path
