"""A result in the making: its pictures, what belongs to them, what is told about them, and how they are written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from body.storage import SUFFIX as POSE
from facereenact.driver import Progress
from facereenact.errors import InputError, OutputError
from facereenact.images import write_image
from facereenact.mixing import PartResult
from facereenact.output_target import OutputTarget
from facereenact.panels import Panels
from facereenact.settings import IMAGE_OUTPUTS, DriveSettings
from facereenact.sidecar import sidecar_path
from facereenact.streams import ahead
from facereenact.video import OUTPUT_SUFFIXES, VideoWriter
from facereenact.video_encoder import CONTAINER_SUFFIXES
from landmarks.storage import SUFFIX as LANDMARKS

Image = NDArray[np.uint8]


@dataclass
class BodyResult:
    """What moved the body, and how far one picture could follow."""

    driver: Path
    estimator: str  # what found the points of the source, and of a driver that is no pose file
    estimator_reason: str
    head_from: str  # body or face
    frames_filled: int  # driver frames without the person, interpolated
    neutral_frame: int  # of the body driver, from 0
    legs: str  # moved; still, where the driver shows none; left out, where the source shows none
    frames_clamped: int = 0  # in which the driver moves farther than one picture can show
    frames_without_face: int = 0  # that keep the face of the body pass


@dataclass
class DriveResult:
    """What was made, and how."""

    output: Path
    renderer: str
    renderer_reason: str
    size: tuple[int, int]  # width, height, pixels
    rate: Fraction  # frames per second
    frames: int
    frames_filled: int  # frames of face drivers without a face, interpolated
    neutral_frame: int | None  # of the main driver of the face, from 0; None without one
    has_audio: bool
    audio: Path | None = None  # whose sound
    parts: dict[str, PartResult] = field(default_factory=dict)  # what moved each part of the face that moved
    body: BodyResult | None = None
    compare: Path | None = None
    seconds: dict[str, float] = field(default_factory=dict)  # wall time by stage


@dataclass(frozen=True)
class Sound:
    """What is heard: part of a file."""

    path: Path
    span: tuple[float, float | None]  # from when to when, seconds


@dataclass(frozen=True, eq=False)
class Original:
    """A driver as it is shown beside the result."""

    size: tuple[int, int]
    images: Callable[[], Iterator[Image]]  # one a frame


@dataclass(frozen=True, eq=False)
class Film:
    """What is about to be made."""

    source: Image
    size: tuple[int, int]  # of the pictures: width, height
    rate: Fraction
    times_s: NDArray[np.float64]  # (frames,) when they show, seconds
    pictures: Iterator[Image]
    originals: tuple[Original, ...]
    sound: Sound | None
    trackers: dict[str, str]  # what found the points, for the sidecar
    finish: Callable[[], None]  # to be called once the pictures are safe

    def result(self, settings: DriveSettings, renderer: tuple[str, str], **more: Any) -> DriveResult:
        """What is told about it.

        Args:
            renderer: its name, and why it was chosen.
        """
        output = settings.output_path
        sound = self.sound if output.suffix.lower() in CONTAINER_SUFFIXES else None
        return DriveResult(
            output,
            *renderer,
            size=_written_size(self.size, output),
            rate=self.rate,
            frames=len(self.times_s),
            has_audio=sound is not None,
            audio=sound.path if sound else None,
            **more,
        )


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


def unfinished_folder(output: Path) -> Path:
    """Where an interrupted rendering keeps what it has done: `.face.mp4.unfinished` beside `face.mp4`."""
    return output.with_name(f".{output.name}.unfinished")


def check_outputs(settings: DriveSettings) -> None:
    """Everything that can be known before the work.

    Raises:
        OutputError: a result exists already or cannot be put where it shall go.
        InputError: a result would replace an input.
    """
    output = settings.output_path
    is_picture = output.suffix.lower() in IMAGE_OUTPUTS
    if is_picture and settings.compare:
        raise InputError("--compare makes a video: it does not go with a single picture")
    results = {output: IMAGE_OUTPUTS if is_picture else OUTPUT_SUFFIXES}
    if settings.compare:
        results[compare_path(output)] = OUTPUT_SUFFIXES
    results[sidecar_path(output)] = (".json",)
    tracks = ((settings.save_landmarks, "landmark", LANDMARKS), (settings.body.save_pose, "pose", POSE))
    for track, kind, suffix in tracks:
        if track and not track.name.endswith(suffix):
            raise OutputError(f"{track}: the name of a {kind} file ends in {suffix}")
        if track:
            results[track] = (".safetensors",)
    for path, suffixes in results.items():
        for needed in (file.resolve() for file in settings.inputs):
            if path.resolve() in (needed, *needed.parents):
                raise InputError(f"{path} is an input or holds one; choose another output")
        OutputTarget(path, suffixes=suffixes, overwrite=settings.overwrite)


def require_still(output: Path, is_still: bool) -> None:
    """Raises OutputError where something that moves shall become a single picture."""
    if output.suffix.lower() in IMAGE_OUTPUTS and not is_still:
        raise OutputError(f"{output}: a moving driver makes a video; end in .mp4, .webm or .gif")


def _written_size(size: tuple[int, int], output: Path) -> tuple[int, int]:
    """The size with the column and row that `VideoWriter` adds to an odd one."""
    if output.suffix.lower() not in CONTAINER_SUFFIXES:
        return size
    return size[0] + size[0] % 2, size[1] + size[1] % 2


def write_film(film: Film, result: DriveResult, settings: DriveSettings, progress: Progress) -> None:
    """Write the pictures, and the comparison where asked for, while they are made."""
    if result.output.suffix.lower() in IMAGE_OUTPUTS:
        write_image(result.output, next(film.pictures))
        return
    with ExitStack() as stack:
        comparisons = stack.enter_context(_withdrawn_on_failure())
        writer = stack.enter_context(_writer(film, result.output, film.size, settings))
        beside = None
        if settings.compare:
            result.compare = compare_path(result.output)
            panels = Panels(film.source, [each.size for each in film.originals])
            beside = stack.enter_context(_writer(film, result.compare, panels.size, settings))
            comparisons.append(beside)
        stream = stack.enter_context(closing(ahead(film.pictures)))
        originals = [stack.enter_context(closing(ahead(each.images()))) for each in film.originals if beside]
        for index, picture in enumerate(stream):
            time_s = float(film.times_s[index])
            writer.write(picture, time_s)
            if beside:
                beside.write(panels.join([next(each) for each in originals], picture), time_s)
            progress("rendering", index + 1, result.frames)


def _writer(film: Film, path: Path, size: tuple[int, int], settings: DriveSettings) -> VideoWriter:
    start_s, end_s = film.sound.span if film.sound else (0.0, None)
    return VideoWriter(
        path,
        size,
        film.rate,
        audio_from=film.sound.path if film.sound else None,
        audio_start_s=start_s,
        audio_end_s=end_s,
        overwrite=settings.overwrite,
    )


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
