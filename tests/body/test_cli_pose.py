"""`facereenact pose` as a user meets it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from skimage import data

from body.guides import draw_guide
from body.storage import SUFFIX, load_pose, save_pose
from body.types import NOSE
from facereenact import cli
from facereenact.choices import person_choice
from facereenact.images import read_image
from facereenact.pose_tools.measures import summarise
from facereenact.pose_tools.settings import PoseShowSettings, PoseTrackSettings
from facereenact.pose_tools.showing import DARKENED, LOST, overlay
from tests.body.figures import SIZE, changed, figure, without
from tests.facereenact.media import write_clip

HEAVY = ("torch", "mediapipe", "cv2", "numba", "numpy", "av", "scipy", "PIL", "rich", "onnxruntime")
NAME = f"dance{SUFFIX}"
COUNT = 6


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a pose file of 12 frames, two of them without the person; checkpoints: none."""
    sequence = figure(12)
    detected = sequence.detected.copy()
    detected[5:7] = False
    save_pose(changed(without(sequence, 4), detected=detected), tmp_path / NAME)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEREENACT_CHECKPOINTS", str(tmp_path / "checkpoints"))
    return tmp_path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody who moves to the right for six frames, 256x256, with a blank frame in the middle."""
    images = [np.asarray(np.roll(data.astronaut()[::2, ::2], 3 * index, axis=1), np.uint8) for index in range(COUNT)]
    images[3] = np.full_like(images[3], 90)
    return write_clip(tmp_path_factory.mktemp("clips") / "astronaut.mp4", images)


@pytest.fixture(scope="module")
def black(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve grey frames of the size of the pose file's, with a tone."""
    sound = 0.5 * np.sin(np.arange(24000) / 20).astype(np.float32)
    image: NDArray[np.uint8] = np.full((SIZE[1], SIZE[0], 3), 100, np.uint8)
    return write_clip(tmp_path_factory.mktemp("clips") / "grey.mp4", [image] * 12, sound=sound)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.main, ["pose", *map(str, arguments)])


def error_of(*arguments: str | Path, code: int = 1) -> str:
    done = run(*arguments)
    assert done.exit_code == code, done.output
    lines = done.stderr.splitlines()
    assert code == 2 or len(lines) == 1
    return lines[-1]


def frames_of(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in container.decode(video=0)]


@pytest.mark.parametrize("command", [(), ("track",), ("show",), ("info",)])
def test_help_imports_nothing_heavy(command: tuple[str, ...]) -> None:
    code = f"""
import json, sys
from facereenact.cli import main
try:
    main(["pose", *{command}, "--help"])
except SystemExit:
    print(json.dumps([name for name in {HEAVY} if name in sys.modules]), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert json.loads(done.stderr) == []
    assert done.stdout.startswith("Usage: ")


def test_a_track_is_as_long_as_its_video(folder: Path, clip: Path) -> None:
    done = run("track", clip)
    assert done.exit_code == 0, done.output
    for line in (
        rf"written +astronaut{re.escape(SUFFIX)}",
        r"estimator +mediapipe-0\.10\.21/\S+ \(auto: DWPose is not installed \(facereenact checkpoints pull dwpose\)\)",
        rf"frames +{COUNT}, 256x256",
        rf"seen +{COUNT - 1} \(the others are filled in\)",
        r"time +\d+\.\d s",
    ):
        assert re.search(rf"^{line}", done.stdout, re.MULTILINE), line
    track = load_pose(folder / f"astronaut{SUFFIX}")
    assert track.detected.tolist() == [True, True, True, False, True, True] and track.visible[3, NOSE]
    np.testing.assert_allclose(track.timestamps_s, np.arange(COUNT) / 25, atol=1e-6)
    np.testing.assert_allclose(np.diff(track.points[:, NOSE, 0]), 3, atol=2)


def test_smoothing_a_part_and_a_rate_can_be_chosen(folder: Path, clip: Path) -> None:
    out = folder / f"part{SUFFIX}"
    assert run("track", clip, "-o", out, "--smooth", "none", "--start", "0.04", "--end", "0.12").exit_code == 0
    rough = load_pose(out)
    assert len(rough) == 2
    options = ("--smooth", "strong", "--start", "0.04", "--end", "0.12", "--overwrite")
    assert run("track", clip, "-o", out, *options).exit_code == 0
    assert np.abs(load_pose(out).points - rough.points)[rough.visible].max() > 0.1
    assert run("track", clip, "-o", out, "--fps", "50", "--end", "0.1", "--overwrite").exit_code == 0
    assert len(load_pose(out)) == 5


def test_a_person_can_be_chosen(folder: Path) -> None:
    pair = np.hstack([data.astronaut()[:, ::-1], data.astronaut()])
    clip = write_clip(folder / "pair.mp4", [np.asarray(pair, np.uint8)] * 2)
    for choice, on_the_left in (("0", True), ("1", False), ("900,300", False)):
        done = run("track", clip, "--person", choice, "--overwrite")
        assert done.exit_code == 0 and done.stderr == ""
        assert (load_pose(folder / f"pair{SUFFIX}").points[0, NOSE, 0] < 512) == on_the_left
    assert "up to 2 people are in view" in run("track", clip, "--overwrite").stderr
    assert "there is no person 5: at most 2 in view" in error_of("track", clip, "--person", "5", "--overwrite")


@pytest.mark.parametrize("text", ["tall", "1,2,3", "nan,1", "-1"])
def test_a_choice_of_no_known_form_is_wrong_usage(text: str, clip: Path) -> None:
    assert "is no person" in error_of("track", clip, f"--person={text}", code=2)


def test_a_picture_gives_a_source(folder: Path, clip: Path) -> None:
    from PIL import Image

    Image.fromarray(data.astronaut()).save("astronaut.png")
    assert run("track", "astronaut.png").exit_code == 0
    assert len(load_pose(folder / f"astronaut{SUFFIX}")) == 1


def test_what_cannot_be_tracked_is_one_line(folder: Path, clip: Path) -> None:
    nobody = write_clip(folder / "nobody.mp4", [np.full((96, 128, 3), 90, np.uint8)] * 3)
    assert "nobody.mp4: no frame shows a person" in error_of("track", nobody)
    assert "no such file" in error_of("track", "missing.mp4")
    assert "ends in .pose.safetensors" in error_of("track", clip, "-o", "out.safetensors")
    assert "exists; use --overwrite" in error_of("track", clip, "-o", NAME)
    assert "facereenact checkpoints pull dwpose" in error_of("track", clip, "--estimator", "dwpose")
    assert "is an input" in error_of("track", NAME, "-o", NAME, "--overwrite")
    assert "--start must be" in error_of("track", clip, "--start", "3", "--end", "2", code=2)
    assert "--fps must be" in error_of("track", clip, "--fps", "0", code=2)
    assert not (folder / f"nobody{SUFFIX}").exists()


def test_the_guide_alone_is_what_a_pose_guider_takes(folder: Path) -> None:
    done = run("show", NAME, "-o", "guide")
    assert done.exit_code == 0, done.output
    track = load_pose(folder / NAME)
    images = sorted((folder / "guide").iterdir())
    assert len(images) == 12
    for index in (0, 7):
        guide = draw_guide(track.points[index], track.scores[index], track.size)
        np.testing.assert_array_equal(read_image(images[index])[0], guide)
    assert "frames      12, 400x500, 2 without the person" in done.stdout and "sound       none" in done.stdout


def test_points_are_drawn_on_their_video(folder: Path, black: Path) -> None:
    done = run("show", NAME, "--video", black, "-o", "shown.mp4")
    assert done.exit_code == 0, done.output
    assert "sound       kept" in done.stdout
    images, track = frames_of(folder / "shown.mp4"), load_pose(folder / NAME)
    assert len(images) == 12
    x, y = track.points[0, 1].astype(int)
    assert np.abs(images[0][y, x].astype(int) - (255, 85, 0)).max() < 60  # the neck
    assert np.abs(images[0][5, 200].astype(int) - int(100 * DARKENED)).max() < 12
    assert np.abs(images[5][2, 200].astype(int) - LOST).max() < 60 and images[4][2, 200].max() < 80


def test_a_smaller_copy_of_the_video_will_do(folder: Path) -> None:
    small = write_clip(folder / "small.mp4", [np.full((250, 200, 3), 100, np.uint8)] * 12)
    assert run("show", NAME, "--video", small, "-o", "shown.mp4").exit_code == 0
    assert frames_of(folder / "shown.mp4")[0].shape == (250, 200, 3)
    other = write_clip(folder / "other.mp4", [np.full((200, 250, 3), 100, np.uint8)] * 12)
    assert "give the video that it was made from" in error_of("show", NAME, "--video", other, "-o", "no.mp4")


def test_a_track_that_begins_later_is_drawn_later(folder: Path, black: Path) -> None:
    save_pose(load_pose(folder / NAME)[:3], folder / f"part{SUFFIX}")
    assert run("show", f"part{SUFFIX}", "--video", black, "--video-start", "0.2", "-o", "part.mp4").exit_code == 0
    assert len(frames_of(folder / "part.mp4")) == 3
    assert "give --video" in error_of("show", NAME, "--video-start", "1", "-o", "x.mp4", code=2)


@pytest.mark.parametrize("command", ["show", "info"])
def test_files_of_something_else_are_one_line(command: str, folder: Path) -> None:
    more = ("-o", "out.mp4") if command == "show" else ()
    (folder / "junk.pose.safetensors").write_bytes(b"junk")
    assert "damaged pose file" in error_of(command, "junk.pose.safetensors", *more)
    assert "no such pose file" in error_of(command, "missing.pose.safetensors", *more)
    from safetensors.numpy import save_file

    save_file({"points": np.zeros(3)}, folder / "other.safetensors")
    assert "not a pose file; make one with `facereenact pose track`" in error_of(command, "other.safetensors", *more)


def test_an_output_must_not_replace_an_input(folder: Path, black: Path) -> None:
    assert "is an input" in error_of("show", NAME, "--video", black, "-o", black, "--overwrite")
    assert "unknown suffix" in error_of("show", NAME, "-o", "out.xyz")


def test_a_guide_of_absurd_size_is_refused(folder: Path) -> None:
    save_pose(changed(figure(1), size=(60000, 60000)), folder / f"vast{SUFFIX}")
    assert "too large to draw" in error_of("show", f"vast{SUFFIX}", "-o", "vast.mp4")


def test_info_prints_a_table() -> None:
    done = run("info", NAME)
    assert (done.exit_code, done.stderr) == (0, "")
    for line in (
        r"frames +12, 25 per second",
        r"duration +0\.48 s",
        r"size +400x500, torso 11\d px",
        r"estimator +script",
        r"found +10 of 12 frames \(83\.33 %\)",
        r"gaps +frames 5-6 \(0\.20-0\.28 s\)",
        r"right arm +0 %",
        r"left leg +100 %",
    ):
        assert re.search(rf"^{line}", done.stdout, re.MULTILINE), line


def test_info_lists_few_gaps_and_as_json_all(folder: Path) -> None:
    detected = np.ones(40, bool)
    detected[1::3] = False
    save_pose(changed(figure(40), detected=detected), folder / f"holes{SUFFIX}")
    assert "and 7 more (--json lists all)" in run("info", f"holes{SUFFIX}").stdout
    about = json.loads(run("info", "--json", f"holes{SUFFIX}").stdout)
    assert about["file"] == f"holes{SUFFIX}" and len(about["gaps"]) == 13 and about["rate"] == "25"


def test_a_rate_that_varies_and_a_name_that_moves_the_cursor() -> None:
    sequence = changed(figure(4), timestamps_s=np.array([0, 0.04, 0.2, 0.24]), estimator="a\x1b[2Jb")
    summary = summarise(sequence)
    assert summary.rate_varies and summary.estimator == "a [2Jb"
    assert not summarise(figure(1)).rate_varies and summarise(figure(1)).rate == "25"


def test_settings_check_themselves() -> None:
    assert PoseTrackSettings(video=Path("a/dance.final.mp4")).output_path == Path("dance" + SUFFIX)
    assert person_choice("3") == 3 and person_choice("1.5,2") == (1.5, 2.0) and person_choice("largest") == "largest"
    with pytest.raises(ValueError, match="--video-start must be 0 or more"):
        PoseShowSettings(output=Path("x.mp4"), video_start=-1)


def test_an_overlay_leaves_the_guides_pixels_as_they_are() -> None:
    guide = np.zeros((40, 60, 3), np.uint8)
    guide[10, 20] = (0, 0, 255)
    image = overlay(np.full((40, 60, 3), 100, np.uint8), guide, is_seen=True)
    assert image[10, 20].tolist() == [0, 0, 255] and image[11, 20].tolist() == [60, 60, 60]
