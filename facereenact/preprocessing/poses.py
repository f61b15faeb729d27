"""The bodies to which the faces of a shot belong."""

from __future__ import annotations

import numpy as np

from body import PoseSequence
from body.people import Identities, Person, Points
from body.smoothing import fill_gaps
from body.tracking import Estimator, SequenceBuilder
from body.types import NOSE
from facereenact.video import Frame
from landmarks.tracking import SeenFace

SAME_FACE = 0.7  # widths of the face, from its middle to the nose of the body


class Poses:
    """Follows the body of each face; remembers who is whose, so that a head that turns away keeps its body."""

    def __init__(self, estimator: Estimator, size: tuple[int, int], zoom: Points, faces: int) -> None:
        estimator.reset()
        self._zoom = zoom
        self._estimator = estimator
        self._identities = Identities()
        self._numbers: list[int | None] = [None] * faces
        self._builders = [SequenceBuilder(size, estimator.name) for _ in range(faces)]
        self._seen = [False] * faces

    def add(self, frame: Frame, faces: list[SeenFace | None], time_s: float) -> None:
        """The next frame and the faces in it."""
        people = self._estimator(frame.image)
        numbers = self._identities.numbers(people, frame.image)
        for place, face in enumerate(faces):
            own = None if face is None else body_of(face, people)
            if own is not None:
                self._numbers[place] = numbers[own]
            number = self._numbers[place]
            person = people[numbers.index(number)] if number in numbers else None
            self._seen[place] |= person is not None
            self._builders[place].add(person and person.scaled(self._zoom), time_s)

    def sequence(self, place: int) -> PoseSequence | None:
        """The body of a face, gaps filled; None where it was never seen."""
        return fill_gaps(self._builders[place].build()) if self._seen[place] else None


def body_of(face: SeenFace, people: list[Person]) -> int | None:
    """The index of the person whose nose lies in the face."""
    far = [float(np.linalg.norm(person.points[NOSE] - face.centre)) for person in people]
    nearest = min(range(len(people)), key=far.__getitem__, default=None)
    return nearest if nearest is not None and far[nearest] < SAME_FACE * face.width_px else None
