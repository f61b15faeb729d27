"""The person cut out of the picture, and what is behind filled in."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from body.types import RIGHT_HAND, RIGHT_WRIST
from facereenact.renderers import body_matte
from facereenact.renderers.body_background import fill_by_patches
from facereenact.renderers.body_matte import estimate_matte, separate
from facereenact.renderers.body_skeleton import Skeleton
from tests.facereenact.renderers.drawn_person import SHIRT, person, psnr_db
from tests.faces import astronaut


def test_a_gap_is_filled_with_the_texture_around() -> None:
    rows = np.arange(160)[:, None, None]
    image = np.broadcast_to(120 + 80 * np.sin(rows / 4) * (rows > 80), (160, 200, 3)).astype(np.uint8)
    unknown = np.zeros((160, 200), bool)
    unknown[30:150, 80:120] = True
    hidden = np.where(unknown[..., None], 0, image).astype(np.uint8)
    filled = fill_by_patches(hidden, unknown)
    np.testing.assert_array_equal(filled[~unknown], image[~unknown])
    assert np.abs(filled.astype(int) - image)[unknown].mean() < 12


@pytest.mark.parametrize(
    ("floor", "top", "columns"),
    [(200, 60, (40, 216)), (200, 120, (70, 186)), (230, 60, (40, 216)), (210, 190, (60, 196)), (220, 200, (30, 226))],
)
def test_the_edge_of_a_floor_goes_on_straight(floor: int, top: int, columns: tuple[int, int]) -> None:
    image = np.full((256, 256, 3), (180, 40, 40), np.float64)
    image[floor:] = (40, 160, 60)
    image = np.clip(image + np.random.default_rng(0).normal(0, 4, image.shape), 0, 255).astype(np.uint8)
    unknown = np.zeros((256, 256), bool)
    unknown[top:, slice(*columns)] = True
    filled = fill_by_patches(np.where(unknown[..., None], 0, image).astype(np.uint8), unknown)
    assert (np.abs(filled.astype(int) - image).max(axis=2)[unknown] > 60).mean() < 0.04


def test_what_is_cut_off_goes_on_downwards_with_what_is_nearest() -> None:
    image = np.full((160, 200, 3), (70, 120, 200), np.uint8)
    image[:, :60] = (150, 30, 30)
    unknown = np.zeros((160, 200), bool)
    unknown[60:, 20:] = unknown[90:] = True
    filled = fill_by_patches(np.where(unknown[..., None], 0, image).astype(np.uint8), unknown)
    np.testing.assert_allclose(filled[90:, :40], image[90:, :40], atol=20)
    np.testing.assert_allclose(filled[60:150, 160:], image[60:150, 160:], atol=20)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_nothing_or_everything_unknown_fills_something(share: float) -> None:
    image = np.full((60, 40, 3), 90, np.uint8)
    filled = fill_by_patches(image, np.full((60, 40), bool(share)))
    assert filled.shape == image.shape
    assert share or (filled == image).all()


def test_the_background_shines_through_no_more_and_the_person_leaves_no_ghost() -> None:
    drawn = person()
    soft = cv2.GaussianBlur(drawn.matte, (0, 0), 1.5)
    wall = np.full_like(drawn.image, 190)
    blended = (wall + soft[..., None] * (np.array(SHIRT) - wall)).astype(np.uint8)
    behind, own = separate(blended, soft, Skeleton(drawn.points, drawn.scores))
    assert np.abs(behind.astype(int) - 190).max() <= 3
    np.testing.assert_allclose(own[soft > 0.6], np.broadcast_to(SHIRT, own[soft > 0.6].shape), atol=8)
    again = behind + soft[..., None] * (own.astype(float) - behind)
    assert psnr_db(again.astype(np.uint8), blended, soft > 0.5) > 40


PLACES = {0: (222, 130), 1: (220, 215), 2: (120, 250), 5: (300, 270), 14: (205, 105), 15: (245, 105)}


def photograph() -> tuple[NDArray[np.uint8], Skeleton]:
    """A woman before a wall and a flag, and her bones."""
    points, scores = np.zeros((134, 2)), np.zeros(134)
    for point, place in PLACES.items():
        points[point], scores[point] = place, 1
    return np.array(astronaut().image), Skeleton(points, scores)


def test_a_matte_is_estimated_from_the_picture() -> None:
    matte = estimate_matte(*photograph())
    assert matte.shape == (512, 512)
    assert all(matte[y, x] > 0.95 for x, y in PLACES.values())
    assert matte[40:100, 400:460].max() < 0.05  # the shuttle's wall
    assert 0.2 < matte.mean() < 0.6


def test_grain_is_no_hair() -> None:
    image, skeleton = photograph()
    grain = np.random.default_rng(0).normal(0, 9, image.shape)
    clean, grainy = (
        estimate_matte(np.clip(image + share * grain, 0, 255).astype(np.uint8), skeleton) for share in (0, 1)
    )
    around = cv2.dilate((clean > 0.05).astype(np.uint8), np.ones((9, 9))) == 0
    assert (grainy[around] > 0.05).mean() < 0.02


def test_a_hand_in_the_shade_belongs_to_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dark as the wall behind, and doubtful to the segmentation."""
    of = person()
    shade = np.zeros(of.matte.shape, np.uint8)
    wrist = of.points[RIGHT_WRIST]
    cv2.circle(shade, (int(wrist[0]) - 4, int(wrist[1]) + 14), 12, (1,), -1)
    wall = of.image[300:, 10:40].reshape(-1, 3)[np.random.default_rng(0).integers(0, 3000, of.matte.size)]
    image = np.where(shade[..., None] > 0, wall.reshape(of.image.shape) - 14, of.image).astype(np.uint8)
    monkeypatch.setattr(body_matte, "person_matte", lambda _: np.where(shade > 0, 0.4, of.matte).astype(np.float32))
    monkeypatch.setattr(body_matte, "_matte_around", lambda *_: np.zeros_like(of.matte))
    mattes = []
    for known in (False, True):
        points, scores = of.points.copy(), of.scores.copy()
        points[RIGHT_HAND] = wrist + np.column_stack([5 * np.cos(np.arange(21)) - 4, np.linspace(0, 20, 21)])
        scores[RIGHT_HAND] = known
        mattes.append(estimate_matte(image, Skeleton(points, scores))[shade > 0])
    assert mattes[1].mean() > 0.7
    assert mattes[1].mean() > mattes[0].mean() + 0.2
