"""What trackers say, as measures: turns, gaze, apertures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facereenact.evaluation.readings import Reading, landmark_reading, mesh_reading
from landmarks.face_mesh import FaceMesh
from landmarks.head_pose import face_model
from landmarks.tracking import SeenFace
from tests.facereenact.evaluation.fabricated import SIZE, mesh_at

TURNS = [("yaw", "y", -14.0), ("pitch", "x", 9.0), ("roll", "z", -11.0)]  # nose to the right, down; anticlockwise


def points_at(turn: Rotation | None = None, unit_px: float = 60) -> np.ndarray:
    """(68, 2) the face model in the middle of a picture, turned."""
    model = face_model() if turn is None else turn.apply(face_model())
    return (model[:, :2] * unit_px + 120).astype(np.float32)


def of_points(points: np.ndarray, scores: np.ndarray | None = None) -> Reading:
    return landmark_reading(SeenFace(points, scores), SIZE)


@pytest.mark.parametrize(("name", "axis", "angle"), TURNS)
def test_turns_of_the_mesh(name: str, axis: str, angle: float) -> None:
    turn = Rotation.from_euler(axis, angle, degrees=True)
    found = mesh_at(120, 120, turn=turn).turn_from(mesh_at(110, 125, width_px=70))
    expected = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0, name: -angle if name == "yaw" else angle}
    assert found == pytest.approx(list(expected.values()), abs=1e-3)


@pytest.mark.parametrize(("name", "axis", "angle"), TURNS)
def test_turns_of_points(name: str, axis: str, angle: float) -> None:
    turn = Rotation.from_euler(axis, angle, degrees=True)
    found = of_points(points_at(turn)).turn_from(of_points(points_at()))
    expected = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0, name: -angle if name == "yaw" else angle}
    assert found == pytest.approx(list(expected.values()), abs=1.0)


def test_apertures_are_in_distances_of_the_eyes() -> None:
    one = mesh_at(120, 120)
    vertices = one.pose.copy()
    unit = np.linalg.norm(vertices[33, :2] - vertices[263, :2])
    vertices[14] = vertices[13] + [0, 0.25 * unit, 0]
    vertices[145] = vertices[159] + [0, 0.1 * unit, 0]
    measures = mesh_reading(FaceMesh(vertices.astype(np.float32)), SIZE).measures
    assert measures["mouth"] == pytest.approx(0.25, abs=1e-3)
    assert measures["lid_right"] == pytest.approx(0.1, abs=1e-3)
    assert measures["lid_left"] == pytest.approx(one.measures["lid_left"], abs=1e-5)
    assert measures["eyes"] == pytest.approx(measures["lid_right"] + measures["lid_left"], abs=1e-9)


def test_gaze_follows_the_pupils() -> None:
    points = points_at()
    for first, second, pupil in ((36, 39, 66), (42, 45, 67)):
        points[pupil] = (points[first] + points[second]) / 2
    straight = of_points(points).measures
    assert straight["gaze_x"] == pytest.approx(0, abs=1e-6)
    width = np.linalg.norm(points[39] - points[36]), np.linalg.norm(points[45] - points[42])
    points[66] += [0.2 * width[0], 0.1 * width[0]]
    points[67] += [0.2 * width[1], 0.1 * width[1]]
    aside = of_points(points).measures
    assert aside["gaze_x"] - straight["gaze_x"] == pytest.approx(0.2, abs=0.02)
    assert aside["gaze_y"] - straight["gaze_y"] == pytest.approx(0.1, abs=0.02)


def test_no_gaze_without_pupils() -> None:
    scores = np.ones(68, np.float32)
    scores[67] = 0
    assert "gaze_x" not in of_points(points_at(), scores).measures
    vertices = mesh_at(120, 120).pose.copy()
    vertices[[160, 157]] = vertices[[163, 153]]  # what becomes the lids of the right eye
    assert "gaze_x" not in mesh_reading(FaceMesh(vertices.astype(np.float32)), SIZE).measures


def test_the_mouth_of_points_opens() -> None:
    points = points_at(unit_px=60)
    closed = of_points(points).measures["mouth"]
    points[[61, 60, 59]] -= [0, 3]
    points[[63, 64, 65]] += [0, 3]
    assert of_points(points).measures["mouth"] - closed == pytest.approx(0.1, abs=0.01)


def test_expression_does_not_depend_on_place_and_size() -> None:
    one, other = of_points(points_at(unit_px=60)), of_points(points_at(unit_px=40) + np.float32(15))
    assert one.expression == pytest.approx(other.expression, abs=0.015)
    assert replace(one, points=one.points + 1).box_xyxy == pytest.approx(one.box_xyxy + 1)
