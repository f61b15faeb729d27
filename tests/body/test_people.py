"""Which person is meant, and who is who from frame to frame."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event

import numpy as np
import pytest
from numpy.typing import NDArray

from body.people import Identities, Person, PersonNotFoundError, choose_person, distance
from body.tracking import PATIENCE, Estimator, Follower, track
from body.types import LEFT_SHOULDER, RIGHT_SHOULDER
from checkpoints.errors import InputError
from tests.body.figures import figure

Image = NDArray[np.uint8]

SIZE = (600, 500)
RED, BLUE = (200, 30, 30), (30, 30, 200)


def person(x: float, *, scale: float = 1.0) -> Person:
    """Somebody who stands at x."""
    sequence = figure(1, size=SIZE, ground=(0, 0))
    return Person(scale * sequence.points[0] + np.array([x, 450], np.float32), sequence.scores[0])


def picture(*clothed: tuple[Person, tuple[int, int, int]]) -> Image:
    """A grey picture of people in clothes; the last one is in front."""
    image = np.full((SIZE[1], SIZE[0], 3), 120, np.uint8)
    for each, colour in clothed:
        low = each.points[[LEFT_SHOULDER, RIGHT_SHOULDER]].min(axis=0).astype(int)
        width = int(np.ptp(each.points[[LEFT_SHOULDER, RIGHT_SHOULDER], 0]))
        image[low[1] : low[1] + width, max(low[0], 0) : max(low[0] + width, 0)] = colour
    return image


GREY = picture()


class Staged(Estimator):
    """An estimator that sees what it is told."""

    name = "staged"

    def __init__(self, *frames: list[Person]) -> None:
        self._frames = iter(frames)

    def reset(self) -> None: ...

    def close(self) -> None: ...

    def begin(self, image: Image) -> Callable[[], list[Person]]:
        people = next(self._frames)
        return lambda: people


def staged(*frames: list[Person]) -> tuple[list[tuple[Image, float]], Staged]:
    return [(GREY, index / 25) for index in range(len(frames))], Staged(*frames)


def test_the_largest_an_index_from_the_left_or_a_pixel_choose_a_person() -> None:
    people = [person(400), person(100, scale=0.8), person(250, scale=1.1)]
    assert choose_person(people) == 2
    assert [choose_person(people, index) for index in range(3)] == [1, 2, 0]
    assert choose_person(people, (395.0, 300.0)) == 0 and choose_person(people, (-50.0, 300.0)) == 1


def test_a_pixel_in_two_boxes_means_the_nearer_middle() -> None:
    people = [person(300), person(320)]
    assert choose_person(people, (318.0, 320.0)) == 1 and choose_person(people, (302.0, 320.0)) == 0


def test_a_choice_that_cannot_be_is_an_error() -> None:
    with pytest.raises(PersonNotFoundError, match="there is no person 2: 2 found"):
        choose_person([person(100), person(300)], 2)
    with pytest.raises(InputError, match="cannot choose a person by 'tall'"):
        choose_person([person(100)], "tall")


def test_distance_counts_in_sizes_of_the_person() -> None:
    side = person(100).longer_side_px
    assert distance(person(100), person(100 + 0.5 * side)) == pytest.approx(0.5, abs=1e-3)
    nothing = Person(np.zeros((134, 2), np.float32), np.zeros(134, np.float32))
    assert distance(nothing, nothing) == 0


def test_numbers_stay_whatever_the_order() -> None:
    identities = Identities()
    assert identities.numbers([person(100), person(400)], GREY) == [0, 1]
    assert identities.numbers([person(395), person(105)], GREY) == [1, 0]
    assert identities.numbers([person(390)], GREY) == [1]
    assert identities.numbers([person(110), person(250), person(388)], GREY) == [0, 2, 1]


def test_somebody_who_passes_behind_another_is_found_again() -> None:
    """One goes right, the other left; while they cover each other only the front one is seen."""
    red, blue = Follower(0), Follower(1)
    for step in range(41):
        right, left = person(100 + 10 * step), person(500 - 10 * step)
        image = picture((left, BLUE), (right, RED))
        people = [right] if abs(step - 20) < 4 else [left, right]
        seen = red(people, image), blue(people, image)
        assert seen[0] is right
        assert seen[1] is (left if left in people else None)


def test_without_colours_the_way_tells_who_is_who() -> None:
    follower = Follower(0)
    for step in range(41):
        right, left = person(100 + 10 * step), person(500 - 10 * step, scale=0.6)
        assert follower([left, right], GREY) is right


def test_a_stranger_is_not_taken_for_somebody_who_left_a_moment_ago() -> None:
    follower, stranger = Follower(), person(500)
    follower([person(50)], picture((person(50), RED)))
    assert follower([stranger], picture((stranger, BLUE))) is None
    returned = person(60)
    assert follower([stranger, returned], picture((stranger, BLUE), (returned, RED))) is returned


def test_somebody_alone_may_change_clothes() -> None:
    follower = Follower()
    for index, colour in enumerate((RED, RED, BLUE, RED)):
        one = person(100 + 3 * index)
        assert follower([one], picture((one, colour))) is one


def test_after_a_cut_the_clothes_tell_who_is_who() -> None:
    follower = Follower(0)
    follower([person(100), person(400)], picture((person(100), RED), (person(400), BLUE)))
    red, blue = person(480), person(200)
    assert follower([blue, red], picture((red, RED), (blue, BLUE))) is red


@pytest.mark.parametrize("is_seen", [True, False])
def test_somebody_new_is_followed_when_the_one_who_was_does_not_return(is_seen: bool) -> None:
    """Whether the newcomer appears at once or after a pause; whoever was in view before stays somebody else."""
    follower, other, new = Follower(0), person(300), person(550)
    follower([person(50), other], picture((person(50), RED), (other, BLUE)))
    for _ in range(PATIENCE):
        assert follower([other, new] if is_seen else [other], picture((other, BLUE), (new, (30, 200, 30)))) is None
    assert follower([other, new], picture((other, BLUE), (new, (30, 200, 30)))) is new
    assert follower([other, new], picture((other, BLUE), (new, (30, 200, 30)))) is new


def test_tracking_marks_the_frames_without_the_person() -> None:
    frames, estimator = staged([], [person(100)], [], [person(104)])
    sequence = track(frames, estimator)
    assert sequence.detected.tolist() == [False, True, False, True]
    assert not sequence.scores[[0, 2]].any() and not sequence.points[[0, 2]].any()
    np.testing.assert_allclose(sequence.timestamps_s, [0, 0.04, 0.08, 0.12])
    assert (sequence.size, sequence.estimator) == (SIZE, "staged")


def test_an_index_waits_until_so_many_people_are_in_view() -> None:
    frames, estimator = staged([person(100)], [person(100), person(400)], [person(100), person(402)])
    sequence = track(frames, estimator, person=1)
    assert sequence.detected.tolist() == [False, True, True]
    assert sequence.points[1, 1, 0] == pytest.approx(400)


def test_several_people_are_told_of_unless_one_was_chosen(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "body")
    track(*staged([person(100), person(400)]), person=0)
    assert caplog.messages == []
    track(*staged([person(100), person(400)]))
    assert caplog.messages == ["up to 2 people are in view; the largest one is followed"]


def test_nobody_no_frame_and_too_few_people_are_errors() -> None:
    with pytest.raises(PersonNotFoundError, match="no frame shows a person"):
        track(*staged([], []))
    with pytest.raises(InputError, match="no frames"):
        track(*staged())
    with pytest.raises(PersonNotFoundError, match="no person 2: at most 1 in view"):
        track(*staged([person(100)], []), person=2)


class Slow(Estimator):
    """Ends the work on a frame only when the next is begun; fails at one."""

    name = "slow"

    def __init__(self, frames: int, failing: int | None = None) -> None:
        self._begun = [Event() for _ in range(frames)]
        self._failing, self.ended = failing, 0

    def reset(self) -> None: ...

    def close(self) -> None: ...

    def begin(self, image: Image) -> Callable[[], list[Person]]:
        number = sum(each.is_set() for each in self._begun)
        self._begun[number].set()
        return lambda: self._rest(number)

    def _rest(self, number: int) -> list[Person]:
        if number == self._failing:
            raise ValueError("spoilt")
        assert all(each.wait(10) for each in self._begun[number + 1 : number + 2]), "the next frame has to wait"
        assert number == self.ended
        self.ended += 1
        return [person(10.0 * number)]


def test_a_frame_is_begun_while_the_one_before_ends_and_all_keep_their_order() -> None:
    sequence = track([(GREY, index / 25) for index in range(5)], Slow(5))
    np.testing.assert_allclose(np.diff(sequence.points[:, RIGHT_SHOULDER, 0]), 10, atol=1e-3)


def test_an_error_in_the_rest_of_the_work_ends_the_tracking() -> None:
    with pytest.raises(ValueError, match="spoilt"):
        track([(GREY, index / 25) for index in range(5)], Slow(5, failing=2))
