"""drive() with a body driver: the body moves as one driver, the face as the other, in step."""

from __future__ import annotations

import json
import logging
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from body.storage import load_pose
from body.types import LEFT_SHOULDER, RIGHT_SHOULDER
from facereenact import cli
from facereenact.body_passes import face_shares
from facereenact.body_settings import BodySettings
from facereenact.drive import DriveResult, drive
from facereenact.settings import DriveSettings
from facereenact.video import VideoReader
from landmarks.storage import load_landmarks, save_landmarks
from tests.facereenact import clips, people
from tests.facereenact.clips import Image, difference
from tests.facereenact.media import heard
from tests.faces import face_in, mouth_box

BODY = {"body_driver", "body_person", "body_estimator", "body_start", "head_from", "audio_from", "save_pose"}


def made(folder: Path, name: str = "out", **settings: Any) -> DriveResult:
    """The result of animating the person, as PNG images unless told otherwise."""
    body = {key: settings.pop(key) for key in BODY & settings.keys()}
    settings = {"source": people.person(), **settings}
    return drive(DriveSettings(output=folder / name, body=BodySettings(**body), **settings))


def pictures(path: Path) -> list[Image]:
    return [frame.image for frame in VideoReader(path)]


@cache
def closed() -> Path:
    """A face that keeps still."""
    return people.speaking("closed", np.zeros(5))


@cache
def late_word() -> Path:
    """Thirty frames at 30 per second; the mouth opens from 0.6 s on."""
    return people.speaking("late", np.repeat([0, 0.25], [18, 12]), rate=30)


def mouth_changes(images: list[Image]) -> np.ndarray:
    """(frames,) how far the mouth differs from that of the first frame."""
    part = mouth_box(people.face())
    return np.array([np.abs(image[part].astype(int) - images[0][part]).mean() for image in images])


def heads(images: list[Image]) -> np.ndarray:
    """(frames, 2) how far the upper half of the head is from its place in the source, pixels."""
    left, top, right, bottom = (int(side) for side in people.face().mesh.box_xyxy)
    patch = people.person_image()[top - 20 : (top + bottom) // 2, left:right]
    best = [cv2.minMaxLoc(cv2.matchTemplate(image, patch, cv2.TM_CCOEFF_NORMED))[3] for image in images]
    return np.subtract(best, (left, top - 20))


@pytest.mark.parametrize("with_face", [False, True])
def test_the_own_pose_and_face_change_nothing_that_shows(tmp_path: Path, with_face: bool) -> None:
    face = {"driver": closed(), "smooth": "none"} if with_face else {}
    result = made(tmp_path, body_driver=people.still_pose(), **face)
    images = pictures(result.output)
    assert len(images) == result.frames == 5
    assert difference(images, [people.person_image()] * 5) < 1
    part = mouth_box(people.face(), margin=0.4)
    assert difference([image[part] for image in images], [people.person_image()[part]] * 5) < 2  # painted teeth
    assert difference(images[1:], images[:-1]) < 0.01  # nothing flickers


def test_the_body_moves_as_its_driver_does(tmp_path: Path) -> None:
    result = made(tmp_path, "out.mp4", body_driver=people.dance())
    images = pictures(result.output)
    assert (result.frames, result.rate, result.size) == (people.COUNT, 25, (people.SIDE, people.SIDE))
    ours, theirs = heads(images)[:, 0], heads(pictures(people.dance()))[:, 0]
    assert np.corrcoef(ours, theirs)[0, 1] > 0.95
    assert 8 < np.ptp(theirs) * 0.6 < np.ptp(ours) < np.ptp(theirs) * 1.2
    assert result.body is not None
    assert (result.body.legs, result.body.head_from, result.body.frames_filled) == ("left out", "body", 0)
    assert result.neutral_frame is None
    assert result.audio == people.dance()


def test_a_pose_file_is_as_good_as_its_video(tmp_path: Path) -> None:
    track_file = tmp_path / "dance.pose.safetensors"
    first = made(tmp_path, "video", body_driver=people.dance(), save_pose=track_file)
    second = made(tmp_path, "file", body_driver=track_file)
    assert len(load_pose(track_file)) == people.COUNT
    assert difference(pictures(first.output), pictures(second.output)) < 0.01
    assert second.body is not None and second.body.estimator_reason == "auto: it made the pose file"


@pytest.mark.parametrize(
    ("settings", "times"),
    [
        ({}, np.arange(30) / 30),  # the face is longer
        ({"length_from": "body"}, np.arange(10) / 12.5),
        ({"length_from": "mouth"}, np.arange(30) / 30),
        ({"fps": Fraction(20)}, np.arange(20) / 20),
    ],
)
def test_body_and_face_are_matched_by_time(tmp_path: Path, settings: dict[str, Any], times: np.ndarray) -> None:
    result = made(tmp_path, "out.mkv", body_driver=people.step_pose(), driver=late_word(), smooth="none", **settings)
    shown = [frame.timestamp_s for frame in VideoReader(result.output)]
    np.testing.assert_allclose(shown, times, atol=0.001)
    images = pictures(result.output)
    aside = heads(images)[:, 0]
    np.testing.assert_allclose(aside, np.interp(times, (0.32, 0.4), (0, 12)), atol=1.5)
    opens = mouth_changes([np.roll(image, -x, axis=1) for image, x in zip(images, aside, strict=True)])
    said = times[opens > 0.5 * opens.max()]
    assert opens.max() > 12
    assert 0.59 < said[0] < 0.69


def test_of_drivers_as_long_as_each_other_the_face_gives_the_rate(tmp_path: Path) -> None:
    """0.36 + 0.04 s and 0.32 + 0.08 s are the same, though not as floating-point numbers."""
    words = people.speaking("as long", np.zeros(10))
    result = made(tmp_path, body_driver=people.step_pose(), driver=words, end=0.4)
    assert (result.frames, result.rate) == (10, 25)


def test_the_body_driver_may_begin_elsewhere(tmp_path: Path) -> None:
    drivers: dict[str, Any] = {"body_driver": people.step_pose(), "driver": late_word(), "length_from": "mouth"}
    result = made(tmp_path, **drivers, body_start=0.4, start=0.2, end=0.5)
    images = pictures(result.output)
    assert result.frames == 9
    assert np.ptp(heads(images)[:, 0]) < 2  # the step lies before
    assert mouth_changes(images).max() < 3


def test_sound_is_the_faces_unless_asked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    both: dict[str, Any] = {"body_driver": people.dance(), "driver": clips.talk(), "end": 0.4}
    result = made(tmp_path, "face.mp4", **both)
    assert result.audio == clips.talk()
    times_s, sound = heard(result.output)
    assert times_s[np.abs(sound) > 0.2][0] == pytest.approx(clips.TONE_S, abs=0.01)
    assert made(tmp_path, "body.mp4", **both, audio_from="body").audio == people.dance()
    silent = {**both, "driver": late_word()}
    assert made(tmp_path, "silent.mp4", **silent).audio == people.dance()
    caplog.clear()
    assert not made(tmp_path, "none.mp4", **silent, audio_from="face").has_audio
    assert "--audio-from face: that driver has no sound" in caplog.messages


def test_the_head_follows_whom_it_is_told_to(tmp_path: Path) -> None:
    turns = np.zeros((6, 3))
    turns[3:, 2] = 14
    nod = people.speaking("nod", np.zeros(6), turn_deg=turns)
    common: dict[str, Any] = {"body_driver": people.still_pose(), "driver": nod, "smooth": "none"}
    upright, rolled = (
        face_in(pictures(made(tmp_path, name, **common, head_from=name).output)[-1]).landmarks
        for name in ("body", "face")
    )
    (x, y), (u, v) = (each.points[0, 45] - each.points[0, 36] for each in (upright, rolled))
    assert np.degrees(np.arctan2(v, u) - np.arctan2(y, x)) == pytest.approx(14, abs=3)
    own = people.face().landmarks
    assert np.abs(upright.points[0, :27] - own.points[0, :27]).max() < 4


def test_frames_without_a_face_keep_that_of_the_body_pass(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    gone = load_landmarks(people.speaking("gone", np.full(40, 0.2)))
    gone.detected[10:30] = False
    path = tmp_path / "gone.landmarks.safetensors"
    save_landmarks(gone, path)
    options: dict[str, Any] = {"motion": "absolute", "smooth": "none"}
    result = made(tmp_path, body_driver=people.still_pose(), driver=path, **options)
    assert result.body is not None
    assert result.body.frames_without_face == 20
    opens = mouth_changes([people.person_image(), *pictures(result.output)])[1:]
    assert opens[10:30].max() < 1 < 5 < opens[:6].min()
    assert np.abs(np.diff(opens)).max() < 0.6 * opens.max()  # it fades
    assert any("20 of 40 frames keep the face of the body pass" in message for message in caplog.messages)


def test_a_face_too_small_to_show_anything_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facereenact.body_passes.LEAST_FACE_PX", people.face().mesh.width_px + 5)
    result = made(tmp_path, body_driver=people.still_pose(), driver=late_word(), start=0.6, body_start=0.0)
    assert result.body is not None and result.body.frames_without_face == result.frames
    assert mouth_changes([people.person_image(), *pictures(result.output)]).max() < 1


def test_short_gaps_are_filled_and_long_ones_faded() -> None:
    times_s = np.arange(100) / 25
    detected = np.ones(100, bool)
    detected[10:15] = False
    assert (face_shares(detected, times_s, times_s) == 1).all()
    detected[40:60] = False
    shares = face_shares(detected, times_s, times_s)
    assert (shares[40:60] == 0).all()
    np.testing.assert_allclose(shares[36:40], [1, 0.75, 0.5, 0.25])
    np.testing.assert_allclose(shares[60:64], [0.25, 0.5, 0.75, 1])
    detected[80:] = False
    later_s = np.arange(150) / 25  # the driver is shorter: its last frame holds
    assert (face_shares(detected, times_s, later_s)[80:] == 0).all()


def test_going_beyond_the_range_is_said_once_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pose = people.posed(np.zeros((6, 2)))
    pose.points[3:, LEFT_SHOULDER, 1] -= 80
    pose.points[3:, RIGHT_SHOULDER, 1] += 80
    caplog.set_level(logging.WARNING)
    result = made(tmp_path, body_driver=people.saved("wild", pose))
    assert result.body is not None and result.body.frames_clamped == 3
    assert sum("held back" in message for message in caplog.messages) == 1


def test_the_sidecar_and_the_table_tell_of_the_body(tmp_path: Path) -> None:
    output, kept = tmp_path / "out.mp4", tmp_path / "kept.pose.safetensors"
    words = ["drive", "-s", people.person(), "--body-driver", people.step_pose(), "-d", late_word(), "-o", output]
    words += ["--save-pose", kept, "--compare", "--head-from", "face", "--body-estimator", "mediapipe"]
    done = CliRunner().invoke(cli.main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    told = json.loads(output.with_suffix(".json").read_text())
    assert told["settings"]["body"] == {
        "body_driver": str(people.step_pose()), "body_person": "largest", "body_estimator": "mediapipe",
        "body_start": None, "head_from": "face", "audio_from": None, "save_pose": str(kept),
    }  # fmt: skip
    body = told["result"]["body"]
    assert (body["driver"], body["legs"], body["head_from"]) == (str(people.step_pose()), "left out", "face")
    assert (body["frames_clamped"], body["frames_without_face"], body["frames_filled"]) == (0, 0, 0)
    assert told["estimator"].startswith("mediapipe")
    assert set(told["result"]["parts"]) == {"head", "eyes", "mouth"}
    rows = {name: value.strip() for name, _, value in (line.partition(" ") for line in done.stdout.splitlines())}
    assert list(rows) == [
        "written", "compared", "renderer", "frames", "body", "estimator", "head", "eyes", "mouth", "sound", "time",
    ]  # fmt: skip
    assert "upper body only" in rows["body"]
    np.testing.assert_array_equal(load_pose(kept).points, load_pose(people.step_pose()).points)
    width, height = VideoReader(output.with_suffix(".compare.mp4")).info.size
    assert (width, height) == (4 * people.SIDE, people.SIDE)  # source, body, face, result


def test_a_still_body_driver_makes_a_picture(tmp_path: Path) -> None:
    result = made(tmp_path, "out.png", body_driver=people.person())
    assert difference(pictures(result.output), [people.person_image()]) < 1


def test_one_of_several_people_is_chosen(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    couple: dict[str, Any] = {"source": people.two_people(), "body_driver": people.leaning_pose()}
    changes = {}
    for index, who in enumerate(("largest", 1, (500.0, 200.0))):
        images = pictures(made(tmp_path, f"out{index}", **couple, face=who).output)
        moved = np.abs(images[-1].astype(int) - images[0]).mean(axis=(0, 2))
        changes[who] = "left" if moved[: people.SIDE].mean() > moved[people.SIDE :].mean() else "right"
        assert ("2 people" in caplog.text) == (who == "largest")
        caplog.clear()
    assert changes == {"largest": "left", 1: "right", (500.0, 200.0): "right"}


def test_a_dry_run_counts_the_frames_of_the_longer_driver() -> None:
    words = ["drive", "-s", people.person(), "--body-driver", people.step_pose(), "-d", closed(), "--dry-run"]
    done = CliRunner().invoke(cli.main, [str(word) for word in words])
    assert done.exit_code == 0
    assert "frames    10, 12.5 per second" in done.stdout
