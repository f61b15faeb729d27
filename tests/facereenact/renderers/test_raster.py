"""The rasteriser: every pixel from its place, no holes, the nearest in front."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from facereenact.renderers.raster import empty_maps, over, rasterise

SIZE = (64, 48)  # width, height
QUAD = np.array([[0, 0], [63, 0], [63, 47], [0, 47]], np.float32)
TWO = np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def drawn(
    target: NDArray[np.float32],
    source: NDArray[np.float32],
    triangles: NDArray[np.int32],
    depth: NDArray[np.float32] | None = None,
    size: tuple[int, int] = SIZE,
) -> NDArray[np.float32]:
    maps = empty_maps(size)
    rasterise(target, np.zeros(len(target), np.float32) if depth is None else depth, source, triangles, maps)
    return maps


def scattered(count: int = 200) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Random vertices with their triangles, corners included."""
    points = np.vstack([QUAD, np.random.default_rng(0).uniform(0, SIZE, (count, 2)) - 0.5]).astype(np.float32)
    points = np.clip(points, 0, np.array(SIZE, np.float32) - 1)
    return points, Delaunay(points).simplices.astype(np.int32)


def test_empty_maps_are_the_identity() -> None:
    maps = empty_maps(SIZE)
    rows, columns = np.indices(SIZE[::-1])
    np.testing.assert_array_equal(maps[0], columns)
    np.testing.assert_array_equal(maps[1], rows)
    assert np.isinf(maps[2]).all() and maps.dtype == np.float32


def test_a_mesh_that_stays_gives_the_identity_without_holes() -> None:
    points, triangles = scattered()
    maps = drawn(points, points, triangles)
    assert np.isfinite(maps[2]).all()  # every pixel is covered, those on edges too
    np.testing.assert_allclose(maps[:2], empty_maps(SIZE)[:2], atol=1e-3)


@pytest.mark.parametrize("order", [[0, 1, 2], [0, 2, 1]])
def test_both_sides_of_a_triangle_are_drawn(order: list[int]) -> None:
    assert np.isfinite(drawn(QUAD, QUAD, TWO[:, order])[2]).all()


def test_an_affine_mesh_gives_its_map() -> None:
    points, triangles = scattered()
    source = (points @ np.array([[0.5, 0.2], [-0.1, 2]]) + (100, 7)).astype(np.float32)
    maps = drawn(points, source, triangles)
    rows, columns = np.indices(SIZE[::-1])
    np.testing.assert_allclose(maps[0], 0.5 * columns - 0.1 * rows + 100, atol=0.01)
    np.testing.assert_allclose(maps[1], 0.2 * columns + 2 * rows + 7, atol=0.01)


@pytest.mark.parametrize("near_first", [True, False])
def test_the_nearer_surface_is_seen_whatever_the_order(near_first: bool) -> None:
    target = np.vstack([QUAD, QUAD * 0.5])
    source = np.vstack([np.full_like(QUAD, 5), np.full_like(QUAD, 9)])
    depth = np.array([1] * 4 + [0] * 4, np.float32)  # the small one is nearer
    triangles = np.vstack([TWO + 4, TWO] if near_first else [TWO, TWO + 4])
    maps = drawn(target, source, triangles, depth)
    inside = np.zeros(SIZE[::-1], bool)
    inside[:24, :32] = True
    np.testing.assert_array_equal(maps[0], np.where(inside, 9, 5))
    np.testing.assert_array_equal(maps[2], np.where(inside, 0, 1))


def test_surfaces_that_cross_change_places_at_the_line() -> None:
    target = np.vstack([QUAD, QUAD])
    source = np.vstack([np.full_like(QUAD, 5), np.full_like(QUAD, 9)])
    depth = np.array([0, 63, 63, 0, 63, 0, 0, 63], np.float32)  # one rises to the right as the other falls
    maps = drawn(target, source, np.vstack([TWO, TWO + 4]), depth)
    np.testing.assert_array_equal(maps[0][:, :31], 5)
    np.testing.assert_array_equal(maps[0][:, 33:], 9)


def test_pixels_outside_the_mesh_keep_their_place() -> None:
    maps = drawn(QUAD * 0.5 + (10, 10), QUAD, TWO)
    outside = np.isinf(maps[2])
    assert not outside[10:33, 10:41].any() and outside.sum() == 48 * 64 - 24 * 32
    np.testing.assert_array_equal(maps[:2, outside], empty_maps(SIZE)[:2, outside])


def test_a_mesh_beyond_the_picture_is_clipped() -> None:
    maps = drawn(QUAD * 3 - 50, QUAD, TWO)
    assert np.isfinite(maps[2]).all()
    np.testing.assert_allclose(maps[0], (np.indices(SIZE[::-1])[1] + 50) / 3, atol=0.01)
    away = drawn(QUAD + 1000, QUAD, TWO)
    np.testing.assert_array_equal(away, empty_maps(SIZE))


def test_triangles_without_area_draw_nothing() -> None:
    line = np.array([[0, 0], [20, 20], [40, 40]], np.float32)
    for target in (line, np.zeros((3, 2), np.float32)):
        np.testing.assert_array_equal(drawn(target, line, TWO[:1]), empty_maps(SIZE))


def test_over_mixes_by_alpha_and_rounds() -> None:
    rng = np.random.default_rng(0)
    layers = rng.integers(0, 256, (40, 50, 4), dtype=np.uint8)
    layers[:10, :, 3], layers[10:20, :, 3] = 0, 255
    behind = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    alpha = layers[..., 3:] / 255
    exact = behind * (1 - alpha) + layers[..., :3] * alpha
    result = over(layers, behind)
    assert np.abs(result - exact).max() <= 0.5 + 1e-6
    np.testing.assert_array_equal(result[:10], behind[:10])
    np.testing.assert_array_equal(result[10:20], layers[10:20, :, :3])
