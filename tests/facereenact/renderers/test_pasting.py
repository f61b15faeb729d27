"""Pasting: what was not rendered is the picture's own, what was has its colours."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facereenact.renderers.pasting import ColourMatch, FacePaste, cut
from landmarks.guides import FaceCrop, find_face_crop
from tests.faces import Picture, astronaut, hopper

SIDE_PX = 256


def noise(seed: int = 0) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (SIDE_PX, SIDE_PX, 3), dtype=np.uint8)


def inside(crop: FaceCrop, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    left, top, right, bottom = crop.xyxy
    mask = np.zeros(shape[:2], bool)
    mask[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    return mask


@pytest.mark.parametrize("face", [astronaut(), hopper()], ids=["astronaut", "hopper"])
def test_the_square_itself_gives_the_picture_back(face: object) -> None:
    image, crop = face.image, find_face_crop(face.landmarks)  # type: ignore[attr-defined]
    paste = FacePaste(image, crop, side_px=512)
    difference = np.abs(paste(paste.square).astype(int) - image)
    assert difference.mean() < 0.5
    assert not difference[~inside(crop, image.shape)].any()


@pytest.mark.parametrize("crop", [FaceCrop(120, 90, 200), FaceCrop(-60, 300, 400), FaceCrop(300, -90, 333)])
def test_outside_the_square_nothing_changes_and_its_middle_is_rendered(crop: FaceCrop) -> None:
    image = hopper().image
    paste = FacePaste(image, crop, side_px=SIDE_PX, keep_background=False)
    plain = np.full((SIDE_PX, SIDE_PX, 3), (10, 200, 30), np.uint8)
    result = paste(plain)
    left, top, right, bottom = crop.xyxy
    np.testing.assert_array_equal(result[~inside(crop, image.shape)], image[~inside(crop, image.shape)])
    assert (result[(top + bottom) // 2, (left + right) // 2] == (10, 200, 30)).all()
    at_picture_border = [
        (row, column) for row, column in ((500, 0), (0, 450)) if inside(crop, image.shape)[row, column]
    ]
    assert all((result[place] == (10, 200, 30)).all() for place in at_picture_border)  # no fade where nothing follows


def test_the_background_is_the_pictures_own() -> None:
    image = np.full((300, 300, 3), 128, np.uint8)
    matte = np.zeros((300, 300), np.float32)
    cv2.circle(matte, (150, 150), 50, 1.0, -1)
    crop = FaceCrop(30, 30, 240)
    first, second = (FacePaste(image, crop, side_px=SIDE_PX, matte=matte)(picture) for picture in (noise(0), noise(1)))
    distance = np.hypot(*(np.indices((300, 300)) - 150))
    assert (first[distance < 45] != second[distance < 45]).any()
    still = (distance > 75) & ~np.isin(first, 128).all(axis=2)
    assert not still.any()


def test_colours_are_matched() -> None:
    image = cut(hopper().image, find_face_crop(hopper().landmarks), SIDE_PX)
    tinted = np.clip(image * [0.85, 0.95, 1.0] + [20, 5, 0], 0, 255).astype(np.uint8)
    everywhere = np.ones((SIDE_PX, SIDE_PX), bool)
    matched = ColourMatch.between(tinted, image, everywhere)(tinted)
    assert np.abs(matched.astype(int) - image).mean() < 0.2 * np.abs(tinted.astype(int) - image).mean()
    unchanged = ColourMatch.between(image, image, everywhere)(image)
    assert np.abs(unchanged.astype(int) - image).max() <= 1
    nowhere = ColourMatch.between(noise(), image, ~everywhere)
    assert np.abs(nowhere(image).astype(int) - image).max() <= 1
    extreme = ColourMatch.between(np.full_like(image, 90), image, everywhere)
    assert np.isfinite(extreme.shift).all() and (extreme.stretch <= 1.25).all()
