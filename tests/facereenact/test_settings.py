"""The settings: what the words mean, and which contradict each other."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from facereenact.body_settings import BodySettings
from facereenact.choices import face_choice, picture_size
from facereenact.diffusion_settings import DiffusionSettings
from facereenact.settings import DriveSettings


def settings(**options: Any) -> DriveSettings:
    return DriveSettings(Path("me.png"), Path("talk.mp4"), **options)


@pytest.mark.parametrize(
    ("text", "choice"),
    [("largest", "largest"), ("0", 0), ("12", 12), ("10,20", (10.0, 20.0)), ("10.5, 20.25", (10.5, 20.25))],
)
def test_a_face_is_named_by_size_index_or_pixel(text: str, choice: object) -> None:
    assert face_choice(text) == choice
    assert type(face_choice(text)) is type(choice)


@pytest.mark.parametrize("text", ["", "left", "1.5", "1,2,3", "x,y", "Largest", ",", "1x2"])
def test_anything_else_names_no_face(text: str) -> None:
    with pytest.raises(ValueError, match="is no face: give largest, an index"):
        face_choice(text)


@pytest.mark.parametrize(
    ("text", "size"), [("512", 512), ("640x480", (640, 480)), ("640X480", (640, 480)), ("32x8192", (32, 8192))]
)
def test_a_size_is_one_number_or_two(text: str, size: object) -> None:
    assert picture_size(text) == size


@pytest.mark.parametrize("text", ["", "31", "8193", "640x", "x480", "640x480x3", "640*480", "big", "-512", "512.5"])
def test_anything_else_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is no size: give WIDTHxHEIGHT"):
        picture_size(text)


@pytest.mark.parametrize("options", [{"start": -1}, {"end": 0}, {"start": 2, "end": 2}, {"start": 3, "end": 1}])
def test_the_end_comes_after_the_start(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="--start"):
        settings(**options)


@pytest.mark.parametrize("fps", [Fraction(0), Fraction(-25), Fraction(241)])
def test_a_rate_is_positive_and_at_most_240(fps: Fraction) -> None:
    with pytest.raises(ValueError, match="--fps"):
        settings(fps=fps)
    assert settings(fps=Fraction(240)).fps == 240


def test_a_crop_is_square() -> None:
    with pytest.raises(ValueError, match="--crop gives a square"):
        settings(crop=True, size=(640, 480))
    assert settings(crop=True, size=(256, 256)).size == (256, 256)
    assert settings(crop=True, size=256).size == 256
    assert settings(size=(640, 480)).size == (640, 480)


def test_paths_may_be_text() -> None:
    given = DriveSettings("me.png", "talk.mp4", output="out.mp4", save_landmarks="a.landmarks.safetensors")  # type: ignore[arg-type]
    for name in ("source", "driver", "output", "save_landmarks"):
        assert isinstance(getattr(given, name), Path)


@pytest.mark.parametrize(
    ("source", "driver", "name"),
    [
        ("in/me.png", "talk.mp4", "me-talk.mp4"),
        ("me.jpg", "clips/talk.landmarks.safetensors", "me-talk.mp4"),
        ("me.jpg", "frames", "me-frames.mp4"),
    ],
)
def test_the_result_is_named_after_both_in_this_folder(source: str, driver: str, name: str) -> None:
    assert DriveSettings(Path(source), Path(driver)).output_path == Path(name)
    assert DriveSettings(Path(source), Path(driver), output=Path("x/y.gif")).output_path == Path("x/y.gif")


def test_settings_cannot_be_changed_and_every_one_is_explained() -> None:
    with pytest.raises(FrozenInstanceError):
        settings().start = 1.0  # type: ignore[misc]
    options = [*fields(DriveSettings), *fields(BodySettings), *fields(DiffusionSettings)]
    assert [
        field.name
        for field in options
        if field.metadata.get("cli", True) and not field.metadata.get("help", "").strip().endswith((".", "]"))
    ] == []


def test_a_crop_shows_the_rendered_background_anyway() -> None:
    with pytest.raises(ValueError, match="--render-background has no effect: --crop"):
        settings(crop=True, diffusion=DiffusionSettings(keep_background=False))
