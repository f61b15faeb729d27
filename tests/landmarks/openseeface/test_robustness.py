"""What the "corrected" preset finds, with the published networks."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from checkpoints.errors import InputError
from landmarks.openseeface import OpenSeeFaceTracker, Preset
from landmarks.openseeface.presets import RETINAFACE
from landmarks.openseeface.recovery import turned
from tests.landmarks.openseeface.conftest import clip

CLIPS = ("d0", "d13", "m3", "s18", "s20")

Image = NDArray[np.uint8]


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
    matrix, size = turned(image.shape[1], image.shape[0], angle_deg)
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


ALL_CLIPS = (*CLIPS, "d3", "d9", "d11", "d18", "m1", "s13")


def blurred(image: Image) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), image.shape[0] / 64), np.uint8)


def rolled(image: Image) -> Image:
    matrix, size = turned(image.shape[1], image.shape[0], 45)
    return np.asarray(cv2.warpAffine(image, matrix, size), np.uint8)


def far_away(image: Image) -> Image:
    """A fifth as large, in a frame of the same size."""
    small = cv2.resize(image, None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA)
    frame = np.full_like(image, 110)
    frame[10 : 10 + small.shape[0], 20 : 20 + small.shape[1]] = small
    return frame


@pytest.mark.slow
@pytest.mark.parametrize(("spoiled", "least"), [(blurred, 9), (rolled, 11), (far_away, 11)])
def test_a_start_that_the_original_misses_is_seen(
    spoiled: Callable[[Image], Image],
    least: int,
    tracker: OpenSeeFaceTracker,
    models_dir: Path,
    shared_media: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Printed: in how many of eleven first frames each preset sees the face."""
    original = OpenSeeFaceTracker(models_dir, preset="compat")
    found = {"corrected": 0, "compat": 0}
    for name in ALL_CLIPS:
        image = spoiled(next(clip(shared_media, name)))
        for each, preset in ((tracker, "corrected"), (original, "compat")):
            each.reset()
            found[preset] += len(each(image))
    with capsys.disabled():
        print(f"\n{spoiled.__name__}: {found}")
    assert found["corrected"] >= least
    assert found["corrected"] > found["compat"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "away", [0, 1, pytest.param(5, marks=pytest.mark.long), pytest.param(40, marks=pytest.mark.long)]
)
def test_a_face_that_was_lost_or_jumped_is_found_within_two_frames(
    away: int, tracker: OpenSeeFaceTracker, models_dir: Path, shared_media: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It comes back a quarter of the frame aside. Printed: how many frames each preset takes to see it there."""
    original = OpenSeeFaceTracker(models_dir, preset="compat")
    for name in CLIPS if away < 10 else CLIPS[:2]:  # frames without a face take long
        images = [image for _, image in zip(range(20), clip(shared_media, name), strict=False)]
        shift = np.array([images[0].shape[1] // 4, 0], np.float32)
        tracker.reset()
        expected = [tracker(image)[0].points + shift for image in images]
        taken = []
        for each in (tracker, original):
            each.reset()
            for image in [*images[:5], *[np.full_like(images[0], 90)] * away]:
                each(image)
            rows = [each(np.roll(image, int(shift[0]), axis=1)) for image in images[5:]]
            errors = [
                error(row[0].points, points) if row else np.inf for row, points in zip(rows, expected[5:], strict=True)
            ]
            taken.append(next(index for index, each_error in enumerate(errors) if each_error < 0.05))
        with capsys.disabled():
            print(f"\n{name}: away for {away} frames, seen after {taken[0]}, by the original after {taken[1]}", end="")
        assert taken[0] <= 2


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


@pytest.mark.parametrize("model", [0, 3])
def test_a_landmark_model_that_is_not_there_is_named(model: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"lm_model{model}_opt.onnx"):
        OpenSeeFaceTracker(tmp_path, preset=Preset(landmark_model=model))


@pytest.mark.parametrize("model", [-1, 5])
def test_there_are_five_landmark_models(model: int) -> None:
    with pytest.raises(InputError, match=f"no landmark model {model}: choose 0 to 4"):
        Preset(landmark_model=model)


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
