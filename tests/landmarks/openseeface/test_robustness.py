"""What the "corrected" preset finds, with the published networks."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from landmarks.openseeface import PRESETS, OpenSeeFaceTracker, Preset
from landmarks.openseeface.presets import RETINAFACE
from landmarks.openseeface.recovery import tile_starts, turn
from tests.landmarks.openseeface.conftest import clip

CLIPS = ("d0", "d13", "m3", "s18", "s20")


@pytest.fixture(scope="module")
def tracker(models_dir: Path) -> OpenSeeFaceTracker:
    return OpenSeeFaceTracker(models_dir)


def error(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Mean distance in distances of the outer eye corners."""
    return float(np.linalg.norm(found - expected, axis=1)[:66].mean() / np.linalg.norm(expected[45] - expected[36]))


@pytest.mark.slow
@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("angle_deg", [30, 60, -60, 90, 180])
def test_a_rolled_face_is_found(name: str, angle_deg: float, tracker: OpenSeeFaceTracker, shared_media: Path) -> None:
    image = next(clip(shared_media, name))
    tracker.reset()
    upright = tracker(image)[0]
    matrix, size = turn(image.shape[1], image.shape[0], angle_deg)
    tracker.reset()
    (face,) = tracker(np.asarray(cv2.warpAffine(image, matrix, size), np.uint8))
    assert error(face.points, upright.points @ matrix[:, :2].T + matrix[:, 2]) < 0.08


@pytest.mark.slow
@pytest.mark.parametrize("name", CLIPS)
def test_a_face_of_24_pixels_is_found(name: str, tracker: OpenSeeFaceTracker, shared_media: Path) -> None:
    image = next(clip(shared_media, name))
    tracker.reset()
    large = tracker(image)[0]
    scale = 24 / float(large.box_xywh[2])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    frame = np.full((720, 1280, 3), 110, np.uint8)
    frame[300 : 300 + small.shape[0], 700 : 700 + small.shape[1]] = small
    tracker.reset()
    (face,) = tracker(frame)
    assert error(face.points, large.points * scale + (700, 300)) < 0.04


def test_a_cut_between_clips_loses_no_frame(tracker: OpenSeeFaceTracker, shared_media: Path) -> None:
    tracker.reset()
    for name in ("d0", "d13", "s18", "m3"):
        for _, image in zip(range(4), clip(shared_media, name), strict=False):
            assert len(tracker(image)) == 1


def test_the_same_frames_give_the_same_numbers(tracker: OpenSeeFaceTracker, shared_media: Path) -> None:
    images = [image for _, image in zip(range(6), clip(shared_media, "m3"), strict=False)]
    runs = []
    for _ in range(2):
        tracker.reset()
        runs.append([tracker(image)[0] for image in images])
    for first, second in zip(*runs, strict=True):
        for name in ("points", "scores", "rotation", "points_3d", "features"):
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
        assert 0 <= first.scores.min() <= first.scores.max() <= 1


@pytest.mark.parametrize("preset", [Preset(max_faces=3), Preset(max_faces=3, detector=RETINAFACE)])
def test_two_faces_are_found(preset: Preset, models_dir: Path, shared_media: Path) -> None:
    left, right = (cv2.resize(next(clip(shared_media, name)), (400, 400)) for name in ("d0", "m3"))
    faces = OpenSeeFaceTracker(models_dir, preset=preset)(np.hstack([left, right]).astype(np.uint8))
    middles = sorted(float(face.points[30, 0]) for face in faces)
    assert len(middles) == 2
    assert middles[0] < 400 < middles[1]


def test_nothing_is_found_where_nothing_is(tracker: OpenSeeFaceTracker) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (360, 640, 3), dtype=np.uint8)
    for image in (np.zeros((360, 640, 3), np.uint8), noise, np.full((40, 30, 3), 200, np.uint8)):
        tracker.reset()
        assert tracker(image) == []


@pytest.mark.parametrize("length", [1, 100, 320, 321, 700, 1920])
def test_tiles_cover_every_pixel(length: int) -> None:
    starts = tile_starts(length, 320, 0.25)
    covered = np.zeros(length, bool)
    for start in starts:
        covered[start : start + 320] = True
    assert covered.all()
    assert PRESETS["corrected"].recovery is not None
