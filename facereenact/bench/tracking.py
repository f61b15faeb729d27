"""Speed of the OpenSeeFace tracker: its stages, its networks alone, and plain steps for comparison."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from checkpoints import NotInstalledError, locate
from facereenact.bench.media import SAMPLES, repeated
from facereenact.bench.plain import PlainTracker
from facereenact.errors import FaceNotFoundError
from facereenact.track_parts import cores
from facereenact.track_settings import TrackSettings
from facereenact.tracking import track_video
from facereenact.video import VideoReader
from landmarks.openseeface import FacePoints, OpenSeeFaceTracker
from landmarks.openseeface.boxes import Box, crop_around
from landmarks.openseeface.pose import CorrectedPose
from landmarks.openseeface.pupils import PupilFinder, cut_eyes
from landmarks.openseeface.regression import LandmarkRegressor, regression
from landmarks.openseeface.slots import Slot
from landmarks.openseeface.tracker import GROUP

Image = NDArray[np.uint8]
Track = Callable[[Image], object]
TrackAll = Callable[[list[Image]], object]

STAGES = ("crop", "landmark network to points", "points in the frame", "pupils", "pose and features")
PUPILS_OF_MANY = f"pupils, of {GROUP} frames at once"
PLAIN = "plain steps, networks as published"
MOST_FRAMES = 6 * GROUP  # that are held in memory
CHUNK = GROUP  # frames that one way to track gets before the next has its turn
LONG = 3000  # frames of the video that is tracked from file to file
PLAIN_S = 20.0  # of it that are tracked in plain steps, which are the same from frame to frame

ONE_CORE = "track, one core"
TWO_JOBS = "track --jobs 2"
PLAIN_READ = "read, then plain steps, one core"


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="facereenact.bench tracker", description="Measure the OpenSeeFace tracker against plain steps."
    )
    parser.add_argument("--driver", type=Path, default=SAMPLES / "talk.mp4", help="video (default: the sample)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of which the median is printed (default: 3)")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        print_tracker(chosen.driver, Path(folder), rounds=chosen.rounds)


def print_tracker(driver: Path, folder: Path, *, rounds: int) -> None:
    """What a tracked frame costs, stage by stage, and how many times as fast as plain steps it is."""
    try:
        models_dir = locate("openseeface")
    except NotInstalledError as error:
        Console().print(f"no table of the OpenSeeFace tracker: {error}", soft_wrap=True)
        return
    with one_core():
        images = [frame.image for _, frame in zip(range(MOST_FRAMES), VideoReader(driver), strict=False)]
        read_ms = median(_read_ms(driver) for _ in range(rounds))
        stages = _stages(models_dir, images[0])
        plain = PlainTracker(models_dir, stages.box)
        ways: dict[str, TrackAll] = {
            "a frame as it comes": _one_by_one(OpenSeeFaceTracker(models_dir)),
            "its points in a video, as track finds them": _followed(OpenSeeFaceTracker(models_dir)),
            "its networks alone: the floor": stages.networks,
            PLAIN: _one_by_one(plain),
        }
        ms = _interleaved({**ways, "stages": stages.all}, images, rounds)
    stage_table = Table("stage", "ms a frame", title="a tracked frame of OpenSeeFace, one core")
    stage_table.add_row("read the video", f"{read_ms:.2f}")
    for name, seconds in stages.seconds.items():
        stage_table.add_row(name, f"{1000 * median(seconds):.2f}")
    Console().print(stage_table)
    title = f"{len(images)} frames of {images[0].shape[1]}x{images[0].shape[0]}, one core"
    Console().print(_table("whole frame", title, {name: ms[name] for name in ways}, ms[PLAIN]))
    _print_jobs(repeated(driver, folder / "long.mp4", frames=LONG), folder, plain, rounds)


def _print_jobs(video: Path, folder: Path, plain: PlainTracker, rounds: int) -> None:
    """From the file to the track, reading and the start of processes included, against plain steps and reading."""
    settings = TrackSettings(
        video=video, output=folder / "long.landmarks.safetensors", tracker="openseeface", jobs=1, overwrite=True
    )
    ways: dict[str, Callable[[], float]] = {
        ONE_CORE: lambda: _on_one_core(lambda: track_video(settings).seconds / LONG),
        TWO_JOBS: lambda: track_video(replace(settings, jobs=2)).seconds / LONG,
        PLAIN_READ: lambda: _on_one_core(lambda: _read_and_tracked_s(video, plain)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            seconds[name].append(way())
    ms = {name: 1000 * median(values) for name, values in seconds.items()}
    title = f"from file to file, {LONG} frames, {cores()} cores"
    Console().print(_table("whole video", title, ms, ms[PLAIN_READ]))


def _on_one_core(work: Callable[[], float]) -> float:
    with one_core():
        return work()


def _read_and_tracked_s(video: Path, plain: PlainTracker) -> float:
    """Seconds a frame."""
    begin = time.perf_counter()
    count = 0
    for frame in VideoReader(video, end_s=PLAIN_S):
        plain(frame.image)
        count += 1
    return (time.perf_counter() - begin) / count


def _table(heading: str, title: str, rows: dict[str, float], plain_ms: float) -> Table:
    """Rows of milliseconds a frame, with frames per second and how many times as fast as plain steps."""
    table = Table(heading, "ms a frame", "frames/s", "times as fast", title=title)
    for name, ms in rows.items():
        table.add_row(name, f"{ms:.2f}", f"{1000 / ms:.0f}", f"{plain_ms / ms:.2f}")
    return table


def _read_ms(video: Path) -> float:
    begin = time.perf_counter()
    count = sum(1 for _ in VideoReader(video))
    return 1000 * (time.perf_counter() - begin) / count


def _one_by_one(track: Track) -> TrackAll:
    return lambda images: [track(image) for image in images]


def _followed(tracker: OpenSeeFaceTracker) -> TrackAll:
    return lambda images: list(tracker.follow(images))


def _interleaved(ways: dict[str, TrackAll], images: list[Image], rounds: int) -> dict[str, float]:
    """Milliseconds a frame of each way to track, in turn, so that all meet the machine in the same state."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for first in range(0, len(images), CHUNK):
            part = images[first : first + CHUNK]
            for name, track in ways.items():
                begin = time.perf_counter()
                track(part)
                seconds[name].append((time.perf_counter() - begin) / len(part))
    return {name: 1000 * median(values) for name, values in seconds.items()}


@contextmanager
def one_core() -> Iterator[None]:
    """Keep libraries that start a thread per core from doing so, where the system lets a process choose its cores."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


class Stages:
    """The tracker's steps for one face, one after the other, with the clock read between them."""

    def __init__(self, models_dir: Path, image: Image, box: Box) -> None:
        self.box = box
        self.seconds: dict[str, list[float]] = {name: [] for name in (*STAGES, PUPILS_OF_MANY)}
        self._regressor = LandmarkRegressor(models_dir)
        self._pupils, self._pupils_of_many = PupilFinder(models_dir), PupilFinder(models_dir, faces=GROUP)
        self._slot, self._solver = Slot(0), CorrectedPose()
        self._planes = self._regressor.picture(image, crop_around(box, _size(image))).copy()
        self._eyes = np.zeros((2 * GROUP, 3, 32, 32), np.float32)

    def all(self, images: list[Image]) -> None:
        """The steps of some frames, then the pupils of all of them once more, at once."""
        faces = [self(image) for image in images]
        begin = time.perf_counter()
        self._pupils_of_many([cut_eyes(image, face) for image, face in zip(images, faces, strict=True)])
        self.seconds[PUPILS_OF_MANY].append((time.perf_counter() - begin) / len(images))

    def __call__(self, image: Image) -> FacePoints:
        """The face in the next frame."""
        size = _size(image)
        clock = [time.perf_counter()]
        crop = crop_around(self.box, size)
        planes = self._regressor.picture(image, crop)
        clock.append(time.perf_counter())
        heat, places = self._regressor.network(planes)
        clock.append(time.perf_counter())
        found = regression(heat, places, crop=crop, side_px=self._regressor.side_px)
        clock.append(time.perf_counter())
        face = self._slot.see(found, score_limit=1.0)
        face = face.with_pupils(*self._pupils([cut_eyes(image, face)])[0])
        clock.append(time.perf_counter())
        self._slot.state(face, size, solver=self._solver)
        clock.append(time.perf_counter())
        self.box = found.box_xywh
        for name, seconds in zip(STAGES, np.diff(clock).tolist(), strict=True):
            self.seconds[name].append(seconds)
        return face

    def networks(self, images: list[Image]) -> None:
        """The two networks for so many frames, at most a group, whatever they show."""
        for _ in images:
            self._regressor.network(self._planes)
        self._pupils_of_many.network(self._eyes)


def _stages(models_dir: Path, image: Image) -> Stages:
    """The stages from the face in a frame on.

    Raises:
        FaceNotFoundError: there is none.
    """
    faces = OpenSeeFaceTracker(models_dir)(image)
    if not faces:
        raise FaceNotFoundError("the first frame of the driver shows no face; give another --driver")
    return Stages(models_dir, image, faces[0].box_xywh)


def _size(image: Image) -> tuple[int, int]:
    return image.shape[1], image.shape[0]
