"""drive(): from a portrait and a driver to a finished video. The one function behind `facereenact drive`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facereenact.diffusion import open_diffusion_renderer
from facereenact.driver import Progress
from facereenact.errors import InputError, OutputError
from facereenact.images import write_image
from facereenact.mixing import PartResult, Performance, open_cast
from facereenact.output_target import OutputTarget
from facereenact.renderer_choice import RendererName, choose_renderer
from facereenact.renderers.base import Renderer
from facereenact.renderers.warp import WarpRenderer
from facereenact.settings import IMAGE_OUTPUTS, DriveSettings
from facereenact.sidecar import sidecar_path, write_sidecar
from facereenact.source import CROP_PX, Source, read_source
from facereenact.streams import ahead
from facereenact.video import OUTPUT_SUFFIXES, VideoWriter
from facereenact.video_encoder import CONTAINER_SUFFIXES
from landmarks.storage import SUFFIX, save_landmarks

Image = NDArray[np.uint8]

PANEL_PX = 512  # most of a comparison panel's height


@dataclass
class DriveResult:
    """What was made, and how."""

    output: Path
    renderer: str
    renderer_reason: str
    size: tuple[int, int]  # width, height, pixels
    rate: Fraction  # frames per second
    frames: int
    frames_filled: int  # driver frames without a face, interpolated
    neutral_frame: int  # of the main driver, from 0
    has_audio: bool
    audio: Path | None = None  # whose sound
    parts: dict[str, PartResult] = field(default_factory=dict)  # what moved each part that moved
    compare: Path | None = None
    seconds: dict[str, float] = field(default_factory=dict)  # wall time by stage


def drive(settings: DriveSettings, *, progress: Progress = lambda *_: None) -> DriveResult:
    """Animate the source with the motion of one driver, or of one for each part, and write the result.

    Nothing is left behind when it fails or is interrupted, but for what the diffusion renderer has finished: the same
    call goes on from there. A finished result has a `.json` sidecar.

    Args:
        settings: what to do.
        progress: told the stage, the frames done, and the frames in all (None where unknown).

    Raises:
        InputError: the source or the driver cannot be used; FaceNotFoundError where it shows no face.
        OutputError: the result cannot be written.
    """
    clock = Clock()
    name, reason = choose_renderer(settings)
    output = settings.output_path
    _check_outputs(settings, output)
    cast = open_cast(settings)
    if output.suffix.lower() in IMAGE_OUTPUTS and not cast.is_still:
        raise OutputError(f"{output}: a moving driver makes a video; end in .mp4, .webm or .gif")
    source = _read_source(settings, name)
    clock.lap("source")

    tracks = cast.track(progress)
    clock.lap("tracking")
    performance = cast.perform(source.landmarks, tracks)
    renderer = _open_renderer(name, source, settings, progress)
    clock.lap("preparation")

    has_audio = cast.audio is not None and output.suffix.lower() in CONTAINER_SUFFIXES
    result = DriveResult(
        output=output,
        renderer=name,
        renderer_reason=reason,
        size=_written_size(renderer.size, output),
        rate=performance.rate,
        frames=len(performance.times_s),
        frames_filled=sum(int((~track.detected).sum()) for track in tracks.values()),
        neutral_frame=performance.takes[settings.main_driver].retargeter.neutral_frame,
        has_audio=has_audio,
        audio=cast.audio if has_audio else None,
        parts=performance.parts,
    )
    pictures = renderer.render(performance.landmarks(), performance.mouths())
    if output.suffix.lower() in IMAGE_OUTPUTS:
        write_image(output, next(pictures))
    else:
        _write_videos(settings, source, performance, renderer.size, pictures, result, progress)
    clock.lap("rendering")
    renderer.forget()
    tracked = tracks[settings.main_driver]
    if settings.save_landmarks:
        save_landmarks(tracked, settings.save_landmarks)
    result.seconds = clock.laps
    write_sidecar(output, {"settings": asdict(settings), "result": asdict(result), "tracker": tracked.tracker})
    return result


def _read_source(settings: DriveSettings, renderer: RendererName) -> Source:
    """The source; where the diffusion renderer gives the square of the face, it cuts that out itself."""
    cuts_itself = settings.crop and renderer == "diffusion"
    return read_source(
        settings.source,
        face=settings.face,
        crop=settings.crop and not cuts_itself,
        size=None if cuts_itself else settings.size,
    )


def _open_renderer(name: RendererName, source: Source, settings: DriveSettings, progress: Progress) -> Renderer:
    if name == "warp":
        return WarpRenderer(source.image, source.mesh, source.landmarks, matte=source.matte)
    side = settings.size[0] if isinstance(settings.size, tuple) else settings.size
    return open_diffusion_renderer(
        source,
        settings.diffusion,
        folder=unfinished_folder(settings.output_path),
        crop_px=(side or CROP_PX) if settings.crop else None,
        on_progress=progress,
    )


def unfinished_folder(output: Path) -> Path:
    """Where an interrupted rendering keeps what it has done: `.face.mp4.unfinished` beside `face.mp4`."""
    return output.with_name(f".{output.name}.unfinished")


class Clock:
    """Wall time of consecutive stages."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round(now - self._last, 3)
        self._last = now


def compare_path(output: Path) -> Path:
    """`face.compare.mp4` for `face.mp4`, and likewise for the folder `face`, beside it."""
    if output.suffix.lower() in OUTPUT_SUFFIXES:
        return output.with_name(f"{output.stem}.compare{output.suffix}")
    return output.with_name(f"{output.name}.compare.mp4")


def _check_outputs(settings: DriveSettings, output: Path) -> None:
    """Everything that can be known before the work.

    Raises:
        OutputError: a result exists already or cannot be put where it shall go.
        InputError: a result would replace an input.
    """
    is_picture = output.suffix.lower() in IMAGE_OUTPUTS
    if is_picture and settings.compare:
        raise InputError("--compare makes a video: it does not go with a single picture")
    results = {output: IMAGE_OUTPUTS if is_picture else OUTPUT_SUFFIXES}
    if settings.compare:
        results[compare_path(output)] = OUTPUT_SUFFIXES
    results[sidecar_path(output)] = (".json",)
    if settings.save_landmarks:
        if not settings.save_landmarks.name.endswith(SUFFIX):
            raise OutputError(f"{settings.save_landmarks}: the name of a landmark file ends in {SUFFIX}")
        results[settings.save_landmarks] = (".safetensors",)
    for path, suffixes in results.items():
        for needed in (file.resolve() for file in (settings.source, *settings.drivers)):
            if path.resolve() in (needed, *needed.parents):
                raise InputError(f"{path} is an input or holds one; choose another output")
        OutputTarget(path, suffixes=suffixes, overwrite=settings.overwrite)


def _written_size(size: tuple[int, int], output: Path) -> tuple[int, int]:
    """The size with the column and row that `VideoWriter` adds to an odd one."""
    if output.suffix.lower() not in CONTAINER_SUFFIXES:
        return size
    return size[0] + size[0] % 2, size[1] + size[1] % 2


def _write_videos(
    settings: DriveSettings,
    source: Source,
    performance: Performance,
    size: tuple[int, int],
    pictures: Iterator[Image],
    result: DriveResult,
    progress: Progress,
) -> None:
    """Encode the pictures, and the comparison where asked for, while they are made."""
    sound = {"audio_from": performance.cast.audio, "audio_start_s": settings.start, "audio_end_s": settings.end}
    with ExitStack() as stack:
        comparisons = stack.enter_context(_withdrawn_on_failure())
        writer = stack.enter_context(
            VideoWriter(result.output, size, result.rate, overwrite=settings.overwrite, **sound)  # type: ignore[arg-type]
        )
        panels = None
        if settings.compare:
            result.compare = compare_path(result.output)
            panels = Panels(source.image, performance.takes[settings.main_driver].track.size)
            beside = stack.enter_context(
                VideoWriter(result.compare, panels.size, result.rate, overwrite=settings.overwrite, **sound)  # type: ignore[arg-type]
            )
            comparisons.append(beside)
        stream = stack.enter_context(closing(ahead(pictures)))
        originals = stack.enter_context(closing(ahead(performance.main_images()))) if panels else None
        for index, picture in enumerate(stream):
            time_s = float(performance.times_s[index])
            writer.write(picture, time_s)
            if panels and originals:
                beside.write(panels.join(next(originals), picture), time_s)
            progress("rendering", index + 1, result.frames)


@contextmanager
def _withdrawn_on_failure() -> Iterator[list[VideoWriter]]:
    """A list of writers whose files, though complete, disappear when what belongs to them fails."""
    writers: list[VideoWriter] = []
    try:
        yield writers
    except BaseException:
        for writer in writers:
            if writer.is_published:
                writer.path.unlink(missing_ok=True)
        raise


class Panels:
    """Source, driver and result side by side, of one height."""

    def __init__(self, source: Image, driver_size: tuple[int, int]) -> None:
        self._height = min(PANEL_PX, source.shape[0]) // 2 * 2
        self._source = self._fitted(source)
        driver_width = self._width(*driver_size)
        self.size = (2 * self._source.shape[1] + driver_width, self._height)

    def join(self, driver: Image, result: Image) -> Image:
        return np.hstack([self._source, self._fitted(driver), self._fitted(result)])

    def _width(self, width: int, height: int) -> int:
        return max(2, round(width * self._height / height / 2) * 2)

    def _fitted(self, image: Image) -> Image:
        size = (self._width(image.shape[1], image.shape[0]), self._height)
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
