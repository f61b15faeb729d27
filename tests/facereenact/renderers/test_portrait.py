"""The mesh of the portrait: at rest, on its points, without folds, and held at the border."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from facereenact.renderers.portrait import BROW_EDGES, Portrait
from facereenact.renderers.warp import WarpRenderer
from landmarks.face_mesh import (
    FACE_OVAL,
    LOWER_INNER_LIP,
    LOWER_LIDS,
    SURFACE_VERTICES,
    UPPER_INNER_LIP,
    UPPER_LIDS,
    point_weights,
)
from tests.faces import Face, acted, astronaut, hopper

BOTH = pytest.mark.parametrize("whose", [astronaut, hopper], ids=lambda f: f.__name__)
LIDS_AND_LIPS = [37, 38, 43, 44, *range(48, 66)]  # lids and the edges of the lips are placed by their gaps


@cache
def portrait(whose: Callable[[], Face]) -> Portrait:
    face = whose()
    return WarpRenderer(face.image, face.mesh, face.landmarks).portrait


@BOTH
def test_at_rest_nothing_moves(whose: Callable[[], Face]) -> None:
    pose = portrait(whose).pose(whose().landmarks)
    moved = np.linalg.norm(pose.vertices - portrait(whose).source, axis=1) / whose().landmarks.eye_distance_px[0]
    assert moved.max() < 0.01  # the edges of the lips, which are brought to their gap
    assert np.percentile(moved, 98) < 0.001
    np.testing.assert_allclose(pose.linear, np.eye(2), atol=1e-3)


@BOTH
def test_the_mesh_meets_the_landmarks(whose: Callable[[], Face]) -> None:
    face = whose().landmarks
    motion = acted(face, turn_deg=[(10, 0, 0), (0, 25, 0), (-5, -20, 20)], jaw=[0, 0.15, 0.05], scale=[1, 1.2, 0.9])
    for frame in motion:
        points = point_weights()[:, :SURFACE_VERTICES] @ portrait(whose).pose(frame).vertices[:SURFACE_VERTICES]
        error = np.linalg.norm(points - frame.points[0], axis=1)[:66]
        assert np.delete(error, LIDS_AND_LIPS).max() < 0.01 * face.eye_distance_px[0]
        assert error.max() < 0.08 * face.eye_distance_px[0]


@BOTH
def test_the_border_of_the_moving_part_keeps_still(whose: Callable[[], Face]) -> None:
    mesh = portrait(whose)
    motion = acted(whose().landmarks, turn_deg=(5, 20, 10), shift_px=(10, -6), scale=1.1)
    moved = np.linalg.norm(mesh.pose(motion).vertices - mesh.source, axis=1)
    left, top, right, bottom = mesh.roi_xyxy
    x, y = mesh.source.T
    outside = (x <= left) | (x >= right) | (y <= top) | (y >= bottom)
    assert outside.sum() > 20
    assert np.median(moved[outside]) < 0.5
    assert moved[list(FACE_OVAL)].min() > 3
    assert (mesh.follow[:SURFACE_VERTICES] > 0).all()


@BOTH
def test_moving_and_still_triangles_cover_the_moving_part(whose: Callable[[], Face]) -> None:
    mesh = portrait(whose)
    triangles = np.vstack([mesh.moving_triangles, mesh.still_triangles])
    a, b, c = (mesh.source[triangles[:, i]].astype(float) for i in range(3))
    areas = np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    left, top, right, bottom = mesh.roi_xyxy
    assert areas.sum() >= (right - left) * (bottom - top)
    low, high = mesh.source.min(axis=0), mesh.source.max(axis=0)
    assert (low <= (left, top)).all() and (high >= (right - 1, bottom - 1)).all()
    assert areas.sum() == pytest.approx(np.prod(high - low), rel=0.02)


@BOTH
def test_closed_lids_and_lips_meet(whose: Callable[[], Face]) -> None:
    mesh, face = portrait(whose), whose().landmarks
    vertices = mesh.pose(acted(face, lids=(0, 0), jaw=-0.3)).vertices
    for upper, lower in (*zip(UPPER_LIDS, LOWER_LIDS, strict=True), (UPPER_INNER_LIP, LOWER_INNER_LIP)):
        gaps = (vertices[list(lower)] - vertices[list(upper)])[:, 1] / face.eye_distance_px[0]
        assert gaps.min() > -0.005  # none passes the other
        assert gaps.max() < 0.03


@BOTH
def test_a_dropped_jaw_parts_the_lips_and_leaves_the_eyes(whose: Callable[[], Face]) -> None:
    mesh, face = portrait(whose), whose().landmarks
    rest, opened = mesh.pose(face).vertices, mesh.pose(acted(face, jaw=0.2)).vertices
    unit = face.eye_distance_px[0]
    middle = len(UPPER_INNER_LIP) // 2
    gap = [(v[LOWER_INNER_LIP[middle]] - v[UPPER_INNER_LIP[middle]])[1] / unit for v in (rest, opened)]
    assert gap[1] - gap[0] == pytest.approx(0.2, abs=0.05)
    for lids in (*UPPER_LIDS, *LOWER_LIDS):
        assert np.linalg.norm(opened[list(lids)] - rest[list(lids)], axis=1).max() < 0.02 * unit


@BOTH
def test_half_closed_lids_are_half_open(whose: Callable[[], Face]) -> None:
    mesh, face = portrait(whose), whose().landmarks
    rest, half = mesh.pose(face).vertices, mesh.pose(acted(face, lids=(0.5, 0.5))).vertices
    for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True):
        gaps = [(v[list(lower)] - v[list(upper)])[:, 1] for v in (rest, half)]
        np.testing.assert_allclose((gaps[1] / gaps[0])[2:5], 0.5, atol=0.1)


@BOTH
def test_the_head_hides_its_far_side(whose: Callable[[], Face]) -> None:
    """The nose comes before the cheeks, the face before the hair."""
    depth = portrait(whose).depth
    assert depth[1] < depth[[234, 454]].min()
    assert depth[list(FACE_OVAL)].max() <= depth[SURFACE_VERTICES:].max()
    assert depth[1] == depth[:SURFACE_VERTICES].min() or depth[1] < np.percentile(depth, 2)


def test_the_shoulders_stay_and_the_head_moves() -> None:
    face = hopper()
    mesh = portrait(hopper)
    chin, width = face.mesh.vertices[152, :2], face.mesh.width_px
    below, above = chin + np.array([0, 0.6 * width]), chin - np.array([0, 0.2 * width])
    places = np.array([face.mesh.centre, below, above, (2, 2)], float)
    head, shoulders, jaw, corner = mesh.head_share(places)
    assert head == pytest.approx(1) and jaw == pytest.approx(1)
    assert shoulders < 0.01 and corner < 0.05


@BOTH
@pytest.mark.parametrize("up_px", [6, -4])
def test_brows_move_and_are_not_stretched(whose: Callable[[], Face], up_px: float) -> None:
    """Both edges of a brow go the same way, to a tenth of it."""
    landmarks = whose().landmarks
    raised = landmarks.points.copy()
    raised[:, 17:27, 1] -= up_px
    moved = portrait(whose).source - portrait(whose).pose(replace(landmarks, points=raised)).vertices
    upper, lower = ([70, 63, 105, 66, 107, 300, 293, 334, 296, 336], list(BROW_EDGES))
    np.testing.assert_allclose(moved[lower, 1].mean(), up_px, atol=0.1 * abs(up_px))
    assert np.abs(moved[upper, 1] - moved[lower, 1]).mean() < 0.2 * abs(up_px)
