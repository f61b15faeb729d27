"""From people picture by picture to the PoseSequence of one of them: what every estimator shares."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from body.people import Identities, Person, PersonChoice, PersonNotFoundError, choose_person
from body.types import POINT_COUNT, PoseSequence
from checkpoints.errors import InputError

Image = NDArray[np.uint8]

PATIENCE = 25  # frames out of sight after which the next newcomer is followed instead

log = logging.getLogger(__name__)


class Estimator(Protocol):
    """Finds people in pictures; it may remember where they were in the frame before."""

    name: str

    @abstractmethod
    def reset(self) -> None:
        """Forget everything seen."""

    @abstractmethod
    def close(self) -> None:
        """Give back what it holds; `reset` makes it usable again."""

    @abstractmethod
    def begin(self, image: Image) -> Callable[[], list[Person]]:
        """Look at the next frame, RGB uint8 (height, width, 3); what is returned does the rest of the work.

        It gives the people in the frame, in any order. It may run in another thread while the next frame is begun, but
        after that of the frame before.
        """

    def __call__(self, image: Image) -> list[Person]:
        """The people in the next frame, RGB uint8 (height, width, 3), in any order."""
        return self.begin(image)()


def track(
    frames: Iterable[tuple[Image, float]], estimator: Estimator, *, person: PersonChoice = "largest"
) -> PoseSequence:
    """One person's points in every frame of a video; frames without the person are zero and marked.

    Args:
        frames: RGB uint8 (height, width, 3) and its time in seconds, one pair a frame.
        estimator: what finds people; it is reset first.
        person: which one of the people in the first frame that shows people, or so many people for an index.

    Raises:
        InputError: there is no frame.
        PersonNotFoundError: no frame shows a person, or the chosen one is not there.
    """
    estimator.reset()
    follower, builder = Follower(person), None
    with closing(_with_people(frames, estimator)) as seen:
        for image, timestamp_s, people in seen:
            builder = builder or SequenceBuilder((image.shape[1], image.shape[0]), estimator.name)
            builder.add(follower(people, image), timestamp_s)
    if builder is None:
        raise InputError("the video has no frames")
    if isinstance(person, int) and 0 < follower.most_people <= person:
        raise PersonNotFoundError(
            f"there is no person {person}: at most {follower.most_people} in view, counted from 0"
        )
    if follower.most_people > 1 and person == "largest":
        log.warning("up to %d people are in view; the largest one is followed", follower.most_people)
    return builder.build()


def _with_people(
    frames: Iterable[tuple[Image, float]], estimator: Estimator
) -> Generator[tuple[Image, float, list[Person]]]:
    """The same frames with the people in them; the work on one ends while that on the next begins."""
    with ThreadPoolExecutor(1, thread_name_prefix="people") as thread:
        before: tuple[Image, float, Future[list[Person]]] | None = None
        for image, timestamp_s in frames:
            now = image, timestamp_s, thread.submit(estimator.begin(image))
            if before is not None:
                yield before[0], before[1], before[2].result()
            before = now
        if before is not None:
            yield before[0], before[1], before[2].result()


class Follower:
    """Follows one person; the only thing here that remembers frames."""

    def __init__(self, person: PersonChoice = "largest") -> None:
        self._choice = person
        self._identities = Identities()
        self._number: int | None = None
        self._known_then = 0  # people known when the one who is followed was last seen
        self._frames_lost = 0
        self.most_people = 0  # at once

    def __call__(self, people: list[Person], image: Image) -> Person | None:
        """The one who is followed among the people of the next frame, RGB, or None where not seen."""
        self.most_people = max(self.most_people, len(people))
        numbers = self._identities.numbers(people, image)
        least = self._choice + 1 if isinstance(self._choice, int) else 1
        if self._number is None and len(people) >= least:
            self._number = numbers[choose_person(people, self._choice)]
        elif self._number is not None and self._number not in numbers:
            self._frames_lost += 1
            newcomers = [index for index, number in enumerate(numbers) if number >= self._known_then]
            if newcomers and self._frames_lost > PATIENCE:
                self._number = numbers[max(newcomers, key=lambda index: people[index].longer_side_px)]
        if self._number not in numbers:
            return None
        self._known_then, self._frames_lost = len(self._identities), 0
        return people[numbers.index(self._number)]


class SequenceBuilder:
    """Collects a PoseSequence frame by frame."""

    def __init__(self, size: tuple[int, int], estimator: str) -> None:
        self._size, self._estimator = size, estimator
        self._people: list[Person | None] = []
        self._timestamps_s: list[float] = []

    def add(self, person: Person | None, timestamp_s: float) -> SequenceBuilder:
        """Append a frame: the person, or None where not found."""
        self._people.append(person)
        self._timestamps_s.append(timestamp_s)
        return self

    def build(self) -> PoseSequence:
        """The sequence; frames without the person are zero, to be filled by `body.smoothing.fill_gaps`.

        Raises:
            PersonNotFoundError: no frame shows the person.
        """
        detected = np.array([person is not None for person in self._people])
        if not detected.any():
            raise PersonNotFoundError("no frame shows a person who can be found; use a video of a whole or half figure")
        points = np.zeros((len(detected), POINT_COUNT, 2), np.float32)
        scores = np.zeros((len(detected), POINT_COUNT), np.float32)
        seen = [person for person in self._people if person is not None]
        points[detected] = [person.points for person in seen]
        scores[detected] = np.clip([person.scores for person in seen], 0, 1)
        return PoseSequence(
            points=points,
            scores=scores,
            detected=detected,
            timestamps_s=np.array(self._timestamps_s, np.float64),
            size=self._size,
            estimator=self._estimator,
        )
