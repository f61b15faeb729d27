"""preprocess(): what is written, what is passed over, and what is done again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from PIL import Image

from body.storage import load_pose
from body.types import NOSE
from checkpoints.storage import NotInstalledError
from facereenact.errors import InputError
from facereenact.preprocessing.manifest import NAME, read_manifest
from facereenact.preprocessing.run import preprocess
from facereenact.preprocessing.settings import PreprocessSettings
from facereenact.track_settings import TrackSettings
from facereenact.tracking import track_video
from facereenact.video import VideoReader
from landmarks.guides import FaceCrop, find_face_crop
from landmarks.mediapipe_tracker import mesh_solution
from landmarks.storage import load_landmarks
from tests.facereenact.clips import astronaut, blank, moving_face, nobody, talk, two_drivers
from tests.facereenact.media import write_clip
from tests.facereenact.preprocessing.plain import SETTINGS, files_of, run, scene, write_face


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_face(tmp_path / "clip.mp4")


def rows(output: Path) -> list[dict[str, object]]:
    return read_manifest(output).to_pylist()


def test_the_landmarks_are_those_of_track(tmp_path: Path) -> None:
    result = run([talk()], tmp_path / "out")["talk.mp4"]
    (row,) = rows(tmp_path / "out")
    tracked = TrackSettings(video=talk(), output=tmp_path / "t.landmarks.safetensors", tracker="mediapipe", jobs=1)
    track_video(tracked)
    assert (tmp_path / "out" / str(row["landmarks"])).read_bytes() == tracked.output.read_bytes()  # type: ignore[union-attr]
    assert result.frames == row["frames"] == row["clip_frames"] == 12
    assert result.seconds == row["seconds"] == 0.48
    assert (row["status"], row["error"], row["shot"], row["person"], row["detected"]) == ("ok", "", 0, 0, 1.0)
    assert (row["width"], row["height"], row["rate_hz"], row["path"]) == (192, 192, 25.0, str(talk()))
    assert "mediapipe 0.10.21" in str(row["versions"])
    with Image.open(tmp_path / "out" / str(row["thumbnail"])) as thumbnail:
        assert thumbnail.size == (128, 128)


def test_each_shot_is_a_sequence_timed_from_its_start(tmp_path: Path) -> None:
    shots = [*moving_face(5), *[blank()] * 5, *[np.ascontiguousarray(image[::, ::-1]) for image in moving_face(7)]]
    video = write_clip(tmp_path / "three.mp4", shots)
    run([video], tmp_path / "out")
    found = rows(tmp_path / "out")
    assert [(row["shot"], row["first_frame"], row["frames"], row["start_s"]) for row in found] == [
        (0, 0, 5, 0.0),
        (2, 10, 7, 0.4),
    ]
    for row in found:
        track = load_landmarks(tmp_path / "out" / str(row["landmarks"]))
        assert np.allclose(track.timestamps_s, np.arange(len(track)) / 25)
    record = json.loads(next((tmp_path / "out" / "clips").glob("*/clip.json")).read_text())
    assert record["shots"] == [0, 5, 10]

    run([video], tmp_path / "whole", replace(SETTINGS, cuts=False))
    assert [(row["shot"], row["frames"]) for row in rows(tmp_path / "whole")] == [(0, 17)]


def test_a_shot_does_not_depend_on_those_before_it(tmp_path: Path) -> None:
    faces = moving_face(6)
    write_clip(tmp_path / "alone.mp4", faces, codecs=("ffv1", ""), pix_fmt="bgr0")
    write_clip(tmp_path / "after.mp4", [*[blank()] * 5, *faces], codecs=("ffv1", ""), pix_fmt="bgr0")
    run([tmp_path / "alone.mp4", tmp_path / "after.mp4"], tmp_path / "out")
    after, alone = rows(tmp_path / "out")
    read = [load_landmarks(tmp_path / "out" / str(row["landmarks"])) for row in (after, alone)]
    assert (read[0].points == read[1].points).all()
    assert after["first_frame"] == 5


def test_several_people_have_a_sequence_each(tmp_path: Path) -> None:
    run([two_drivers()], tmp_path / "out", replace(SETTINGS, faces=3))
    found = rows(tmp_path / "out")
    assert [row["person"] for row in found] == [0, 1]
    tracks = [load_landmarks(tmp_path / "out" / str(row["landmarks"])) for row in found]
    assert abs(tracks[0].points[..., 0].mean() - tracks[1].points[..., 0].mean()) > 100


def test_the_pose_is_that_of_the_person_whose_face_it_is(tmp_path: Path) -> None:
    settings = replace(SETTINGS, with_pose=True, faces=2)
    run([two_drivers()], tmp_path / "out", settings)
    found = rows(tmp_path / "out")
    assert [row["person"] for row in found] == [0, 1]
    for row in found:
        face = load_landmarks(tmp_path / "out" / str(row["landmarks"]))
        pose = load_pose(tmp_path / "out" / str(row["pose"]))
        assert (pose.timestamps_s == face.timestamps_s).all() and pose.size == face.size
        assert pose.detected.any()
        away = np.linalg.norm(pose.points[:, NOSE] - face.points[:, 30], axis=1)
        assert np.median(away / face.eye_distance_px) < 0.5
    assert run([two_drivers()], tmp_path / "out", settings)["duo.mp4"].was_complete
    run([nobody()], tmp_path / "out", settings)
    run([two_drivers()], tmp_path / "without", replace(SETTINGS, faces=2))
    assert [row["pose"] for row in rows(tmp_path / "without")] == [None, None]


def test_a_clip_without_a_face_is_told_and_is_no_failure(tmp_path: Path) -> None:
    result = run([nobody()], tmp_path / "out")["nobody.mp4"]
    (row,) = rows(tmp_path / "out")
    assert (row["status"], row["error"], row["shot"], result.error) == ("filtered", "no face found", None, "")


def test_crops_show_the_face_in_their_square(tmp_path: Path) -> None:
    run([talk()], tmp_path / "out", replace(SETTINGS, with_crops=True))
    (row,) = rows(tmp_path / "out")
    crop = VideoReader(tmp_path / "out" / str(row["crop"]))
    assert crop.info.size == (512, 512)
    frames = list(crop)
    track = load_landmarks(tmp_path / "out" / str(row["landmarks"]))
    assert [frame.timestamp_s for frame in frames] == pytest.approx(track.timestamps_s)
    square = FaceCrop(int(row["crop_left_px"]), int(row["crop_top_px"]), int(row["crop_side_px"]))  # type: ignore[call-overload]
    assert square == find_face_crop(track)
    # The points, moved to the square, lie on the same skin as in the clip.
    moved = square.apply(track)
    for frame, source, points, there in zip(frames, VideoReader(talk()), track.points, moved.points, strict=True):
        (x, y), (u, v) = points[30].astype(int), there[30].astype(int)
        assert np.abs(frame.image[v, u].astype(int) - source.image[y, x]).max() < 25


def test_limits_mark_rows_with_the_reason(tmp_path: Path) -> None:
    strict = replace(SETTINGS, min_face_px=500, with_crops=True)
    run([talk()], tmp_path / "out", strict)
    (row,) = rows(tmp_path / "out")
    assert row["status"] == "filtered"
    assert str(row["error"]).startswith("face_px ") and str(row["error"]).endswith(" is below 500")
    assert row["crop"] is None and row["landmarks"] is not None


def test_limits_change_without_tracking_again(tmp_path: Path) -> None:
    run([talk()], tmp_path / "out")
    before = files_of(tmp_path / "out" / "clips")
    result = run([talk()], tmp_path / "out", replace(SETTINGS, min_face_px=500))["talk.mp4"]
    assert result.was_complete
    assert files_of(tmp_path / "out" / "clips") == before
    assert [row["status"] for row in rows(tmp_path / "out")] == ["filtered"]
    run([talk()], tmp_path / "out")
    assert [row["status"] for row in rows(tmp_path / "out")] == ["ok"]


def test_results_and_inputs_may_be_in_stores(tmp_path: Path, clip: Path) -> None:
    files = fsspec.filesystem("memory")
    files.pipe_file("/in/clip.mp4", clip.read_bytes())
    result = run(["memory://in"], "memory://out")["clip.mp4"]
    assert not result.error
    run([clip], tmp_path / "out")
    local = files_of(tmp_path / "out")
    stored = {name.removeprefix("/out/"): files.cat_file(name) for name in files.find("/out")}
    assert {name for name in stored} == set(local)
    assert all(stored[name] == local[name] for name in local if name != NAME)
    again = run(["memory://in"], "memory://out")["clip.mp4"]
    assert again.was_complete
    assert run(["memory://in"], "memory://out", replace(SETTINGS, with_crops=True))["clip.mp4"].error == ""


def test_a_message_names_the_address_and_not_the_copy() -> None:
    fsspec.filesystem("memory").pipe_file("/bad/clip.mp4", b"no video")
    error = run(["memory://bad/clip.mp4"], "memory://bad-out")["clip.mp4"].error
    assert error.startswith("memory://bad/clip.mp4 is not a video")


def test_what_is_not_installed_stops_the_run_at_once(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEREENACT_CHECKPOINTS", str(tmp_path / "none"))
    with pytest.raises(NotInstalledError, match="checkpoints pull openseeface"):
        preprocess([clip], tmp_path / "out", PreprocessSettings(tracker="openseeface"))


def test_nothing_to_do_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give videos, folders or lists"):
        preprocess([], tmp_path / "out")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"faces": 0}, "--faces"),
        ({"timeout": 0.0}, "--timeout"),
        ({"min_detected": -1.0}, "--min-detected"),
        ({"max_blur": float("nan")}, "--max-blur"),
        ({"min_detected": 1.5}, "--min-detected must be from 0 to 1"),
        ({"max_blur": 5.0}, "--max-blur must be from 0 to 1"),
    ],
)
def test_settings_out_of_range_are_told(values: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PreprocessSettings(**values)  # type: ignore[arg-type]


def test_a_large_face_is_no_smaller_in_the_thumbnail(tmp_path: Path) -> None:
    write_clip(tmp_path / "large.mp4", [np.asarray(Image.fromarray(astronaut()).resize((768, 768)))] * 3)
    run([tmp_path / "large.mp4"], tmp_path / "out")
    (row,) = rows(tmp_path / "out")
    assert float(row["face_px"]) > 250  # type: ignore[arg-type]


def test_no_shot_keeps_the_graphs_of_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tracker's graphs take 30 MB, and a clip may have thousands of shots."""
    still_open: list[object] = []
    most = 0

    def counted(*args: object, **options: object) -> Any:
        nonlocal most
        solution = mesh_solution(*args, **options)  # type: ignore[arg-type]
        close = solution.close
        monkeypatch.setattr(solution, "close", lambda: (still_open.remove(solution), close()))
        still_open.append(solution)
        most = max(most, len(still_open))
        return solution

    monkeypatch.setattr("landmarks.mediapipe_tracker.mesh_solution", counted)
    shots = [image for number in range(6) for image in (*moving_face(4), *[scene(number, 0)] * 4)]
    run([write_clip(tmp_path / "shots.mp4", shots)], tmp_path / "out")
    assert len(rows(tmp_path / "out")) == 6
    assert 1 <= most <= 3  # the shot's own, and a look at a picture beside it
    assert len(still_open) <= 1  # the worker keeps its tracker for the next clip
