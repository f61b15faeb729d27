"""Where a face is looked for that the detector does not see at first, and how often."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from landmarks.openseeface import OpenSeeFaceTracker
from landmarks.openseeface.recovery import Recovery, tile_starts
from landmarks.openseeface.regression import Regression
from tests.landmarks.openseeface.conftest import clip
from tests.landmarks.openseeface.test_robustness import far_away, rolled

Image = NDArray[np.uint8]


def looked_at(size: tuple[int, int], turn: int | None) -> list[bytes]:
    """The views of a turn in a frame of noise."""
    image = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    views: list[bytes] = []

    def look(view: Image) -> list[Regression]:
        views.append(view.tobytes())
        return []

    assert Recovery()(image, look, turn=turn) == []
    return views


@pytest.mark.parametrize("size", [(512, 512), (640, 360), (200, 150)])
def test_two_turns_show_all_of_a_frame_that_is_not_large(size: tuple[int, int]) -> None:
    everything = looked_at(size, None)
    for turn in (0, 1, 7):
        assert sorted(looked_at(size, turn) + looked_at(size, turn + 1)) == sorted(everything)


def test_a_large_frame_takes_more_turns_and_none_takes_long() -> None:
    size = (1920, 1080)
    everything, turns = looked_at(size, None), [looked_at(size, turn) for turn in range(20)]
    assert len(everything) > 100
    assert {len(views) for views in turns[::2]} == {len(Recovery.angles_deg)}
    assert {len(views) for views in turns[1::2]} == {Recovery.tiles_at_once}
    assert {view for views in turns for view in views} == set(everything)


def test_it_ends_with_the_first_view_that_shows_a_face() -> None:
    calls = []

    def look(view: Image) -> list[Regression]:
        calls.append(view.shape)
        return [Regression(np.zeros((66, 2), np.float32), np.ones(66, np.float32))] if len(calls) == 7 else []

    (face,) = Recovery()(np.zeros((512, 512, 3), np.uint8), look, turn=None)
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
@pytest.mark.parametrize("away", [1, 2, 5, 6])
def test_a_face_that_comes_back_turned_or_small_is_found_within_two_frames(
    spoiled: object, away: int, models_dir: Path, shared_media: Path
) -> None:
    assert callable(spoiled)
    tracker = OpenSeeFaceTracker(models_dir)
    image = next(clip(shared_media, "d3"))
    for picture in [image, image, *[np.full_like(image, 90)] * away]:
        tracker(picture)
    assert any(tracker(spoiled(image)) for _ in range(2))
