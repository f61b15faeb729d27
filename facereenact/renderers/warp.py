"""The warp renderer: no weights, real time on a CPU.

Layers, back to front: the background with the person filled in; the person, cut out and bent by the mesh of
`Portrait`, nearer surfaces in front; the eyeballs between the lids; the inside of the mouth between the lips.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat

import cv2
import numpy as np
from numpy.typing import NDArray

from facereenact.renderers.background import cut_off, fill_behind, generous, person_matte
from facereenact.renderers.base import DriverFrame
from facereenact.renderers.head import Head
from facereenact.renderers.portrait import Portrait
from landmarks import LandmarkSequence
from landmarks.face_mesh import FACE_OVAL, FaceMesh

Image = NDArray[np.uint8]


class WarpRenderer:
    """Animates a portrait by bending it.

    Args:
        image: (height, width, 3) RGB uint8 source.
        mesh: the face to animate.
        landmarks: its landmarks, one frame.
        matte: (height, width) 0 to 1, what belongs to the person; by default it is estimated.
    """

    name = "warp"

    def __init__(
        self, image: Image, mesh: FaceMesh, landmarks: LandmarkSequence, *, matte: NDArray[np.float32] | None = None
    ) -> None:
        self._image = image
        self.size = (image.shape[1], image.shape[0])
        person = _about(mesh, image, matte)
        self.portrait = Portrait(mesh, landmarks, self.size, cut_off(person))
        left, top, right, bottom = self.portrait.roi_xyxy
        self._part = (slice(top, bottom), slice(left, right))
        alpha = generous(person[self._part], self.portrait.face_width_px)
        self._behind = fill_behind(image[self._part], alpha > 0.5, 0.35 * self.portrait.face_width_px)
        opacity = np.zeros(image.shape[:2], np.uint8)
        opacity[self._part] = np.round(alpha * 255)
        self._head = Head(image, opacity, self.portrait)

    def render(
        self, motion: Iterable[LandmarkSequence], driver: Iterable[DriverFrame] | None = None
    ) -> Iterator[Image]:
        """See `Renderer.render`; the inside of the mouth is the driver's where its frames are given."""
        frames: Iterable[DriverFrame | None] = repeat(None) if driver is None else driver
        return (self.render_frame(landmarks, frame) for landmarks, frame in zip(motion, frames, strict=False))

    def forget(self) -> None:
        """Nothing is kept."""

    def render_frame(self, landmarks: LandmarkSequence, driver: DriverFrame | None = None) -> Image:
        """The source with its landmarks at those of one frame."""
        result = self._image.copy()
        result[self._part], _ = self._head.draw(landmarks, driver, behind=self._behind)
        return result


def _about(mesh: FaceMesh, image: Image, matte: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """(height, width) 0 to 1, what belongs to the person, estimated close to the face unless a matte is given."""
    height, width = image.shape[:2]
    person = np.zeros((height, width), np.uint8)
    oval = np.round(mesh.vertices[list(FACE_OVAL), :2]).astype(np.int32)
    cv2.fillPoly(person, [oval], (1,))  # the face belongs to it in any case
    if matte is None:
        x, y, reach = *mesh.centre, 2.2 * mesh.width_px
        near = (slice(max(int(y - reach), 0), int(y + reach)), slice(max(int(x - reach), 0), int(x + reach)))
        matte = np.zeros((height, width), np.float32)
        matte[near] = person_matte(image[near])
    return np.maximum(matte, person)
