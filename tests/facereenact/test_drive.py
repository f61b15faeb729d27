"""drive() as a whole: from a portrait and a driver to a finished video."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import fields
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from facereenact.drive import DriveResult, drive
from facereenact.errors import OutputError
from facereenact.settings import DriveSettings
from facereenact.video import VideoReader
from landmarks.mediapipe_tracker import find_faces
from landmarks.storage import load_landmarks
from tests.facereenact import clips
from tests.facereenact.clips import COUNT, PORTRAIT_SIZE, TONE_S, difference
from tests.facereenact.driving import FIRST_S, made, onset_s, pictures, roll_deg, times_s, tracked


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_result_has_the_frames_and_times_of_the_driver(plain: DriveResult) -> None:
    ours, theirs = VideoReader(plain.output), VideoReader(clips.talk())
    assert times_s(plain.output) == pytest.approx(times_s(clips.talk()), abs=1e-9)
    assert ours.info.rate == theirs.info.rate == plain.rate
    assert ours.info.size == plain.size == PORTRAIT_SIZE
    assert (plain.frames, plain.frames_filled, len(pictures(plain.output))) == (COUNT, 0, COUNT)
    assert ours.info.duration_s == pytest.approx(theirs.info.duration_s, abs=1e-6)


def test_the_sound_of_the_driver_is_kept_in_sync(plain: DriveResult) -> None:
    assert plain.has_audio
    assert onset_s(plain.output) == pytest.approx(onset_s(clips.talk()), abs=1e-4)
    assert onset_s(plain.output) == pytest.approx(TONE_S, abs=0.005)


def test_the_face_moves_as_the_driver_does(plain: DriveResult) -> None:
    ours, theirs = tracked(plain.output), tracked(clips.talk())
    assert ours.detected.all()
    assert np.ptp(roll_deg(theirs)) > 10
    own_roll_deg = roll_deg(theirs)[plain.neutral_frame] - roll_deg(ours)[plain.neutral_frame]
    assert np.abs(roll_deg(ours) - roll_deg(theirs) + own_roll_deg).max() < 3
    size = ours.eye_distance_px[plain.neutral_frame] / theirs.eye_distance_px[plain.neutral_frame]
    paths = [points - points[plain.neutral_frame] for points in (ours.points[:, 30], theirs.points[:, 30] * size)]
    assert np.abs(paths[0] - paths[1]).max() < 0.1 * ours.eye_distance_px[plain.neutral_frame]


def test_every_picture_differs_from_the_one_before(plain: DriveResult) -> None:
    images = pictures(plain.output)
    assert all(difference([a], [b]) > 0.3 for a, b in pairwise(images))


def test_only_the_result_and_its_sidecar_are_left(plain: DriveResult, saved_track: Path) -> None:
    assert listing(plain.output.parent) == ["out.json", "out.mp4"]
    assert listing(saved_track.parent) == [saved_track.name]


def test_the_sidecar_tells_how_the_result_was_made(plain: DriveResult) -> None:
    sidecar = json.loads(plain.output.with_suffix(".json").read_text())
    assert set(sidecar) == {"settings", "result", "tracker", "versions"}
    assert set(sidecar["settings"]) == {field.name for field in fields(DriveSettings)}
    assert sidecar["settings"]["driver"] == str(clips.talk())
    assert sidecar["settings"]["mouth"] == "painted"
    result = sidecar["result"]
    assert (result["frames"], result["rate"], result["size"]) == (COUNT, "25", list(PORTRAIT_SIZE))
    assert (result["renderer"], result["neutral_frame"]) == ("warp", plain.neutral_frame)
    assert set(result["seconds"]) == {"source", "tracking", "preparation", "rendering"}
    assert sidecar["tracker"].startswith("mediapipe")
    assert {"facereenact", "mediapipe", "av"} <= set(sidecar["versions"])


def test_progress_counts_every_frame_of_each_stage(
    plain: DriveResult, steps: list[tuple[str, int, int | None]]
) -> None:
    for stage in ("tracking", "rendering"):
        done = [step[1] for step in steps if step[0] == stage]
        assert done == sorted(done)
        assert (done[-1], {step[2] for step in steps if step[0] == stage}) == (COUNT, {COUNT})
    assert [step[0] for step in steps] == sorted((step[0] for step in steps), reverse=True)


@pytest.mark.parametrize(
    ("name", "tolerance_s"), [("a.mov", 1e-6), ("a.mkv", 6e-4), ("a.webm", 6e-4), ("a.gif", 6e-3), ("frames", 1e-6)]
)
def test_every_kind_of_output(tmp_path: Path, name: str, tolerance_s: float) -> None:
    result = made(tmp_path, name, end=FIRST_S)
    assert times_s(result.output) == pytest.approx([0, 0.04, 0.08, 0.12], abs=tolerance_s)
    assert VideoReader(result.output).info.size == PORTRAIT_SIZE
    assert result.has_audio == VideoReader(result.output).info.has_audio == (name in ("a.mov", "a.mkv", "a.webm"))
    assert listing(tmp_path) == sorted([name, f"{Path(name).stem}.json"])


def test_codecs_are_those_that_players_expect(tmp_path: Path, plain: DriveResult) -> None:
    webm = made(tmp_path, "a.webm", end=FIRST_S).output
    for path, names in ((plain.output, ["h264", "aac"]), (webm, ["vp9", "opus"])):
        with av.open(str(path)) as container:
            assert [stream.codec_context.codec.canonical_name for stream in container.streams] == names
            assert container.streams.video[0].pix_fmt == "yuv420p"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".mp4"])
def test_a_still_driver_gives_its_pose(tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture) -> None:
    result = made(tmp_path, f"out{suffix}", driver=clips.still())
    assert "--motion absolute" in caplog.text
    image = pictures(result.output)[0]
    (theirs,), (ours,) = (find_faces(picture) for picture in (clips.moving_face()[3], image))
    rolls = [np.degrees(np.arctan2(*(f.points[45] - f.points[36])[::-1])) for f in (theirs, ours)]
    assert rolls[0] == pytest.approx(rolls[1], abs=3)
    assert (result.frames, result.has_audio, result.size) == (1, False, PORTRAIT_SIZE)
    assert listing(tmp_path) == sorted(["out.json", f"out{suffix}"])


def test_asking_for_absolute_motion_needs_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made(tmp_path, "out.png", driver=clips.still(), motion="absolute")
    assert caplog.text == ""


def test_a_moving_driver_gives_no_single_picture(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="moving driver"):
        made(tmp_path, "out.png")
    assert listing(tmp_path) == []


def test_a_folder_of_images_drives_too(tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    for index, image in enumerate(clips.moving_face()[:4]):
        clips.write_picture(frames / f"{index}.png", image)
    result = made(tmp_path, driver=frames)
    assert times_s(result.output) == pytest.approx([0, 0.04, 0.08, 0.12], abs=1e-9)


def test_a_comparison_shows_source_driver_and_result(tmp_path: Path) -> None:
    result = made(tmp_path, compare=True)
    width, height = PORTRAIT_SIZE
    assert result.compare == tmp_path / "out.compare.mp4"
    assert listing(tmp_path) == ["out.compare.mp4", "out.json", "out.mp4"]
    panels = pictures(result.compare)
    assert panels[0].shape == (height, width + height + width, 3)  # the driver is square
    assert times_s(result.compare) == times_s(result.output)
    assert onset_s(result.compare) == pytest.approx(TONE_S, abs=0.005)
    assert difference([p[:, :width] for p in panels], [clips.portrait_image()] * COUNT) < 4
    enlarged = [cv2.resize(image, (height, height)) for image in clips.moving_face()]
    assert difference([p[:, width:-width] for p in panels], enlarged) < 6
    assert difference([p[:, -width:] for p in panels], pictures(result.output)) < 4


def test_a_comparison_beside_a_folder_is_a_video(tmp_path: Path) -> None:
    result = made(tmp_path, "frames", compare=True, end=FIRST_S)
    assert listing(tmp_path) == ["frames", "frames.compare.mp4", "frames.json"]
    assert result.compare is not None
    assert len(pictures(result.compare)) == 4


def test_overwriting_replaces_every_file(tmp_path: Path) -> None:
    saved = tmp_path / "a.landmarks.safetensors"
    for name in ("out.mp4", "out.compare.mp4", "out.json", saved.name):
        (tmp_path / name).write_text("old")
    result = made(tmp_path, overwrite=True, compare=True, save_landmarks=saved, end=FIRST_S)
    assert listing(tmp_path) == [saved.name, "out.compare.mp4", "out.json", "out.mp4"]
    assert result.compare is not None
    assert len(pictures(result.output)) == len(pictures(result.compare)) == len(load_landmarks(saved)) == 4
    assert json.loads((tmp_path / "out.json").read_text())["settings"]["overwrite"] is True


@pytest.mark.parametrize("stage", ["tracking", "rendering"])
def test_an_interruption_leaves_neither_files_nor_threads(tmp_path: Path, stage: str) -> None:
    def interrupt(now: str, done: int, total: int | None) -> None:
        if (now, done) == (stage, 4):
            raise KeyboardInterrupt

    settings = DriveSettings(clips.portrait(), clips.talk(), tmp_path / "out.mp4", compare=True)
    with pytest.raises(KeyboardInterrupt):
        drive(settings, progress=interrupt)
    assert listing(tmp_path) == []
    assert "frames-ahead" not in {thread.name for thread in threading.enumerate()}


def test_the_sidecar_of_a_folder_bears_its_whole_name(tmp_path: Path) -> None:
    (tmp_path / "take.2").mkdir()
    made(tmp_path, "take.2", end=0.08)
    assert listing(tmp_path) == ["take.2", "take.2.json"]


def test_the_same_run_gives_the_same_pictures(tmp_path: Path) -> None:
    first, second = (pictures(made(tmp_path, name, end=FIRST_S).output) for name in ("a", "b"))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_an_uneventful_run_logs_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made(tmp_path, end=FIRST_S)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    "settings",
    [{"start": -1}, {"start": 2, "end": 1}, {"start": float("nan")}, {"fps": Fraction(0)}, {"fps": Fraction(300)}],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="--"):
        DriveSettings(Path("a.png"), Path("b.mp4"), **settings)


def test_the_default_output_is_named_after_both() -> None:
    assert DriveSettings("in/a.png", "in/b.mp4").output_path == Path("a-b.mp4")  # type: ignore[arg-type]
    assert DriveSettings(Path("a.png"), Path("b.landmarks.safetensors")).output_path == Path("a-b.mp4")
