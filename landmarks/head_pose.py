"""Head pose: how a 3-D face model is turned, and the weak-perspective view of it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

RIGID_POINTS = np.array([0, 1, 2, 14, 15, 16, *range(27, 36), 36, 39, 42, 45])
"""Points that no expression moves much: the contour at the ears, the nose and the eye corners."""

NO_DISTORTION = np.zeros(4)

CHUNK = 256  # frames at a time, so that memory does not grow with the length of the video
STEPS = 5  # after which a turn changes by less than 0.001 degrees, also in noisy faces


@cache
def face_model() -> NDArray[np.float64]:
    """(68, 3) the mean face in the head frame: x right of the image, y down, z away; nose tip at the origin.

    One unit is the distance of the outer eye corners. Measured by this project with the tracker it serves.
    """
    with (files("landmarks") / "tables" / "mean_face.csv").open() as table:
        return np.loadtxt(table, delimiter=",")


def camera_matrix(size: tuple[int, int]) -> NDArray[np.float64]:
    """(3, 3) the pinhole camera of stated translations: principal point in the middle, nearly a parallel view."""
    width, height = size
    focal_px = 4.0 * max(size)
    return np.array([[focal_px, 0, width / 2], [0, focal_px, height / 2], [0, 0, 1]])


def solve_head_pose(points: Array, size: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How the head is turned and where it is in each frame: least squares over the rigid points of the face model.

    The view is weak perspective, as in `landmarks.motion`, which reads the face off the turned model: a pose solved for
    another view would leave a part of every turn in the face.

    Args:
        points: (frames, 68, 2) pixels.
        size: width, height of the frames, pixels.

    Returns:
        Rodrigues vectors (frames, 3), radians, without a jump at half a turn, and translations (frames, 3), face model
        units: where the nose tip is before the camera of `camera_matrix` when the face is as large as seen.
    """
    model, seen = face_model()[RIGID_POINTS], np.asarray(points, np.float64)[:, RIGID_POINTS]
    starts = range(0, len(seen), CHUNK)
    rotation = np.concatenate([_solved_rotation(model, seen[start : start + CHUNK]) for start in starts])
    scale, position = fit_scale_and_position(seen, (model @ rotation.transpose(0, 2, 1))[..., :2])
    camera = camera_matrix(size)
    distance = camera[0, 0] / np.maximum(scale, 1e-6)[:, None]
    aside = (position - camera[:2, 2]) / camera[0, 0] * distance
    return _continuous(rotation_vectors(rotation)), np.concatenate([aside, distance], axis=1)


def _continuous(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same turns (frames, 3), each by the vector nearest to the one before: they can be interpolated."""
    path, last = np.empty_like(vectors), vectors[0]
    for frame, vector in enumerate(vectors):
        angle = max(float(np.linalg.norm(vector)), 1e-9)
        turns = np.round((last @ vector / angle - angle) / (2 * np.pi))
        path[frame] = last = vector * (1 + 2 * np.pi * turns / angle)
    return path


def _solved_rotation(model: Array, seen: Array) -> NDArray[np.float64]:
    """(frames, 3, 3) rotations of a model (n, 3) seen as points (frames, n, 2)."""
    rotation = _nearest_to_affine(model, seen)
    for _ in range(STEPS):
        rotation = _refined(rotation, model, seen)
    return rotation


def _nearest_to_affine(model: Array, seen: Array) -> NDArray[np.float64]:
    """(frames, 3, 3) the rotations nearest to the affine maps of a model (n, 3) to points (frames, n, 2)."""
    centred = seen - seen.mean(axis=1, keepdims=True)
    affine = centred.transpose(0, 2, 1) @ np.linalg.pinv((model - model.mean(axis=0)).T)
    left, _, right = np.linalg.svd(affine, full_matrices=False)
    across = left @ right
    return np.concatenate([across, np.cross(across[:, 0], across[:, 1])[:, None]], axis=1)


def _refined(rotation: Array, model: Array, seen: Array) -> NDArray[np.float64]:
    """One Gauss-Newton step of rotations (frames, 3, 3); scale and position are solved with them."""
    turned = model @ rotation.transpose(0, 2, 1)
    scale, position = fit_scale_and_position(seen, turned[..., :2])
    missing = seen - scale[:, None, None] * turned[..., :2] - position[:, None]
    x, y, z = np.moveaxis(turned, 2, 0) * scale[:, None]
    effects = np.zeros((*missing.shape, 6))  # of turns about x, y and z, growth, and shifts along x and y
    effects[..., 0, 1], effects[..., 0, 2], effects[..., 0, 3], effects[..., 0, 4] = z, -y, x, 1
    effects[..., 1, 0], effects[..., 1, 2], effects[..., 1, 3], effects[..., 1, 5] = -z, x, y, 1
    effects = effects.reshape(len(seen), -1, 6)
    steps = np.linalg.pinv(effects) @ missing.reshape(len(seen), -1, 1)
    return rotation_matrices(steps[:, :3, 0]) @ rotation


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
