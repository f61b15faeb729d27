"""The split into head, eyes and mouth: exact, and each part holds its own motion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy.spatial.transform import Rotation

from landmarks import LandmarkSequence
from landmarks.face_mesh import FaceMesh, point_weights
from landmarks.head_pose import camera_matrix, euler_deg, face_model
from landmarks.mediapipe_tracker import MediaPipeTracker
from landmarks.motion import EYE_POINTS, MOUTH_POINTS, FaceMotion, split_motion
from landmarks.retargeting import lip_gaps
from landmarks.tracking import SequenceBuilder, track
from landmarks.types import POINT_COUNT
from tests.faces import Face, acted, angle_deg, astronaut, face_in, hopper, photographed
from tests.landmarks.openseeface.conftest import clip

SHAPES = {  # of the face model: what is deeper, flatter, wider, longer than usual
    "deep": (1.0, 1.0, 1.15),
    "flat": (1.0, 1.0, 0.85),
    "wide": (1.1, 1.0, 1.0),
    "long": (1.0, 1.1, 1.0),
}
PEOPLE = ("m1.png", "m2.png", "m3.png", "s0.jpg", "s12.jpg", "s3.jpg", "s5.jpg", "s6.jpg", "s9.jpg")
OTHERS = ("s7.jpg", "s22.jpg", "s25.jpg")  # animated, a monkey, a dog


def built(*points: NDArray[np.floating], size: tuple[int, int]) -> LandmarkSequence:
    """Frames (68, 2) with their head poses found anew."""
    builder = SequenceBuilder(size, "test")
    for index, frame in enumerate(points):
        builder.add(frame.astype(np.float32), index / 25)
    return builder.build()


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
        turned = built((face.landmarks.points[0] - middle) @ turn.as_matrix()[:2, :2].T + middle, size=face.size)
        own, motion = split_motion(face.landmarks), split_motion(turned)
        expected = turn * Rotation.from_rotvec(own.head.rotation)
        assert np.degrees((Rotation.from_rotvec(motion.head.rotation) * expected.inv()).magnitude()).max() < 0.05
        np.testing.assert_allclose(motion.head.scale, own.head.scale, rtol=1e-3)
        np.testing.assert_allclose(motion.eyes.offsets, own.eyes.offsets, atol=1e-3)
        np.testing.assert_allclose(motion.mouth.offsets, own.mouth.offsets, atol=1e-3)


@pytest.mark.parametrize("turn_deg", [(0, 0, 0), (10, 0, 0), (0, 20, 0), (10, -15, 20)])
@pytest.mark.parametrize("distance", [4, 6, 12])
def test_a_head_in_front_of_the_camera_shows_as_head_motion(turn_deg: ArrayLike, distance: float) -> None:
    """The split takes the camera as far away; what perspective adds falls with the distance."""
    size = (640, 480)
    motion = split_motion(built(photographed(turn_deg, (0, 0, distance), size), size=size))
    assert motion.head.scale[0] == pytest.approx(camera_matrix(size)[0, 0] / distance, rel=0.25)
    assert angle_deg(motion.head.rotation, np.radians([turn_deg])).max() < 16 / distance
    assert np.linalg.norm(motion.offsets, axis=2).mean() < 0.4 / distance


@pytest.mark.parametrize("x", [-1.0, 0.8])
def test_a_head_beside_the_middle_of_the_picture_keeps_its_face(x: float) -> None:
    size = (640, 480)
    middle = split_motion(built(photographed((0, 0, 0), (0, 0, 20), size), size=size))
    beside = split_motion(built(photographed((0, 0, 0), (x, 0.3, 20), size), size=size))
    assert np.linalg.norm(beside.offsets - middle.offsets, axis=2).mean() < 0.02


def turns(count: int = 40) -> Rotation:
    """By 10, 20 and 30 degrees about the axes, and by 30 about others; the first is none."""
    axes = np.concatenate([np.eye(3), -np.eye(3), np.random.default_rng(0).normal(size=(count, 3))])
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    return Rotation.from_rotvec(np.radians(np.concatenate([[np.zeros(3)], 10 * axes[:6], 20 * axes[:6], 30 * axes])))


def changes(points: NDArray[np.floating]) -> tuple[float, float]:
    """How far the eyes and the mouth of a solid face (68, 3), pixels, change in the split while its head is turned.

    The change of a part is the mean way of its points in the frame of the head, in distances of the outer eye corners;
    of all turns the worst counts. The face looks into the camera first, as its pose tells.
    """
    size, middle = (640, 480), points.mean(axis=0)
    pose = Rotation.from_rotvec(built(points[:, :2], size=size).rotation[0])
    upright = pose.inv().apply(points - middle)
    motion = split_motion(built(*(turn.apply(upright)[:, :2] + middle[:2] for turn in turns()), size=size))
    eyes, mouth = (
        np.linalg.norm(part.offsets - part.offsets[:1], axis=2).mean(axis=1) for part in (motion.eyes, motion.mouth)
    )
    return float(eyes.max()), float(mouth.max())


def solid(mesh: FaceMesh) -> NDArray[np.float64]:
    """(68, 3) the points of a mesh with its depth, pixels."""
    return point_weights().astype(np.float64) @ mesh.vertices


@pytest.mark.parametrize("shape", SHAPES)
def test_turning_the_head_leaves_eyes_and_mouth_whatever_the_shape(shape: str) -> None:
    assert max(changes(150 * face_model())) < 1e-6
    assert max(changes(150 * face_model() * SHAPES[shape])) < 0.02


@pytest.mark.parametrize("face", [astronaut, hopper], ids=lambda f: f.__name__)
def test_turning_the_head_leaves_eyes_and_mouth(face: Callable[[], Face]) -> None:
    assert max(changes(solid(face().mesh))) < 0.02


@pytest.mark.slow
def test_turning_the_head_leaves_eyes_and_mouth_of_many_faces(
    shared_media: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Printed per face: the change of eyes and mouth. Faces that are no people's may change a little more."""
    found = {}
    for name in (*PEOPLE, *OTHERS):
        with Image.open(shared_media / "portraits" / name) as image:
            found[name] = changes(solid(face_in(np.array(image.convert("RGB"))).mesh))
    with capsys.disabled():
        print("", *(f"{name:<8}{eyes:8.4f}{mouth:8.4f}" for name, (eyes, mouth) in found.items()), sep="\n")
    assert max(max(found[name]) for name in PEOPLE) < 0.02
    assert max(max(found[name]) for name in OTHERS) < 0.03


@pytest.mark.parametrize("turn_deg", [(0, 0, 0), (20, 0, 0), (0, -30, 0), (10, 15, 20)])
def test_opening_the_mouth_leaves_head_and_eyes(turn_deg: ArrayLike) -> None:
    """The pose is found anew from the points."""
    for face in (astronaut(), hopper()):
        acting = acted(face.landmarks, turn_deg=turn_deg, jaw=[0, 0.1, 0.3])
        motion = split_motion(built(*acting.points, size=face.size))
        assert np.ptp(lip_gaps(face_model() + motion.offsets)[:, 1]) > 0.25
        assert angle_deg(motion.head.rotation, motion.head.rotation[:1]).max() < 0.01
        np.testing.assert_allclose(motion.head.scale, motion.head.scale[0], rtol=1e-4)
        assert np.abs(motion.eyes.offsets - motion.eyes.offsets[:1]).max() < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["d13", "d18"])
def test_who_speaks_with_the_head_held_still(name: str, shared_media: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What comes with an opening by 0.2 eye distances within a quarter of a second, on the average of a clip."""
    with MediaPipeTracker() as tracker:
        motion = split_motion(track(((image, i / 25) for i, image in enumerate(clip(shared_media, name))), tracker))
    head, eyes = with_opening(motion, euler_deg(motion.head.rotation)), with_opening(motion, motion.eyes.offsets)
    with capsys.disabled():
        print(f"\n{name}: head {np.round(head, 2)} degrees, eyes {np.linalg.norm(eyes, axis=1).mean():.4f}")
    assert np.linalg.norm(head) < 2
    assert np.linalg.norm(eyes, axis=1).mean() < 0.01


def with_opening(motion: FaceMotion, values: NDArray[np.float64], opening: float = 0.2) -> NDArray[np.float64]:
    """What of values (frames, ...) changes along with the gap between the lips, by least squares over six frames."""
    gap = lip_gaps(face_model() + motion.offsets).mean(axis=1)
    wider, change = gap[6:] - gap[:-6], values[6:] - values[:-6]
    return np.asarray(opening * np.tensordot(wider, change, 1) / (wider @ wider))


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
