"""Who is who from frame to frame."""

from __future__ import annotations

import numpy as np

from landmarks.tracking import SeenFace

NEW_FACE = 1.5  # widths of a face: farther from where a lost one was appears somebody new, while places are free


class Identities:
    """Remembers where each face was last, and puts the faces of a frame in the places of the same persons."""

    def __init__(self, count: int) -> None:
        self._last: list[SeenFace | None] = [None] * count

    def placed(self, faces: list[SeenFace]) -> list[SeenFace | None]:
        """The faces by person, None for who is not seen; what finds no place is dropped."""
        if len(self._last) == len(faces) == 1:  # as below, at once
            self._last = [faces[0]]
            return [faces[0]]
        of_place: dict[int, SeenFace] = {}
        left = list(range(len(faces)))
        for far, place, index in self._pairs(faces):
            if far <= NEW_FACE and place not in of_place and index in left:
                of_place[place] = faces[index]
                left.remove(index)
        free = [place for place, last in enumerate(self._last) if last is None]
        for index, place in zip(list(left), free, strict=False):
            of_place[place] = faces[index]
            left.remove(index)
        for _, place, index in self._pairs(faces):
            if place not in of_place and index in left:
                of_place[place] = faces[index]
                left.remove(index)
        for place, face in of_place.items():
            self._last[place] = face
        return [of_place.get(place) for place in range(len(self._last))]

    def _pairs(self, faces: list[SeenFace]) -> list[tuple[float, int, int]]:
        """Distance in widths of the face, place and index of the face, the nearest first."""
        return sorted(
            (distance(last, face), place, index)
            for place, last in enumerate(self._last)
            if last is not None
            for index, face in enumerate(faces)
        )


def distance(one: SeenFace, other: SeenFace) -> float:
    """How far two faces lie apart, in widths of the wider one."""
    width_px = max(one.width_px, other.width_px, 1.0)
    return float(np.linalg.norm(one.centre - other.centre)) / width_px
