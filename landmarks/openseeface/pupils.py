"""Pupils, from a close look at each eye."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from landmarks.openseeface.boxes import Crop, crop_between
from landmarks.openseeface.endings import LOGIT_LIMIT
from landmarks.openseeface.face import PUPIL_POINTS, FacePoints
from landmarks.openseeface.models import GAZE_MODEL, load_network, normalise

Pupils = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Right and left pupil (2, 2) in pixels (x, y) of the frame, and their confidence (2,); 0 for an eye unseen."""

CORNERS = np.array([[36, 39], [42, 45]])  # first and second of the right and the left eye
IS_MIRRORED = (False, True)  # as the network wants them
SIDE_PX = GAZE_MODEL.input_px
CELL_PX = 4
LOGIT_FACTOR = 8.0
SURROUNDINGS = 1.2  # the part of the frame that is looked at, in boxes of the face
REACH = (1.4, 1.2)  # of a cut about the middle of the eye, in half its width


@dataclass(frozen=True)
class EyeCut:
    """A levelled rectangle around an eye."""

    origin: tuple[float, float]  # (x, y) of the levelled surroundings' corner in the frame, pixels
    pivot: tuple[float, float]  # (x, y) in the surroundings about which they were turned
    angle: float  # radians, clockwise in the picture, that the eye was turned back by
    cut: Crop
    is_mirrored: bool

    def to_frame(self, x: float, y: float) -> tuple[float, float]:
        """The pixel of the frame of a position in the network's 32x32 picture."""
        if self.is_mirrored:
            x = SIDE_PX - x
        across = self.cut.left + x * (self.cut.right - self.cut.left) / SIDE_PX
        down = self.cut.top + y * (self.cut.bottom - self.cut.top) / SIDE_PX
        turned = _turned((across, down), self.pivot, self.angle)
        return turned[0] + self.origin[0], turned[1] + self.origin[1]


@dataclass(frozen=True, eq=False)
class Eyes:
    """The right and the left eye of a face, cut out of the frame."""

    pictures: NDArray[np.uint8]  # (2, 32, 32, 3), RGB
    cuts: tuple[EyeCut | None, ...]  # where they lay; None out of view


class PupilFinder:
    """OpenSeeFace's gaze network, for the eyes of so many faces at once.

    Its weights do not fit the caches. For many eyes they are fetched once: of sixteen faces, each takes less than half
    the time of one.
    """

    def __init__(self, models_dir: Path, *, faces: int = 1) -> None:
        self._faces = faces
        self.network = load_network(models_dir, GAZE_MODEL, batch=faces * len(CORNERS))

    def __call__(self, faces: Sequence[Eyes]) -> list[Pupils]:
        """The pupils of each face; of any number, batch by batch."""
        return [
            found for first in range(0, len(faces), self._faces) for found in self._batch(faces[first:][: self._faces])
        ]

    def _batch(self, faces: Sequence[Eyes]) -> list[Pupils]:
        pictures = np.zeros((self._faces, len(CORNERS), SIDE_PX, SIDE_PX, 3), np.uint8)
        for place, eyes in zip(pictures, faces, strict=False):
            place[:] = eyes.pictures
        planes = normalise(pictures.swapaxes(2, 3))  # it wants columns first
        maps = self.network(planes.reshape(-1, *planes.shape[2:]))[0]
        pairs = maps.reshape(self._faces, len(CORNERS), *maps.shape[1:])
        return [_pupils(eyes.cuts, pair) for eyes, pair in zip(faces, pairs, strict=False)]


def cut_eyes(image: NDArray[np.uint8], face: FacePoints) -> Eyes:
    """The eyes of a face in an RGB frame."""
    area = _surroundings(face.points[: PUPIL_POINTS.start], (image.shape[1], image.shape[0]))
    pictures = np.zeros((len(CORNERS), SIDE_PX, SIDE_PX, 3), np.uint8)
    eyes = zip(face.points[CORNERS].tolist(), pictures, IS_MIRRORED, strict=True)
    cuts = (_eye_cut(image, area, corners, into=picture, is_mirrored=mirrored) for corners, picture, mirrored in eyes)
    return Eyes(pictures, tuple(cuts))


def _eye_cut(
    image: NDArray[np.uint8], area: Crop, corners: list[list[float]], *, into: NDArray[np.uint8], is_mirrored: bool
) -> EyeCut | None:
    """The eye between two corners (x, y), levelled, put into a picture (32, 32, 3); None where it is out of view."""
    a, b = ((float(int(x - area.left)), float(int(y - area.top))) for x, y in corners)
    angle = math.atan2(b[1] - a[1], b[0] - a[0]) % (2 * math.pi)
    levelled = _turned(b, a, -angle)
    middle = ((a[0] + levelled[0]) / 2, (a[1] + levelled[1]) / 2)
    half = math.hypot(a[0] - levelled[0], a[1] - levelled[1]) / 2
    reach = (REACH[0] * half, REACH[1] * half)
    size = (area.right - area.left, area.bottom - area.top)
    cut = crop_between(
        middle[0] - reach[0], middle[1] - reach[1], middle[0] + reach[0], middle[1] + reach[1], size=size
    )
    if cut.right <= cut.left or cut.bottom <= cut.top:
        return None
    part = _levelled(image[area.top : area.bottom, area.left : area.right], a, angle, cut)
    cv2.resize(cv2.flip(part, 1) if is_mirrored else part, (SIDE_PX, SIDE_PX), dst=into)
    return EyeCut((area.left, area.top), a, angle, cut, is_mirrored)


def _pupils(cuts: tuple[EyeCut | None, ...], maps: NDArray[np.float32]) -> Pupils:
    """What the network's maps (2, 3, 8, 8) say of two eyes."""
    points, scores = np.zeros((2, 2), np.float32), np.zeros(2, np.float32)
    for index, cut in enumerate(cuts):
        if cut is not None:
            x, y, scores[index] = _decode(maps[index])
            points[index] = cut.to_frame(x, y)
    return points, scores


def _surroundings(points: NDArray[np.float32], size: tuple[int, int]) -> Crop:
    low, high = points.min(axis=0), points.max(axis=0)
    centre, reach = (low + high) / 2, (high - low) * (SURROUNDINGS / 2)
    return crop_between(*(centre - reach).tolist(), *(centre + reach).tolist(), size=size)


def _levelled(area: NDArray[np.uint8], pivot: tuple[float, float], angle: float, cut: Crop) -> NDArray[np.uint8]:
    """The pixels of a cut in the area turned about the pivot, without turning the rest of the area."""
    matrix = np.asarray(cv2.getRotationMatrix2D(pivot, math.degrees(angle), 1.0), np.float64)
    matrix[0, 2] -= cut.left
    matrix[1, 2] -= cut.top
    size = (cut.right - cut.left, cut.bottom - cut.top)
    return np.asarray(cv2.warpAffine(area, matrix, size, flags=cv2.INTER_LINEAR), np.uint8)


def _decode(maps: NDArray[np.float32]) -> tuple[float, float, float]:
    """x, y in the 32x32 picture and the peak, of the maps (3, 8, 8) heat, x offset, y offset; x is the first axis."""
    cell = int(maps[0].argmax())
    peak, across, down = maps.reshape(3, -1)[:, cell].tolist()
    column, row = divmod(cell, maps.shape[2])
    factor = SIDE_PX / LOGIT_FACTOR
    return CELL_PX * column + factor * _logit(across), CELL_PX * row + factor * _logit(down), peak


def _logit(share: float) -> float:
    share = min(max(share, LOGIT_LIMIT), 1 - LOGIT_LIMIT)
    return math.log(share / (1 - share))


def _turned(point: tuple[float, float], pivot: tuple[float, float], angle: float) -> tuple[float, float]:
    """A point turned clockwise, as seen in the picture, about a pivot."""
    cosine, sine = math.cos(angle), math.sin(angle)
    x, y = point[0] - pivot[0], point[1] - pivot[1]
    return pivot[0] + cosine * x - sine * y, pivot[1] + sine * x + cosine * y
