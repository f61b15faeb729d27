"""`facereenact evaluate` and `facereenact compare` as a user meets them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from facereenact import cli
from facereenact.diffusion_settings import DiffusionSettings
from facereenact.evaluation import runner
from facereenact.evaluation.protocols import Case
from facereenact.evaluation.report import Report
from facereenact.evaluation.settings import EvaluateSettings
from facereenact.evaluation.workers import DIED
from tests.facereenact import clips
from tests.facereenact.evaluation.test_workers import kill_me


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.main, [str(each) for each in arguments])


def told(*arguments: str | Path) -> EvaluateSettings:
    """The settings that a command line makes."""
    given: list[EvaluateSettings] = []

    def remember(settings: EvaluateSettings, **_: object) -> Report:
        given.append(settings)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "evaluate", remember)
        done = invoke("evaluate", *arguments)
    assert done.exit_code == 130, done.output
    return given[0]


def test_a_run_prints_a_table_and_where_the_report_is(tmp_path: Path) -> None:
    done = invoke("evaluate", "self", clips.talk(), "-o", tmp_path / "o", "--end", "0.3")
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split()[:4] == ["clip", "PSNR", "(still)", "SSIM"]
    assert lines[1].startswith("talk") and lines[2].startswith("mean")
    assert re.fullmatch(r"speed     measured \d+ frames/s, rendered \d+ frames/s", lines[-2])
    assert lines[-1] == f"report    {tmp_path / 'o' / 'report.html'}"
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == [
        "clips",
        "renders",
        "report.html",
        "report.json",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_progress_is_shown_on_a_terminal(tmp_path: Path) -> None:
    import pty

    terminal, theirs = pty.openpty()
    command = [sys.executable, "-m", "facereenact", "evaluate", "self", str(clips.talk()), "-o", str(tmp_path / "o")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, text=True) as process:
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # Linux ends a terminal that way
            while piece := os.read(terminal, 65536):
                seen += piece
        process.communicate(timeout=60)
    os.close(terminal)
    assert process.returncode == 0
    assert b"0/1" in seen and b"1/1" in seen
    assert f"measuring {clips.COUNT}/{clips.COUNT}".encode() in seen
    assert b"W0000" not in seen


def test_a_failed_clip_gives_its_own_exit_code(tmp_path: Path) -> None:
    done = invoke("evaluate", "self", clips.talk(), clips.nobody(), "-o", tmp_path / "o", "--end", "0.2")
    assert done.exit_code == 3
    assert "nobody failed: " in done.stdout
    assert len(json.loads((tmp_path / "o" / "report.json").read_text())["clips"]) == 1


def test_a_killed_process_fails_its_clip_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_attempt", killed_at_uneven)
    arguments = ("self", clips.talk(), clips.uneven(), "-o", tmp_path / "o", "--end", "0.2", "--jobs", "2")
    done = invoke("evaluate", *arguments)
    assert (done.exit_code, done.exception.__class__) == (3, SystemExit)
    assert f"uneven failed: {DIED}" in done.stdout.replace("\n", " ")
    assert [clip["name"] for clip in json.loads((tmp_path / "o" / "report.json").read_text())["clips"]] == ["talk"]


def killed_at_uneven(case: Case, **more: Any) -> Any:
    """Runs in the worker, where nothing is replaced."""
    if case.name == "uneven":
        kill_me()
    return runner._attempt(case, **more)


def test_leakage_prints_its_matrix(tmp_path: Path) -> None:
    done = invoke("evaluate", "leakage", clips.talk(), "-s", clips.portrait(), "-o", tmp_path / "o", "--end", "0.4")
    assert done.exit_code == 0
    assert "only mouth driven" in done.stdout and "head moves" in done.stdout


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    done = invoke("evaluate", "self", tmp_path / "gone.mp4", "-o", tmp_path / "o")
    assert done.exit_code == 1
    assert done.stderr == f"error: {tmp_path / 'gone.mp4'}: no such file or folder; check the path\n"
    done = invoke("evaluate", "pairs", clips.talk(), clips.uneven(), "-o", tmp_path / "o")
    assert done.exit_code == 1
    assert "more frames" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("self",),
        ("self", "a.mp4"),
        ("cross", "a.mp4", "-o", "o"),
        ("self", "a.mp4", "-o", "o", "--jobs", "0"),
        ("self", "a.mp4", "-o", "o", "--drive", "colour=red"),
        ("self", "a.mp4", "-o", "o", "--drive", "smooth"),
        ("self", "a.mp4", "-o", "o", "--drive", "smooth=very"),
        ("self", "a.mp4", "-o", "o", "--drive", "output=x.mp4"),
        ("pairs", "a.mp4", "-o", "o"),
        ("cross", "a.mp4", "-s", "b.png", "-o", "o", "--source-frame", "3"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert invoke("evaluate", *arguments).exit_code == 2


def test_every_option_reaches_the_settings() -> None:
    options = (
        "--layout folder --split all --source-frame 2 --end 1.5 --tracker mediapipe --window 12 --as-published "
        "--jobs 3 --drive smooth=light --drive mouth-gain=1.5 --drive crop=yes --drive size=256 --drive neutral_frame=4"
    )
    settings = told("self", "a.mp4", "b.mp4", "-o", "o", *options.split())
    expected = {
        "protocol": "self",
        "drivers": (Path("a.mp4"), Path("b.mp4")),
        "output": Path("o"),
        "sources": (),
        "results": (),
        "layout": "folder",
        "split": "all",
        "source_frame": 2,
        "end": 1.5,
        "tracker": "mediapipe",
        "window": 12,
        "as_published": True,
        "jobs": 3,
        "drive": {"smooth": "light", "mouth_gain": 1.5, "crop": True, "size": 256, "neutral_frame": 4},
    }
    assert {field.name: getattr(settings, field.name) for field in fields(settings)} == expected


def test_settings_of_the_diffusion_renderer_are_put_together() -> None:
    options = "--drive renderer=diffusion --drive steps=12 --drive overlap=2"
    settings = told("self", "a.mp4", "-o", "o", *options.split())
    assert settings.drive == {"renderer": "diffusion", "diffusion": DiffusionSettings(steps=12, overlap=2)}
    assert invoke("evaluate", "self", "a.mp4", "-o", "o", "--drive", "overlap=40").exit_code == 2


def test_help_needs_no_heavy_package() -> None:
    code = "import sys, facereenact.cli.evaluate, facereenact.cli.compare; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "mediapipe", "cv2", "numba", "numpy", "av", "scipy", "rich"} & set(done.stdout.split())
    assert "leakage" in invoke("evaluate", "--help").stdout


def test_sources_and_results_reach_the_settings() -> None:
    assert told("cross", "a.mp4", "-s", "x.png", "-s", "y", "-o", "o").sources == (Path("x.png"), Path("y"))
    paired = told("pairs", "a.mp4", "b.mp4", "-o", "o")
    assert (paired.drivers, paired.results) == ((Path("a.mp4"),), (Path("b.mp4"),))


def test_compare_shows_what_differs(tmp_path: Path, self_report: Report) -> None:
    done = invoke("compare", self_report.folder, self_report.folder, "--all", "-o", tmp_path / "c.html")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "PSNR, dB" in done.stdout and f"written   {tmp_path / 'c.html'}" in done.stdout
    assert "no metric differs" in invoke("compare", self_report.folder, self_report.folder).stdout
    assert invoke("compare", self_report.folder, tmp_path).exit_code == 1


def test_compare_warns_of_unlike_reports(tmp_path: Path, self_report: Report) -> None:
    for name, fid in (("a", 30.0), ("b", 20.0)):
        (tmp_path / name).mkdir()
        replace(
            self_report, settings={**self_report.settings, "end": fid}, of_all={"fid": fid}, folder=tmp_path / name
        ).save()
    done = invoke("compare", tmp_path / "a", tmp_path / "b")
    assert (done.exit_code, done.stderr) == (0, "warning: --end differs: A 30.0, B 20.0\n")
    assert "FID of all: A 30.00, B 20.00, without an interval" in done.stdout
