"""The split into head, eyes and mouth: exact, and each part holds its own motion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from landmarks import LandmarkSequence
from landmarks.head_pose import camera_matrix
from landmarks.motion import EYE_POINTS, MOUTH_POINTS, split_motion
from landmarks.tracking import SequenceBuilder
from landmarks.types import POINT_COUNT
from tests.faces import Face, acted, astronaut, hopper, photographed


def built(points: NDArray[np.floating], size: tuple[int, int]) -> LandmarkSequence:
    """One frame with its head pose found anew."""
    return SequenceBuilder(size, "test").add(points.astype(np.float32), 0.0).build()


def test_the_parts_share_all_points() -> None:
    assert sorted([*EYE_POINTS, *MOUTH_POINTS]) == list(range(POINT_COUNT))


@pytest.mark.parametrize("face", [astronaut, hopper], ids=lambda f: f.__name__)
def test_split_and_join_is_the_identity(face: Callable[[], Face]) -> None:
    rng = np.random.default_rng(0)
    turns = rng.normal(0, 25, (30, 3))
    track = acted(face().landmarks, turn_deg=turns, scale=rng.uniform(0.3, 3, 30), jaw=rng.uniform(0, 0.3, 30))
    wild = replace(track, points=track.points + rng.normal(0, 5, track.points.shape).astype(np.float32))
    for sequence in (face().landmarks, track, wild):
        assert np.abs(split_motion(sequence).points - sequence.points).max() < 0.01


@pytest.mark.parametrize("roll_deg", [-80, -15, 15, 45, 170])
def test_turning_the_picture_turns_the_head_alone(roll_deg: float) -> None:
    """About the middle of the picture this is exact: it is what turning the camera does."""
    for face in (astronaut(), hopper()):
        middle = np.array(face.size) / 2
        turn = Rotation.from_rotvec([0, 0, np.radians(roll_deg)])
        turned = built((face.landmarks.points[0] - middle) @ turn.as_matrix()[:2, :2].T + middle, face.size)
        own, motion = split_motion(face.landmarks), split_motion(turned)
        expected = turn * Rotation.from_rotvec(own.head.rotation)
        assert np.degrees((Rotation.from_rotvec(motion.head.rotation) * expected.inv()).magnitude()).max() < 0.05
        np.testing.assert_allclose(motion.head.scale, own.head.scale, rtol=1e-3)
        np.testing.assert_allclose(motion.eyes.offsets, own.eyes.offsets, atol=1e-3)
        np.testing.assert_allclose(motion.mouth.offsets, own.mouth.offsets, atol=1e-3)


@pytest.mark.parametrize("turn_deg", [(0, 0, 0), (10, 0, 0), (0, 20, 0), (10, -15, 20)])
@pytest.mark.parametrize("distance", [4, 6, 12])
def test_a_head_in_front_of_the_camera_shows_as_head_motion(turn_deg: ArrayLike, distance: float) -> None:
    """The split takes the camera as far away; what perspective adds stays below the share of the depth."""
    size = (640, 480)
    motion = split_motion(built(photographed(turn_deg, (0, 0, distance), size), size))
    assert motion.head.scale[0] == pytest.approx(camera_matrix(size)[0, 0] / distance, rel=0.25)
    np.testing.assert_allclose(motion.head.rotation[0], np.radians(turn_deg), atol=1e-3)
    assert np.linalg.norm(motion.offsets, axis=2).mean() < 0.4 / distance


@pytest.mark.parametrize("x", [-1.0, 0.8])
def test_a_head_beside_the_middle_of_the_picture_keeps_its_face(x: float) -> None:
    size = (640, 480)
    middle = split_motion(built(photographed((0, 0, 0), (0, 0, 20), size), size))
    beside = split_motion(built(photographed((0, 0, 0), (x, 0.3, 20), size), size))
    assert np.linalg.norm(beside.offsets - middle.offsets, axis=2).mean() < 0.02


def test_eyes_and_mouth_move_apart_from_each_other() -> None:
    face = hopper().landmarks
    own = split_motion(face)
    blink, speech = split_motion(acted(face, lids=(0, 0), gaze=(0.05, 0))), split_motion(acted(face, jaw=0.2))
    np.testing.assert_allclose(blink.mouth.offsets, own.mouth.offsets, atol=1e-5)
    np.testing.assert_allclose(speech.eyes.offsets, own.eyes.offsets, atol=1e-5)
    assert np.abs(blink.eyes.offsets - own.eyes.offsets).max() > 0.04
    assert np.abs(speech.mouth.offsets - own.mouth.offsets).max() > 0.15
    for motion in (blink, speech):
        np.testing.assert_allclose(motion.head.position, own.head.position, atol=1e-3)


def test_the_parts_of_two_faces_can_be_mixed() -> None:
    face = hopper().landmarks
    nod, speech = split_motion(acted(face, turn_deg=(10, 5, 0))), split_motion(acted(face, jaw=0.2))
    mixed = replace(nod, mouth=speech.mouth)
    together = acted(face, turn_deg=(10, 5, 0), jaw=0.2)
    # The jaw's way in depth is not seen from the front.
    assert np.abs(mixed.points - together.points).max() < 0.05 * face.eye_distance_px[0]
