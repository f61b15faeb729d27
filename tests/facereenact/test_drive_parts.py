"""Drivers for parts: head, eyes and mouth from different clips, some parts left as in the source."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from facereenact import cli
from facereenact.drive import DriveResult, drive
from facereenact.driver import in_step
from facereenact.settings import DriveSettings, face_parts
from facereenact.video import VideoReader
from landmarks.mediapipe_tracker import MediaPipeTracker
from landmarks.storage import load_landmarks, save_landmarks
from landmarks.tracking import track
from landmarks.types import ARRAYS
from tests.facereenact import clips
from tests.facereenact.clips import COUNT, TONE_S, Image, difference
from tests.facereenact.media import heard, write_clip
from tests.faces import acted, angle_deg, hopper


@cache
def longer() -> Path:
    """The moving face for 0.6 s at 30 frames per second, without sound."""
    return write_clip(clips.media() / "longer.mp4", clips.moving_face(18), time_base=Fraction(1, 30), rate=Fraction(30))


@cache
def speech() -> Path:
    """A track of a mouth that opens and closes; 10 frames at 25 per second."""
    path = clips.media() / "speech.landmarks.safetensors"
    save_landmarks(acted(hopper().landmarks, jaw=0.2 * np.sin(np.arange(10) / 2) ** 2), path)
    return path


def made(folder: Path, name: str = "out.mp4", **settings: Any) -> DriveResult:
    return drive(DriveSettings(clips.portrait(), output=folder / name, **settings))


def pictures(path: Path) -> list[Image]:
    return [frame.image for frame in VideoReader(path)]


def times_s(path: Path) -> list[float]:
    return [frame.timestamp_s for frame in VideoReader(path)]


def onset_s(path: Path) -> float:
    times, sound = heard(path)
    return float(times[np.flatnonzero(np.abs(sound) > 0.2)[0]])


def test_one_driver_for_all_parts_is_the_same_as_driver(tmp_path: Path) -> None:
    clip = clips.talk()
    one = made(tmp_path, "a", driver=clip)
    each = made(tmp_path, "b", head_driver=clip, eyes_driver=clip, mouth_driver=clip)
    assert all(np.array_equal(a, b) for a, b in zip(pictures(one.output), pictures(each.output), strict=True))
    assert (one.rate, one.frames, one.neutral_frame) == (each.rate, each.frames, each.neutral_frame)


def test_head_and_mouth_of_two_drivers(tmp_path: Path) -> None:
    result = made(tmp_path, head_driver=clips.talk(), mouth_driver=speech(), compare=True)
    assert {part: about.driver for part, about in result.parts.items()} == {"head": clips.talk(), "mouth": speech()}
    assert (result.frames, result.rate, result.audio) == (COUNT, 25, clips.talk())
    told = json.loads(result.output.with_suffix(".json").read_text())["result"]["parts"]
    assert told["mouth"] == {"driver": str(speech()), "neutral_frame": result.parts["mouth"].neutral_frame, "gain": 1.0}
    assert result.compare is not None
    panels = pictures(result.compare)
    assert len(panels) == COUNT
    assert np.median(panels[0][:, 256:-256]) < 20  # the mouth's driver is the main one: points on black


def test_the_mouth_alone_leaves_the_top_of_the_head_as_it_is(tmp_path: Path) -> None:
    result = made(tmp_path, "frames", driver=speech(), parts=("mouth",))
    images = pictures(result.output)
    assert difference([image[:130] for image in images], [images[0][:130]] * len(images)) < 0.5
    assert max(difference([image[150:220, 80:180]], [images[0][150:220, 80:180]]) for image in images) > 2


def test_all_but_the_mouth(tmp_path: Path) -> None:
    result = made(tmp_path, driver=clips.talk(), parts=("head", "eyes"))
    assert list(result.parts) == ["head", "eyes"]
    assert result.audio == clips.talk()


def test_no_gain_at_all_shows_the_source_still(tmp_path: Path) -> None:
    result = made(tmp_path, "frames", driver=clips.talk(), head_gain=0, eyes_gain=0, mouth_gain=0, mouth="painted")
    images = pictures(result.output)
    assert difference(images, [images[0]] * len(images)) < 0.01
    assert difference([images[0]], [clips.portrait_image()]) < 2


def test_a_gain_doubles_the_turn(tmp_path: Path) -> None:
    turns = []
    for gain in (1, 2):
        output = made(tmp_path, f"{gain}", driver=clips.talk(), parts=("head",), head_gain=gain).output
        with MediaPipeTracker() as tracker:
            found = track(((frame.image, frame.timestamp_s) for frame in VideoReader(output)), tracker)
        assert found.detected.all()
        turns.append(np.ptp(angle_deg(found.rotation, np.repeat(found.rotation[:1], len(found), axis=0))))
    assert turns[1] == pytest.approx(2 * turns[0], rel=0.25)


@pytest.mark.parametrize(
    ("wanted", "leader"),
    [(None, "longer"), ("head", "talk"), ("mouth", "longer"), ("eyes", "speech")],
)
def test_the_longest_or_the_asked_driver_gives_the_timing(tmp_path: Path, wanted: Any, leader: str) -> None:
    result = made(
        tmp_path,
        head_driver=clips.talk(),
        eyes_driver=speech(),
        mouth_driver=longer(),
        length_from=wanted,
        compare=True,
    )
    rate, frames = {"longer": (30, 18), "talk": (25, COUNT), "speech": (25, 10)}[leader]
    assert (result.rate, result.frames) == (rate, frames)
    assert result.compare is not None
    for path in (result.output, result.compare):
        assert times_s(path) == pytest.approx([k / rate for k in range(frames)], abs=1e-4)


def test_sound_is_the_mouths_or_the_next_that_has_one(tmp_path: Path) -> None:
    result = made(tmp_path, driver=longer(), mouth_driver=clips.talk())
    assert (result.audio, result.rate) == (clips.talk(), 30)
    assert onset_s(result.output) == pytest.approx(TONE_S, abs=0.01)
    assert made(tmp_path, "b.mp4", driver=clips.talk(), mouth_driver=longer()).audio == clips.talk()
    assert made(tmp_path, "c.mp4", head_driver=longer(), mouth_driver=speech()).audio is None


def test_a_picture_can_drive_a_part_of_a_trimmed_video(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    result = made(tmp_path, driver=clips.talk(), mouth_driver=clips.still(), start=0.2, end=0.4)
    assert (result.frames, result.rate) == (5, 25)
    assert "a still driver has no motion of its own" in caplog.text


def test_pictures_alone_make_a_picture(tmp_path: Path) -> None:
    assert made(tmp_path, "out.png", head_driver=clips.still(), mouth_driver=clips.portrait()).frames == 1


def test_choices_for_one_driver_belong_to_the_main_one(tmp_path: Path) -> None:
    saved = tmp_path / "kept.landmarks.safetensors"
    result = made(tmp_path, head_driver=longer(), mouth_driver=speech(), neutral_frame=4, save_landmarks=saved)
    assert result.parts["mouth"].neutral_frame == result.neutral_frame == 4
    kept, given = load_landmarks(saved), load_landmarks(speech())
    assert all(np.array_equal(getattr(kept, name), getattr(given, name)) for name in ARRAYS)


def test_each_driver_has_a_progress_of_its_own(tmp_path: Path) -> None:
    stages: dict[str, int] = {}
    settings = DriveSettings(
        clips.portrait(), driver=clips.talk(), mouth_driver=speech(), output=tmp_path / "out.mp4", end=0.2
    )
    drive(settings, progress=lambda stage, done, _: stages.update({stage: done}))
    assert stages == {"tracking head+eyes": 5, "tracking mouth": 5, "rendering": 5}


def test_frames_are_met_by_time_and_the_last_one_holds() -> None:
    def lazy() -> Iterator[int]:
        yield from range(4)

    own_s = np.array([0, 0.1, 0.2, 0.3])
    assert list(in_step(lazy(), own_s, own_s)) == [0, 1, 2, 3]
    assert list(in_step(lazy(), own_s, np.array([0, 0.04, 0.06, 0.29, 0.5, 0.9]))) == [0, 0, 1, 3, 3, 3]
    assert list(in_step(iter([7]), np.array([0.0]), own_s)) == [7] * 4
    assert list(in_step(iter([0, 1]), own_s, own_s)) == [0, 1, 1, 1]
    assert list(in_step(iter(()), own_s, own_s)) == []


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.main, ["drive", "-s", str(clips.portrait()), *map(str, arguments)])


def test_the_table_tells_who_drove_what(tmp_path: Path) -> None:
    done = invoke("--head-driver", clips.talk(), "--mouth-driver", speech(), "-o", tmp_path / "a.mp4", "--end", "0.2")
    assert (done.exit_code, done.stderr) == (0, "")
    rows = {line.split()[0]: line[10:] for line in done.stdout.splitlines()}
    assert rows["head"].startswith(f"{clips.talk()}, neutral frame ")
    assert rows["mouth"].startswith(f"{speech()}, neutral frame ")
    assert rows["sound"] == str(clips.talk())
    assert "eyes" not in rows and "neutral" not in rows


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "",
            "Missing option --driver, --body-driver, or drivers of parts: --head-driver, --eyes-driver, --mouth-driver",
        ),
        ("--parts mouth", "Missing option --driver"),
        ("-d a.mp4 --parts nose", "'nose' is no part of a face: give head, eyes, mouth, or several with commas"),
        ("-d a.mp4 --parts ,", "is no part of a face"),
        ("--head-driver a.mp4 --parts mouth", "--head-driver drives what --parts leaves out"),
        ("--head-driver a.mp4 --parts head,eyes", "--parts names eyes, which nothing drives: give --eyes-driver or"),
        ("-d a.mp4 --mouth-driver b.mp4 --parts mouth", "--driver has nothing to drive"),
        ("-d a.mp4 --head-driver b.mp4 --eyes-driver b.mp4 --mouth-driver b.mp4", "--driver has nothing to drive"),
        ("--head-driver a.mp4 --length-from mouth", "--length-from mouth: there is no such driver"),
        ("--head-driver a.mp4 --length-from driver", "--length-from driver: there is no such driver"),
        ("-d a.mp4 --length-from nose", "'nose'"),
        ("-d a.mp4 --head-gain -1", "--head-gain must be from 0 to 3"),
        ("-d a.mp4 --mouth-gain nan", "--mouth-gain must be from 0 to 3"),
        ("-d a.mp4 --eyes-gain 3.5", "--eyes-gain must be from 0 to 3"),
        ("-d a.mp4 --eyes-gain much", "not a valid float"),
        ("-d a.mp4 --parts mouth --head-gain 2", "--head-gain has no effect: nothing drives the head"),
    ],
)
def test_wrong_usage_is_told_in_one_line(arguments: str, message: str) -> None:
    done = invoke(*arguments.split())
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--head-driver", "none.mp4"), "none.mp4: no such file; check the path"),
        (("--mouth-driver", clips.nobody), "no frame shows a face that can be found"),
        (("--head-driver", clips.talk, "-o", "out.png"), "a moving driver makes a video"),
        (("--eyes-driver", speech, "--neutral-frame", "10"), "--neutral-frame: there is no frame 10"),
        (("--mouth-driver", speech, "--start", "9"), "has no frame from 9 s on"),
        (("--mouth-driver", "a.mp4", "-o", "a.mp4"), "is an input or holds one"),
    ],
)
def test_errors_of_parts_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[Any, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke(*(word() if callable(word) else word for word in arguments))
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_parts_are_named_with_commas() -> None:
    assert face_parts("mouth") == ("mouth",)
    assert face_parts("head, eyes") == ("head", "eyes")


def test_the_main_driver_names_the_result() -> None:
    parts = {"head_driver": "nod.mp4", "mouth_driver": "speech.mp4"}
    assert DriveSettings("me.png", **parts).output_path == Path("me-speech.mp4")  # type: ignore[arg-type]
    assert DriveSettings("me.png", "talk.mp4", **parts).output_path == Path("me-talk.mp4")  # type: ignore[arg-type]
    assert DriveSettings("me.png", "talk.mp4", **parts).drivers == tuple(  # type: ignore[arg-type]
        map(Path, ("talk.mp4", "nod.mp4", "speech.mp4"))
    )
