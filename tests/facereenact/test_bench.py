"""The benchmark prints its tables; what they state depends on the machine and is not looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from facereenact.bench import tracking
from facereenact.bench.__main__ import main
from facereenact.bench.media import repeated, resized
from facereenact.video import VideoReader
from tests.facereenact import clips
from tests.facereenact.clips import COUNT
from tests.landmarks.test_trackers import install_models


def bench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], driver: Path) -> str:
    monkeypatch.setattr(tracking, "LONG", 2 * COUNT)
    main(["tracker", "--driver", str(driver), "--rounds", "1"])
    return capsys.readouterr().out


def test_the_tracker_is_measured_stage_by_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install_models(tmp_path, monkeypatch)
    printed = bench(monkeypatch, capsys, clips.talk())
    for name in (*tracking.STAGES, tracking.PLAIN, "read the video", "the floor", tracking.ONE_CORE, tracking.TWO_JOBS):
        assert name in printed
    assert f"{COUNT} frames of 192x192" in printed and f"{2 * COUNT} frames" in printed


def test_without_networks_it_says_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FACEREENACT_CHECKPOINTS", str(tmp_path))
    (line,) = bench(monkeypatch, capsys, clips.talk()).splitlines()
    assert "facereenact checkpoints pull openseeface" in line


def test_a_driver_without_a_face_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install_models(tmp_path, monkeypatch)
    with pytest.raises(SystemExit, match=r"error: .* --driver"):
        bench(monkeypatch, capsys, clips.nobody())


def test_videos_to_measure_with(tmp_path: Path) -> None:
    square = VideoReader(resized(clips.talk(), tmp_path / "square.mp4", side_px=64))
    assert square.info.size == (64, 64) and len(list(square)) == COUNT
    long = repeated(clips.talk(), tmp_path / "long.mp4", frames=COUNT + 3)
    assert len(list(VideoReader(long))) == COUNT + 3
