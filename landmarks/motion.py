"""The split: what a face does, as the motion of its head, of its eyes, and of its mouth.

Points are seen through a weak-perspective camera: `points = scale * (R (model + offset))_xy + position`. The rigid
part is `HeadMotion`; the offsets, in face model units (1 = outer eye distance) and in the frame of the head, belong to
`EyeMotion` or `MouthMotion`. Splitting and joining again gives back the points exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from landmarks.head_pose import RIGID_POINTS, face_model, fit_scale_and_position, rotation_matrices
from landmarks.types import MOUTH, POINT_COUNT, LandmarkSequence

EYE_POINTS = np.array([*range(17, 27), *range(36, 48), 66, 67])  # brows, lids, pupils
MOUTH_POINTS = np.array([*range(17), *range(27, 36), *range(48, 66)])  # contour, nose, lips: all that the jaw moves
MOUTH_CORNERS = (58, 62)

# Of faces in the frame of the head, from the meshes of eight videos and twelve pictures.
DEPTH = 0.3  # variance of offsets in depth over that across
WIDE_BACK = 0.2  # how far lips lie back along the teeth, of how much wider they are than the model's


@dataclass(frozen=True, eq=False)
class HeadMotion:
    """How the head is turned, how large it appears and where it is."""

    rotation: NDArray[np.float64]  # (frames, 3), Rodrigues vector, radians
    scale: NDArray[np.float64]  # (frames,), pixels per face model unit
    position: NDArray[np.float64]  # (frames, 2), pixel of the nose tip of the face model


@dataclass(frozen=True, eq=False)
class EyeMotion:
    """Brows, lids and pupils."""

    offsets: NDArray[np.float64]  # (frames, 24, 3), EYE_POINTS off the face model, model units, frame of the head


@dataclass(frozen=True, eq=False)
class MouthMotion:
    """Lips, jaw and nose."""

    offsets: NDArray[np.float64]  # (frames, 44, 3), MOUTH_POINTS off the face model, model units, frame of the head


@dataclass(frozen=True, eq=False)
class FaceMotion:
    """The motion of one face, split into the parts that drive separate guides and can be mixed."""

    head: HeadMotion
    eyes: EyeMotion
    mouth: MouthMotion

    @property
    def offsets(self) -> NDArray[np.float64]:
        """(frames, 68, 3) offsets of all points off the face model."""
        offsets = np.zeros((len(self.head.scale), POINT_COUNT, 3))
        offsets[:, EYE_POINTS] = self.eyes.offsets
        offsets[:, MOUTH_POINTS] = self.mouth.offsets
        return offsets

    def with_offsets(self, offsets: NDArray[np.float64]) -> FaceMotion:
        """The same head with other offsets (frames, 68, 3)."""
        eyes, mouth = EyeMotion(offsets[:, EYE_POINTS]), MouthMotion(offsets[:, MOUTH_POINTS])
        return replace(self, eyes=eyes, mouth=mouth)

    @property
    def points(self) -> NDArray[np.float32]:
        """(frames, 68, 2) pixels."""
        turned = (face_model() + self.offsets) @ rotation_matrices(self.head.rotation).transpose(0, 2, 1)
        points = self.head.scale[:, None, None] * turned[..., :2] + self.head.position[:, None]
        return points.astype(np.float32)


def split_motion(sequence: LandmarkSequence) -> FaceMotion:
    """Split a sequence into head, eye and mouth motion; `.points` of the result are the sequence's own.

    A picture shows an offset as the turned head projects it. Of the offsets that look so the likeliest is taken, which
    differs little in depth from the usual (`DEPTH`, `usual_depth`): a turn of the head then leaves the face as it is.
    """
    rotation = rotation_matrices(sequence.rotation)
    turned = (face_model() @ rotation.transpose(0, 2, 1))[..., :2]
    points = sequence.points.astype(np.float64)
    scale, position = fit_scale_and_position(points[:, RIGID_POINTS], turned[:, RIGID_POINTS])
    seen = (points - position[:, None]) / scale[:, None, None] - turned
    view = rotation[:, :2]  # (frames, 2, 3), takes an offset to the picture
    lift = view * (1, 1, DEPTH)
    lift = np.linalg.inv(lift @ view.transpose(0, 2, 1)) @ lift  # (frames, 2, 3), takes it back
    usual = usual_depth(face_model() + seen @ lift)
    offsets = usual + (seen - usual @ view.transpose(0, 2, 1)) @ lift
    head = HeadMotion(sequence.rotation.astype(np.float64), scale, position)
    return FaceMotion(head, EyeMotion(offsets[:, EYE_POINTS]), MouthMotion(offsets[:, MOUTH_POINTS]))


def usual_depth(face: NDArray[np.float64]) -> NDArray[np.float64]:
    """(frames, 68, 3) likely offsets in depth of (frames, 68, 3), which no picture shows: wide lips lie back."""
    right, left = MOUTH_CORNERS
    own, usual = (np.linalg.norm(each[:, left] - each[:, right], axis=1) for each in (face, face_model()[None]))
    depth = np.zeros_like(face)
    depth[:, MOUTH, 2] = WIDE_BACK * (own - usual)[:, None]
    return depth
