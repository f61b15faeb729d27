"""Guides and what is seen in them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from landmarks import LandmarkSequence
from landmarks.guides import (
    CanonicalStyle,
    Guides,
    Picture,
    draw_guides,
    find_face_crop,
)

CANONICAL = CanonicalStyle()
SIZE = (512, 512)


def cropped(sequence: LandmarkSequence) -> LandmarkSequence:
    return find_face_crop(sequence).apply(sequence, SIZE[0])


def only(sequence: LandmarkSequence, style: Any = CANONICAL) -> Guides:
    (guides,) = draw_guides(sequence, style=style)
    return guides


def farthest_px(image: Picture, other: Picture) -> float:
    """The farthest that a line of one picture is from the nearest line of the other."""
    masks = [(picture.max(axis=2) > 100).astype(np.uint8) for picture in (image, other)]
    ways = [cv2.distanceTransform(1 - mask, cv2.DIST_L2, 5) for mask in masks]
    return float(max(ways[1][masks[0] > 0].max(), ways[0][masks[1] > 0].max()))
