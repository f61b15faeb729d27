"""The pieces that the layers share."""

from __future__ import annotations

import numpy as np
import pytest

from facereenact.renderers.layers import blend, box_around, polygon_coverage, rounded, sample, square

QUAD = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)


@pytest.mark.parametrize("low", [(10, 5), (10.25, 5.5), (7.9, 3.3)])
def test_the_coverage_of_a_polygon_adds_up_to_its_area(low: tuple[float, float]) -> None:
    outline = QUAD * (12, 8) + low
    coverage = polygon_coverage(outline, (40, 30))
    assert coverage.shape == (30, 40) and coverage.min() == 0 and coverage.max() == 1
    assert coverage.sum() == pytest.approx(12 * 8, rel=0.08)
    rows, columns = np.indices(coverage.shape)
    centre = [(columns * coverage).sum() / coverage.sum(), (rows * coverage).sum() / coverage.sum()]
    np.testing.assert_allclose(centre, outline.mean(axis=0), atol=0.15)


def test_a_polygon_outside_covers_nothing() -> None:
    assert polygon_coverage(QUAD * 5 + 100, (40, 30)).max() == 0
    assert polygon_coverage(QUAD * 500 - 100, (40, 30)).min() == 1


def test_a_box_holds_its_points_and_stays_in_the_picture() -> None:
    assert box_around(QUAD * (10, 20) + (30, 40), (200, 100), margin_px=2) == (28, 38, 43, 63)
    assert box_around(QUAD * 50 - 20, (200, 100)) == (0, 0, 33, 33)
    assert box_around(QUAD * 50 + 90, (120, 100)) == (88, 88, 120, 100)
    assert box_around(QUAD * 50 + 300, (200, 100)) is None
    assert box_around(QUAD * 50 - 300, (200, 100)) is None


def test_a_sampled_patch_lands_with_its_anchor_on_the_target() -> None:
    patch = np.zeros((21, 31, 3), np.float32)
    patch[8, 12] = 100
    linear = np.array([[0.0, -1], [1, 0]])  # a quarter turn
    result = sample(patch, linear, np.array([12.0, 8]), np.array([30.0, 20]), (50, 40))
    assert result.shape == (40, 50, 3)
    assert np.unravel_index(result[..., 0].argmax(), (40, 50)) == (20, 30)
    assert result[20, 30, 0] == pytest.approx(100)
    still = sample(patch, np.eye(2), np.zeros(2), np.zeros(2), (31, 21))
    np.testing.assert_array_equal(still, patch)


def test_a_blend_is_in_place_and_rounds() -> None:
    canvas = np.full((2, 3, 3), 10, np.uint8)
    layer = np.full((2, 3, 3), 21.0)
    blend(canvas, layer, np.array([[0, 0.5, 1], [0, 0.04, 0.06]]))
    np.testing.assert_array_equal(canvas[..., 0], [[10, 16, 21], [10, 10, 11]])
    blend(canvas, np.full((2, 3, 3), 300.0), np.ones((2, 3)))
    assert (canvas == 255).all()


def test_a_square_repeats_the_border() -> None:
    image = np.arange(20).reshape(4, 5)
    np.testing.assert_array_equal(square(image, np.array([1, 1]), 2), [[6, 7], [11, 12]])
    np.testing.assert_array_equal(square(image, np.array([-2, -1]), 3), [[0, 0, 0], [0, 0, 0], [5, 5, 5]])
    np.testing.assert_array_equal(square(image, np.array([4, 3]), 2), [[19, 19], [19, 19]])


def test_a_rounded_outline_goes_through_its_points() -> None:
    upper = np.array([[0, 0], [10, -6], [20, -8], [30, -5], [40, 0]], float)
    lower = upper * (1, -1)
    outline = rounded(upper, lower)
    for point in (*upper, *lower):
        assert np.linalg.norm(outline - point, axis=1).min() < 1e-9
    assert len(outline) > 3 * len(upper)
    assert len(np.unique(outline.round(6), axis=0)) == len(outline)  # the ends are shared
    steps = np.diff(np.vstack([outline, outline[:1]]), axis=0)
    turns = np.abs(np.diff(np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))))
    coarse = np.diff(upper, axis=0)
    corner = np.abs(np.diff(np.arctan2(coarse[:, 1], coarse[:, 0]))).max()
    assert np.median(turns) < 0.5 * corner
