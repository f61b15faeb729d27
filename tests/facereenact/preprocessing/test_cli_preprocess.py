"""`facereenact preprocess` and `facereenact preprocess report`."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from facereenact.cli import main
from facereenact.cli import preprocess as module
from facereenact.preprocessing.engines import LocalEngine
from facereenact.preprocessing.ray_engine import RayEngine
from facereenact.preprocessing.settings import EngineSettings
from tests.facereenact.preprocessing.plain import InPlace, write_face


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["preprocess", *map(str, arguments)])


@pytest.fixture
def in_place(monkeypatch: pytest.MonkeyPatch) -> InPlace:
    engine = InPlace()
    monkeypatch.setattr(module, "engine_of", lambda settings: engine)
    return engine


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    (tmp_path / "clips").mkdir()
    write_face(tmp_path / "clips" / "a.mp4")
    return tmp_path / "clips"


def test_clips_become_a_manifest_and_a_report(clips: Path, tmp_path: Path) -> None:
    done = invoke(clips, "-o", tmp_path / "out", "--tracker", "mediapipe", "--workers", 1)
    assert done.exit_code == 0, done.output
    assert f"written   {tmp_path}/out/manifest.parquet\nclips     1 done, 0 as they were, 0 failed\n" in done.output
    reported = invoke("report", tmp_path / "out")
    assert reported.exit_code == 0
    assert f"written   {tmp_path}/out/report/report.html\n" in reported.output
    assert "rows      1 ok, 0 filtered, 0 failed\n" in reported.output
    assert (tmp_path / "out" / "report" / "report.html").is_file()


def test_some_failures_exit_with_3_and_are_listed(clips: Path, tmp_path: Path, in_place: InPlace) -> None:
    (clips / "b.mp4").write_bytes(b"no video")
    arguments = (clips, "-o", tmp_path / "out", "--tracker", "mediapipe")
    for _ in range(2):  # a failure that stands is one
        done = invoke(*arguments)
        assert done.exit_code == 3
        assert f"failed    {clips}/b.mp4: {clips}/b.mp4 is not a video" in done.output
        assert "add --retry-failed" in done.output
    assert in_place.done == ["a.mp4", "b.mp4"]
    write_face(clips / "b.mp4", first=9)
    assert invoke("--retry-failed", *arguments[1:]).exit_code == 0
    assert in_place.done == ["a.mp4", "b.mp4", "b.mp4"]


def test_many_failures_are_not_all_listed(tmp_path: Path, in_place: InPlace) -> None:
    (tmp_path / "list.txt").write_text("".join(f"{number}.mp4\n" for number in range(25)))
    done = invoke(tmp_path / "list.txt", "-o", tmp_path / "out", "--tracker", "mediapipe")
    assert done.exit_code == 3
    assert done.output.count("failed    /") == 20 and "failed    and 5 more" in done.output


def test_the_log_has_a_line_for_each_clip(clips: Path, tmp_path: Path, in_place: InPlace) -> None:
    (clips / "b.mp4").write_bytes(b"no video")
    log = tmp_path / "log.jsonl"
    invoke(clips, "-o", tmp_path / "out", "--tracker", "mediapipe", "--log-json", log)
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [event["event"] for event in events] == ["started", "clip", "clip", "finished"]
    assert events[0]["clips"] == 2
    done, failed = events[1:3]
    assert (Path(done["path"]).name, done["status"], done["frames"], done["video_s"]) == ("a.mp4", "done", 6, 0.24)
    assert (failed["status"], failed["frames"]) == ("failed", 0) and "is not a video" in failed["error"]
    assert (events[3]["clips"], events[3]["failed"]) == (2, 1)
    times = [event["elapsed_s"] for event in events]
    assert times == sorted(times)
    invoke(clips / "a.mp4", "-o", tmp_path / "out", "--tracker", "mediapipe", "--log-json", log)
    assert json.loads(log.read_text().splitlines()[1])["status"] == "complete"


def test_a_run_that_is_cut_short_has_no_end_in_the_log(clips: Path, tmp_path: Path, in_place: InPlace) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.parquet").write_bytes(b"PAR1 no more")
    log = tmp_path / "log.jsonl"
    done = invoke(clips, "-o", tmp_path / "out", "--tracker", "mediapipe", "--log-json", log)
    assert done.exit_code == 1 and "is damaged" in done.output
    assert [json.loads(line)["event"] for line in log.read_text().splitlines()] == ["started"]


def test_a_log_that_cannot_be_written_is_told(clips: Path, tmp_path: Path) -> None:
    done = invoke(clips, "-o", tmp_path / "out", "--log-json", tmp_path / "no" / "log.jsonl")
    assert done.exit_code == 1 and "choose another log" in done.output


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "Missing option '-o'"),
        (("-o", "out"), 1, "give videos, folders or lists of them"),
        (("nothing.mp4", "-o", "out"), 1, "nothing.mp4: no such file or folder"),
        (("x.mp4", "-o", "out", "--faces", "0"), 2, "--faces must be from 1"),
        (("x.mp4", "-o", "out", "--ray-address", "auto"), 2, "--ray-address goes with --engine ray"),
        (("x.mp4", "-o", "out", "--workers", "0"), 2, "--workers must be from 1"),
        (("report", "nowhere"), 1, "holds no manifest.parquet"),
        (("--debug", "-v", "report", "nowhere"), 1, "Traceback"),
        (("--debug", "nothing.mp4", "-o", "out"), 1, "Traceback"),
    ],
)
def test_mistakes_are_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke(*arguments)
    assert done.exit_code == code and words in done.output


def test_help_is_that_of_the_run_and_names_the_report() -> None:
    assert invoke("--help").output == invoke("run", "--help").output
    assert "facereenact preprocess report tracks" in invoke("-h").output
    assert "contact sheet" in invoke("report", "--help").output


def test_the_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for arguments in (("x.mp4", "-o", tmp_path), ("report", tmp_path)):
        done = invoke(*arguments)
        assert done.exit_code == 1 and "pip install 'facereenact[preprocess]'" in done.output


def test_the_engine_is_the_one_that_was_asked_for() -> None:
    local = module.engine_of(EngineSettings(workers=3))
    assert isinstance(local, LocalEngine) and local.workers == 3
    ray = module.engine_of(EngineSettings(engine="ray", ray_address="auto", workers=5))
    assert isinstance(ray, RayEngine) and (ray.address, ray.workers) == ("auto", 5)
