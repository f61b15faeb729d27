"""Parts of a video in processes of their own: their number, their answers, and their end, however it comes."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from facereenact import track_processes, track_worker, tracking
from facereenact.track_parts import Part, PartError
from facereenact.track_processes import HEAD_START, SHORTEST_PART, PartProcess, PartTask, part_count
from facereenact.track_settings import TrackSettings
from facereenact.tracking import track_video
from landmarks.storage import SUFFIX
from tests.facereenact import clips
from tests.facereenact.clips import COUNT
from tests.facereenact.media import write_clip


@pytest.fixture
def children() -> Callable[[], list[psutil.Process]]:
    """The processes that the test has started and that still run; earlier tests may have left helpers of a library."""
    earlier = set(psutil.Process().children())
    return lambda: [child for child in psutil.Process().children() if child not in earlier]


def task(video: Path) -> PartTask:
    return PartTask(TrackSettings(video=video), "mediapipe", 1.0)


@pytest.mark.parametrize(
    ("frames", "wanted", "count"),
    [
        (1, 8, 1),
        (HEAD_START + 2 * SHORTEST_PART - 1, 8, 1),
        (HEAD_START + 2 * SHORTEST_PART, 8, 2),
        (10_000, 8, 8),
        (10_000, 1, 1),
    ],
)
def test_short_videos_have_few_parts(frames: int, wanted: int, count: int) -> None:
    assert part_count(frames, wanted) == count


def test_the_pieces_of_an_answer_are_the_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track_worker, "BATCH", 5)
    *parts, end = track_worker.messages(task(clips.talk()))
    assert end is None and all(isinstance(part, Part) for part in parts)
    assert [len(part.rows) for part in parts] == [5] * (COUNT // 5) + [COUNT % 5]
    np.testing.assert_allclose([time_s for part in parts for time_s in part.times_s], 1 + np.arange(COUNT) / 25)


def test_a_process_gives_the_same_part() -> None:
    pieces = [piece for piece in track_worker.messages(task(clips.talk())) if piece is not None]
    with PartProcess(task(clips.talk())) as process:
        while not process.wait(1):
            assert process.frames_done() <= COUNT
    rows = [row for piece in pieces for row in piece.rows]
    assert len(process.part.rows) == COUNT
    for (own,), (expected,) in zip(process.part.rows, rows, strict=True):
        np.testing.assert_array_equal(own.points, expected.points)


def test_what_goes_wrong_in_a_process_is_told(tmp_path: Path) -> None:
    with PartProcess(task(tmp_path / "none.mp4")) as process:
        assert process.wait(60)
        with pytest.raises(PartError, match=r"InputError.*none\.mp4"):
            process.frames_done()


def test_a_process_that_has_gone_is_told(children: Callable[[], list[psutil.Process]]) -> None:
    with PartProcess(task(clips.talk())) as process:
        (child,) = children()
        child.kill()
        assert process.wait(60)
        with pytest.raises(PartError, match="has gone"):
            process.frames_done()


def test_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(PartError, match="No such file"):
        PartProcess(task(clips.talk()))


def test_no_process_outlives_its_block(children: Callable[[], list[psutil.Process]]) -> None:
    with PartProcess(task(clips.talk())):
        assert children()
    assert not children()


def test_a_process_ends_when_nobody_waits_for_it() -> None:
    command = [sys.executable, "-m", "facereenact.track_worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdin is not None and worker.stdout is not None
        pickle.dump(task(clips.talk()), worker.stdin)
        worker.stdin.flush()
        worker.stdout.close()
        assert worker.wait(timeout=60) == 0


def test_an_interrupted_job_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, children: Callable[[], list[psutil.Process]]
) -> None:
    monkeypatch.setattr(track_processes, "SHORTEST_PART", 5)
    monkeypatch.setattr(track_processes, "HEAD_START", 5)
    monkeypatch.setattr(tracking, "part_count", lambda frames, wanted: wanted)

    def interrupt(stage: str, done: int, total: int | None) -> None:
        assert len(children()) == 1
        raise KeyboardInterrupt

    clip = write_clip(tmp_path / "long.mp4", clips.moving_face(40))
    with pytest.raises(KeyboardInterrupt):
        track_video(TrackSettings(video=clip, output=tmp_path / f"t{SUFFIX}", jobs=2), progress=interrupt)
    assert not children()
    assert [path.name for path in tmp_path.iterdir()] == ["long.mp4"]
