"""The source: its face, its crop, its size, and what is no source."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from facereenact.errors import FaceNotFoundError, InputError
from facereenact.source import CROP_PX, Source, read_source
from tests.faces import Picture, astronaut, hopper, on_canvas


def saved(path: Path, image: Picture) -> Path:
    Image.fromarray(image).save(path)
    return path


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    return saved(tmp_path / "hopper.png", hopper().image)


@pytest.fixture
def couple(tmp_path: Path) -> Path:
    enlarged = cv2.resize(astronaut().image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    return saved(tmp_path / "couple.png", np.hstack([enlarged[:512, 200:712], hopper().image[:512]]))


def shows_its_face(source: Source) -> None:
    """The face lies inside, and the landmarks lie on it."""
    width, height = source.size
    left, top, right, bottom = source.mesh.box_xyxy
    assert 0 <= left < right <= width and 0 <= top < bottom <= height
    np.testing.assert_allclose(source.landmarks.points[0], source.mesh.points, atol=0.01)
    assert source.landmarks.size == source.size and len(source.landmarks) == 1


def test_a_picture_is_taken_as_it_is(portrait: Path) -> None:
    source = read_source(portrait)
    np.testing.assert_array_equal(source.image, hopper().image)
    assert source.size == (512, 600) and source.matte is None
    shows_its_face(source)
    np.testing.assert_array_equal(source.landmarks.points, hopper().landmarks.points)


@pytest.mark.parametrize(("size", "expected"), [(300, (256, 300)), (1200, (1024, 1200)), ((400, 300), (400, 300))])
def test_a_size_is_given_exactly_or_for_the_longer_side(
    portrait: Path, size: tuple[int, int] | int, expected: tuple[int, int]
) -> None:
    source = read_source(portrait, size=size)
    assert source.size == expected and source.image.shape == (expected[1], expected[0], 3)
    shows_its_face(source)
    moved = hopper().landmarks.points[0] * np.array(expected) / (512, 600)
    error = np.linalg.norm(source.landmarks.points[0] - moved, axis=1)
    assert error.mean() < 0.05 * source.landmarks.eye_distance_px[0]


@pytest.mark.parametrize("size", [None, 200, (300, 300)])
def test_a_crop_is_a_square_with_the_face_inside(tmp_path: Path, size: tuple[int, int] | int | None) -> None:
    path = saved(tmp_path / "wide.png", on_canvas(hopper().image, left=500, right=700, bottom=100))
    source = read_source(path, crop=True, size=size)
    side = CROP_PX if size is None else size if isinstance(size, int) else size[0]
    assert source.size == (side, side)
    shows_its_face(source)
    assert 0.35 < source.mesh.width_px / side < 0.65
    np.testing.assert_allclose(source.mesh.centre, (side / 2, side / 2), atol=0.15 * side)


def test_a_crop_at_the_border_stays_inside_the_picture(tmp_path: Path) -> None:
    left, top, right, bottom = (int(v) for v in hopper().mesh.box_xyxy)
    path = saved(tmp_path / "corner.png", hopper().image[top - 30 :, left - 10 :])
    source = read_source(path, crop=True, size=400)
    assert source.size == (400, 400)
    shows_its_face(source)
    part = saved(tmp_path / "tight.png", hopper().image[top - 30 : bottom + 5, left - 40 : right + 40])
    tight = read_source(part, crop=True, size=400)
    assert tight.size == (400, 400)
    shows_its_face(tight)


def test_transparency_is_the_matte(tmp_path: Path) -> None:
    alpha = np.zeros((600, 512), np.uint8)
    alpha[:, 100:450], alpha[:, 450:] = 255, 51
    path = saved(tmp_path / "cut.png", np.dstack([hopper().image, alpha]))
    source = read_source(path)
    assert source.matte is not None and source.matte.dtype == np.float32
    np.testing.assert_allclose(source.matte, alpha / np.float32(255))
    assert (source.image[:, :100] == 255).all()  # transparent parts show white
    smaller = read_source(path, size=300)
    assert smaller.matte is not None and smaller.matte.shape == (300, 256)
    assert smaller.matte.min() >= 0 and smaller.matte.max() <= 1
    cropped = read_source(path, crop=True)
    assert cropped.matte is not None and cropped.matte.shape == (CROP_PX, CROP_PX)


def test_an_opaque_picture_says_nothing_about_the_person(tmp_path: Path) -> None:
    opaque = np.full((600, 512), 255, np.uint8)
    assert read_source(saved(tmp_path / "opaque.png", np.dstack([hopper().image, opaque]))).matte is None


def test_the_chosen_face_is_taken(couple: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert read_source(couple, face=0).mesh.centre[0] < 512
        assert read_source(couple, face=(700.0, 250.0)).mesh.centre[0] > 512
        assert caplog.records == []
        assert read_source(couple).mesh.centre[0] > 512
    assert "2 faces; the largest is animated (--face chooses another)" in caplog.text


def test_a_face_that_is_not_there_is_an_error(couple: Path) -> None:
    with pytest.raises(InputError, match=r"couple\.png: there is no face 2: 2 found"):
        read_source(couple, face=2)


def test_a_picture_without_a_face_is_an_error(tmp_path: Path) -> None:
    path = saved(tmp_path / "wall.png", np.full((200, 300, 3), 90, np.uint8))
    with pytest.raises(FaceNotFoundError, match=r"wall\.png shows no face"):
        read_source(path)


def test_a_picture_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such image"):
        read_source(tmp_path / "me.png")
