"""Head pose: rotation and translation by PnP on a 3-D face model, and the weak-perspective view of it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

RIGID_POINTS = np.array([0, 1, 2, 14, 15, 16, *range(27, 36), 36, 39, 42, 45])
"""Points that no expression moves much: the contour at the ears, the nose and the eye corners."""

NO_DISTORTION = np.zeros(4)


@cache
def face_model() -> NDArray[np.float64]:
    """(68, 3) the mean face in the head frame: x right of the image, y down, z away; nose tip at the origin.

    One unit is the distance of the outer eye corners. Measured by this project with the tracker it serves.
    """
    with (files("landmarks") / "tables" / "mean_face.csv").open() as table:
        return np.loadtxt(table, delimiter=",")


def camera_matrix(size: tuple[int, int]) -> NDArray[np.float64]:
    """(3, 3) pinhole camera with the principal point in the middle and a long focal length, nearly a parallel view.

    The face mesh comes without perspective: with a focal length of one picture side, turns of the head measure a third
    smaller than those of the mesh (yaw 0.65 of it, 0.93 with four sides; mean over eight videos).
    """
    width, height = size
    focal_px = 4.0 * max(size)
    return np.array([[focal_px, 0, width / 2], [0, focal_px, height / 2], [0, 0, 1]])


def solve_head_pose(
    points: Array, size: tuple[int, int], guess: tuple[Array, Array] | None = None
) -> tuple[Array, Array]:
    """Rotation and translation that take the face model to the points of one frame.

    Args:
        points: (68, 2) pixels.
        size: width, height of the frame, pixels.
        guess: rotation and translation of the frame before, for a smooth path.

    Returns:
        Rodrigues vector (3,), radians, and translation (3,), face model units; z is positive (in front of the camera).
    """
    model, image = face_model()[RIGID_POINTS], np.ascontiguousarray(points[RIGID_POINTS], dtype=np.float64)
    camera = camera_matrix(size)
    rotation, translation = _first_pose(model, image, camera) if guess is None else guess
    rotation, translation = (np.array(value, np.float64).reshape(3, 1) for value in (rotation, translation))
    refined = cv2.solvePnPRefineLM(model, image, camera, NO_DISTORTION, rotation, translation)
    return np.asarray(refined[0], np.float64).ravel(), np.asarray(refined[1], np.float64).ravel()


def _first_pose(model: Array, image: Array, camera: Array) -> tuple[Array, Array]:
    """A pose to refine: by a camera that looks straight at the face from near by, moved to where the real one is.

    Solvers without a guess fail on a small face before a long lens: its rays are nearly parallel.
    """
    middle, extent_px = image.mean(axis=0), float(np.ptp(image, axis=0).max())
    near = np.array([[8 * extent_px, 0, middle[0]], [0, 8 * extent_px, middle[1]], [0, 0, 1]])
    _, rotation, translation = cv2.solvePnP(model, image, near, NO_DISTORTION, flags=cv2.SOLVEPNP_SQPNP)
    depth = float(translation[2, 0]) * camera[0, 0] / near[0, 0]
    centre = np.append((middle - camera[:2, 2]) / camera[0, 0], 1) * depth
    return np.asarray(rotation, np.float64), centre + np.array([*translation[:2, 0], 0])


def rotation_matrices(rotation: Array) -> NDArray[np.float64]:
    """(frames, 3, 3) matrices of (frames, 3) Rodrigues vectors."""
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_rotvec(np.asarray(rotation, np.float64)).as_matrix())


def rotation_vectors(matrices: Array) -> NDArray[np.float64]:
    """(frames, 3) Rodrigues vectors of (frames, 3, 3) matrices."""
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_matrix(matrices).as_rotvec())


def fit_scale_and_position(points: Array, turned: Array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale and position of the weak-perspective camera that takes turned model points to the picture.

    Args:
        points: (frames, n, 2) pixels.
        turned: (frames, n, 2) x and y of the model after its rotation, face model units.

    Returns:
        Scale (frames,), pixels per unit, and position (frames, 2), the pixel of the model's origin; least squares.
    """
    points_mean, turned_mean = points.mean(axis=1, keepdims=True), turned.mean(axis=1, keepdims=True)
    centred = turned - turned_mean
    scale = ((points - points_mean) * centred).sum(axis=(1, 2)) / (centred**2).sum(axis=(1, 2))
    position = points_mean[:, 0] - scale[:, None] * turned_mean[:, 0]
    return scale, position


def euler_deg(rotation: Array) -> NDArray[np.float64]:
    """(frames, 3) pitch, yaw, roll in degrees: nose down, nose to the image's right, clockwise are positive."""
    matrices = rotation_matrices(rotation)
    pitch = np.arctan2(-matrices[:, 1, 2], matrices[:, 2, 2])
    yaw = np.arctan2(-matrices[:, 0, 2], np.hypot(matrices[:, 1, 2], matrices[:, 2, 2]))
    roll = np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])
    return np.degrees(np.stack([pitch, yaw, roll], axis=1))
