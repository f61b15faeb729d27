"""The face on a moving body: the head of a cut-out person, bent by the face's mesh in its own place.

The body carries the head: it rolls, shifts and scales it. What the face adds is its expression and the other turns of
the head; so the landmarks are first brought back to the head's place in the source, and the body then carries the
finished head along (`BodyWarp.render_frame`, `head`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from facereenact.renderers.background import cut_off
from facereenact.renderers.base import DriverFrame
from facereenact.renderers.body_warp import HeadPicture
from facereenact.renderers.eyes import Eyeball
from facereenact.renderers.mouth import MouthInterior, lips_only
from facereenact.renderers.portrait import Portrait
from facereenact.renderers.raster import empty_maps, rasterise, soften_folds
from landmarks import LandmarkSequence
from landmarks.face_mesh import FaceMesh
from landmarks.motion import HeadMotion, split_motion
from landmarks.retargeting import landmarks_of
from landmarks.types import LEFT_PUPIL, RIGHT_PUPIL

Image = NDArray[np.uint8]


class BodyHead:
    """The head of a person, ready to be given expressions.

    Args:
        person: (height, width, 4) the source with the person cut out (`BodyWarp.person`).
        mesh: the face.
        landmarks: its landmarks, one frame.
    """

    def __init__(self, person: Image, mesh: FaceMesh, landmarks: LandmarkSequence) -> None:
        image, matte = np.ascontiguousarray(person[..., :3]), person[..., 3].astype(np.float32) / 255
        self._source = landmarks
        self.portrait = Portrait(mesh, landmarks, (person.shape[1], person.shape[0]), cut_off(matte))
        left, top, right, bottom = self.portrait.roi_xyxy
        self._offset = np.array([left, top], np.float64)
        part = (slice(top, bottom), slice(left, right))
        self._layers = np.dstack([lips_only(image, self.portrait)[part], person[part][..., 3]])
        self._vertices = self.portrait.source - self._offset.astype(np.float32)
        self._still_maps = empty_maps((right - left, bottom - top))
        self._rasterise(self._vertices, self.portrait.depth, self.portrait.still_triangles, self._still_maps)
        self._eyes = [Eyeball(image, self.portrait, side) for side in (0, 1)]
        self._mouth = MouthInterior(image, self.portrait)

    def picture(self, landmarks: LandmarkSequence, driver: DriverFrame | None = None) -> HeadPicture:
        """The head with the expression of retargeted landmarks (one frame), wherever in the picture they are.

        Args:
            landmarks: of this face, pixels of the source.
            driver: whose mouth is borrowed; None where only landmarks are at hand.
        """
        landmarks = in_place(landmarks, self._source)
        pose = self.portrait.pose(landmarks)
        maps = self._still_maps.copy()
        vertices = pose.vertices - self._offset.astype(np.float32)
        self._rasterise(vertices, pose.depth, self.portrait.moving_triangles, maps)
        layers = cv2.remap(self._layers, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        canvas = soften_folds(np.ascontiguousarray(layers[..., :3], np.uint8), maps)
        for eye, pupil in zip(self._eyes, (RIGHT_PUPIL, LEFT_PUPIL), strict=True):
            eye.draw(canvas, pose, landmarks.points[0, pupil], self._offset)
        self._mouth.draw(canvas, pose, landmarks.points[0], self._offset, driver)
        left, top = self.portrait.roi_xyxy[:2]
        return HeadPicture(np.dstack([canvas, layers[..., 3]]).astype(np.uint8), (left, top))

    def _rasterise(
        self,
        target: NDArray[np.float32],
        depth: NDArray[np.floating[Any]],
        triangles: NDArray[np.int32],
        maps: NDArray[np.float32],
    ) -> None:
        rasterise(target, depth.astype(np.float32), self._vertices, triangles, maps)


def in_place(landmarks: LandmarkSequence, source: LandmarkSequence) -> LandmarkSequence:
    """Landmarks of the source's face with its own place, size and roll in the picture; turns and expression stay."""
    driven, own = split_motion(landmarks), split_motion(source).head
    turn = Rotation.from_rotvec(driven.head.rotation) * Rotation.from_rotvec(own.rotation).inv()
    z, w = turn.as_quat().T[2:]
    roll = Rotation.from_rotvec(np.outer(2 * np.arctan2(z, w), [0, 0, 1]))
    rotation = (roll.inv() * turn * Rotation.from_rotvec(own.rotation)).as_rotvec()
    count = len(landmarks)
    head = HeadMotion(rotation, np.repeat(own.scale, count), np.repeat(own.position, count, axis=0))
    return landmarks_of(replace(driven, head=head), seen=landmarks, head=driven.head, size=source.size)
