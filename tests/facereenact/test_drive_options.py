"""drive(): sizes, times, choices."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from facereenact.drive import DriveResult
from facereenact.video import VideoReader
from landmarks.mediapipe_tracker import find_faces
from tests.facereenact import clips
from tests.facereenact.clips import COUNT, PORTRAIT_SIZE, TONE_S, brightness_in_time, difference
from tests.facereenact.driving import FIRST_S, made, onset_s, pictures, roll_deg, times_s, tracked


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({"crop": True}, (512, 512)),
        ({"crop": True, "size": 200}, (200, 200)),
        ({"size": 200}, (170, 200)),  # 171 wide, made even
        ({"size": (200, 240)}, (200, 240)),
    ],
)
def test_sizes(tmp_path: Path, settings: dict[str, Any], size: tuple[int, int]) -> None:
    result = made(tmp_path, end=0.08, **settings)
    width, height = VideoReader(result.output).info.size
    assert (abs(width - size[0]) <= 2, height, width % 2) == (True, size[1], 0)
    assert result.size == (width, height)
    assert len(find_faces(pictures(result.output)[1])) == 1


def test_a_crop_is_about_the_face(tmp_path: Path) -> None:
    (face,) = find_faces(pictures(made(tmp_path, crop=True, end=0.08).output)[0])
    assert face.width_px > 512 / 2.5
    assert np.abs(face.centre - 256).max() < 80


def test_the_time_range_and_its_sound(tmp_path: Path, plain: DriveResult) -> None:
    result = made(tmp_path, start=0.16, end=0.4, mouth="painted")
    assert times_s(result.output) == pytest.approx([k / 25 for k in range(6)], abs=1e-9)
    assert onset_s(result.output) == pytest.approx(TONE_S - 0.16, abs=0.005)
    assert VideoReader(result.output).info.duration_s == pytest.approx(0.24, abs=1e-6)


def test_another_rate_keeps_the_length(tmp_path: Path) -> None:
    result = made(tmp_path, fps=Fraction(30000, 1001))
    assert result.rate == VideoReader(result.output).info.rate == Fraction(30000, 1001)
    assert times_s(result.output) == pytest.approx([k * 1001 / 30000 for k in range(15)], abs=1e-6)
    assert onset_s(result.output) == pytest.approx(TONE_S, abs=0.005)


def test_a_variable_rate_stays_as_it_is(tmp_path: Path) -> None:
    result = made(tmp_path, driver=clips.uneven())
    assert times_s(result.output) == pytest.approx([ms / 1000 for ms in clips.UNEVEN_MS], abs=2e-5)
    assert not result.has_audio


@pytest.mark.parametrize(("name", "size"), [("out.mp4", (256, 300)), ("frames", (255, 299))])
def test_an_odd_source_is_made_even_only_where_it_must(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    source = clips.write_picture(tmp_path / "odd.png", clips.portrait_image()[:299, :255])
    result = made(tmp_path, name, source=source, end=FIRST_S, neutral_frame=0, compare=True)
    assert VideoReader(result.output).info.size == result.size == size
    assert difference([pictures(result.output)[0][:20, :255]], [clips.portrait_image()[:20, :255]]) < 5


def test_transparency_is_the_matte_and_shows_white(tmp_path: Path) -> None:
    alpha = np.zeros(PORTRAIT_SIZE[::-1], np.uint8)
    cv2.ellipse(alpha, (128, 150), (100, 150), 0, 0, 360, 255, -1)
    source = tmp_path / "cut.png"
    PillowImage.fromarray(np.dstack([clips.portrait_image(), alpha])).save(source)
    images = pictures(made(tmp_path, "frames", source=source).output)
    assert all((image[:40, :20] > 250).all() and (image[:40, -20:] > 250).all() for image in images)
    assert brightness_in_time(images)[80:160, 80:180].mean() > 3


def test_frames_without_a_face_are_filled_and_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    result = made(tmp_path, driver=clips.with_gaps())
    assert result.frames == len(pictures(result.output)) == COUNT
    assert 3 <= result.frames_filled <= 4
    assert f"{result.frames_filled} of {COUNT} driver frames show no face" in caplog.text
    moved = [difference([a], [b]) for a, b in pairwise(pictures(result.output))]
    assert max(moved) < 4 * np.median(moved)  # no jump into or out of the gap


@pytest.mark.parametrize(("face", "moving"), [("largest", 0), (0, 0), (1, 1), ((400.0, 150.0), 1)])
def test_one_of_two_faces_is_chosen(tmp_path: Path, face: Any, moving: int, caplog: pytest.LogCaptureFixture) -> None:
    change = brightness_in_time(pictures(made(tmp_path, source=clips.two_faces(), face=face).output))
    sides = [change[60:200, 90:230].mean(), change[60:200, 350:490].mean()]
    assert sides[moving] > 5 * sides[1 - moving]
    assert ("shows 2 faces" in caplog.text) == (face == "largest")


@pytest.mark.parametrize(("face", "moves"), [("largest", True), (0, False), (1, True), ((80.0, 90.0), False)])
def test_one_of_two_drivers_is_chosen(tmp_path: Path, face: Any, moves: bool, caplog: pytest.LogCaptureFixture) -> None:
    result = made(tmp_path, driver=clips.two_drivers(), driver_face=face)
    assert (brightness_in_time(pictures(result.output))[60:200, 60:200].mean() > 5) == moves
    assert ("shows 2 faces" in caplog.text) == (face == "largest")


def test_the_neutral_frame_shows_the_source_as_it_is(tmp_path: Path) -> None:
    settings = {"end": 0.28, "smooth": "none", "mouth": "painted"}
    for index in (2, 6):
        result = made(tmp_path, f"{index}.mp4", neutral_frame=index, **settings)
        away = [difference([image], [clips.portrait_image()]) for image in pictures(result.output)]
        assert result.neutral_frame == int(np.argmin(away)) == index
        assert away[index] < 0.6 * np.median(away)


def test_absolute_motion_takes_the_drivers_pose(tmp_path: Path) -> None:
    absolute = tracked(made(tmp_path, motion="absolute").output)
    assert np.abs(roll_deg(absolute) - roll_deg(tracked(clips.talk()))).max() < 3


def test_each_smoothing_gives_another_result(tmp_path: Path) -> None:
    kinds = ("none", "light", "normal", "strong")
    images = {k: pictures(made(tmp_path, f"{k}.mp4", smooth=k, neutral_frame=0).output) for k in kinds}
    assert all(difference(images[a], images[b]) > 0.02 for a, b in combinations(kinds, 2))
    away = [difference(images["none"], images[kind]) for kind in kinds]
    assert away == sorted(away)


def test_the_mouth_of_the_driver_or_a_painted_one(tmp_path: Path, plain: DriveResult) -> None:
    borrowed, painted = pictures(made(tmp_path, neutral_frame=plain.neutral_frame).output), pictures(plain.output)
    x, y = np.round(tracked(plain.output).points[:, 58:66].mean(axis=1)).astype(int).T  # middle of the mouth
    changes = [np.abs(a.astype(int) - b.astype(int)).mean(axis=2) for a, b in zip(borrowed, painted, strict=True)]
    near = np.mean([c[v - 8 : v + 9, u - 14 : u + 15].mean() for c, u, v in zip(changes, x, y, strict=True)])
    assert near > 5 * np.mean(changes)
