"""Head pose: a head turned and placed as told is found so, and the angles mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from landmarks import head_pose
from landmarks.head_pose import (
    camera_matrix,
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
PLACES = [(0, 0, 8), (0.8, -0.4, 12), (-1.5, 1, 30)]
SIZES = [(640, 640), (1280, 720), (480, 854), (1920, 400)]


def viewed(turn_deg: ArrayLike, place: ArrayLike, size: tuple[int, int]) -> NDArray[np.float64]:
    """(1, 68, 2) the face model as a camera far away sees it, in the place and size that `place` has before it."""
    camera, (x, y, z) = camera_matrix(size), np.asarray(place, float)
    turned = Rotation.from_rotvec(np.radians(turn_deg)).apply(face_model())[None, :, :2]
    return (turned + np.array([x, y])) * camera[0, 0] / z + camera[:2, 2]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("turn_deg", TURNS_DEG)
def test_the_pose_is_recovered_whatever_the_shape_of_the_frame(turn_deg: ArrayLike, size: tuple[int, int]) -> None:
    for place in PLACES:
        rotation, translation = solve_head_pose(viewed(turn_deg, place, size), size)
        assert angle_deg(rotation, np.radians([turn_deg])).max() < 0.01
        np.testing.assert_allclose(translation, [place], atol=0.001)


@pytest.mark.parametrize("turn_deg", TURNS_DEG)
def test_perspective_turns_the_head_little(turn_deg: ArrayLike) -> None:
    """A face that fills the picture before a phone at arm's length is about five eye distances away."""
    size = (1280, 720)
    for distance, most_deg in ((5, 3.6), (10, 1.8), (20, 1.0)):
        rotation, _ = solve_head_pose(photographed(turn_deg, (0, 0, distance), size)[None], size)
        assert angle_deg(rotation, np.radians([turn_deg])).max() < most_deg


@pytest.mark.parametrize("turn_deg", TURNS_DEG)
def test_half_a_pixel_of_noise_turns_the_head_little(turn_deg: ArrayLike) -> None:
    size = (1280, 720)
    noise = np.random.default_rng(0).normal(0, 0.5, (40, POINT_COUNT, 2))
    seen = viewed(turn_deg, (0, 0, 16), size) + noise  # the eyes are 320 pixels apart
    assert angle_deg(solve_head_pose(seen, size)[0], np.radians([turn_deg])).mean() < 0.5


def test_a_frame_alone_is_solved_as_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    size = (640, 480)
    noise = np.random.default_rng(1).normal(0, 3, (len(TURNS_DEG), POINT_COUNT, 2))
    seen = np.concatenate([viewed(turn, (0.3, 0, 12), size) for turn in TURNS_DEG]) + noise
    alone = [np.concatenate(parts) for parts in zip(*(solve_head_pose(each[None], size) for each in seen), strict=True)]
    monkeypatch.setattr(head_pose, "CHUNK", 3)
    for found, expected in zip(solve_head_pose(seen, size), alone, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_head_that_goes_past_upside_down_does_not_jump() -> None:
    size = (640, 480)
    angles = np.concatenate([np.arange(0, 340, 20), np.arange(340, -340, -20)])
    seen = np.concatenate([viewed((0, 0, angle), (0, 0, 12), size) for angle in angles])
    np.testing.assert_allclose(np.degrees(solve_head_pose(seen, size)[0][:, 2]), angles, atol=1e-6)


def test_points_that_are_all_the_same_have_some_pose() -> None:
    for found in solve_head_pose(np.full((2, POINT_COUNT, 2), 7.0), (64, 64)):
        assert np.isfinite(found).all()


def test_expression_does_not_turn_the_head() -> None:
    size = (640, 480)
    seen = viewed((0, 15, 0), (0, 0, 16), size)
    grimace = seen.copy()
    grimace[:, [*range(3, 14), *range(17, 27), *range(48, 66)]] += (3, 25)
    for before, after in zip(solve_head_pose(seen, size), solve_head_pose(grimace, size), strict=True):
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
