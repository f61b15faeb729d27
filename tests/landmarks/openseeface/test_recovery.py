"""Where a face is looked for that the detector does not see at first, and how often."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facereenact.track_processes import WARM_UP
from landmarks.openseeface import OpenSeeFaceTracker
from landmarks.openseeface.recovery import Recovery, tile_starts
from landmarks.openseeface.regression import Regression
from tests.landmarks.openseeface.conftest import clip
from tests.landmarks.openseeface.test_robustness import far_away, rolled

Image = NDArray[np.uint8]


def looked_at(size: tuple[int, int], round_index: int | None) -> list[bytes]:
    """The views of a round in a frame of noise."""
    image = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    views: list[bytes] = []

    def look(view: Image) -> list[Regression]:
        views.append(view.tobytes())
        return []

    assert Recovery()(image, look, round_index=round_index) == []
    return views


@pytest.mark.parametrize("size", [(512, 512), (640, 360), (200, 150)])
def test_a_round_shows_all_of_a_frame_that_is_not_large(size: tuple[int, int]) -> None:
    everything = looked_at(size, None)
    for round_index in (0, 1, 7):
        assert looked_at(size, round_index) == everything


@pytest.mark.parametrize("size", [(854, 480), (1920, 1080), (1080, 1920)])
def test_a_large_frame_takes_some_rounds(size: tuple[int, int]) -> None:
    everything, rounds = looked_at(size, None), [looked_at(size, index) for index in range(Recovery.rounds)]
    assert {view for views in rounds for view in views} == set(everything)
    assert max(map(len, rounds)) < 0.7 * len(everything)
    for views in rounds:
        assert views[: len(Recovery.angles_deg)] == everything[: len(Recovery.angles_deg)]
    assert looked_at(size, 5 * 2 * 3) == rounds[0]


def test_all_was_looked_at_before_a_part_of_a_video_that_is_tracked_apart_begins() -> None:
    assert Recovery.rounds * Recovery.later_every <= WARM_UP


def test_it_ends_with_the_first_view_that_shows_a_face() -> None:
    calls = []

    def look(view: Image) -> list[Regression]:
        calls.append(view.shape)
        return [Regression(np.zeros((66, 2), np.float32), np.ones(66, np.float32))] if len(calls) == 7 else []

    (face,) = Recovery()(np.zeros((512, 512, 3), np.uint8), look, round_index=None)
    assert len(calls) == 7  # five turned frames, the second part
    np.testing.assert_allclose(face.points, np.tile([[192.0, 0.0]], (66, 1)), atol=1e-4)


@pytest.mark.parametrize("length", [1, 100, 320, 321, 700, 1920])
def test_tiles_cover_every_pixel(length: int) -> None:
    starts = tile_starts(length, 320, 0.25)
    covered = np.zeros(length, bool)
    for start in starts:
        covered[start : start + 320] = True
    assert covered.all()
    assert all(b - a <= 0.75 * 320 for a, b in pairwise(starts))


@pytest.mark.slow
@pytest.mark.parametrize("spoiled", [rolled, far_away])
@pytest.mark.parametrize(("away", "most"), [(1, 2), (2, 2), (5, 2), (6, 2), (16, 5), (18, 5), (41, 5)])
def test_a_face_that_comes_back_turned_or_small_is_found_soon(
    spoiled: Callable[[Image], Image], away: int, most: int, models_dir: Path, shared_media: Path
) -> None:
    tracker = OpenSeeFaceTracker(models_dir)
    image = next(clip(shared_media, "d3"))
    for picture in [image, image, *[np.full_like(image, 90)] * away]:
        tracker.points(picture)
    assert any(tracker.points(spoiled(image)) for _ in range(most))


@pytest.mark.slow
@pytest.mark.parametrize("place", [(1800, 900), pytest.param((900, 950), marks=pytest.mark.long)])
def test_a_small_face_in_a_large_frame_is_found_within_three_rounds(
    place: tuple[int, int], models_dir: Path, shared_media: Path
) -> None:
    tracker = OpenSeeFaceTracker(models_dir)
    image = next(clip(shared_media, "d3"))
    small = cv2.resize(image, None, fx=0.1, fy=0.1, interpolation=cv2.INTER_AREA)
    blank = np.full((1080, 1920, 3), 90, np.uint8)
    frame = blank.copy()
    frame[place[1] : place[1] + 51, place[0] : place[0] + 51] = small
    for picture in [blank] * 16:
        tracker.points(picture)
    assert any(tracker.points(frame) for _ in range(Recovery.rounds * Recovery.later_every))
