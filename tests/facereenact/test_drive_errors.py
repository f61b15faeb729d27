"""What cannot work ends in one line that says what to do, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from facereenact import cli
from facereenact.video import VideoWriter
from tests.facereenact import clips
from tests.facereenact.bad_files import (
    TRACK,
    clip_without_frames,
    cut_clip,
    damaged_track,
    foreign_tensors,
    picture,
    sound_alone,
    text_file,
    track_file,
    track_of_another_version,
)
from tests.facereenact.media import write_clip


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the folders `in` for inputs and `out` for results."""
    monkeypatch.chdir(tmp_path)
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    return tmp_path


def failing(*arguments: str, source: str | Path | None = None, driver: str | Path | None = None) -> str:
    """The one line that `drive` ends with, after checking all that every failure has in common."""
    before = state(Path())
    words = ["drive", "-s", str(source or clips.portrait()), "-d", str(driver or clips.talk())]
    if "-o" not in arguments:
        words += ["-o", "out/result.mp4"]
    done = CliRunner().invoke(cli.main, [*words, *arguments])
    assert (done.exit_code, done.stdout) == (1, ""), done.output
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    assert "Traceback" not in lines[0]
    assert "run again with --debug" not in lines[0]  # what a defect of ours says
    assert state(Path()) == before
    return lines[0]


def state(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder below, hidden ones too, with its content."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: "in/none.png", "in/none.png: no such image; check the path"),
        (lambda: "in", "is a folder; give one image file"),
        (lambda: text_file("in/a.png"), "is not an image that can be read; use PNG, JPEG or WebP"),
        (lambda: picture("in/a.png", (1, 1)), "is too small (1x1)"),
        (lambda: picture("in/a.png", (20_000, 20_000)), "megapixels"),
        (lambda: picture("in/a.png", (96, 96)), "shows no face that can be found; use a picture with"),
        (lambda: clips.talk(), "is not an image that can be read"),
    ],
)  # fmt: skip
def test_sources_that_cannot_be_used(place: Path, make: Callable[[], str | Path], message: str) -> None:
    assert message in failing(source=make())


def test_a_source_that_is_cut_short(place: Path) -> None:
    path = Path("in/a.png")
    path.write_bytes(clips.portrait().read_bytes()[:20_000])
    assert "damaged or cut short" in failing(source=path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: "in/none.mp4", "in/none.mp4: no such file; check the path"),
        (lambda: text_file("in/a.mp4"), "is not a video that can be read; use mp4"),
        (lambda: text_file("in/a.txt"), "is not a video that can be read; use mp4"),
        (lambda: cut_clip("in/a.mp4", 0.5, faststart=True), "use --end"),
        (lambda: cut_clip("in/a.mp4", 0.5, faststart=False), "is damaged or incomplete; download or record it again"),
        (lambda: clip_without_frames("in/a.mp4"), "has no video track; give a video"),
        (lambda: clip_without_frames("in/a.mkv"), "download or record it again"),
        (lambda: sound_alone("in/a.mp4"), "has no video track; give a video"),
        (lambda: "in", "the folder in holds no images; give a video"),
        (lambda: clips.nobody(), "no frame shows a face that can be found; use a video of one person"),
        (lambda: picture("in/a.png", (1, 1)), "is too small"),
        (lambda: "http://localhost:9/a.mp4", "only local video files are opened; download"),
        (lambda: "rtsp://localhost:9/a", "only local video files are opened; download"),
        (lambda: f"concat:{clips.talk()}|{clips.talk()}", "only local video files are opened; download"),
    ],
)  # fmt: skip
def test_drivers_that_cannot_be_used(place: Path, make: Callable[[], str | Path], message: str) -> None:
    assert message in failing(driver=make())


@pytest.mark.parametrize("name", ["list.m3u8", "list.mp4"])
def test_a_playlist_is_no_driver(place: Path, name: str) -> None:
    playlist = Path("in", name)
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{clips.talk()}\n#EXT-X-ENDLIST\n")
    assert "is a playlist: give the video itself" in failing(driver=playlist)


def test_an_empty_file_is_no_driver(place: Path) -> None:
    Path("in/a.mp4").touch()
    assert "is empty; download or record it again" in failing(driver="in/a.mp4")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: "in/none.landmarks.safetensors", "no such landmark file"),
        (lambda: text_file(TRACK), "make it again from its video"),
        (damaged_track, "make it again from its video"),
        (track_of_another_version, "format version 99, this program reads 1; make it again"),
        (foreign_tensors, "not a landmark file; make one with"),
        (lambda: track_file(seen=()), "shows a face"),
    ],
)
def test_tracks_that_cannot_be_used(place: Path, make: Callable[[], str | Path], message: str) -> None:
    assert message in failing(driver=make())


@pytest.mark.parametrize(
    ("arguments", "seen", "message"),
    [
        ("--start 0.05", (0, 1), "no frame from 0.05 s on shows a face"),
        ("--start 9", (0, 1, 2), "has no frame from 9 s on; it lasts 0.12 s"),
        ("--neutral-frame 3", (0, 1, 2), "--neutral-frame: there is no frame 3: the driver has 3 frames"),
    ],
)
def test_a_track_without_what_is_asked_for(place: Path, arguments: str, seen: tuple[int, ...], message: str) -> None:
    assert message in failing(*arguments.split(), driver=track_file(seen=seen))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--start 9", "has no frame from 9 s on; it lasts 0.48 s"),
        ("--start 0.33 --end 0.34", "has no frame from 0.33 s to 0.34 s; it lasts 0.48 s"),
        ("--neutral-frame 12", "--neutral-frame: there is no frame 12: the driver has 12 frames, counted from 0"),
        ("--neutral-frame -1", "--neutral-frame: there is no frame -1"),
        ("--face 1", "there is no face 1: 1 found, counted from 0 at the left"),
        ("--driver-face 1", "there is no face 1: 1 found, counted from 0 at the left (--driver-face)"),
        ("--renderer diffusion", "facereenact checkpoints import moore-face"),
        ("--renderer warp --steps 9", "--steps: options of the diffusion renderer, but warp is used"),
        ("-o out/a.avi", "unknown suffix; end in .mp4"),
        ("-o out/a.png", "a moving driver makes a video; end in .mp4"),
        ("-o out/a.png --compare", "--compare makes a video"),
        ("-o none/a.mp4", "the folder none does not exist; create it first"),
        ("-o in", "in holds other files than numbered images; choose another output"),
        ("--save-landmarks out/a.npz", "the name of a landmark file ends in .landmarks.safetensors"),
        ("--save-landmarks none/a.landmarks.safetensors", "the folder none does not exist; create it first"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit(place: Path, arguments: str, message: str) -> None:
    text_file("in/mine.txt")
    assert message in failing(*arguments.split())


@pytest.mark.parametrize("name", ["result.mp4", "result.json", "result.compare.mp4", "a.landmarks.safetensors"])
def test_nothing_is_overwritten_unasked(place: Path, name: str) -> None:
    text_file(f"out/{name}")
    message = failing("--compare", "--save-landmarks", "out/a.landmarks.safetensors")
    assert f"out/{name} exists; use --overwrite or choose another output" in message


def test_a_folder_of_results_is_not_overwritten_unasked(place: Path) -> None:
    Path("out/frames").mkdir()
    clips.write_picture(Path("out/frames/000000.png"), clips.portrait_image())
    assert "out/frames exists; use --overwrite" in failing("-o", "out/frames")


@pytest.mark.parametrize(
    ("source", "driver", "arguments"),
    [
        ("in/a.png", "in/b.mp4", "-o in/b.mp4"),
        ("in/a.png", "in/b.mp4", "-o in/../in/b.mp4"),
        ("in/a.png", "in/still.png", "-o in/a.png"),
        ("in/a.png", "in/b.compare.mp4", "-o in/b.mp4 --compare"),
        ("in/a.png", "in/t.landmarks.safetensors", "-o out/b.mp4 --save-landmarks in/t.landmarks.safetensors"),
        ("in/frames/0.png", "in/b.mp4", "-o in/frames"),
        ("in/a.png", "in/frames", "-o in/frames"),
        ("in/a.png", "in/frames/0.png", "-o in/frames"),
    ],
)
def test_an_input_is_never_replaced(place: Path, source: str, driver: str, arguments: str) -> None:
    Path("in/frames").mkdir()
    for name in ("a.png", "still.png", "frames/0.png"):
        Path("in", name).write_bytes(clips.portrait().read_bytes())
    for name in ("b.mp4", "b.compare.mp4"):
        Path("in", name).write_bytes(clips.talk().read_bytes())
    track_file().rename("in/t.landmarks.safetensors")
    assert "is an input or holds one; choose another" in failing(
        *arguments.split(), "--overwrite", source=source, driver=driver
    )


def test_a_folder_that_may_not_be_written_to(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("out").chmod(0o555)
    if os.access("out", os.W_OK):  # root may write anywhere
        monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != Path("out"))
    try:
        assert "the folder out may not be written to; choose another output" in failing()
    finally:
        Path("out").chmod(0o755)


def test_an_error_while_rendering_leaves_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(self: VideoWriter, *_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(VideoWriter, "write", write)
    words = ["drive", "-s", str(clips.portrait()), "-d", str(clips.talk()), "-o", "out/result.mp4", "--compare"]
    done = CliRunner().invoke(cli.main, [*words, "--save-landmarks", "out/a.landmarks.safetensors"])
    assert (done.exit_code, len(done.stderr.splitlines())) == (1, 1)
    assert state(Path("out")) == {}


def test_an_error_at_the_very_end_leaves_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison is complete already when the disk turns out to be full for the result."""
    complete = VideoWriter._complete

    def fail_for_result(self: VideoWriter) -> None:
        if self.path.name == "result.mp4":
            raise OSError(28, "No space left on device")
        complete(self)

    monkeypatch.setattr(VideoWriter, "_complete", fail_for_result)
    words = ["drive", "-s", str(clips.portrait()), "-d", str(clips.talk()), "-o", "out/result.mp4", "--compare"]
    assert CliRunner().invoke(cli.main, words).exit_code == 1
    assert state(Path("out")) == {}


def test_a_clip_that_breaks_while_it_is_read(place: Path) -> None:
    content = write_clip(Path("in/a.mkv"), clips.moving_face(40), gop_size=5, max_b_frames=0).read_bytes()
    Path("in/a.mkv").write_bytes(content[: len(content) // 2])
    assert "is broken after" in failing(driver="in/a.mkv")


@pytest.mark.parametrize("name", ["result.mp4", "result.webm", "result.gif", "result"])
def test_a_full_disk(place: Path, name: str) -> None:
    """No file may grow beyond 10 kB, which ends a write as a full disk does."""
    Path("in/old").write_text("earlier result")
    if "." in name:
        Path("in/old").rename(Path("out", name))
    before = state(Path())
    limit = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000));"
        "sys.argv[0] = 'facereenact'; runpy.run_module('facereenact', run_name='__main__')"
    )
    words = ["drive", "-s", str(clips.portrait()), "-d", str(clips.talk()), "-o", f"out/{name}", "--overwrite"]
    done = subprocess.run([sys.executable, "-c", limit, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        f"error: out/{name}[/0-9.png]* was not written: disk full; free some space first\n", done.stderr
    )
    assert state(Path()) == before
