"""The source of a moving body: a still picture of a person, with or without a face that is to be animated, too."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from body import PoseSequence
from body.estimators import EstimatorName, open_estimator
from body.people import Person, PersonNotFoundError, choose_person
from body.tracking import SequenceBuilder
from body.types import LEFT_EAR, LEFT_EYE, LEFT_SHOULDER, NECK, NOSE, RIGHT_EAR, RIGHT_EYE, RIGHT_SHOULDER
from facereenact.choices import Choice
from facereenact.errors import FaceNotFoundError
from facereenact.images import read_image
from facereenact.source import matte_of, resized
from landmarks import LandmarkSequence
from landmarks.face_mesh import FaceMesh
from landmarks.mediapipe_tracker import find_faces, landmarks_of_image, settle

Image = NDArray[np.uint8]

HEAD_POINTS = [NOSE, RIGHT_EYE, LEFT_EYE, RIGHT_EAR, LEFT_EAR]
HEAD_REACH = 1.0  # shoulder widths around the head, at least to the neck, in which its face is looked for
LEAST_REACH_PX = 24.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class SourceFace:
    """The face of the person."""

    mesh: FaceMesh
    landmarks: LandmarkSequence  # one frame


@dataclass(frozen=True, eq=False)
class BodySource:
    """A picture and one person in it."""

    image: Image  # (height, width, 3), RGB
    matte: NDArray[np.float32] | None  # (height, width), 0 background to 1 person, from the picture's own alpha
    pose: PoseSequence  # one frame
    face: SourceFace | None  # None where it is not needed


def read_body_source(
    path: Path, estimator: EstimatorName, *, person: Choice, size: tuple[int, int] | int | None, needs_face: bool
) -> BodySource:
    """Read a picture and find the person in it.

    Args:
        person: who, where there are several.
        size: width and height of the result, or its longer side; by default the picture's own.
        needs_face: whether to find the face, too.

    Raises:
        InputError: the picture cannot be read.
        PersonNotFoundError: it shows nobody, or not the chosen person.
        FaceNotFoundError: the face is needed and not found.
    """
    image, alpha = resized(*read_image(path), size)
    chosen = _person_of(path, image, estimator, person)
    pose = SequenceBuilder((image.shape[1], image.shape[0]), estimator).add(chosen, 0.0).build()
    return BodySource(image, matte_of(alpha), pose, _face_of(path, image, chosen) if needs_face else None)


def _person_of(path: Path, image: Image, name: EstimatorName, choice: Choice) -> Person:
    with closing(open_estimator(name)) as estimator:
        people = estimator(image)
    if not people:
        raise PersonNotFoundError(f"{path} shows nobody who can be found; use a picture of a whole or half figure")
    if len(people) > 1 and choice == "largest":
        log.warning("%s shows %d people; the largest is animated (--face chooses another)", path, len(people))
    try:
        return people[choose_person(people, choice)]
    except PersonNotFoundError as error:
        raise PersonNotFoundError(f"{path}: {error} (--face)") from error


def _face_of(path: Path, image: Image, person: Person) -> SourceFace:
    """The face of a person, looked for where the head is."""
    seen = [point for point in HEAD_POINTS if person.visible[point]]
    faces: list[FaceMesh] = []
    if seen:
        middle = person.points[seen].mean(axis=0)
        shoulders_px = float(np.linalg.norm(person.points[LEFT_SHOULDER] - person.points[RIGHT_SHOULDER]))
        reach = max(HEAD_REACH * shoulders_px, float(np.linalg.norm(middle - person.points[NECK])), LEAST_REACH_PX)
        left, top = np.maximum(middle - reach, 0).astype(int)
        right, bottom = np.minimum(middle + reach, image.shape[1::-1]).astype(int)
        if right - left > 16 and bottom - top > 16:
            offset = np.array([left, top, 0], np.float32)
            faces = [FaceMesh(face.vertices + offset) for face in find_faces(image[top:bottom, left:right])]
    if not faces:
        raise FaceNotFoundError(
            f"{path}: the person's face cannot be found (too small, covered or turned away); use another picture, or "
            "--body-driver alone"
        )
    mesh = settle(image, min(faces, key=lambda face: float(np.linalg.norm(face.centre - middle))))
    return SourceFace(mesh, landmarks_of_image(mesh, (image.shape[1], image.shape[0])))
