"""The pose type: what it refuses, slicing, sequences that a script makes."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from body import PoseSequence
from body.types import ARRAYS, POINT_COUNT
from tests.body.figures import figure


@pytest.fixture
def sequence() -> PoseSequence:
    return figure(6)


@pytest.mark.parametrize("name", ARRAYS)
def test_every_array_must_have_the_common_frame_count(sequence: PoseSequence, name: str) -> None:
    with pytest.raises(ValueError, match="has shape"):
        replace(sequence, **{name: getattr(sequence, name)[:-1]})


@pytest.mark.parametrize(("name", "shape"), [("points", (6, 133, 2)), ("points", (6, 134, 3)), ("scores", (6, 18))])
def test_every_array_must_have_its_shape(sequence: PoseSequence, name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"{name} has shape"):
        replace(sequence, **{name: np.zeros(shape, np.float32)})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"timestamps_s": np.array([0, 1, 2, 3, 3, 4.0])}, "increase"),
        ({"scores": np.full((6, POINT_COUNT), 1.5, np.float32)}, "from 0 to 1"),
        ({"points": np.full((6, POINT_COUNT, 2), np.nan, np.float32)}, "no finite numbers"),
        ({"size": (0, 10)}, "size"),
    ],
)
def test_values_that_make_no_sense_are_refused(
    sequence: PoseSequence, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        replace(sequence, **changes)  # type: ignore[arg-type]


def test_no_frames_are_refused(sequence: PoseSequence) -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        sequence[3:3]


@pytest.mark.parametrize("part", [slice(2, 4), slice(-1, None), slice(None, None, 2)])
def test_a_slice_holds_the_same_frames(sequence: PoseSequence, part: slice) -> None:
    sliced = sequence[part]
    assert (sliced.size, sliced.estimator) == (sequence.size, sequence.estimator)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(sliced, name), getattr(sequence, name)[part])


def test_one_frame_is_taken_as_a_slice(sequence: PoseSequence) -> None:
    with pytest.raises(TypeError, match="sliced"):
        sequence[2]  # type: ignore[index]


def test_iterating_gives_every_frame_once(sequence: PoseSequence) -> None:
    frames = list(sequence)
    assert [len(frame) for frame in frames] == [1] * 6
    np.testing.assert_array_equal(np.concatenate([frame.points for frame in frames]), sequence.points)


def test_a_sequence_cannot_be_changed(sequence: PoseSequence) -> None:
    with pytest.raises(FrozenInstanceError):
        sequence.size = (1, 1)  # type: ignore[misc]


def test_resizing_scales_the_points(sequence: PoseSequence) -> None:
    resized = sequence.resized((800, 1000))
    assert resized.size == (800, 1000)
    np.testing.assert_allclose(resized.points, 2 * sequence.points)


def test_a_script_makes_a_sequence_of_bodies() -> None:
    points = np.arange(3 * 18 * 2, dtype=float).reshape(3, 18, 2)
    points[1, 4] = np.nan
    points[2] = np.nan
    sequence = PoseSequence.from_points(points, (64, 48), rate=50)
    np.testing.assert_array_equal(sequence.points[0, :18], points[0])
    np.testing.assert_allclose(sequence.timestamps_s, [0, 0.02, 0.04])
    assert sequence.detected.tolist() == [True, True, False]
    assert sequence.visible.sum(axis=1).tolist() == [18, 17, 0] and not sequence.visible[1, 4]


@pytest.mark.parametrize("shape", [(18, 2), (3, 17, 2), (3, 18, 3)])
def test_points_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected \(frames, 18 or 134, 2\)"):
        PoseSequence.from_points(np.zeros(shape), (64, 48))
