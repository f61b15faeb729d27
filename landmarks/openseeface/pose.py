"""Where a head is and how it is turned, as OpenSeeFace states it and in the head frame of this package."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from landmarks.head_pose import NO_DISTORTION, camera_matrix
from landmarks.types import OUTER_EYE_CORNERS

Array = NDArray[np.floating[Any]]

RIGID_POINTS = np.array([0, 1, 2, 14, 15, 16, *range(27, 36), 36, 39, 42, 45])  # that no expression moves much
NEAR = 8.0  # focal length over the extent of the face: near by, but not so near that perspective turns the face
SOLVED_POINTS = np.array([0, 1, 8, 15, 16, *range(27, 36)])
MEASURED_POINTS = np.array([*range(17), 30])  # of which the error is stated
EYES = ([36, 39], [42, 45])  # corners
PUPILS = (66, 67)
EYEBALLS = (68, 69)
HEIGHTS = ((27, 28), (28, 29), (29, 30))  # along the bridge of the nose
WIDTHS = ((0, 16), (36, 39), (42, 45))
EYEBALL_DEPTH = 0.385  # corner distances behind the middle of the eye corners
SWAP = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]])  # x and y
MIRRORED_DEPTH = np.diag([1.0, 1, -1])
NOT_A_NUMBER = 9999999.0


@dataclass(frozen=True, eq=False)
class SentPose:
    """A pose as OpenSeeFace sends it: about (row, column, depth), with the face behind the camera.

    An upright face that looks into the camera has the Euler angles (+-180, 0, 90).
    """

    rotation: NDArray[np.float64]  # (3,), Rodrigues vector, radians
    translation: NDArray[np.float64]  # (3,), units of OpenSeeFace's face model
    error: float  # pixels; NOT_A_NUMBER's root where there is none
    succeeded: bool

    @property
    def matrix(self) -> NDArray[np.float64]:
        return rotation_matrix(self.rotation)

    @property
    def euler_deg(self) -> NDArray[np.float64]:
        """(3,) angles about the first, second and third axis, degrees."""
        return np.array(cv2.RQDecomp3x3(self.matrix)[0])

    @property
    def quaternion(self) -> NDArray[np.float64]:
        """(4,) x, y, z, w of the inverse rotation; of the two signs the one that Day's method gives.

        M. Day, "Converting a Rotation Matrix to a Quaternion": one component, chosen by the diagonal, is positive.
        """
        angle = float(np.linalg.norm(self.rotation))
        axis = self.rotation / angle if angle > 0 else self.rotation
        quaternion = np.array([*(-np.sin(angle / 2) * axis), np.cos(angle / 2)])
        x, y, z = np.diag(self.matrix)
        positive = (0 if x > y else 1) if z < 0 else (2 if x < -y else 3)
        return quaternion if quaternion[positive] >= 0 else -quaternion


@dataclass(frozen=True, eq=False)
class HeadPose:
    """A solved pose, in both conventions, and the points in space that follow from it."""

    rotation: NDArray[np.float64]  # (3,), Rodrigues vector, radians; x right, y down, z away from the camera
    translation: NDArray[np.float64]  # (3,), outer eye distances of the face model, z positive
    sent: SentPose
    points_3d: NDArray[np.float64]  # (70, 3), frame and units of OpenSeeFace's face model, not yet normalised


class PoseSolver(Protocol):
    """Solves the pose of one frame, from that of the frame before."""

    def __call__(self, points: Array, size: tuple[int, int], last: HeadPose | None) -> HeadPose:
        """Points (68, 2) in pixels of a frame of (width, height)."""


@cache
def osf_model() -> NDArray[np.float64]:
    """(70, 3) OpenSeeFace's face model: x to the image's left, y up, z to the camera; nose tip at the origin.

    68 landmarks, then the middles of the right and the left eyeball.
    """
    with (files("landmarks") / "tables" / "face_model.csv").open() as table:
        return np.loadtxt(table, delimiter=",").astype(np.float32).astype(np.float64)


@cache
def _model_in_head_frame() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(70, 3) the model with x to the image's right, y down and z away from the camera, and its rigid points."""
    model = -osf_model()
    return model, model[RIGID_POINTS]


@cache
def eye_distance() -> float:
    """Distance of the outer eye corners of OpenSeeFace's face model, the unit of `landmarks.head_pose`."""
    right, left = OUTER_EYE_CORNERS
    return float(np.linalg.norm(osf_model()[right] - osf_model()[left]))


class CompatiblePose:
    """The original's solution: rows and columns swapped under a camera that is not, from a guess of zero.

    Its error on frames that are not square is described in the documentation; use `CorrectedPose` to measure a head.
    """

    def __call__(self, points: Array, size: tuple[int, int], last: HeadPose | None) -> HeadPose:
        width, height = size
        camera = np.array([[width, 0, width / 2], [0, width, height / 2], [0, 0, 1]], np.float64)
        swapped = np.ascontiguousarray(points[:, ::-1], np.float64)
        model = osf_model()
        start = np.zeros((2, 3, 1))
        if last is not None:
            start[:, :, 0] = last.sent.rotation, last.sent.translation
        succeeded, *solved = cv2.solvePnP(
            model[SOLVED_POINTS],
            swapped[SOLVED_POINTS],
            camera,
            NO_DISTORTION,
            start[0],
            start[1],
            useExtrinsicGuess=True,
            flags=cv2.SOLVEPNP_ITERATIVE,
        )
        rotation, translation = (np.asarray(value, np.float64).ravel() for value in solved)
        matrix = rotation_matrix(rotation)
        posed = model[:66] @ matrix.T + translation
        sent = SentPose(rotation, translation, _stated_error(swapped, posed, camera), bool(succeeded))
        own = rotation_vector(SWAP @ MIRRORED_DEPTH @ matrix)
        points_3d = lifted_points(swapped, posed, matrix, translation, camera, backwards=-1)
        return HeadPose(own, -SWAP @ translation / eye_distance(), sent, points_3d)


class CorrectedPose:
    """A pinhole camera in the middle of the frame, the face before it, and no start from zero."""

    def __call__(self, points: Array, size: tuple[int, int], last: HeadPose | None) -> HeadPose:
        (model, rigid), camera = _model_in_head_frame(), camera_matrix(size)
        points = np.asarray(points, np.float64)
        seen = points[RIGID_POINTS]
        start = _first_pose(rigid, seen, camera) if last is None else (last.rotation, last.translation * eye_distance())
        first = [value.reshape(3, 1).copy() for value in start]
        solved = cv2.solvePnPRefineLM(rigid, seen, camera, NO_DISTORTION, first[0], first[1])
        rotation, translation = (np.asarray(value, np.float64).ravel() for value in solved)
        matrix = rotation_matrix(rotation)
        posed = model[:66] @ matrix.T + translation
        # Receivers know one camera, whose focal length is the width of the frame: the face is as large at its depth.
        x, y, z = translation.tolist()
        sent_translation = np.array([-y, -x, -z * size[0] / float(camera[0, 0])])
        error = _stated_error(points, posed, camera)
        sent = SentPose(rotation_vector(MIRRORED_DEPTH @ SWAP @ matrix), sent_translation, error, succeeded=True)
        points_3d = -lifted_points(points, posed, matrix, translation, camera, backwards=1)
        return HeadPose(rotation, translation / eye_distance(), sent, points_3d)


def _first_pose(model: Array, seen: Array, camera: Array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A pose to refine: for a camera that looks straight at the face from near by, moved to where the real one is.

    Solvers without a guess fail on a small face before a long lens: its rays are nearly parallel.
    """
    middle, extent_px = seen.mean(axis=0), max(float(np.ptp(seen, axis=0).max()), 1e-3)
    focal_px = NEAR * extent_px
    near = np.array([[focal_px, 0, middle[0]], [0, focal_px, middle[1]], [0, 0, 1]])
    try:
        _, *solved = cv2.solvePnP(model, seen, near, NO_DISTORTION, flags=cv2.SOLVEPNP_SQPNP)
        rotation, translation = (np.asarray(value, np.float64).ravel() for value in solved)
    except cv2.error:  # the points all coincide
        rotation, translation = np.zeros(3), np.array([0.0, 0.0, NEAR])
    depth = translation[2] * camera[0, 0] / focal_px
    aside = (middle - camera[:2, 2]) / camera[0, 0] * depth
    return rotation, np.array([translation[0] + aside[0], translation[1] + aside[1], depth])


def lifted_points(
    points: Array, posed: Array, matrix: Array, translation: Array, camera: Array, *, backwards: float
) -> NDArray[np.float64]:
    """(70, 3) the seen points, each at the depth of the posed model's, brought back into the model's frame.

    The depth of a pupil lies between those of its eye's corners, weighted with the distance to each as in the original;
    an eyeball's middle lies behind the middle of the corners.

    Args:
        points: (68, 2) pixels.
        posed: (66, 3) the model as the camera sees it.
        matrix: (3, 3) how the model was turned.
        translation: (3,) and moved.
        camera: (3, 3) with one focal length.
        backwards: 1 or -1, the direction of the model's third axis that leads into the head.
    """
    rays = np.empty((68, 3))
    rays[:, :2] = (points - camera[:2, 2]) / camera[0, 0]
    rays[:66, 2] = posed[:, 2]
    for pupil, corners in zip(PUPILS, EYES, strict=True):
        at, *places = points[[pupil, *corners]].tolist()
        a, b = (math.dist(at, place) for place in places)
        first, second = posed[corners, 2].tolist()
        rays[pupil, 2] = (a * first + b * second) / (a + b) if a + b > 0 else first
    rays[:, :2] *= rays[:, 2:]
    lifted = np.empty((70, 3))
    lifted[:68] = (rays - translation) @ matrix
    for eyeball, corners in zip(EYEBALLS, EYES, strict=True):
        first, second = lifted[corners].tolist()
        x, y, z = ((a + b) / 2 for a, b in zip(first, second, strict=True))
        lifted[eyeball] = x, y, z + backwards * EYEBALL_DEPTH * math.dist(first, second)
    return lifted


def normalised(points_3d: Array) -> NDArray[np.float64]:
    """(70, 3) points with the nose tip at x = y = 0, the bridge upright, and the model's width and height."""
    points = np.array(points_3d, np.float64)
    points[:, :2] -= points[30, :2]
    x, y = points[27, :2].tolist()
    length = math.hypot(x, y)
    if length > 0:
        points[:, :2] = points[:, :2] @ (np.array([[y, x], [-x, y]]) / length)
    for axis, pairs in ((1, HEIGHTS), (0, WIDTHS)):
        found, expected = (_distances(values, axis, pairs) for values in (points, osf_model()))
        ratio = sum(a / b for a, b in zip(found, expected, strict=True)) / len(pairs)
        points[:, axis] /= ratio if ratio > 0 else 1.0
    return points


def rotation_matrix(vector: Array) -> NDArray[np.float64]:
    """(3, 3) of one Rodrigues vector (3,)."""
    return np.asarray(cv2.Rodrigues(vector)[0], np.float64)


def rotation_vector(matrix: Array) -> NDArray[np.float64]:
    """(3,) Rodrigues vector of one matrix (3, 3)."""
    return np.asarray(cv2.Rodrigues(matrix)[0], np.float64).ravel()


def _distances(points: Array, axis: int, pairs: tuple[tuple[int, int], ...]) -> list[float]:
    values = points[:, axis].tolist()
    return [abs(values[a] - values[b]) for a, b in pairs]


def _stated_error(points: Array, posed: Array, camera: Array) -> float:
    """Root of the summed squares over twice the number of points solved for, not of those summed."""
    measured = posed[MEASURED_POINTS] @ camera.T
    apart = measured[:, :2] / measured[:, 2:] - points[MEASURED_POINTS]
    total = float((apart * apart).sum()) / (2 * len(SOLVED_POINTS))
    return math.sqrt(total if math.isfinite(total) else NOT_A_NUMBER)
