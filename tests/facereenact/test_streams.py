"""Reading ahead: the same items in the same order, errors where they are consumed, and no thread left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from facereenact.streams import ahead


def producers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "frames-ahead"]


def until(condition: object, limit_s: float = 5.0) -> bool:
    """Whether a condition came true in time."""
    end = time.monotonic() + limit_s
    while not condition():  # type: ignore[operator]
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    yield
    assert until(lambda: not producers())


@pytest.mark.parametrize("depth", [1, 4])
@pytest.mark.parametrize("count", [0, 1, 50])
def test_every_item_comes_in_order(count: int, depth: int) -> None:
    items = [None if index == 3 else index for index in range(count)]  # None is an item like any other
    assert list(ahead(iter(items), depth=depth)) == items


def test_items_are_made_in_another_thread() -> None:
    names = list(ahead(threading.current_thread().name for _ in range(3)))
    assert set(names) == {"frames-ahead"} != {threading.current_thread().name}


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), MemoryError()])
def test_an_error_comes_after_the_items_before_it(error: BaseException) -> None:
    def items() -> Iterator[int]:
        yield from range(6)
        raise error

    stream = ahead(items(), depth=2)
    assert [next(stream) for _ in range(6)] == list(range(6))
    with pytest.raises(type(error)) as raised:
        next(stream)
    assert raised.value is error


def test_what_cannot_be_iterated_is_an_error_too() -> None:
    with pytest.raises(TypeError):
        list(ahead(3))  # type: ignore[arg-type]


@pytest.mark.parametrize("depth", [1, 3])
def test_no_more_than_the_depth_waits(depth: int) -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for index in range(100):
            made.append(index)
            yield index

    stream = ahead(items(), depth=depth)
    for taken in range(1, 5):
        next(stream)
        assert until(lambda taken=taken: len(made) >= taken + depth)  # ahead as far as it may
        time.sleep(0.05)
        assert len(made) <= taken + depth + 1  # those waiting, and one in hand
    stream.close()  # type: ignore[attr-defined]


def test_closing_early_stops_the_source() -> None:
    made: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            made.append(len(made))
            yield len(made)

    stream = ahead(endless(), depth=2)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert not producers()
    count = len(made)
    time.sleep(0.05)
    assert len(made) == count


def test_an_error_of_the_consumer_stops_the_source() -> None:
    def consume() -> None:
        for index in ahead(iter(range(10**9)), depth=2):
            if index == 5:
                raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        consume()
    assert until(lambda: not producers())


def test_nothing_starts_before_the_first_item_is_asked_for() -> None:
    made: list[int] = []
    stream = ahead(made.append(index) for index in range(3))
    time.sleep(0.02)
    assert made == [] and not producers()
    assert list(stream) == [None] * 3
