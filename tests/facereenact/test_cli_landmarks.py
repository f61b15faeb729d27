"""`facereenact landmarks` as a user meets it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from facereenact import cli
from facereenact.images import read_image
from landmarks.storage import load_landmarks, save_landmarks
from tests.facereenact import clips
from tests.facereenact.media import write_clip
from tests.facereenact.tracks import NAME, SIZE, sized, turning, with_gaps

HEAVY = ("torch", "mediapipe", "cv2", "numba", "numpy", "av", "scipy", "PIL", "rich")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a track of 12 frames, two of them without a face."""
    save_landmarks(with_gaps(sized(turning(12), SIZE), 5, 6), tmp_path / NAME)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.main, ["landmarks", *map(str, arguments)])


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("command", [(), ("info",), ("show",), ("plot",), ("convert",), ("trim",), ("merge",)])
def test_help_imports_nothing_heavy(command: tuple[str, ...]) -> None:
    code = f"""
import json, sys
from facereenact.cli import main
try:
    main(["landmarks", *{command}, "--help"])
except SystemExit:
    print(json.dumps([name for name in {HEAVY} if name in sys.modules]), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert json.loads(done.stderr) == []
    assert done.stdout.startswith("Usage: ")


def test_info_prints_a_table(folder: Path) -> None:
    done = run("info", NAME)
    assert (done.exit_code, done.stderr) == (0, "")
    for row in (
        r"frames +12, 25 per second",
        r"duration +0\.48 s",
        r"size +192x192",
        r"face found +10 of 12 frames \(83\.33 %\), mean score 0\.\d\d",
        r"gaps +frames 5-6 \(0\.20-0\.28 s\)",
        r"yaw +-\d+\.\d° to \+\d+\.\d°",
        r"right lids +0\.\d{3} to 0\.\d{3}",
        r"blinks +0",
    ):
        assert re.search(rf"^{row}", done.stdout, re.MULTILINE), row


def test_info_lists_few_gaps_and_names_the_rest(folder: Path) -> None:
    save_landmarks(with_gaps(turning(40), *range(1, 40, 3)), folder / f"holes.{NAME}")
    assert "and 7 more (--json lists all)" in run("info", f"holes.{NAME}").stdout
    assert len(json.loads(run("info", "--json", f"holes.{NAME}").stdout)["gaps"]) == 13


def test_info_as_json(folder: Path) -> None:
    about = json.loads(run("info", NAME, "--json").stdout)
    assert about["file"] == NAME
    assert (about["frames"], about["rate"], about["size"], about["detected_frames"]) == (12, "25", [192, 192], 10)
    assert about["gaps"] == [{"first_frame": 5, "last_frame": 6, "start_s": 0.2, "end_s": 0.28}]
    assert about["yaw_deg"]["min"] < about["yaw_deg"]["max"]


def test_a_tracker_that_looks_like_markup_is_shown_as_it_is(folder: Path) -> None:
    from dataclasses import replace

    save_landmarks(replace(turning(1), tracker="[red]a[/x]\x1b[2J"), folder / f"b{NAME}")
    done = run("info", f"b{NAME}")
    assert done.exit_code == 0
    assert "[red]a[/x]" in done.stdout
    assert "\x1b" not in done.stdout


def test_show_on_the_video(folder: Path) -> None:
    done = run("show", NAME, "--video", clips.talk(), "-o", "out.mp4")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "written   out.mp4",
        "frames    12, 192x192, 2 without a face",
        "sound     kept",
    ]
    assert run("show", NAME, "-o", "out.mp4").exit_code == 1
    assert run("show", NAME, "-o", "out.mp4", "--overwrite").stdout.endswith("sound     none\n")
    assert listing(folder) == ["out.mp4", NAME]


def test_plot_as_a_picture_and_in_the_terminal(folder: Path) -> None:
    done = run("plot", NAME, "-o", "out.png")
    assert (done.exit_code, done.stdout) == (0, "written   out.png\n")
    assert read_image(folder / "out.png")[0].shape[1] == 1280
    text = run("plot", NAME).stdout
    assert "yaw" in text
    assert "no face" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_terminal_without_the_letters_is_told(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "facereenact", "landmarks", "plot", NAME],
        capture_output=True, text=True, check=False, env={"PYTHONIOENCODING": "ascii", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "give -o plot.png" in done.stderr


def test_convert_there_and_back(folder: Path) -> None:
    done = run("convert", NAME, "a.jsonl")
    assert done.stdout.splitlines() == ["written   a.jsonl", "frames    12, 0.48 s, 2 without a face"]
    assert run("convert", "a.jsonl", f"b.{NAME}").exit_code == 0
    np.testing.assert_array_equal(load_landmarks(folder / f"b.{NAME}").points, load_landmarks(folder / NAME).points)
    lost = run("convert", NAME, "a.csv").stdout
    assert "lost      2 frames without a face: a log has no rows for them" in lost
    assert run("convert", "a.csv", f"c.{NAME}", "--fps", "29.97").exit_code == 0
    times = load_landmarks(folder / f"c.{NAME}").timestamps_s
    np.testing.assert_allclose(times, np.arange(12) * 1001 / 30000)


def test_every_command_reads_every_form(folder: Path) -> None:
    run("convert", NAME, "a.csv")
    run("convert", NAME, "a.jsonl")
    assert run("info", "a.csv").exit_code == 0
    assert run("trim", "a.csv", "-o", "b.jsonl", "--start", "0.2").exit_code == 0
    assert run("merge", "a.jsonl", "b.jsonl", NAME, "-o", "c.csv").exit_code == 0
    assert "frames    31, 1.24 s" in run("merge", "a.jsonl", "b.jsonl", NAME, "-o", f"c.{NAME}").stdout


def test_trim_and_merge_undo_each_other(folder: Path) -> None:
    assert run("trim", NAME, "-o", f"a.{NAME}", "--end", "0.2").stdout.splitlines()[1] == "frames    5, 0.20 s"
    assert run("trim", NAME, "-o", f"b.{NAME}", "--start", "0.2").exit_code == 0
    assert run("merge", f"a.{NAME}", f"b.{NAME}", "-o", f"c.{NAME}").exit_code == 0
    np.testing.assert_array_equal(load_landmarks(folder / f"c.{NAME}").points, load_landmarks(folder / NAME).points)


def test_a_part_drives(folder: Path) -> None:
    save_landmarks(turning(12), folder / f"whole.{NAME}")
    assert run("trim", f"whole.{NAME}", "-o", f"part.{NAME}", "--start", "0.2").exit_code == 0
    done = CliRunner().invoke(
        cli.main,
        ["drive", "-s", str(clips.portrait()), "-d", f"part.{NAME}", "-o", "out.gif", "--crop", "--size", "64"],
    )
    assert done.exit_code == 0
    assert "frames    7, 25 per second" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("info missing.csv", "missing.csv: no such file"),
        ("info notes.txt", "unknown suffix; a track ends in"),
        ("info damaged.jsonl", "line 1 is no JSON object"),
        (f"plot {NAME} -o a.pdf", "a plot is a picture"),
        (f"show {NAME} -o a.mp4 --video missing.mp4", "no such file"),
        (f"show {NAME} -o a.mp4 --video small.mp4", "give the video that it was made from"),
        (f"show {NAME} -o none/a.mp4", "create it first"),
        (f"convert {NAME} a.txt", "unknown suffix; end in"),
        (f"convert {NAME} a.csv --fps 25", "is no CSV log"),
        (f"trim {NAME} -o a.jsonl --start 9", "it lasts 0.48 s"),
        (f"trim {NAME} -o {NAME}", "exists; use --overwrite"),
        (f"merge {NAME} other.{NAME} -o a.jsonl", "only tracks of one size can be merged"),
    ],
)
def test_an_error_is_one_line_and_leaves_nothing(folder: Path, arguments: str, message: str) -> None:
    (folder / "notes.txt").write_text("x")
    (folder / "damaged.jsonl").write_text('{"format')
    write_clip(folder / "small.mp4", [np.zeros((48, 64, 3), np.uint8)])
    save_landmarks(turning(2), folder / f"other.{NAME}")
    before = listing(folder)
    done = run(*arguments.split())
    assert done.exit_code == 1
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert listing(folder) == before


@pytest.mark.parametrize(
    "arguments",
    [
        f"merge {NAME} -o a.jsonl",
        f"trim {NAME}",
        f"trim {NAME} -o a.jsonl --start 3 --end 2",
        f"trim {NAME} -o a.jsonl --start nan",
        f"show {NAME} -o a.mp4 --video-start 1",
        f"show {NAME} -o a.mp4 --video b.mp4 --video-start -1",
        f"convert {NAME} a.csv --fps 0",
        f"convert {NAME}",
        "cut",
    ],
)
def test_wrong_usage_is_told(folder: Path, arguments: str) -> None:
    assert run(*arguments.split()).exit_code == 2
    assert listing(folder) == [NAME]
