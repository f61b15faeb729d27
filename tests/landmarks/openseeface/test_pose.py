import cv2
import numpy as np
import pytest

from landmarks.openseeface.pose import CompatiblePose, CorrectedPose, eye_distance, normalised, osf_model
from tests.landmarks.openseeface.fabricated import seen_points

SIZES = [(512, 512), (1280, 720), (720, 1280), (480, 908)]
TURNS = [(0.0, 0.0, 0.0), (0.3, 0.0, 0.0), (0.0, 0.5, 0.0), (0.0, 0.0, 0.8), (-0.2, -0.4, 0.3)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("turn", TURNS)
def test_the_corrected_pose_is_the_true_one(size: tuple[int, int], turn: tuple[float, float, float]) -> None:
    pose = CorrectedPose()(seen_points(turn, (0.4, -0.3, 20.0), size), size, None)
    np.testing.assert_allclose(pose.rotation, turn, atol=2e-3)
    np.testing.assert_allclose(pose.translation * eye_distance(), [0.4, -0.3, 20.0], atol=0.05)
    assert pose.sent.error < 0.1
    np.testing.assert_allclose(pose.points_3d[:66], osf_model()[:66], atol=0.01)


def test_the_corrected_pose_of_a_tiny_face() -> None:
    points = seen_points((0.0, 0.2, 0.5), (30.0, 15.0, 320.0), (1280, 720))
    assert np.ptp(points[:, 0]) < 20
    pose = CorrectedPose()(points, (1280, 720), None)
    np.testing.assert_allclose(pose.rotation, [0.0, 0.2, 0.5], atol=0.02)


def test_both_poses_state_an_upright_face_alike() -> None:
    points = seen_points((0.0, 0.0, 0.0), (0.2, 0.1, 20.0), (512, 512))
    guess = None
    solver = CompatiblePose()
    for _ in range(5):  # from zero, the original's solver needs a few frames
        guess = solver(points, (512, 512), guess)
    corrected = CorrectedPose()(points, (512, 512), None)
    assert guess is not None
    for pose in (guess, corrected):
        first, second, third = pose.sent.euler_deg
        assert abs(abs(first) - 180) < 12
        assert abs(second) < 4
        assert abs(third - 90) < 1
        np.testing.assert_allclose(pose.sent.translation, [-0.1, -0.2, -5], rtol=0.2)
        assert pose.translation[2] > 0


@pytest.mark.parametrize("turn", TURNS)
def test_the_quaternion_is_that_of_the_inverse(turn: tuple[float, float, float]) -> None:
    sent = CorrectedPose()(seen_points(turn, (0.0, 0.0, 20.0), (512, 512)), (512, 512), None).sent
    x, y, z, w = sent.quaternion
    length = 2 * np.arctan2(np.linalg.norm([x, y, z]), w)
    axis = np.array([x, y, z]) / max(np.linalg.norm([x, y, z]), 1e-12)
    np.testing.assert_allclose(cv2.Rodrigues(axis * length)[0], sent.matrix.T, atol=1e-6)


def test_normalised_points_do_not_know_size_and_tilt() -> None:
    model = osf_model()
    turn = cv2.Rodrigues(np.array([0, 0, 0.3]))[0]
    moved = model * (1.3, 1.3, 1.3) @ turn.T + (1, 2, 3)
    np.testing.assert_allclose(normalised(moved)[:, :2], normalised(model)[:, :2], atol=1e-9)
    np.testing.assert_allclose(normalised(model)[30, :2], 0)


def test_degenerate_points_raise_nothing() -> None:
    for points in (np.zeros((68, 2), np.float32), np.full((68, 2), 100, np.float32)):
        for solver in (CompatiblePose(), CorrectedPose()):
            assert solver(points, (640, 480), None).sent.rotation.shape == (3,)
