"""Parts of a video tracked at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import facereenact.tracking as tracking
from facereenact import track_processes
from facereenact.errors import InputError
from facereenact.track_parts import Part, PartError, joined
from facereenact.track_settings import TrackSettings
from facereenact.tracking import track_video
from facereenact.video import VideoReader
from landmarks.storage import SUFFIX
from landmarks.tracking import SeenFace
from tests.facereenact import clips
from tests.facereenact.media import write_clip


def test_parts_at_once_give_nearly_the_same_and_always_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts of 20 and 40 frames, so that a short clip has two."""
    monkeypatch.setattr(track_processes, "SHORTEST_PART", 20)
    monkeypatch.setattr(track_processes, "HEAD_START", 20)
    clip = write_clip(tmp_path / "long.mp4", clips.moving_face(60))

    def run(jobs: int) -> tracking.TrackResult:
        settings = TrackSettings(video=clip, output=tmp_path / f"t{SUFFIX}", jobs=jobs, overwrite=True)
        return track_video(settings)

    alone, first, second = run(1), run(2), run(2)
    assert (alone.jobs, first.jobs) == (1, 2)
    np.testing.assert_array_equal(first.tracks[0].points, second.tracks[0].points)
    np.testing.assert_allclose(first.tracks[0].timestamps_s, alone.tracks[0].timestamps_s, atol=1e-9)
    error = np.linalg.norm(first.tracks[0].points - alone.tracks[0].points, axis=2)
    assert error.mean() < 0.01 * alone.tracks[0].eye_distance_px.mean()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["d3", "d9"])
@pytest.mark.usefixtures("models")
def test_parts_of_a_real_clip_differ_little(
    name: str, tmp_path: Path, shared_media: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for tracker in ("openseeface", "mediapipe", "hybrid"):
        video, output = shared_media / "driving" / f"{name}.mp4", tmp_path / f"t{SUFFIX}"
        results = [
            track_video(TrackSettings(video=video, output=output, tracker=tracker, jobs=jobs, overwrite=True))  # type: ignore[arg-type]
            for jobs in (1, 2)
        ]
        alone, parts = (result.tracks[0] for result in results)
        error = np.linalg.norm(parts.points - alone.points, axis=2).mean(axis=1) / alone.eye_distance_px
        with capsys.disabled():
            took = [f"{result.seconds:.1f} s" for result in results]
            print(f"\n{name} {tracker}: mean {error.mean():.5f}, worst {error.max():.4f} eye distances; {took}")
        assert error.mean() < 0.002 and (parts.detected == alone.detected).all()


def seen(x: float) -> SeenFace:
    points = np.stack([x + np.linspace(0, 100, 68), np.linspace(0, 100, 68)], axis=1)
    return SeenFace(points.astype(np.float32))


def stretch(first: int, last: int, *xs: float | None) -> Part:
    rows: list[list[SeenFace | None]] = [[None if x is None else seen(x) for x in xs] for _ in range(first, last)]
    return Part([index / 25 for index in range(first, last)], rows)


def test_parts_are_joined_by_who_is_who() -> None:
    whole = joined([stretch(0, 10, 0, 300), stretch(6, 20, 305, 5)], [0, 9.5 / 25])
    assert len(whole.rows) == 20 and np.allclose(whole.times_s, np.arange(20) / 25)
    assert [round(float(face.points[0, 0])) for face in whole.rows[15] if face] == [5, 305]
    gone = joined([stretch(0, 10, 0, None), stretch(6, 20, 300, 3)], [0, 9.5 / 25])
    assert [round(float(face.points[0, 0])) for face in gone.rows[15] if face] == [3, 300]


def test_parts_that_differ_are_not_joined() -> None:
    for part in (
        stretch(6, 20, 300),
        stretch(10, 20, 0),
        Part([t + 0.02 for t in stretch(6, 20, 0).times_s], [[None]] * 14),
    ):
        with pytest.raises(PartError):
            joined([stretch(0, 10, 0), part], [0, 9.5 / 25])


def test_a_broken_part_is_told_as_the_whole_would_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong in a part is tried again from start to end, whose error is the one shown."""
    monkeypatch.setattr(tracking, "part_count", lambda frames, wanted: wanted)
    monkeypatch.setattr(tracking, "read_in_parts", _fails)
    result = track_video(TrackSettings(video=clips.talk(), output=tmp_path / f"t{SUFFIX}", jobs=2))
    assert result.jobs == 1 and result.frames == len(list(VideoReader(clips.talk())))


def _fails(*_: object) -> Part:
    raise InputError("no frame from here on")
