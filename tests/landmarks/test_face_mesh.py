"""The mesh and its mapping to the 68 points: every point lies where its name says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from landmarks.face_mesh import (
    FACE_OVAL,
    IRISES,
    MESH_VERTICES,
    SURFACE_VERTICES,
    eye_outline,
    mesh_triangles,
    mouth_outline,
    point_weights,
)
from landmarks.types import CONTOUR, LEFT_EYE, MOUTH, POINT_COUNT, RIGHT_EYE
from tests.faces import Face, astronaut, hopper

BOTH = pytest.mark.parametrize("whose", [astronaut, hopper], ids=lambda f: f.__name__)


def test_every_point_is_a_mean_of_vertices() -> None:
    weights = point_weights()
    assert weights.shape == (POINT_COUNT, MESH_VERTICES)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    assert weights.min() >= 0
    assert (weights > 0).any(axis=1).all()


def test_the_points_move_with_the_mesh() -> None:
    mesh = hopper().mesh
    moved = type(mesh)(mesh.vertices * np.float32([2, 2, 2]) + np.float32([10, -5, 0]))
    np.testing.assert_allclose(moved.points, 2 * mesh.points + (10, -5), atol=0.01)
    assert moved.width_px == pytest.approx(2 * mesh.width_px)
    np.testing.assert_allclose(moved.centre, 2 * mesh.centre + (10, -5), atol=0.01)


def test_the_triangles_leave_holes_for_eyes_and_mouth() -> None:
    triangles = mesh_triangles()
    assert triangles.shape == (852, 3)
    assert sorted({int(v) for v in triangles.ravel()}) == list(range(SURFACE_VERTICES))
    edges = Counter(
        frozenset((int(t[i]), int(t[(i + 1) % 3]))) for t in triangles for i in range(3)
    )  # an edge inside the surface belongs to two triangles, one at a hole or the outline to one
    assert set(edges.values()) == {1, 2}
    open_edges = {edge for edge, count in edges.items() if count == 1}
    outlines = [eye_outline(0), eye_outline(1), mouth_outline(), list(FACE_OVAL)]
    named = {frozenset((a, b)) for outline in outlines for a, b in zip(outline, outline[1:] + outline[:1], strict=True)}
    assert open_edges == named


@BOTH
def test_the_points_lie_where_their_names_say(whose: Callable[[], Face]) -> None:
    points = whose().landmarks.points[0]
    unit = np.linalg.norm(points[36] - points[45])
    x, y = points.T
    assert x[0] < x[4] < x[8] < x[12] < x[16]  # from the right ear to the left: ears lie on an almost vertical line
    assert y[CONTOUR].argmax() in (7, 8, 9)  # the chin lowest
    assert y[8] > y[MOUTH].max() + 0.1 * unit  # the chin below the mouth
    assert y[MOUTH].min() > y[30] > y[27]  # the mouth below the nose tip below the bridge
    assert x[RIGHT_EYE].max() < x[27] < x[LEFT_EYE].min()  # the subject's right is the picture's left
    for eye, pupil, brow in ((RIGHT_EYE, 66, slice(17, 22)), (LEFT_EYE, 67, slice(22, 27))):
        outline = points[eye]
        assert outline[[1, 2], 1].max() < points[pupil, 1] < outline[[4, 5], 1].min()  # between the lids
        assert outline[:, 0].min() < points[pupil, 0] < outline[:, 0].max()
        assert y[brow].max() < outline[:, 1].min()  # brows above
        np.testing.assert_allclose(points[pupil], outline.mean(axis=0), atol=0.1 * unit)
    for upper, lower in ((59, 65), (60, 64), (61, 63), (50, 55)):
        assert y[upper] < y[lower]
    assert x[58] < x[62]


@BOTH
def test_the_irises_lie_in_the_eyes(whose: Callable[[], Face]) -> None:
    vertices = whose().mesh.vertices[:, :2]
    for side, (centre, *rim) in enumerate(IRISES):
        outline = vertices[eye_outline(side)]
        assert (outline.min(axis=0) < vertices[centre]).all() and (vertices[centre] < outline.max(axis=0)).all()
        radii = np.linalg.norm(vertices[rim] - vertices[centre], axis=1)
        assert 0.1 < radii.mean() / np.ptp(outline[:, 0]) < 0.35
