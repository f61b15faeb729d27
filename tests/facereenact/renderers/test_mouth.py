"""The inside of the mouth: the driver's colours in the light of the source."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import cv2
import numpy as np
import pytest

from facereenact.renderers.mouth import ColourMatch, lips_only, skin_colour
from facereenact.renderers.portrait import Portrait
from tests.faces import astronaut, hopper

SKIN = np.array([200.0, 150, 130])
MOUTH = np.random.default_rng(0).uniform(0, 180, (8, 9, 3))


def test_equal_skins_change_nothing() -> None:
    np.testing.assert_allclose(ColourMatch(SKIN, SKIN)(MOUTH), MOUTH, rtol=1e-5)


def test_a_darker_source_makes_it_darker() -> None:
    np.testing.assert_allclose(ColourMatch(SKIN, 0.6 * SKIN)(MOUTH), 0.6 * MOUTH, rtol=1e-4)
    lighter = ColourMatch(0.6 * SKIN, SKIN)(MOUTH)
    assert lighter.mean() > 1.2 * MOUTH.mean()


@pytest.mark.parametrize("grey", [40.0, 128.0, 220.0])
def test_a_grey_source_takes_the_colour_away(grey: float) -> None:
    matched = ColourMatch(SKIN, np.full(3, grey))(MOUTH)
    assert np.ptp(matched, axis=2).max() < 1e-3
    assert np.ptp(matched[..., 0]) > 10  # light and dark stay


@pytest.mark.parametrize("skins", [(np.zeros(3), SKIN), (SKIN, np.zeros(3)), (np.zeros(3), np.full(3, 255.0))])
def test_extreme_skins_stay_within_the_range(skins: tuple[np.ndarray, np.ndarray]) -> None:
    matched = ColourMatch(*skins)(MOUTH)
    assert np.isfinite(matched).all() and matched.min() >= 0 and matched.max() <= 255


def test_light_stays_lighter_than_dark() -> None:
    ramp = np.linspace(0, 255, 50)[:, None, None] * np.ones((1, 1, 3))
    for source in (0.5 * SKIN, SKIN, np.minimum(1.7 * SKIN, 255)):
        assert (np.diff(ColourMatch(SKIN, source)(ramp)[:, 0], axis=0) >= 0).all()


@pytest.mark.parametrize("whose", [astronaut, hopper], ids=lambda f: f.__name__)
def test_the_skin_is_that_of_the_cheeks(whose: type) -> None:
    red, green, blue = skin_colour(whose().image, whose().landmarks.points[0])
    assert red > green > blue and 120 < red < 255


def test_the_skin_of_a_face_at_the_border_is_known() -> None:
    image = np.full((50, 60, 3), (180, 140, 120), np.uint8)
    points = hopper().landmarks.points[0] * 0.5 - 100  # most of it outside
    np.testing.assert_array_equal(skin_colour(image, points), (180, 140, 120))


@pytest.mark.parametrize("scale", [0.05, 0.1, 0.15])
def test_an_open_mouth_of_a_few_pixels_is_done_without_lips_to_measure(scale: float) -> None:
    """Warnings count as errors here, also those about the mean of nothing."""
    face = astronaut()
    vertices = scale * face.mesh.vertices
    small = cv2.resize(face.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    portrait = cast(Portrait, SimpleNamespace(mesh=SimpleNamespace(vertices=vertices)))
    assert np.linalg.norm(vertices[13] - vertices[14]) > 0.05 * np.linalg.norm(vertices[291] - vertices[61])
    assert lips_only(small, portrait).shape == small.shape
