"""The people in one picture: which of them is meant, and who is who from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from body.types import BODY, LEFT_SHOULDER, RIGHT_SHOULDER, VISIBLE
from checkpoints.errors import InputError

Points = NDArray[np.float32]

PersonChoice = int | tuple[float, float] | str
"""Which person: an index from left to right, the pixel (x, y) nearest to one, or "largest"."""

NEAR = 0.4  # of the longer side of a person: how far one moves from a frame to the next
FARTHER_BY = 0.05  # added for each frame out of sight
FARTHEST = 1.0  # up to here
COASTING = 10  # frames out of sight for which a person is taken to move on as before
PATCH_POINTS = 7  # along each side of the patch of clothes that is looked at
COLOUR_WEIGHT = 1.0  # longer sides of a person that count as much as a difference in colour of 1 (black to red)
SAME_CLOTHES = 0.1  # difference in colour of somebody who may have jumped anywhere from one frame to the next
OTHER_CLOTHES = 0.4  # difference in colour of somebody else, however near
LATELY = 50  # frames for which somebody who was in view can be taken for somebody else
COLOUR_MEMORY = 0.1  # share of the new in what is known of the clothes


class PersonNotFoundError(InputError):
    """Nobody was found where somebody is needed, or not the one who was chosen."""


@dataclass(frozen=True, eq=False)
class Person:
    """One person in one picture."""

    points: Points  # (134, 2), pixels
    scores: NDArray[np.float32]  # (134,), 0 to 1

    @property
    def visible(self) -> NDArray[np.bool_]:
        return self.scores >= VISIBLE

    @cached_property
    def box_xyxy(self) -> Points:
        """Around all points that are seen, pixels."""
        seen = self.points[self.visible] if self.visible.any() else self.points
        return np.concatenate([seen.min(axis=0), seen.max(axis=0)])

    @property
    def centre(self) -> Points:
        return np.asarray((self.box_xyxy[:2] + self.box_xyxy[2:]) / 2)

    @property
    def longer_side_px(self) -> float:
        return float((self.box_xyxy[2:] - self.box_xyxy[:2]).max())

    def moved(self, by_px: Points) -> Person:
        return replace(self, points=self.points + by_px)

    def scaled(self, by: Points) -> Person:
        return replace(self, points=self.points * by)


def choose_person(people: list[Person], choice: PersonChoice = "largest") -> int:
    """The index of one person of several.

    Raises:
        PersonNotFoundError: there are not so many.
        InputError: the choice is of no known form.
    """
    if choice == "largest":
        return max(range(len(people)), key=lambda index: people[index].longer_side_px)
    if isinstance(choice, tuple):
        return min(range(len(people)), key=lambda index: _distance_px(people[index], choice))
    if isinstance(choice, int):
        if not 0 <= choice < len(people):
            raise PersonNotFoundError(f"there is no person {choice}: {len(people)} found, counted from 0 at the left")
        return sorted(range(len(people)), key=lambda index: float(people[index].centre[0]))[choice]
    raise InputError(f"cannot choose a person by {choice!r}: give an index, 'largest', or x,y in pixels")


def _distance_px(person: Person, pixel: tuple[float, float]) -> float:
    """To the nearest point of the box, 0 inside; the nearer centre decides between boxes that hold the pixel."""
    at = np.array(pixel)
    outside = np.maximum(np.maximum(person.box_xyxy[:2] - at, at - person.box_xyxy[2:]), 0)
    return float(np.linalg.norm(outside)) + 1e-3 * float(np.linalg.norm(person.centre - at))


def distance(one: Person, other: Person) -> float:
    """How far two people lie apart, in longer sides of the larger one: the median over body points that both show."""
    longer_side_px = max(one.longer_side_px, other.longer_side_px, 1.0)
    both = np.flatnonzero((one.visible & other.visible)[BODY])
    if not len(both):
        return float(np.linalg.norm(one.centre - other.centre)) / longer_side_px
    return float(np.median(np.linalg.norm(one.points[both] - other.points[both], axis=1))) / longer_side_px


def clothes_of(person: Person, image: NDArray[np.uint8]) -> Points:
    """(3,) the usual colour, RGB 0 to 1, of a square patch that hangs from the shoulders; NaN outside the picture."""
    left, right = person.points[LEFT_SHOULDER], person.points[RIGHT_SHOULDER]
    across = left - right
    down = np.array([-across[1], across[0]]) * (1 if across[0] > 0 else -1)
    along = np.linspace(0.2, 0.8, PATCH_POINTS)
    places = right + along[:, None, None] * across + along[None, :, None] * down
    x, y = np.rint(places.reshape(-1, 2)).astype(int).T
    inside = (x >= 0) & (x < image.shape[1]) & (y >= 0) & (y < image.shape[0])
    if not inside.any():
        return np.full(3, np.nan, np.float32)
    return (np.median(image[y[inside], x[inside]], axis=0) / 255).astype(np.float32)


@dataclass
class _Known:
    """Somebody who was seen."""

    last: Person
    velocity_px: Points  # a frame
    clothes: Points  # (3,), NaN while unknown
    frames_lost: int = 0

    @property
    def expected(self) -> Person:
        return self.last.moved(self.velocity_px * min(self.frames_lost + 1, COASTING))

    @property
    def reach(self) -> float:
        return min(NEAR + FARTHER_BY * self.frames_lost, FARTHEST)

    def recoloured(self, clothes: Points) -> float:
        """How far clothes are from this one's, NaN where either is unknown."""
        return float(np.linalg.norm(clothes - self.clothes))

    def update(self, person: Person | None, clothes: Points) -> None:
        if person is None:
            self.frames_lost += 1
            return
        step = (person.centre - self.last.centre) / (self.frames_lost + 1)
        self.last, self.velocity_px, self.frames_lost = person, 0.5 * (self.velocity_px + step), 0
        if np.isfinite(clothes).all():
            known = np.where(np.isfinite(self.clothes), self.clothes, clothes)
            self.clothes = known + COLOUR_MEMORY * (clothes - known)


class Identities:
    """Gives each person of a video a number and keeps it; everybody is followed, so that none is taken for another."""

    def __init__(self) -> None:
        self._known: list[_Known] = []

    def __len__(self) -> int:
        """How many different people were seen."""
        return len(self._known)

    def numbers(self, people: list[Person], image: NDArray[np.uint8]) -> list[int]:
        """The number of each person in the next frame, RGB (height, width, 3)."""
        clothes = [clothes_of(person, image) for person in people]
        # Somebody alone may turn round or open a coat.
        is_alone = len(people) == 1 and sum(known.frames_lost < LATELY for known in self._known) == 1
        pairs = [(number, index) for number in range(len(self)) for index in range(len(people))]
        colours = {pair: self._known[pair[0]].recoloured(clothes[pair[1]]) for pair in pairs}
        places = {pair: distance(self._known[pair[0]].expected, people[pair[1]]) for pair in pairs}
        if not is_alone:
            places = {pair: place + _cost(colours[pair]) for pair, place in places.items()}
        numbers: dict[int, int] = {}
        for number, index in sorted(pairs, key=lambda pair: places[pair]):
            if places[number, index] < self._known[number].reach:
                _give(numbers, index, number)
        for number, index in sorted(pairs, key=lambda pair: np.nan_to_num(colours[pair], nan=np.inf)):  # after a cut
            if colours[number, index] < SAME_CLOTHES:
                _give(numbers, index, number)
        seen = {number: (people[index], clothes[index]) for index, number in numbers.items()}
        for number, known in enumerate(self._known):
            known.update(*seen.get(number, (None, known.clothes)))
        for index, person in enumerate(people):
            if index not in numbers:
                numbers[index] = len(self)
                self._known.append(_Known(person, np.zeros(2, np.float32), clothes[index]))
        return [numbers[index] for index in range(len(people))]


def _cost(recoloured: float) -> float:
    """What a difference in colour counts for, in longer sides of a person."""
    if np.isnan(recoloured):
        return 0.0
    return COLOUR_WEIGHT * recoloured if recoloured < OTHER_CLOTHES else np.inf


def _give(numbers: dict[int, int], index: int, number: int) -> None:
    """Number a person, unless the person has a number or somebody has this one."""
    if index not in numbers and number not in numbers.values():
        numbers[index] = number
