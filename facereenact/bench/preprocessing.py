"""Speed and memory of `facereenact preprocess`. What is compared is measured in turns."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from statistics import median

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from facereenact.bench.media import SAMPLES
from facereenact.preprocessing.clip_work import ClipWork
from facereenact.preprocessing.engines import Engine, LocalEngine
from facereenact.preprocessing.ray_engine import RayEngine
from facereenact.preprocessing.results import ClipResult
from facereenact.preprocessing.settings import PreprocessSettings
from facereenact.preprocessing.stores import Clip, Output, local_stamp
from facereenact.preprocessing.worker import Worker
from facereenact.streams import ahead
from facereenact.video import VideoReader, VideoWriter
from landmarks.trackers import OneFace, TrackerName, choose_tracker, open_tracker
from landmarks.tracking import track

TIMEOUT_S = 120.0
CLIPS = 60  # of one second, for workers to share
WARM = 12  # results after which every worker has long been at work
MANY_CLIPS = 500
ROWS = 1_000_000
MIB = 2**20

# In a process of its own, for its peak memory.
MANIFEST = """
import re, sys, time
from pathlib import Path
from facereenact.bench.preprocessing import generated_rows
from facereenact.preprocessing.manifest import Manifest, read_manifest
from facereenact.preprocessing.report import write_report
from facereenact.preprocessing.stores import Output
import pyarrow.compute as pc
folder, count = sys.argv[1], int(sys.argv[2])
rows = generated_rows(count)
manifest, appending = Manifest(Output(folder)), 0.0
while batch := [row for row, _ in zip(rows, range(1000))]:
    begun = time.perf_counter()
    manifest.append(batch)
    appending += time.perf_counter() - begun
begun = time.perf_counter()
manifest.merge()
merging = time.perf_counter() - begun
begun = time.perf_counter()
kept = read_manifest(folder, ["path", "landmarks"], (pc.field("status") == "ok") & (pc.field("face_px") > 200))
filtering = time.perf_counter() - begun
begun = time.perf_counter()
write_report(folder)
reporting = time.perf_counter() - begun
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())
print(appending, merging, filtering, reporting, int(peak[1]) / 1024, len(kept))
"""


@dataclass(frozen=True)
class TrackAlone:
    """What `track` does with a clip, without cuts, figures and files."""

    tracker: TrackerName

    def __call__(self, clip: Clip, feed: Callable[[], None]) -> ClipResult:
        with closing(ahead(VideoReader(clip.path))) as frames:
            track(((frame.image, frame.timestamp_s) for frame in frames), opened(self.tracker))
        return ClipResult(clip)


def busy(clip: Clip, feed: Callable[[], None]) -> ClipResult:
    """Computes for a second, and tells how much."""
    matrix, count, begun = np.ones((128, 128), np.float32), 0, time.perf_counter()
    while time.perf_counter() - begun < 1:
        matrix = matrix @ matrix / 128
        count += 1
    return ClipResult(clip, content=str(count))


@cache
def opened(name: TrackerName) -> OneFace:
    return OneFace(open_tracker(name))


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="facereenact.bench preprocess", description="Measure `facereenact preprocess`."
    )
    parser.add_argument("--clip", type=Path, default=SAMPLES / "talk.mp4", help="video of a face (default: the sample)")
    parser.add_argument("--tracker", default="auto", help="as of `facereenact preprocess`")
    parser.add_argument("--rounds", type=int, default=5, help="runs of which the median is printed (default: 5)")
    parser.add_argument("--memory", action="store_true", help=f"memory over {MANY_CLIPS} clips (minutes)")
    parser.add_argument("--rows", type=int, default=ROWS, help="of the simulated manifest (default: a million)")
    chosen = parser.parse_args(arguments)
    name, _ = choose_tracker(chosen.tracker)
    table = Table("measure", "value", "wanted", title=f"preprocess, {name}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        clips = cut(chosen.clip, folder, CLIPS)
        speed(table, named(chosen.clip), clips[0], name, folder, chosen.rounds)
        scaling(table, clips, name, folder, chosen.rounds)
        if chosen.memory:
            memory(table, clips, name, folder)
        manifest(table, folder, chosen.rows)
    Console().print(table)


def named(path: Path) -> Clip:
    return Clip(str(path.absolute()), local_stamp(str(path.absolute())))


def cut(video: Path, folder: Path, count: int) -> list[Clip]:
    """Clips of one second, each of another content."""
    frames = [frame.image for frame in VideoReader(video)]
    size = frames[0].shape[1], frames[0].shape[0]
    paths = [folder / f"clip{number:03d}.mp4" for number in range(count)]
    for number, path in enumerate(paths):
        with VideoWriter(path, size, Fraction(25)) as writer:
            for index in range(25):
                writer.write(frames[(3 * number + index) % len(frames)], index / 25)
    return [named(path) for path in paths]


def fresh(folder: Path, tracker: TrackerName) -> ClipWork:
    """The work of a run into an empty output."""
    output = Output(tempfile.mkdtemp(dir=folder))
    return ClipWork(output.path, PreprocessSettings(), tracker, None)


def speed(table: Table, whole: Clip, second: Clip, tracker: TrackerName, folder: Path, rounds: int) -> None:
    """One worker on one core against `track` in the same place."""
    frames = sum(1 for _ in VideoReader(whole.path))
    times: dict[str, list[float]] = {"track": [], "whole": [], "track 1 s": [], "whole 1 s": []}
    with Worker(TIMEOUT_S) as worker:
        for turn in range(rounds + 1):
            works = (TrackAlone(tracker), fresh(folder, tracker))
            tasks = [(work, clip) for clip in (whole, second) for work in works]
            for name, (work, clip) in zip(times, tasks, strict=True):
                begun = time.perf_counter()
                result = worker(work, clip)
                seconds = time.perf_counter() - begun
                if result.error:
                    raise SystemExit(result.error)
                if turn:  # the first warms up
                    times[name].append(seconds)
    alone, done, _, short_done = (median(values) for values in times.values())
    share = median(a / b for a, b in zip(times["track"], times["whole"], strict=True))
    overhead = median(b - a for a, b in zip(times["track 1 s"], times["whole 1 s"], strict=True))
    table.add_row("track alone, one core", f"{frames / alone:.1f} frames/s", "")
    table.add_row("preprocess, one core", f"{frames / done:.1f} frames/s, {100 * share:.0f} %", "90 %")
    table.add_row("clip of 1 s", f"{short_done:.3f} s, {overhead:.3f} s more than track", "under 0.1 s more")
    hours = 10_000 * 3600 * 25 / (frames / done) / (100 * 16) / 3600
    table.add_row("10,000 h of 25 frames/s, 1600 cores", f"{hours:.1f} hours", "")


def scaling(table: Table, clips: list[Clip], tracker: TrackerName, folder: Path, rounds: int) -> None:
    """Clips a second of one and two workers, once they are warm."""
    engines: dict[str, Engine] = {"one": LocalEngine(1), "two": LocalEngine(2), "ray": RayEngine(workers=2)}
    rates: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(max(1, rounds // 2)):
        for name, engine in engines.items():
            rates[name].append(rate(engine.run(fresh(folder, tracker), clips, timeout_s=TIMEOUT_S)))
    one, two, ray = (median(values) for values in rates.values())
    machine = pace(engines["two"], clips) / pace(engines["one"], clips)
    table.add_row("two busy loops", f"{machine:.2f} times one", "the machine's own limit")
    table.add_row("one worker", f"{one:.2f} clips/s", "")
    table.add_row("two workers", f"{two:.2f} clips/s, {two / one:.2f} times", "1.8 times")
    table.add_row("Ray, two workers", f"{ray:.2f} clips/s, {ray / one:.2f} times", "1.7 times")


def rate(results: Generator[ClipResult]) -> float:
    """Results a second, once every worker has started."""
    with closing(results):
        for _ in range(WARM):
            next(results)
        begun = time.perf_counter()
        count = sum(1 for _ in results)
        return count / (time.perf_counter() - begun)


def pace(engine: Engine, clips: list[Clip]) -> float:
    """What an engine computes a second when it does nothing else."""
    with closing(engine.run(busy, clips[:8], timeout_s=TIMEOUT_S)) as results:
        next(results)  # the workers are ready
        begun = time.perf_counter()
        count = sum(int(result.content) for result in results)
    return count / (time.perf_counter() - begun)


def memory(table: Table, clips: list[Clip], tracker: TrackerName, folder: Path) -> None:
    """Memory of a worker over many clips."""
    sizes = []
    with Worker(TIMEOUT_S) as worker:
        for number in range(MANY_CLIPS):
            worker(fresh(folder, tracker), clips[number % len(clips)])
            sizes.append(psutil.Process().children()[-1].memory_info().rss / MIB)
    early, late = median(sizes[10:60]), median(sizes[-50:])
    values = f"{early:.0f} MiB at clip 50, {late:.0f} MiB at clip {MANY_CLIPS}, at most {max(sizes):.0f} MiB"
    table.add_row("memory of a worker", values, "under 700 MB, constant")


def manifest(table: Table, folder: Path, rows: int) -> None:
    """A large manifest appended, merged, filtered and reported."""
    output = Path(tempfile.mkdtemp(dir=folder))
    command = [sys.executable, "-c", MANIFEST, str(output), str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    appending, merging, filtering, reporting, peak_mib, kept = map(float, done.stdout.split())
    size = (output / "manifest.parquet").stat().st_size / MIB
    parts = f"append {appending:.1f}, merge {merging:.1f}, filter {filtering:.1f}, report {reporting:.1f}"
    whole = appending + merging + filtering + reporting
    table.add_row(f"manifest of {rows:,} rows", f"{whole:.1f} s ({parts}), {size:.0f} MiB, {kept:,.0f} kept", "60 s")
    table.add_row("its peak memory", f"{peak_mib:.0f} MiB", "2048 MiB")


def generated_rows(count: int) -> Generator[dict[str, object]]:
    """Rows that look like a large collection's."""
    import random

    chance = random.Random(0)
    for number in range(count):
        content = f"{chance.getrandbits(256):064x}"
        folder, is_ok = f"clips/{content[:32]}", chance.random() < 0.8
        figures = {
            "detected": chance.random(),
            "face_px": chance.uniform(30, 600),
            "sharpness": chance.expovariate(10),
            "blur": chance.random(),
            "jitter": chance.expovariate(100),
            "turn_deg": chance.uniform(0, 90),
            **{f"{axis}_{side}_deg": chance.uniform(-40, 40) for axis in ("yaw", "pitch", "roll") for side in SIDES},
        }
        yield {
            "path": f"/data/collection/part-{number % 100:03d}/video-{number // 3:09d}.mp4",
            "hash": content,
            "shot": number % 3,
            "person": 0,
            "status": "ok" if is_ok else "filtered",
            "error": "" if is_ok else f"face_px {chance.uniform(30, 64):.4g} is below 64",
            "first_frame": 100 * (number % 3),
            "frames": 100,
            "start_s": 4.0 * (number % 3),
            "seconds": 4.0,
            "rate_hz": 25.0,
            "width": 1920,
            "height": 1080,
            **figures,
            "crop_left_px": chance.randrange(1000),
            "crop_top_px": chance.randrange(500),
            "crop_side_px": 512,
            "landmarks": f"{folder}/{number % 3}-0.landmarks.safetensors",
            "thumbnail": f"{folder}/{number % 3}-0.jpg",
            "clip_frames": 300,
            "tracker": "hybrid(openseeface-1.20.4/lm_model0, mediapipe-0.10.21/face-mesh)",
            "settings": "51d03a16d5eaedb8",
            "limits": "min_face_px 64",
            "stamp": f"{chance.getrandbits(32)}-{chance.getrandbits(60)}",
            "versions": "facereenact 0.1.0, mediapipe 0.10.21, numpy 1.26.4, opencv-contrib-python 4.11.0, av 18.1.0",
        }


SIDES = ("min", "max")
