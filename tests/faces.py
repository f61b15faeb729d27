"""Two real faces that come with the test tools, and tracks in which they act as told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy.spatial.transform import Rotation

from landmarks import LandmarkSequence
from landmarks.face_mesh import FaceMesh
from landmarks.head_pose import camera_matrix, face_model
from landmarks.mediapipe_tracker import choose_face, find_faces, landmarks_of_image, settle
from landmarks.motion import FaceMotion, HeadMotion, split_motion
from landmarks.retargeting import CHIN, LIP_PAIRS, LOWER_LIP
from landmarks.tracking import eye_openness
from landmarks.types import MOUTH

Picture = NDArray[np.uint8]
Float = NDArray[np.floating[Any]]

LIDS = (((37, 41), (38, 40)), ((43, 47), (44, 46)))  # upper and lower points of the right and the left eye


@dataclass(frozen=True, eq=False)
class Face:
    """A picture and the face in it."""

    image: Picture  # (height, width, 3), RGB, read-only
    mesh: FaceMesh
    landmarks: LandmarkSequence  # one frame

    @property
    def size(self) -> tuple[int, int]:
        return self.image.shape[1], self.image.shape[0]


@cache
def astronaut() -> Face:
    """512x512, a smile that shows teeth, 93 pixels wide, off the middle, nodding 13 degrees."""
    from skimage import data

    return face_in(np.array(data.astronaut()))


@cache
def hopper() -> Face:
    """512x600, closed lips, glasses, 183 pixels wide, frontal."""
    from matplotlib.cbook import get_sample_data

    with get_sample_data("grace_hopper.jpg") as file:
        return face_in(np.array(Image.open(file).convert("RGB")))


def face_in(image: Picture) -> Face:
    """The largest face of a picture, as the program sees a source."""
    image = image.copy()
    image.flags.writeable = False
    mesh = settle(image, choose_face(find_faces(image)))
    return Face(image, mesh, landmarks_of_image(mesh, (image.shape[1], image.shape[0])))


def acted(
    face: LandmarkSequence,
    *,
    turn_deg: ArrayLike = (0, 0, 0),
    scale: ArrayLike = 1,
    shift_px: ArrayLike = (0, 0),
    lids: ArrayLike = (1, 1),
    jaw: ArrayLike = 0,
    gaze: ArrayLike = (0, 0),
    timestamps_s: ArrayLike | None = None,
) -> LandmarkSequence:
    """A track in which a face (one frame) acts; each argument is for all frames or has a row per frame.

    Args:
        face: who acts.
        turn_deg: turn of the head about x, y, z of the picture, as a Rodrigues vector.
        scale: size of the face.
        shift_px: its way in the picture.
        lids: share of their own opening of the right and the left eye.
        jaw: how far the lower lip and the chin go down, eye distances.
        gaze: the way of the pupils in the frame of the head, eye distances.
        timestamps_s: by default 25 frames per second.
    """
    rows = [np.atleast_2d(np.asarray(v, float)) for v in (turn_deg, shift_px, lids, gaze)]
    columns = [np.atleast_1d(np.asarray(v, float)) for v in (scale, jaw)]
    count = max(map(len, rows + columns))
    turn, shift, open_share, pupils = (np.broadcast_to(row, (count, row.shape[1])) for row in rows)
    size, down = (np.broadcast_to(column, count) for column in columns)

    own = split_motion(face)
    shape = np.repeat(face_model()[None] + own.offsets, count, axis=0)
    for side, pairs in enumerate(LIDS):
        for upper, lower in pairs:
            shape[:, upper] = shape[:, lower] + open_share[:, side, None] * (shape[:, upper] - shape[:, lower])
    shape[:, [*LOWER_LIP, *CHIN], 1] += down[:, None]
    shape[:, 66:68, :2] += pupils[:, None]
    rotation = (Rotation.from_rotvec(np.radians(turn)) * Rotation.from_rotvec(own.head.rotation)).as_rotvec()
    head = HeadMotion(rotation, own.head.scale * size, own.head.position + shift)
    points = FaceMotion(head, own.eyes, own.mouth).with_offsets(shape - face_model()).points
    times = np.arange(count) / 25 if timestamps_s is None else np.asarray(timestamps_s, float)
    return with_points(face, points, rotation=rotation, timestamps_s=times, distance=1 / size)


def with_points(
    face: LandmarkSequence,
    points: Float,
    *,
    rotation: Float | None = None,
    timestamps_s: Float | None = None,
    distance: Float | float = 1.0,
) -> LandmarkSequence:
    """A face (one frame) as a sequence of other points (frames, 68, 2), seen in every frame; the rest follows."""
    count = len(points)
    points = points.astype(np.float32)
    return replace(
        face,
        points=points,
        scores=np.repeat(face.scores[:1], count, axis=0),
        detected=np.ones(count, bool),
        rotation=np.array(np.broadcast_to(face.rotation if rotation is None else rotation, (count, 3)), np.float32),
        translation=np.repeat(face.translation[:1], count, axis=0) * np.reshape(distance, (-1, 1)).astype(np.float32),
        eye_openness=eye_openness(points),
        timestamps_s=np.arange(count) / 25 if timestamps_s is None else timestamps_s,
    )


def photographed(rotation_deg: ArrayLike, translation: ArrayLike, size: tuple[int, int]) -> Float:
    """(68, 2) the face model in front of the camera, by perspective; translation in face model units."""
    placed = Rotation.from_rotvec(np.radians(rotation_deg)).apply(face_model()) + np.asarray(translation)
    pixels = placed @ camera_matrix(size).T
    return np.asarray(pixels[:, :2] / pixels[:, 2:])


def angle_deg(rotation: Float, other: Float) -> Float:
    """(frames,) angle between two orientations, Rodrigues vectors (frames, 3)."""
    between = Rotation.from_rotvec(np.asarray(rotation, float)) * Rotation.from_rotvec(np.asarray(other, float)).inv()
    return np.degrees(between.magnitude())


def lip_gap(sequence: LandmarkSequence) -> Float:
    """(frames,) mean distance of the inner lips in the picture, eye distances."""
    upper, lower = (list(side) for side in zip(*LIP_PAIRS, strict=True))
    gaps = np.linalg.norm(sequence.points[:, upper] - sequence.points[:, lower], axis=2).mean(axis=1)
    return np.asarray(gaps / sequence.eye_distance_px)


def on_canvas(image: Picture, *, left: int = 0, top: int = 0, right: int = 0, bottom: int = 0) -> Picture:
    """The picture with grey around it."""
    return np.pad(image, ((top, bottom), (left, right), (0, 0)), constant_values=128)


def mouth_box(face: Face, margin: float = 0.15) -> tuple[slice, slice]:
    """Rows and columns around the mouth."""
    points = face.landmarks.points[0, MOUTH]
    reach = margin * float(face.landmarks.eye_distance_px[0])
    (left, top), (right, bottom) = points.min(axis=0) - reach, points.max(axis=0) + reach
    return slice(int(top), int(bottom)), slice(int(left), int(right))
