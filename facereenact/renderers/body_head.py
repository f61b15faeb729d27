"""The face on a moving body: the head of a cut-out person, bent by the face's mesh in its own place.

The body carries the head: it rolls, shifts and scales it. What the face adds is its expression and the other turns of
the head; so the landmarks are first brought back to the head's place in the source, and the body then carries the
finished head along (`BodyWarp.draw`, `head`).
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from facereenact.renderers.background import cut_off
from facereenact.renderers.base import DriverFrame
from facereenact.renderers.body_warp import HeadPicture
from facereenact.renderers.head import Head
from facereenact.renderers.portrait import Portrait
from landmarks import LandmarkSequence
from landmarks.face_mesh import FaceMesh
from landmarks.motion import HeadMotion, split_motion
from landmarks.retargeting import landmarks_of

Image = NDArray[np.uint8]


class BodyHead:
    """The head of a person, ready to be given expressions.

    Args:
        person: (height, width, 4) the source with the person cut out (`BodyWarp.person`).
        mesh: the face.
        landmarks: its landmarks, one frame.
    """

    def __init__(self, person: Image, mesh: FaceMesh, landmarks: LandmarkSequence) -> None:
        image, alpha = np.ascontiguousarray(person[..., :3]), person[..., 3]
        self._source, self._person = landmarks, person
        cut = cut_off(alpha.astype(np.float32) / 255)
        self.portrait = Portrait(mesh, landmarks, (person.shape[1], person.shape[0]), cut)
        self._head = Head(image, alpha, self.portrait)

    def picture(
        self, landmarks: LandmarkSequence, driver: DriverFrame | None = None, *, share: float = 1.0
    ) -> HeadPicture:
        """The head with the expression of retargeted landmarks (one frame), wherever in the picture they are.

        Args:
            landmarks: of this face, pixels of the source.
            driver: whose mouth is borrowed; None where only landmarks are at hand.
            share: 1 all of it; 0 the own head, in between a mixture.
        """
        roll_rad = float(roll_of(landmarks, self._source)[0])
        rgba = np.dstack(self._head.draw(in_place(landmarks, self._source), driver))
        left, top, right, bottom = self.portrait.roi_xyxy
        if share < 1:
            own = self._person[top:bottom, left:right]
            rgba = np.asarray(cv2.addWeighted(rgba, share, own, 1 - share, 0), np.uint8)
        return HeadPicture(rgba, (left, top), share * roll_rad)


def in_place(landmarks: LandmarkSequence, source: LandmarkSequence) -> LandmarkSequence:
    """Landmarks of the source's face with its own place, size and roll in the picture; turns and expression stay."""
    driven, own = split_motion(landmarks), split_motion(source).head
    roll = Rotation.from_rotvec(np.outer(roll_of(landmarks, source), [0, 0, 1]))
    rotation = (roll.inv() * Rotation.from_rotvec(driven.head.rotation)).as_rotvec()
    count = len(landmarks)
    head = HeadMotion(rotation, np.repeat(own.scale, count), np.repeat(own.position, count, axis=0))
    return landmarks_of(replace(driven, head=head), seen=landmarks, head=driven.head, size=source.size)


def roll_of(landmarks: LandmarkSequence, source: LandmarkSequence) -> NDArray[np.float64]:
    """(frames,) radians, from x towards y: the part of the head's turn from the source's pose that rolls it."""
    driven, own = (Rotation.from_rotvec(split_motion(each).head.rotation) for each in (landmarks, source))
    z, w = (driven * own.inv()).as_quat().T[2:]
    return np.asarray(2 * np.arctan2(z, w))
