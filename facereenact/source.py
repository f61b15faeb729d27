"""The source: a still picture, prepared so that a renderer can animate one of its faces."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facereenact.choices import Choice
from facereenact.errors import FaceNotFoundError, InputError
from facereenact.images import read_image
from landmarks import LandmarkSequence
from landmarks.face_mesh import FaceMesh
from landmarks.mediapipe_tracker import choose_face, find_faces, landmarks_of_image, settle

log = logging.getLogger(__name__)

CROP_PX = 512
CROP_FACES = 2.0  # side of the crop in widths of the face: head, hair and the top of the shoulders
CROP_UP = 0.08  # the crop's middle lies this share of its side above the middle of the face


@dataclass(frozen=True, eq=False)
class Source:
    """A picture and one face of it."""

    image: NDArray[np.uint8]  # (height, width, 3), RGB
    matte: NDArray[np.float32] | None  # (height, width), 0 background to 1 person, from the picture's own alpha
    mesh: FaceMesh
    landmarks: LandmarkSequence  # one frame

    @property
    def size(self) -> tuple[int, int]:
        return self.image.shape[1], self.image.shape[0]


def read_source(
    path: Path, *, face: Choice = "largest", crop: bool = False, size: tuple[int, int] | int | None = None
) -> Source:
    """Read a portrait and find its face.

    Args:
        path: a still picture.
        face: which face, where there are several.
        crop: cut the square around the face out.
        size: width and height of the result, or its longer side; by default the picture's own, 512 for a crop.

    Raises:
        InputError: the picture cannot be read, or the chosen face is not there.
        FaceNotFoundError: it shows no face.
    """
    image, alpha = read_image(path)
    mesh = _face_of(path, image, face)
    if crop:
        image, alpha, mesh = _cropped(image, alpha, mesh)
        size = size or CROP_PX
    height, width = image.shape[:2]
    image, alpha = resized(image, alpha, size)
    across, down = image.shape[1] / width, image.shape[0] / height
    mesh = settle(image, FaceMesh(mesh.vertices * np.array([across, down, across], np.float32)))
    return Source(image, matte_of(alpha), mesh, landmarks_of_image(mesh, (image.shape[1], image.shape[0])))


def _face_of(path: Path, image: NDArray[np.uint8], choice: Choice) -> FaceMesh:
    faces = find_faces(image)
    if not faces:
        raise FaceNotFoundError(f"{path} shows no face that can be found; use a picture with a larger, frontal face")
    if len(faces) > 1 and choice == "largest":
        log.warning("%s shows %d faces; the largest is animated (--face chooses another)", path, len(faces))
    try:
        return choose_face(faces, choice)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _cropped(
    image: NDArray[np.uint8], alpha: NDArray[np.uint8] | None, mesh: FaceMesh
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None, FaceMesh]:
    """The square around the face, as large as the picture allows without leaving it where that is possible."""
    height, width = image.shape[:2]
    side = max(32, round(min(CROP_FACES * mesh.width_px, width, height)))
    x, y = mesh.centre - np.array([side / 2, side * (0.5 + CROP_UP)])
    left, top = round(float(np.clip(x, 0, width - side))), round(float(np.clip(y, 0, height - side)))
    part = (slice(top, top + side), slice(left, left + side))
    moved = FaceMesh(mesh.vertices - np.array([left, top, 0], np.float32))
    return image[part], None if alpha is None else alpha[part], moved


def resized(
    image: NDArray[np.uint8], alpha: NDArray[np.uint8] | None, size: tuple[int, int] | int | None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """A picture and its alpha at a width and height, or with a longer side; None keeps them."""
    height, width = image.shape[:2]
    if isinstance(size, int):
        size = (max(1, round(width * size / max(width, height))), max(1, round(height * size / max(width, height))))
    if size is None or size == (width, height):
        return image, alpha
    smaller = size[0] * size[1] < width * height
    flags = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    matte = None if alpha is None else np.asarray(cv2.resize(alpha, size, interpolation=flags), np.uint8)
    return np.asarray(cv2.resize(image, size, interpolation=flags), np.uint8), matte


def matte_of(alpha: NDArray[np.uint8] | None) -> NDArray[np.float32] | None:
    """(height, width) 0 background to 1 person, where the picture says so itself; an opaque one says nothing."""
    return None if alpha is None or alpha.min() == 255 else alpha.astype(np.float32) / 255
