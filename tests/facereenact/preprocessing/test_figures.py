"""The figures of a sequence mean what they say."""

from __future__ import annotations

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest

from facereenact.preprocessing.figures import SAMPLE_EVERY, Looks, blur, close_up, measure, objection, sharpness
from facereenact.preprocessing.settings import PreprocessSettings
from tests.faces import acted, astronaut, hopper


def grey(soft: float = 0.0, light: float = 1.0) -> np.ndarray:
    face = hopper()
    image = np.asarray(cv2.GaussianBlur(face.image, (0, 0), soft)) if soft else face.image
    picture = close_up(np.asarray(image * light, np.uint8), face.landmarks.points[0])
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32)


def test_sharpness_falls_and_blur_rises_as_a_picture_softens() -> None:
    steps = [grey(soft) for soft in (0, 1, 2, 4, 8)]
    assert np.all(np.diff([sharpness(step) for step in steps]) < 0)
    assert np.all(np.diff([blur(step) for step in steps]) > 0)
    assert blur(steps[0]) >= 0 and blur(steps[-1]) <= 1


def test_contrast_is_not_sharpness() -> None:
    assert sharpness(grey(light=0.5)) == pytest.approx(sharpness(grey()), rel=0.1)
    assert blur(grey(light=0.5)) == pytest.approx(blur(grey()), abs=0.05)


def test_blur_agrees_with_the_published_measure() -> None:
    """Ours takes plain differences where scikit-image's takes Sobel's: they differ a little and order alike."""
    from skimage.measure import blur_effect

    ours, theirs = zip(*((blur(each), blur_effect(each)) for each in map(grey, (0, 0.5, 1, 2, 3, 5))), strict=True)
    assert np.corrcoef(ours, theirs)[0, 1] > 0.97


def test_motion_in_one_direction_counts_as_blur() -> None:
    streaked = np.asarray(cv2.blur(grey(), (15, 1)), np.float32)
    assert blur(streaked) > blur(grey()) + 0.2


def test_a_flat_face_is_not_sharp() -> None:
    flat = np.full((128, 128), 90, np.float32)
    assert sharpness(flat) == 0
    assert blur(flat) == 1


@pytest.mark.parametrize("shift_px", [(0, 0), (-300, 0), (400, 400), (0, -500), (5000, 0), (-5000, -5000)])
def test_a_close_up_is_square_wherever_the_face_is(shift_px: tuple[int, int]) -> None:
    face = hopper()
    assert close_up(face.image, face.landmarks.points[0] + np.float32(shift_px)).shape == (128, 128, 3)


def test_a_close_up_shows_the_face_at_any_size() -> None:
    face = hopper()
    points = face.landmarks.points[0]
    large = np.asarray(cv2.resize(face.image, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC), np.uint8)
    small = np.asarray(cv2.resize(face.image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    same = close_up(face.image, points).astype(int)
    assert np.abs(close_up(large, 4 * points + 1.5) - same).mean() < 5
    assert np.abs(close_up(small, 0.5 * points - 0.25) - same).mean() < 8
    middle = same[32:96, 32:96].mean(axis=(0, 1))
    assert middle[0] > middle[2] + 20  # skin, not sky


def test_looks_keep_the_sharpest_picture_of_every_few_frames() -> None:
    face = hopper()
    points = face.landmarks.points[0]
    soft = np.asarray(cv2.GaussianBlur(face.image, (0, 0), 4), np.uint8)
    looks = Looks()
    for index in range(2 * SAMPLE_EVERY + 1):
        looks.add(face.image if index == SAMPLE_EVERY else soft, points)
    assert len(looks.sharpness) == len(looks.blur) == 3
    assert looks.best is not None and (looks.best == close_up(face.image, points)).all()


def test_measures_follow_what_the_face_does() -> None:
    looks = Looks()
    looks.add(hopper().image, hopper().landmarks.points[0])
    turns = np.linspace(-20, 10, 31)
    turned = acted(hopper().landmarks, turn_deg=np.stack([np.zeros(31), turns, np.zeros(31)], axis=1))
    figures = measure(turned, looks)
    assert figures.detected == 1
    assert figures.turn_deg == pytest.approx(30, abs=1.5)
    assert figures.yaw_max_deg - figures.yaw_min_deg == figures.turn_deg
    assert figures.face_px == pytest.approx(np.ptp(hopper().landmarks.points[0], axis=0).max(), rel=0.05)


def test_jitter_is_the_acceleration_in_eye_distances() -> None:
    still = acted(hopper().landmarks, shift_px=np.zeros((30, 2)))
    eyes_px = float(still.eye_distance_px[0])
    zigzag = np.zeros((30, 2))
    zigzag[::2, 0] = 0.01 * eyes_px
    looks = Looks()
    looks.add(hopper().image, still.points[0])
    assert measure(still, looks).jitter == 0
    assert measure(acted(hopper().landmarks, shift_px=zigzag), looks).jitter == pytest.approx(0.02, rel=0.01)
    assert measure(still[:2], looks).jitter == 0


def test_frames_without_a_face_count_for_nothing_else() -> None:
    track = acted(astronaut().landmarks, shift_px=np.zeros((10, 2)))
    seen = np.arange(10) % 2 == 0
    gone = replace(track, detected=seen, points=np.where(seen[:, None, None], track.points, 0).astype(np.float32))
    looks = Looks()
    looks.add(astronaut().image, track.points[0])
    figures = measure(gone, looks)
    assert figures.detected == 0.5
    assert figures.face_px == measure(track, looks).face_px
    assert figures.jitter == 0  # no three frames in a row


@pytest.mark.parametrize(
    "name", [each.name for each in fields(PreprocessSettings) if each.name[:4] in ("min_", "max_")]
)
def test_each_limit_that_a_setting_offers_objects(name: str) -> None:
    side, _, figure = name.partition("_")
    bounds = PreprocessSettings(**{name: 0.5}).bounds
    within, beyond = (0.6, 0.4) if side == "min" else (0.4, 0.6)
    assert bounds == {name: 0.5}
    assert objection({figure: within}, bounds) == "" == objection({figure: 0.5}, bounds)
    word = "below" if side == "min" else "above"
    assert objection({figure: beyond}, bounds) == f"{figure} {beyond} is {word} 0.5"
