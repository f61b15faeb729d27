"""The landmark type: what it refuses, slicing, what follows from the points."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from landmarks import LandmarkSequence
from landmarks.types import ARRAYS
from tests.faces import acted, hopper


@pytest.fixture
def sequence() -> LandmarkSequence:
    return acted(hopper().landmarks, turn_deg=[(0, 3 * k, 0) for k in range(6)])


@pytest.mark.parametrize("name", ARRAYS)
def test_every_array_must_have_the_common_frame_count(sequence: LandmarkSequence, name: str) -> None:
    with pytest.raises(ValueError, match="has shape"):
        replace(sequence, **{name: getattr(sequence, name)[:-1]})


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("points", (6, 66, 2)),
        ("points", (6, 68, 3)),
        ("scores", (6, 66)),
        ("rotation", (6, 3, 3)),
        ("detected", (6, 1)),
    ],
)
def test_every_array_must_have_its_shape(sequence: LandmarkSequence, name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"{name} has shape"):
        replace(sequence, **{name: np.zeros(shape, np.float32)})


@pytest.mark.parametrize("times", [[0, 1, 2, 3, 3, 4], [0, 1, 2, 4, 3, 5]])
def test_times_must_increase(sequence: LandmarkSequence, times: list[float]) -> None:
    with pytest.raises(ValueError, match="increase"):
        replace(sequence, timestamps_s=np.array(times, float))


def test_no_frames_and_no_picture_are_refused(sequence: LandmarkSequence) -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        sequence[3:3]
    with pytest.raises(ValueError, match="size"):
        replace(sequence, size=(0, 10))


@pytest.mark.parametrize("part", [slice(2, 4), slice(-1, None), slice(None, None, 2)])
def test_a_slice_holds_the_same_frames(sequence: LandmarkSequence, part: slice) -> None:
    sliced = sequence[part]
    assert (sliced.size, sliced.tracker) == (sequence.size, sequence.tracker)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(sliced, name), getattr(sequence, name)[part])


def test_one_frame_is_taken_as_a_slice(sequence: LandmarkSequence) -> None:
    with pytest.raises(TypeError, match="sliced"):
        sequence[2]  # type: ignore[index]


def test_iterating_gives_every_frame_once(sequence: LandmarkSequence) -> None:
    frames = list(sequence)
    assert [len(frame) for frame in frames] == [1] * len(sequence) == [1] * 6
    np.testing.assert_array_equal(np.concatenate([frame.points for frame in frames]), sequence.points)


def test_a_sequence_cannot_be_changed(sequence: LandmarkSequence) -> None:
    with pytest.raises(FrozenInstanceError):
        sequence.size = (1, 1)  # type: ignore[misc]


def test_the_mean_score_is_that_of_the_seen_frames(sequence: LandmarkSequence) -> None:
    scores = np.zeros((6, 68), np.float32)
    scores[1:3] = 0.5
    seen = np.array([False, True, True, False, False, False])
    assert replace(sequence, scores=scores, detected=seen).mean_score == pytest.approx(0.5)
    assert replace(sequence, detected=np.zeros(6, bool)).mean_score == 0


def test_the_eye_distance_is_that_of_the_outer_corners(sequence: LandmarkSequence) -> None:
    points = np.zeros((6, 68, 2), np.float32)
    points[:, 36], points[:, 45] = (10, 20), (13, 24)
    np.testing.assert_allclose(replace(sequence, points=points).eye_distance_px, 5)
