"""An engine without processes, works that need no face, and what the tests of preprocessing share."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Generator, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facereenact.preprocessing.results import ClipResult
from facereenact.preprocessing.run import preprocess
from facereenact.preprocessing.settings import PreprocessSettings
from facereenact.preprocessing.stores import Clip
from facereenact.preprocessing.worker_process import Work
from tests.facereenact.clips import SIDE, moving_face
from tests.facereenact.media import write_clip

SETTINGS = PreprocessSettings(tracker="mediapipe")


class InPlace:
    """Does one clip after the other in this process; remembers which."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def run(self, work: Work, clips: Iterable[Clip], *, timeout_s: float) -> Generator[ClipResult]:
        for clip in clips:
            self.done.append(Path(clip.path).name)
            yield work(clip, lambda: None)


def run(
    inputs: Iterable[str | Path],
    output: str | Path,
    settings: PreprocessSettings = SETTINGS,
    engine: InPlace | None = None,
    *,
    retry_failed: bool = False,
) -> dict[str, ClipResult]:
    """The results by the name of their clip."""
    results = preprocess(inputs, output, settings, engine or InPlace(), retry_failed=retry_failed)
    return {Path(result.clip.path).name: result for result in results}


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of an output but the lock, by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def write_face(path: Path, first: int = 0, count: int = 6) -> Path:
    """A short clip of a moving face; another first frame gives another content."""
    return write_clip(path, moving_face(first + count)[first:])


def scene(number: int, index: int) -> NDArray[np.uint8]:
    """Frame `index` of a shot: large soft spots in colours of its own, that drift."""
    random = np.random.default_rng(number)
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    image = np.zeros((SIDE, SIDE, 3))
    for _ in range(5):
        centre, way, colour = random.random(2), random.normal(size=2) / 300, random.random(3)
        at = centre + index * way
        image += np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) * 20)[..., None] * colour
    return np.asarray(255 * np.clip(image + random.random(3) * 0.5, 0, 1), np.uint8)


def named(clip: Clip, feed: Callable[[], None]) -> ClipResult:
    """Does what the clip is called."""
    name = Path(clip.path).name
    if name.startswith("hang"):
        time.sleep(3600)
    elif name.startswith("kill"):
        os.kill(os.getpid(), signal.SIGKILL)
    elif name.startswith("once") and not Path(clip.path).exists():
        Path(clip.path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    elif name.startswith("slow"):
        for _ in range(30):
            time.sleep(0.1)
            feed()
    elif name.startswith("print"):
        os.write(1, b"this is no answer\n")
    return ClipResult(clip, content=str(os.getpid()))


def clips(*names: str, folder: Path = Path("/")) -> list[Clip]:
    return [Clip(str(folder / name), "stamp") for name in names]
