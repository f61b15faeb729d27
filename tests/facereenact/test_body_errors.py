"""What cannot work with a body driver: one line that says what to do, and which options contradict each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from body.types import LEFT_SHOULDER
from facereenact import cli
from facereenact.body_settings import BodySettings
from facereenact.settings import DriveSettings
from tests.facereenact import clips, people
from tests.facereenact.clips import blank, write_picture


def failing(folder: Path, *words: str | Path, source: Path | None = None, driver: Path | None = None) -> str:
    """The one line that `drive` ends with."""
    arguments = ["drive", "-s", source or people.person(), "--body-driver", driver or people.step_pose()]
    before = sorted(folder.iterdir())
    done = CliRunner().invoke(cli.main, [str(word) for word in [*arguments, "-o", folder / "out.mp4", *words]])
    assert (done.exit_code, done.stdout) == (1, ""), done.output
    (line,) = done.stderr.splitlines()
    assert "run again with --debug" not in line
    assert sorted(folder.iterdir()) == before
    return line


def test_a_driver_without_anybody(tmp_path: Path) -> None:
    line = failing(tmp_path, driver=clips.nobody())
    assert f"{clips.nobody()}: no frame shows a person who can be found" in line


def test_a_source_without_anybody(tmp_path: Path) -> None:
    empty = write_picture(tmp_path / "empty.png", blank())
    assert f"{empty} shows nobody who can be found" in failing(tmp_path, source=empty)


def test_a_source_whose_face_is_not_to_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facereenact.body_source.find_faces", lambda image: [])
    line = failing(tmp_path, "-d", clips.talk())
    assert "the person's face cannot be found" in line and "--body-driver alone" in line


@pytest.mark.parametrize(("who", "option"), [("--body-person", "--body-person"), ("--face", "--face")])
def test_a_person_who_is_not_there(tmp_path: Path, who: str, option: str) -> None:
    line = failing(tmp_path, who, "7", driver=people.dance())
    assert "there is no person 7" in line and f"({option})" in line


def test_files_that_hold_no_pose(tmp_path: Path) -> None:
    landmarks = people.speaking("words", np.zeros(3))
    assert "not a pose file; make one with `facereenact pose track`" in failing(tmp_path, driver=landmarks)
    damaged = tmp_path / "damaged.pose.safetensors"
    damaged.write_bytes(people.step_pose().read_bytes()[:5000])
    assert "damaged pose file" in failing(tmp_path, driver=damaged)
    assert "no such pose file" in failing(tmp_path, driver=tmp_path / "none.pose.safetensors")
    assert "give it as --body-driver" in failing(tmp_path, "-d", people.step_pose())


def test_a_driver_without_shoulders(tmp_path: Path) -> None:
    pose = people.posed(np.zeros((3, 2)))
    pose.scores[:, LEFT_SHOULDER] = 0
    assert "the driver does not show both shoulders" in failing(tmp_path, driver=people.saved("half", pose))


def test_a_range_beyond_the_end(tmp_path: Path) -> None:
    assert "has no frame from 9 s" in failing(tmp_path, "--body-start", "9")


def test_a_moving_driver_makes_no_picture(tmp_path: Path) -> None:
    assert "a moving driver makes a video" in failing(tmp_path, "-o", tmp_path / "out.png")


def test_a_result_never_replaces_its_driver(tmp_path: Path) -> None:
    assert "is an input" in failing(tmp_path, "--save-pose", people.step_pose(), "--overwrite")
    assert "ends in .pose.safetensors" in failing(tmp_path, "--save-pose", tmp_path / "a.pt")


def test_options_of_the_diffusion_renderer_are_refused(tmp_path: Path) -> None:
    assert "--steps" in failing(tmp_path, "--renderer", "warp", "--steps", "4")


@pytest.mark.parametrize(
    ("body", "options", "message"),
    [
        ({"head_from": "face"}, {"driver": "a.mp4"}, "--head-from: options of a moving body; give --body-driver"),
        ({"body_start": 1.0}, {"driver": "a.mp4"}, "--body-start: options"),
        ({"body_driver": "d.mp4", "body_start": -1}, {}, "--body-start must be 0 or more"),
        ({"body_driver": "d.pose.safetensors", "body_person": 1}, {}, "--body-person: a pose file holds one"),
        ({"body_driver": "d.mp4"}, {"crop": True}, "--crop gives the face alone"),
        ({"body_driver": "d.mp4"}, {"motion": "absolute"}, "--motion: nothing to apply to without a face driver"),
        ({"body_driver": "d.mp4"}, {"mouth": "painted", "neutral_frame": 3}, "--neutral-frame, --mouth: nothing"),
        ({"body_driver": "d.mp4"}, {"save_landmarks": "a.landmarks.safetensors"}, "--save-landmarks: nothing"),
        ({"body_driver": "d.mp4", "audio_from": "face"}, {}, "--audio-from face: nothing"),
        ({"body_driver": "d.pose.safetensors"}, {"smooth": "strong"}, "--smooth: nothing"),
        ({"body_driver": "d.mp4", "head_from": "face"}, {}, "--head-from face: no face driver moves the head"),
        (
            {"body_driver": "d.mp4", "head_from": "face"},
            {"driver": "a.mp4", "parts": ("mouth",)},
            "--head-from face: no face driver moves the head",
        ),
        (
            {"body_driver": "d.mp4", "head_from": "body"},
            {"driver": "a.mp4", "parts": ("head", "mouth")},
            "--parts names head, which follows the body",
        ),
        ({"body_driver": "d.mp4", "head_from": "body"}, {"head_driver": "a.mp4"}, "--head-driver has nothing to drive"),
        ({"body_driver": "d.mp4"}, {"driver": "a.mp4", "head_gain": 2}, "--head-gain has no effect"),
        ({"body_driver": "d.mp4"}, {"mouth_gain": 2}, "--mouth-gain has no effect"),
        ({"body_driver": "d.mp4"}, {"length_from": "mouth"}, "--length-from mouth: there is no such driver"),
        ({}, {"driver": "a.mp4", "length_from": "body"}, "--length-from body: there is no such driver"),
    ],
)
def test_options_without_effect_are_refused(body: dict[str, Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DriveSettings("me.png", body=BodySettings(**body), **options)  # type: ignore[arg-type]


def test_the_head_follows_the_body_unless_a_driver_of_its_own_is_given() -> None:
    body = BodySettings(body_driver=Path("d.mp4"))
    own = DriveSettings(Path("me.png"), Path("talk.mp4"), body=body)
    assert (own.head_from, set(own.part_drivers)) == ("body", {"eyes", "mouth"})
    nod = DriveSettings(Path("me.png"), head_driver=Path("nod.mp4"), body=body)
    assert (nod.head_from, set(nod.part_drivers)) == ("face", {"head"})
    named = DriveSettings(Path("me.png"), Path("talk.mp4"), parts=("head",), body=body)
    assert named.head_from == "face"
    alone = DriveSettings(Path("me.png"), body=body)
    assert (alone.drivers, alone.part_drivers) == ((), {})
    assert alone.output_path == Path("me-d.mp4")
    assert own.output_path == Path("me-d-talk.mp4")
