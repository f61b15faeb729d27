"""What a tracker says about the face in one frame, in measures by which two videos can be compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landmarks.face_mesh import FaceMesh
from landmarks.head_pose import face_model, rotation_matrices
from landmarks.motion import split_motion
from landmarks.retargeting import lip_gaps
from landmarks.tracking import SeenFace, SequenceBuilder, eye_openness
from landmarks.types import LEFT_PUPIL, OUTER_EYE_CORNERS, RIGHT_PUPIL

Float = NDArray[np.float64]

MESH_OUTER_EYES = (33, 263)
MESH_LIPS = (13, 14)  # middle of the inner lips, upper and lower
MESH_LIDS = {"lid_right": (159, 145), "lid_left": (386, 374)}  # middle of upper and lower lid
EYES = ((36, 39, RIGHT_PUPIL), (42, 45, LEFT_PUPIL))  # corners from the image's left to its right, and the pupil

SEEING = 0.12  # lid gap over eye width above which the pupil is seen

POSE = ("yaw_deg", "pitch_deg", "roll_deg")


@dataclass(frozen=True, eq=False)
class Reading:
    """One face in one frame."""

    points: Float  # (n, 2), pixels; 478 of MediaPipe's mesh or 68 of OpenSeeFace
    scores: Float  # (n,), 0 to 1
    eye_distance_px: float  # of the outer corners
    measures: dict[str, float]  # apertures in eye distances, gaze in eye widths
    expression: Float  # (68, 3), the points off the face model in the frame of the head, eye distances
    pose: Float  # (478, 3) vertices, pixels, or the (3, 3) rotation of the head: whichever states the pose best

    def turn_from(self, first: Reading) -> Float:
        """(3,) yaw, pitch and roll since another frame, degrees, as `landmarks.head_pose.euler_deg` signs them."""
        is_rotation = self.pose.shape == (3, 3)
        rotation = self.pose @ first.pose.T if is_rotation else _procrustes(first.pose, self.pose)
        pitch = np.arctan2(rotation[2, 1], rotation[2, 2])
        yaw = np.arcsin(np.clip(rotation[2, 0], -1, 1))
        roll = np.arctan2(rotation[1, 0], rotation[0, 0])
        return np.degrees([yaw, pitch, roll])

    @property
    def box_xyxy(self) -> Float:
        return np.concatenate([self.points.min(axis=0), self.points.max(axis=0)])


def mesh_reading(mesh: FaceMesh, size: tuple[int, int]) -> Reading:
    """Of MediaPipe's mesh in a frame of (width, height) pixels."""
    vertices = mesh.vertices.astype(np.float64)
    points = vertices[:, :2]
    distance_px = _distance(points, *MESH_OUTER_EYES)
    measures = {"mouth": _distance(points, *MESH_LIPS) / distance_px}
    measures |= {name: _distance(points, *lids) / distance_px for name, lids in MESH_LIDS.items()}
    measures["eyes"] = measures["lid_right"] + measures["lid_left"]
    face = SeenFace(mesh.points)
    if eye_openness(face.points[None]).min() > SEEING:
        measures |= _gaze(face.points)
    _, expression = _pose_and_expression(face, size)
    return Reading(points, np.ones(len(points)), distance_px, measures, expression, vertices)


def landmark_reading(face: SeenFace, size: tuple[int, int]) -> Reading:
    """Of the 68 points of OpenSeeFace, whose lids are not measured: its networks hardly see a blink."""
    points = face.points.astype(np.float64)
    scores = np.ones(len(points)) if face.scores is None else face.scores.astype(np.float64)
    rotation, expression = _pose_and_expression(face, size)
    gap = lip_gaps((face_model() + expression)[None]).mean()
    measures = {"mouth": max(float(gap), 0.0)}
    if scores[[RIGHT_PUPIL, LEFT_PUPIL]].min() > 0:
        measures |= _gaze(face.points)
    return Reading(points, scores, _distance(points, *OUTER_EYE_CORNERS), measures, expression, rotation)


def _pose_and_expression(face: SeenFace, size: tuple[int, int]) -> tuple[Float, Float]:
    """(3, 3) rotation of the head and (68, 3) offsets from the face model."""
    sequence = SequenceBuilder(size, "evaluation").add_face(face, 0.0).build()
    return rotation_matrices(sequence.rotation)[0], split_motion(sequence).offsets[0]


def _distance(points: Float, one: int, other: int) -> float:
    return float(np.linalg.norm(points[one] - points[other]))


def _gaze(points: NDArray[np.float32]) -> dict[str, float]:
    """Where the pupils are between the corners of the eyes: x from -0.5 to 0.5 towards the image's right, y down."""
    places = []
    for first, second, pupil in EYES:
        along, way = points[second] - points[first], points[pupil] - points[first]
        square = float(along @ along) or 1.0
        across = float(along[0] * way[1] - along[1] * way[0])
        places.append((float(along @ way) / square - 0.5, across / square))
    x, y = np.mean(places, axis=0)
    return {"gaze_x": float(x), "gaze_y": float(y)}


def _procrustes(one: Float, other: Float) -> Float:
    """(3, 3) rotation that takes the points (n, 3) `one`, centred, nearest to `other`."""
    u, _, vt = np.linalg.svd((one - one.mean(axis=0)).T @ (other - other.mean(axis=0)))
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(vt.T @ u.T))])
    return np.asarray(vt.T @ flip @ u.T)
