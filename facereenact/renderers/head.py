"""A head that is cut out of its picture and bent by the face's mesh: what animates faces, alone and on bodies."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facereenact.renderers.base import DriverFrame
from facereenact.renderers.eyes import Eyeball
from facereenact.renderers.lids import UpperLid
from facereenact.renderers.mouth import MouthInterior, lips_only
from facereenact.renderers.portrait import Portrait
from facereenact.renderers.raster import empty_maps, over, rasterise, soften_folds
from landmarks import LandmarkSequence
from landmarks.types import LEFT_PUPIL, RIGHT_PUPIL

Image = NDArray[np.uint8]


class Head:
    """The part of a picture around a face, in layers: the person, bent; the eyeballs; the inside of the mouth.

    Args:
        image: (height, width, 3) RGB source.
        alpha: (height, width) 0 to 255, what belongs to the person.
        portrait: the mesh; its region is what is drawn.
    """

    def __init__(self, image: Image, alpha: NDArray[np.uint8], portrait: Portrait) -> None:
        left, top, right, bottom = portrait.roi_xyxy
        self._portrait = portrait
        self._offset = np.array([left, top], np.float64)
        part = (slice(top, bottom), slice(left, right))
        self._layers = np.dstack([lips_only(image, portrait)[part], alpha[part]])
        self._vertices = portrait.source - self._offset.astype(np.float32)
        self._still_maps = empty_maps((right - left, bottom - top))
        self._rasterise(self._vertices, portrait.depth, portrait.still_triangles, self._still_maps)
        self._eyes = [Eyeball(image, portrait, side) for side in (0, 1)]
        self._lids = [UpperLid(image, portrait, side) for side in (0, 1)]
        self._mouth = MouthInterior(image, portrait)

    def draw(
        self, landmarks: LandmarkSequence, driver: DriverFrame | None = None, *, behind: Image | None = None
    ) -> tuple[Image, NDArray[np.uint8]]:
        """The region with its landmarks at those of one frame, and what of it belongs to the person, bent likewise.

        Args:
            landmarks: retargeted, pixels of the source.
            driver: whose mouth is borrowed.
            behind: what shows where the person is not; without it the colours of the layer itself.
        """
        pose = self._portrait.pose(landmarks)
        maps = self._still_maps.copy()
        vertices = pose.vertices - self._offset.astype(np.float32)
        self._rasterise(vertices, pose.depth, self._portrait.moving_triangles, maps)
        layers = np.asarray(
            cv2.remap(self._layers, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
        )
        canvas = np.ascontiguousarray(layers[..., :3]) if behind is None else over(layers, behind)
        canvas = soften_folds(canvas, maps)
        for lid in self._lids:
            lid.draw(canvas, pose, self._offset)
        for eye, pupil in zip(self._eyes, (RIGHT_PUPIL, LEFT_PUPIL), strict=True):
            eye.draw(canvas, pose, landmarks.points[0, pupil], self._offset)
        self._mouth.draw(canvas, pose, landmarks.points[0], self._offset, driver)
        return canvas, layers[..., 3]

    def _rasterise(
        self,
        target: NDArray[np.float32],
        depth: NDArray[np.floating[Any]],
        triangles: NDArray[np.int32],
        maps: NDArray[np.float32],
    ) -> None:
        rasterise(target, depth.astype(np.float32), self._vertices, triangles, maps)
