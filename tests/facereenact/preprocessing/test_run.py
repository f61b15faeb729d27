"""preprocess(): what is written, what is passed over, and what is done again."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import psutil
import pytest
from PIL import Image

from body.storage import load_pose
from body.types import NOSE
from checkpoints.storage import NotInstalledError
from facereenact.errors import InputError, OutputError
from facereenact.preprocessing.manifest import NAME, read_manifest
from facereenact.preprocessing.run import preprocess
from facereenact.preprocessing.run_lock import only_run
from facereenact.preprocessing.settings import PreprocessSettings
from facereenact.preprocessing.stores import Output
from facereenact.track_settings import TrackSettings
from facereenact.tracking import track_video
from facereenact.video import VideoReader
from landmarks.guides import FaceCrop, find_face_crop
from landmarks.storage import load_landmarks
from tests.facereenact.clips import astronaut, blank, moving_face, nobody, talk, two_drivers
from tests.facereenact.media import write_clip
from tests.facereenact.preprocessing.plain import SETTINGS, InPlace, files_of, run, scene, write_face


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


def test_a_second_run_does_nothing(tmp_path: Path, clip: Path) -> None:
    first = run([clip, talk()], tmp_path / "out")
    before = files_of(tmp_path / "out")
    engine = InPlace()
    second = run([clip, talk()], tmp_path / "out", engine=engine)
    assert engine.done == []
    assert files_of(tmp_path / "out") == before
    assert [result.was_complete for result in second.values()] == [True, True]
    assert [result.content for result in second.values()] == [result.content for result in first.values()]


def test_content_counts_and_not_the_name(tmp_path: Path, clip: Path) -> None:
    run([clip], tmp_path / "out")
    copy = shutil.copy(clip, tmp_path / "copy.mp4")
    assert run([copy], tmp_path / "out")["copy.mp4"].was_complete
    os.utime(clip, ns=(1, 1))
    assert run([clip], tmp_path / "out")["clip.mp4"].was_complete
    write_face(clip, first=20)
    assert not run([clip], tmp_path / "out")["clip.mp4"].was_complete
    found = rows(tmp_path / "out")
    assert [Path(str(row["path"])).name for row in found] == ["clip.mp4", "copy.mp4"]
    assert found[0]["hash"] != found[1]["hash"]
    assert len(list((tmp_path / "out" / "clips").iterdir())) == 2


def test_other_settings_make_the_clip_again(tmp_path: Path, clip: Path) -> None:
    run([clip], tmp_path / "out")
    assert not run([clip], tmp_path / "out", replace(SETTINGS, with_crops=True))["clip.mp4"].was_complete
    (row,) = rows(tmp_path / "out")
    assert row["crop"] is not None
    assert run([clip], tmp_path / "out", replace(SETTINGS, with_crops=True, timeout=5))["clip.mp4"].was_complete


def test_what_was_removed_is_made_again(tmp_path: Path, clip: Path) -> None:
    run([clip], tmp_path / "out")
    before = files_of(tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "clips")
    assert not run([clip], tmp_path / "out")["clip.mp4"].was_complete
    assert files_of(tmp_path / "out") == before
    (tmp_path / "out" / NAME).unlink()
    assert run([clip], tmp_path / "out")["clip.mp4"].was_complete
    assert files_of(tmp_path / "out") == before


def test_a_failure_is_kept_until_it_is_retried(tmp_path: Path, clip: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(clip.read_bytes()[:3000])
    inputs = [broken, clip]
    first = run(inputs, tmp_path / "out")
    assert "broken.mp4" in first["broken.mp4"].error and not first["clip.mp4"].error
    engine = InPlace()
    again = run(inputs, tmp_path / "out", engine=engine)
    assert engine.done == [] and again["broken.mp4"].error == first["broken.mp4"].error

    run(inputs, tmp_path / "out", engine=engine, retry_failed=True)
    assert engine.done == ["broken.mp4"]
    broken.unlink()
    assert "no such file" in run([], tmp_path / "out", retry_failed=True)["broken.mp4"].error
    shutil.copy(clip, broken)
    assert not run([], tmp_path / "out", retry_failed=True)["broken.mp4"].error
    assert {row["status"] for row in rows(tmp_path / "out")} == {"ok"}
    with pytest.raises(InputError, match="names no clip that failed"):
        run([], tmp_path / "out", retry_failed=True)


def test_a_clip_that_was_missing_is_tried_again(tmp_path: Path, clip: Path) -> None:
    (tmp_path / "list.txt").write_text("later.mp4\n")
    assert "no such file" in run([tmp_path / "list.txt"], tmp_path / "out")["later.mp4"].error
    shutil.copy(clip, tmp_path / "later.mp4")
    assert not run([tmp_path / "list.txt"], tmp_path / "out")["later.mp4"].error


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


def test_a_full_disk_stops_the_run_and_loses_nothing(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run([clip], tmp_path / "out")
    before = files_of(tmp_path / "out")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(OutputError, match=r"No space left|disk full"):
            run([clip, talk()], tmp_path / "out")
    assert files_of(tmp_path / "out") == before
    assert not run([clip, talk()], tmp_path / "out")["talk.mp4"].error


def test_two_runs_do_not_share_an_output(tmp_path: Path, clip: Path) -> None:
    for output in (tmp_path / "out", "memory://held"):
        Output(output).create()
        with (
            only_run(Output(output)),
            pytest.raises(OutputError, match=rf"is in use by another run \(process {os.getpid()} on"),
        ):
            run([clip], output)
        assert not run([clip], output)["clip.mp4"].error


def test_a_marker_of_a_dead_run_does_not_block_a_store(clip: Path) -> None:
    import socket

    files = fsspec.filesystem("memory")
    files.pipe_file("/dead/.lock", json.dumps({"process": 2**22 + 1, "machine": socket.gethostname()}).encode())
    assert not run([clip], "memory://dead")["clip.mp4"].error
    files.pipe_file("/dead/.lock", b"whatever")
    with pytest.raises(OutputError, match=r"if that run was killed, remove memory://dead/.lock"):
        run([clip], "memory://dead")


def test_half_made_files_of_a_killed_run_are_removed(tmp_path: Path, clip: Path) -> None:
    left = tmp_path / "out" / ".work" / "clip-x" / "files"
    left.mkdir(parents=True)
    (left / "0-0.landmarks.safetensors").write_bytes(b"half")
    run([clip], tmp_path / "out")
    assert not left.exists()


def test_a_defect_that_one_clip_sets_off_fails_that_clip(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facereenact.preprocessing import clip_work

    real = clip_work.track_clip

    def strange(path: Path, *arguments: object, **more: object) -> object:
        if path == clip:
            raise IndexError("list index\nout of range")
        return real(path, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(clip_work, "track_clip", strange)
    results = run([clip, talk()], tmp_path / "out")
    assert results["clip.mp4"].error == "IndexError: list index out of range"
    assert not results["talk.mp4"].error


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


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_shot_after_shot_takes_no_more_memory(tmp_path: Path) -> None:
    """Each shot starts the tracker anew: what it held must go. (A tracker's graphs take 30 MB.)"""
    shots = [image for number in range(14) for image in (*moving_face(4), *[scene(number, 0)] * 4)]
    video = write_clip(tmp_path / "shots.mp4", shots)
    run([video], tmp_path / "first")

    def used_mib() -> float:
        return psutil.Process().memory_info().rss / 2**20

    before = used_mib()
    run([video], tmp_path / "second")
    assert len(rows(tmp_path / "second")) == 14
    assert used_mib() - before < 150
