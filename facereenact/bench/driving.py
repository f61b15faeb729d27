"""Speed and memory of `drive`, stage by stage."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from facereenact.bench.media import SAMPLES, repeated, resized
from facereenact.drive import drive
from facereenact.renderers.base import DriverFrame
from facereenact.renderers.warp import WarpRenderer
from facereenact.settings import DriveSettings
from facereenact.source import read_source
from facereenact.video import VideoReader, VideoWriter
from landmarks.mediapipe_tracker import MediaPipeTracker
from landmarks.retargeting import Retargeter
from landmarks.smoothing import SMOOTHERS, fill_gaps
from landmarks.tracking import track

SIDE_PX = 512  # the size that the figures are quoted for

# The kernel's own mark where there is one: what getrusage reports starts from the size of the parent process.
PEAK_MEMORY = """
import pathlib, re, resource, sys
from facereenact import DriveSettings, drive
source, driver, output = sys.argv[1:]
drive(DriveSettings(source=source, driver=driver, output=output))
status = pathlib.Path("/proc/self/status")
if status.exists():
    print(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1])
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="facereenact.bench drive", description="Measure `facereenact drive`.")
    parser.add_argument("--source", type=Path, default=SAMPLES / "face.png", help="portrait (default: the sample)")
    parser.add_argument("--driver", type=Path, default=SAMPLES / "talk.mp4", help="video (default: the sample)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of which the median is printed (default: 3)")
    parser.add_argument(
        "--memory", action="store_true", help="also the peak memory with 10 s and 10 minutes of driver (minutes)"
    )
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        driver = resized(chosen.driver, folder / "driver.mp4", side_px=SIDE_PX)
        print_speed(chosen.source, driver, folder, rounds=chosen.rounds)
        if chosen.memory:
            print_memory(chosen.source, driver, folder)


def print_speed(portrait: Path, driver: Path, folder: Path, *, rounds: int) -> None:
    """The stages of `drive`, and the whole of it."""
    source = read_source(portrait, crop=True, size=SIDE_PX)
    frames = [(frame.image, frame.timestamp_s) for frame in VideoReader(driver)]
    with MediaPipeTracker() as tracker:
        sequence = fill_gaps(track(frames, tracker))
        smooth = SMOOTHERS["normal"](sequence)
        retargeter = Retargeter(smooth, source.landmarks)
        renderer = WarpRenderer(source.image, source.mesh, source.landmarks)
        borrowed = [DriverFrame(image, points) for (image, _), points in zip(frames, smooth.points, strict=True)]
        pictures = list(renderer.render(retargeter.frames(smooth), borrowed))

        def encode() -> None:
            with VideoWriter(folder / "encoded.mp4", source.size, Fraction(25), overwrite=True) as writer:
                for (_, time_s), picture in zip(frames, pictures, strict=True):
                    writer.write(picture, time_s)

        stages: dict[str, Callable[[], object]] = {
            "decode": lambda: sum(1 for _ in VideoReader(driver)),
            "track": lambda: track(frames, tracker),
            "smooth": lambda: SMOOTHERS["normal"](sequence),
            "retarget": lambda: sum(1 for _ in retargeter.frames(smooth)),
            "render": lambda: sum(1 for _ in renderer.render(retargeter.frames(smooth), borrowed)),
            "encode": encode,
        }
        times = {name: median(_timed(stage, rounds)) for name, stage in stages.items()}
    whole = median(_whole(portrait, driver, folder, rounds))
    table = Table(
        "stage", "ms a frame", "frames/s", title=f"{len(frames)} frames, {SIDE_PX}x{SIDE_PX}, {os.cpu_count()} cores"
    )
    for name, seconds in times.items():
        table.add_row(name, f"{1000 * seconds / len(frames):.2f}", f"{len(frames) / seconds:.0f}")
    table.add_row("whole command after start-up", f"{1000 * whole / len(frames):.2f}", f"{len(frames) / whole:.0f}")
    Console().print(table)


def _timed(stage: Callable[[], object], rounds: int) -> Iterator[float]:
    for _ in range(rounds):
        start = time.perf_counter()
        stage()
        yield time.perf_counter() - start


def _whole(portrait: Path, driver: Path, folder: Path, rounds: int) -> Iterator[float]:
    """Seconds from the first decoded frame to the finished file: two passes, decode to encode."""
    for _ in range(rounds):
        output = folder / "whole.mp4"
        result = drive(DriveSettings(source=portrait, driver=driver, output=output, crop=True, overwrite=True))
        yield result.seconds["tracking"] + result.seconds["rendering"]


def print_memory(portrait: Path, driver: Path, folder: Path) -> None:
    """The peak memory of whole commands, with a short and a long driver."""
    table = Table("driver", "peak memory, MiB", title="peak memory of the whole command")
    for seconds in (10, 600):
        long = repeated(driver, folder / f"{seconds}s.mp4", frames=25 * seconds)
        command = [sys.executable, "-c", PEAK_MEMORY, str(portrait), str(long), str(folder / f"{seconds}.out.mp4")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        unit = 2**20 if sys.platform == "darwin" else 2**10
        table.add_row(f"{seconds} s", f"{int(done.stdout.split()[-1]) / unit:.0f}")
    Console().print(table)
