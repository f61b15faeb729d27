"""Cutting the person out and filling in behind: what is known stays, what is not is plausible."""

from __future__ import annotations

import numpy as np
import pytest

from facereenact.renderers.background import diffuse, fill_behind, generous, person_matte
from tests.faces import astronaut, hopper


def test_the_person_is_told_from_the_background() -> None:
    face = hopper()
    matte = person_matte(face.image)
    assert matte.shape == face.image.shape[:2] and matte.dtype == np.float32
    assert matte.min() >= 0 and matte.max() <= 1
    left, top, right, bottom = face.mesh.box_xyxy.astype(int)
    assert matte[top:bottom, left:right].mean() > 0.9
    assert matte[:150, 400:].mean() < 0.1  # sky


@pytest.mark.parametrize("shape", [(90, 160), (161, 91), (64, 64)])
def test_fill_keeps_known_pixels_and_replaces_all_others(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(100, 120, (*shape, 3), dtype=np.uint8)
    unknown = np.zeros(shape, bool)
    unknown[20:50, 10:60] = True
    image[unknown] = 255
    filled = fill_behind(image, unknown, 12.0)
    np.testing.assert_array_equal(filled[~unknown], image[~unknown])
    assert filled[unknown].min() > 95 and filled[unknown].max() < 125
    assert filled.dtype == np.uint8


def test_a_fill_does_not_depend_on_what_is_hidden() -> None:
    image = astronaut().image[:200, :200].copy()
    unknown = np.zeros((200, 200), bool)
    unknown[60:150, 50:120] = True
    other = image.copy()
    other[unknown] = 0
    np.testing.assert_array_equal(fill_behind(image, unknown, 20.0), fill_behind(other, unknown, 20.0))


def test_a_plain_wall_is_filled_plainly() -> None:
    image = np.full((120, 100, 3), (30, 140, 220), np.uint8)
    unknown = np.zeros((120, 100), bool)
    unknown[30:, 20:80] = True  # a person cut off by the lower border
    image[unknown] = 0
    assert np.abs(fill_behind(image, unknown, 25.0).astype(int) - (30, 140, 220)).max() <= 1


def test_everything_or_nothing_known() -> None:
    image = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    np.testing.assert_array_equal(fill_behind(image, np.zeros((40, 50), bool), 9.0), image)
    filled = fill_behind(image, np.ones((40, 50), bool), 9.0)
    assert np.ptp(filled.reshape(-1, 3), axis=0).max() == 0
    np.testing.assert_allclose(filled[0, 0], image.reshape(-1, 3).mean(axis=0), atol=1)


@pytest.mark.parametrize("shape", [(33, 47), (1, 9), (128, 64)])
def test_diffused_colours_lie_between_the_known_ones(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    image = rng.uniform(50, 200, (*shape, 3)).astype(np.float32)
    known = rng.uniform(0, 1, shape) < 0.2
    known[0, :3] = True
    spread = diffuse(image, known)
    np.testing.assert_array_equal(spread[known], image[known])
    if min(shape) > 1:  # a line is left as it is
        unknown = image.copy()
        unknown[~known] = 1e6  # must not be used
        assert diffuse(unknown, known).max() <= image[known].max() + 0.1
        assert spread.min() >= image[known].min() - 0.1


def test_a_generous_matte_holds_the_person_and_ends_softly() -> None:
    matte = np.zeros((200, 200), np.float32)
    matte[60:140, 50:150] = 1
    alpha = generous(matte, 100.0)
    assert (alpha[60:140, 50:150] == 1).all()
    assert alpha[:50].max() == 0 and alpha[150:].max() == 0
    rim = np.unique(alpha[56:60, 100])
    assert len(rim) > 2 and np.abs(np.diff(alpha[:, 100])).max() <= 0.5
    assert ((alpha >= 0) & (alpha <= 1)).all()
