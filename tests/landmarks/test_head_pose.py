"""Head pose: a head turned and placed as told is found so, and the angles mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from landmarks.head_pose import (
    euler_deg,
    face_model,
    fit_scale_and_position,
    rotation_matrices,
    rotation_vectors,
    solve_head_pose,
)
from landmarks.types import POINT_COUNT
from tests.faces import angle_deg, photographed

TURNS_DEG = [(0, 0, 0), (20, 0, 0), (-20, 0, 0), (0, 45, 0), (0, -45, 0), (0, 0, 60), (15, -25, 10), (-10, 30, 150)]
PLACES = [(0, 0, 4), (0.8, -0.4, 5), (-1.5, 1, 8)]
SIZES = [(640, 640), (1280, 720), (480, 854), (1920, 400)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("turn_deg", TURNS_DEG)
def test_the_pose_is_recovered_whatever_the_shape_of_the_frame(turn_deg: ArrayLike, size: tuple[int, int]) -> None:
    for place in PLACES:
        rotation, translation = solve_head_pose(photographed(turn_deg, place, size), size)
        assert angle_deg(rotation, np.radians(turn_deg)) < 0.05
        np.testing.assert_allclose(translation, place, atol=0.01)


@pytest.mark.parametrize("turn_deg", TURNS_DEG)
def test_half_a_pixel_of_noise_turns_the_head_little(turn_deg: ArrayLike) -> None:
    size = (1280, 720)
    noise = np.random.default_rng(0).normal(0, 0.5, (40, POINT_COUNT, 2))
    clean = photographed(turn_deg, (0, 0, 4), size)  # the eyes are 320 pixels apart
    errors = [angle_deg(solve_head_pose(clean + part, size)[0], np.radians(turn_deg)) for part in noise]
    assert np.mean(errors) < 0.5


def test_a_guess_leads_to_the_same_pose() -> None:
    size = (640, 480)
    points = photographed((10, 20, -5), (0.3, 0, 5), size)
    for guess in ((np.zeros(3), np.array([0.0, 0, 5])), (np.radians([12, 16, 0]), np.array([0.1, 0.1, 4]))):
        rotation, translation = solve_head_pose(points, size, guess)
        assert angle_deg(rotation, np.radians([10, 20, -5])) < 0.05
        np.testing.assert_allclose(translation, (0.3, 0, 5), atol=0.01)


def test_expression_does_not_turn_the_head() -> None:
    size = (640, 480)
    points = photographed((0, 15, 0), (0, 0, 4), size)
    grimace = points.copy()
    grimace[[*range(3, 14), *range(17, 27), *range(48, 66)]] += (3, 25)
    for before, after in zip(solve_head_pose(points, size), solve_head_pose(grimace, size), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-9)


def test_the_model_is_a_face_of_unit_size_that_looks_at_the_camera() -> None:
    model = face_model()
    assert model.shape == (POINT_COUNT, 3)
    assert np.linalg.norm(model[36] - model[45]) == pytest.approx(1)
    assert np.abs(model[30]).max() < 0.05  # the nose tip is the origin
    assert model[45, 0] > model[36, 0]  # the subject's left eye on the right of the picture
    assert model[8, 1] > model[57, 1] > model[33, 1] > model[27, 1]  # chin, lip, nose, bridge: y goes down
    assert model[[0, 16], 2].min() > model[30, 2] + 0.3  # the ears lie behind the nose


@pytest.mark.parametrize("angle", [-30.0, -5.0, 5.0, 30.0])
def test_euler_angles_mean_what_they_say(angle: float) -> None:
    upright = face_model()
    for axis, name in enumerate(("pitch", "yaw", "roll")):
        for sign in (1, -1):
            rotation = np.zeros((1, 3))
            rotation[0, axis] = np.radians(sign * angle)
            told = euler_deg(rotation)[0]
            turned = upright @ rotation_matrices(rotation)[0].T
            # Against the ears, which lie behind it, the nose shows where the face points.
            nose = (turned[30] - turned[[0, 16]].mean(axis=0)) - (upright[30] - upright[[0, 16]].mean(axis=0))
            brow = turned[45] - turned[36]
            assert abs(told[axis]) == pytest.approx(abs(angle))
            np.testing.assert_allclose(np.delete(told, axis), 0, atol=1e-9)
            seen = {"pitch": nose[1], "yaw": nose[0], "roll": brow[1]}[name]  # down, image right, clockwise
            assert np.sign(told[axis]) == np.sign(seen), name


def test_rotation_vectors_and_matrices_are_inverse() -> None:
    vectors = np.random.default_rng(1).normal(0, 0.8, (50, 3))
    np.testing.assert_allclose(rotation_vectors(rotation_matrices(vectors)), vectors, atol=1e-9)
    np.testing.assert_allclose(rotation_matrices(vectors), Rotation.from_rotvec(vectors).as_matrix())


def test_scale_and_position_are_recovered_frame_by_frame() -> None:
    rng = np.random.default_rng(2)
    turned = rng.normal(0, 1, (7, 20, 2))
    scale, position = rng.uniform(20, 300, 7), rng.uniform(-100, 900, (7, 2))
    found = fit_scale_and_position(scale[:, None, None] * turned + position[:, None], turned)
    np.testing.assert_allclose(found[0], scale)
    np.testing.assert_allclose(found[1], position, atol=1e-9)
