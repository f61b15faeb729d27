"""`facereenact drive` as a user meets it: what it prints, its exit codes, Ctrl-C, and its appetite for memory."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from facereenact import cli
from facereenact.body_settings import BodySettings
from facereenact.diffusion_settings import DiffusionSettings
from facereenact.settings import DriveSettings
from facereenact.video import VideoReader
from tests.facereenact import clips
from tests.facereenact.clips import COUNT
from tests.facereenact.media import write_clip

PROGRAM = (sys.executable, "-m", "facereenact", "drive")
HEAVY = ("torch", "diffusers", "transformers", "mediapipe", "cv2", "numba", "numpy", "av", "scipy", "PIL", "rich")


def words(*more: str | Path, source: str | Path | None = None, driver: str | Path | None = None) -> list[str]:
    return ["-s", str(source or clips.portrait()), "-d", str(driver or clips.talk()), *map(str, more)]


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, ["drive", *arguments])


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def table(text: str) -> dict[str, str]:
    return {name: value.strip() for name, _, value in (line.partition(" ") for line in text.splitlines())}


def test_a_run_prints_a_table_and_nothing_else(tmp_path: Path) -> None:
    output = tmp_path / "a folder with a name so long that the line of the table is wider than a terminal" / "out.mp4"
    output.parent.mkdir()
    done = subprocess.run([*PROGRAM, *words("-o", output)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    rows = table(done.stdout)
    assert list(rows) == ["written", "renderer", "frames", "neutral", "sound", "time"]
    assert rows["written"] == str(output)
    assert rows["renderer"].startswith("warp (auto")
    assert rows["frames"] == f"{COUNT}, 25 per second, 256x300"
    assert re.fullmatch(r"driver frame \d+", rows["neutral"])
    assert rows["sound"] == "kept"
    assert re.fullmatch(r"source [\d.]+ s, tracking [\d.]+ s, preparation [\d.]+ s, rendering [\d.]+ s", rows["time"])
    assert not any(line.endswith(" ") for line in done.stdout.splitlines())
    assert listing(output.parent) == ["out.json", "out.mp4"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_progress_is_shown_on_a_terminal_only(tmp_path: Path) -> None:
    import pty

    terminal, theirs = pty.openpty()
    command = [*PROGRAM, *words("-o", tmp_path / "out.mp4")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, text=True) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # Linux ends a terminal that way
            while piece := os.read(terminal, 65536):
                shown += piece
        stdout, _ = process.communicate(timeout=30)
    os.close(terminal)
    assert process.returncode == 0
    assert table(stdout)["written"] == str(tmp_path / "out.mp4")
    for stage in (b"tracking", b"rendering"):
        assert stage in shown
    assert f"{COUNT}/{COUNT}".encode() in shown
    assert b"W0000" not in shown
    assert not re.search(rb"\d{5} frames/s", shown)


def test_warnings_go_to_stderr(tmp_path: Path) -> None:
    done = subprocess.run(
        [*PROGRAM, *words("-o", tmp_path / "a.gif", "--compare", source=clips.two_faces(), driver=clips.with_gaps())],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    source, gaps = done.stderr.splitlines()
    assert source == f"warning: {clips.two_faces()} shows 2 faces; the largest is animated (--face chooses another)"
    assert re.fullmatch(rf"warning: \d of {COUNT} driver frames show no face; their motion is filled in", gaps)
    rows = table(done.stdout)
    assert rows["compared"] == str(tmp_path / "a.compare.gif")
    assert "without a face filled in" in rows["frames"]
    assert rows["sound"] == "none"


def test_the_default_output_lies_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke(*words("--end", "0.08"))
    assert (done.exit_code, done.stderr) == (0, "")
    assert table(done.stdout)["written"] == "portrait-talk.mp4"
    assert listing(tmp_path) == ["portrait-talk.json", "portrait-talk.mp4"]
    assert invoke(*words("--end", "0.08")).exit_code == 1
    assert invoke(*words("--end", "0.08", "--overwrite")).exit_code == 0


def test_every_option_reaches_the_settings(tmp_path: Path) -> None:
    output, saved = tmp_path / "out.mp4", tmp_path / "a.landmarks.safetensors"
    options = (
        "--renderer warp --motion absolute --neutral-frame 1 --face 0 --driver-face 90,90 --smooth light "
        "--mouth painted --crop --size 320 --start 0.04 --end 0.2 --fps 12.5 --compare --overwrite "
        "--parts mouth,head --head-gain 0.5 --mouth-gain 2 --length-from driver"
    )
    done = invoke(*words("-o", output, "--save-landmarks", saved, *options.split()))
    assert (done.exit_code, done.stderr) == (0, "")
    told = json.loads(output.with_suffix(".json").read_text())["settings"]
    expected = {
        "source": str(clips.portrait()), "driver": str(clips.talk()), "output": str(output), "renderer": "warp",
        "motion": "absolute", "neutral_frame": 1, "face": 0, "driver_face": [90.0, 90.0], "smooth": "light",
        "mouth": "painted", "crop": True, "size": 320, "start": 0.04, "end": 0.2, "fps": "25/2", "compare": True,
        "save_landmarks": str(saved), "overwrite": True, "head_driver": None, "eyes_driver": None, "mouth_driver": None,
        "parts": ["mouth", "head"], "head_gain": 0.5, "eyes_gain": 1.0, "mouth_gain": 2.0, "length_from": "driver",
        "prepared": None, "body": {
            "body_driver": None, "body_person": "largest", "body_estimator": "auto", "body_start": None,
            "head_from": None, "audio_from": None, "save_pose": None,
        },
        "diffusion": {
            "preset": "exact", "steps": None, "guidance": None, "scheduler": None, "decoder": None, "seed": 0,
            "head_scale": 1.0, "mouth_scale": 1.0, "body_scale": 1.0, "combine": "paste", "body_side": None,
            "window": 24, "overlap": 4, "dtype": "auto", "device": "auto", "checkpoints": None,
            "keep_background": True,
        },
    }  # fmt: skip
    assert told == expected
    assert set(expected) == {field.name for field in fields(DriveSettings)}


def test_brackets_in_names_are_no_markup(tmp_path: Path) -> None:
    output = tmp_path / "[red]out[1].mp4"
    assert table(invoke(*words("-o", str(output), "--end", "0.08")).stdout)["written"] == str(output)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--size 31", "'--size'"),
        ("--size 100x", "give WIDTHxHEIGHT or the longer side"),
        ("--size 100x9000", "from 32 to 8192 pixels"),
        ("--size 100x200 --crop", "--crop gives a square picture"),
        ("--start 2 --end 1", "--end after it"),
        ("--start -1", "--start must be 0 or more"),
        ("--start nan", "--start must be 0 or more"),
        ("--end nan", "--end after it"),
        ("--start soon", "not a valid float"),
        ("--fps 0", "--fps must be above 0"),
        ("--fps 1/0", "not a number or a fraction"),
        ("--fps 500", "at most 240"),
        ("--face left", "is no face: give largest, an index (0 is leftmost), or a pixel x,y"),
        ("--face 1,2,3", "is no face"),
        ("--driver-face nan,1", "is no face"),
        ("--face -1", "is no face"),
        ("--neutral-frame 1.5", "not a valid integer"),
        ("--motion sideways", "'sideways'"),
        ("--smooth very", "'very'"),
        ("--mouth shut", "'shut'"),
        ("--renderer magic", "'magic'"),
        ("--quality 3", "--quality"),
        ("stray", "stray"),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: str, message: str) -> None:
    done = invoke(*words("-o", str(tmp_path / "out.mp4"), *arguments.split()))
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert listing(tmp_path) == []


@pytest.mark.parametrize("missing", ["-s", "-d"])
def test_source_and_driver_are_required(missing: str) -> None:
    present = {"-s": "-d", "-d": "-s"}[missing]
    done = invoke(present, "a.png")
    assert done.exit_code == 2
    assert "Missing option" in done.stderr


def test_help_tells_of_every_setting() -> None:
    text = " ".join(invoke("--help").stdout.split())
    for field in (*fields(DriveSettings), *fields(BodySettings), *fields(DiffusionSettings)):
        if "section" in field.metadata:
            continue  # its fields are options of their own
        assert f"--{field.name.replace('_', '-')}" in text
        assert " ".join(field.metadata["help"].split())[:40] in text
    assert "None" not in text


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import json, sys
from facereenact.cli import main
try:
    main(["drive", "--help"])
except SystemExit:
    print(json.dumps([name for name in {HEAVY} if name in sys.modules]), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stderr) == []


def test_debug_shows_the_traceback_of_an_error(tmp_path: Path) -> None:
    done = invoke(*words("-o", str(tmp_path / "out.mp4"), "--debug", source="none.png"))
    assert done.exit_code == 1
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: none.png")


@pytest.fixture(scope="module")
def long_talk() -> Path:
    """Ten seconds: the clip forwards and backwards, again and again."""
    return repeated(10)


def repeated(length_s: int) -> Path:
    path = clips.media() / f"long-{length_s}.mp4"
    if not path.exists():
        there_and_back = [*clips.moving_face(), *clips.moving_face()[-2:0:-1]]
        images = [there_and_back[k % len(there_and_back)] for k in range(25 * length_s)]
        write_clip(path, images, sound=clips.tone(length_s))
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
@pytest.mark.parametrize("name", ["out.mp4", "out.gif", "out"])
def test_ctrl_c_while_rendering(tmp_path: Path, long_talk: Path, name: str) -> None:
    """Nothing incomplete stays, and an earlier result is kept."""
    earlier = {"out": "000000.png"}.get(name)
    if earlier is None:
        (tmp_path / name).write_text("earlier result")
    else:
        (tmp_path / name).mkdir()
        clips.write_picture(tmp_path / name / earlier, clips.portrait_image())
    arguments = words("-o", tmp_path / name, "--overwrite", "--size", "1024", "--compare", driver=long_talk)
    with subprocess.Popen(
        [*PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=listen_to_interrupts,
    ) as process:
        wait_for_partial(tmp_path, process)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout, stderr) == (130, "", "interrupted\n")
    assert listing(tmp_path) == [name]
    if earlier is None:
        assert (tmp_path / name).read_text() == "earlier result"
    else:
        assert listing(tmp_path / name) == [earlier]


def listen_to_interrupts() -> None:
    """Also where the tests themselves run in the background of a shell, which has them ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for_partial(folder: Path, process: subprocess.Popen[str], timeout_s: float = 60) -> None:
    """Until a hidden file or folder with something in it shows that pictures are being written."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end and process.poll() is None:
        for partial in folder.glob(".*.partial*"):
            if any(partial.iterdir()) if partial.is_dir() else partial.stat().st_size:
                return
        time.sleep(0.01)
    pytest.fail(f"no picture was written; the process ended with {process.poll()}")


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    short, long = (peak_mib(tmp_path, repeated(length_s)) for length_s in (10, 60))
    assert long < 1.1 * short, f"{short:.0f} MiB for 10 s, {long:.0f} MiB for 60 s"
    assert len(list(VideoReader(tmp_path / "long-60.mp4"))) == 60 * 25


def peak_mib(folder: Path, driver: Path) -> float:
    """Most memory that `drive` held, itself and its children."""
    code = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10))
"""
    command = [sys.executable, "-c", code, *PROGRAM, *words("-o", folder / driver.name, driver=driver)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
