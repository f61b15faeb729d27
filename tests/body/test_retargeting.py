"""Retargeting: nothing changes on one's own first frame; feet stand, heads stay in the picture, missing parts."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from body import PoseSequence
from body.retargeting import HEAD_SIDE, Retargeter, find_similar_frame
from body.skeleton import ANKLES, FEET, HIPS, KNEES
from body.types import LEFT_ANKLE, LEFT_SHOULDER, NECK, NOSE, RIGHT_ANKLE, RIGHT_SHOULDER
from checkpoints.errors import InputError
from tests.body.figures import changed, figure, without

LEGS = (*KNEES, *ANKLES, *FEET)
DRIVER = figure(60, stepping_px=40)
DRIVERS = {
    "whole": DRIVER,
    "comes nearer": figure(60, zoom=1.3, ground=(200, 380)),
    "half length": without(figure(60, ground=(200, 600), zoom=1.2), LEGS),
    "bust": without(figure(60, ground=(200, 700)), LEGS, HIPS),
    "leaves the picture": figure(60, stepping_px=400),
}
CHILD = {"torso": 80.0, "upper_arm": 45.0, "forearm": 38.0, "thigh": 52.0, "shin": 48.0, "head": 16.0}


def bounds(sequence: PoseSequence, point: int, axis: int) -> tuple[float, float]:
    values = sequence.points[:, point, axis]
    return float(values.min()), float(values.max())


@pytest.mark.parametrize("frame", [0, 25])
@pytest.mark.parametrize("name", DRIVERS)
def test_on_its_own_frame_a_sequence_does_not_change(name: str, frame: int) -> None:
    driver = DRIVERS[name]
    retargeter = Retargeter(driver, driver[frame : frame + 1])
    result = retargeter(driver)
    assert retargeter.neutral_frame == frame
    assert np.abs(result.points - driver.points)[driver.visible].max() < 0.5
    np.testing.assert_array_equal(result.scores, driver.scores)


@pytest.mark.parametrize("shown", [slice(0, 1), slice(20, 60), slice(50, 60)])
def test_legs_that_come_and_go_stay_as_they_are_on_an_own_frame(shown: slice) -> None:
    scores = np.zeros_like(DRIVER.scores)
    scores[shown] = DRIVER.scores[shown]
    scores[:, [each for each in range(134) if each not in LEGS]] = 1
    driver = changed(DRIVER, scores=scores)
    result = Retargeter(driver, driver[:1])(driver)
    assert np.abs(result.points - driver.points)[driver.visible].max() < 0.5
    np.testing.assert_array_equal(result.visible, driver.visible)


@pytest.mark.parametrize("name", DRIVERS)
def test_a_source_twice_the_size_and_moved_gives_the_same_motion_scaled(name: str) -> None:
    driver = DRIVERS[name]
    source = changed(driver[:1], points=2 * driver.points[:1] + (1000, 300), size=(2800, 1600))
    result = Retargeter(driver, source)(driver)
    assert result.size == (2800, 1600)
    assert np.abs(result.points - (2 * driver.points + (1000, 300)))[driver.visible].max() < 0.5


def test_parts_of_a_sequence_give_parts_of_the_result() -> None:
    driver, source = figure(60, zoom=1.4), figure(1, **CHILD)
    retargeter = Retargeter(driver, source)
    whole = retargeter(driver)
    np.testing.assert_allclose(retargeter(driver[20:30]).points, whole.points[20:30], atol=1e-3)
    np.testing.assert_array_equal(whole.timestamps_s, driver.timestamps_s)


def test_the_result_has_the_sources_proportions_and_the_drivers_directions() -> None:
    result = Retargeter(DRIVER, figure(1, **CHILD))(DRIVER)
    for start, end, kind in ((2, 3, "upper_arm"), (3, 4, "forearm"), (11, 12, "thigh"), (12, 13, "shin")):
        bone, own = (points[:, end] - points[:, start] for points in (result.points, DRIVER.points))
        assert np.linalg.norm(bone, axis=1).max() == pytest.approx(CHILD[kind], rel=0.08)
        turn = np.degrees(np.arctan2(*bone.T) - np.arctan2(*own.T))
        assert np.abs(turn).max() < 0.1


@pytest.mark.parametrize("lengths", [CHILD, {"thigh": 110.0, "shin": 100.0}])
def test_feet_that_stand_in_the_driver_stand_on_the_sources_ground(lengths: dict[str, float]) -> None:
    driver, source = figure(60), figure(1, ground=(260, 480), **lengths)
    result = Retargeter(driver, source)(driver)
    for ankle in (LEFT_ANKLE, RIGHT_ANKLE):
        low, high = bounds(result, ankle, 1)
        assert abs(low - source.points[0, ankle, 1]) < 2 and high - low < 2  # neither floats nor sinks
        assert np.ptp(result.points[:, ankle, 0]) < 7  # as the driver's thighs and shins differ from the source's
    assert np.ptp(result.points[:, NECK, 1]) > 10  # while the knees bend


def test_one_frame_in_mid_air_does_not_lift_the_figure() -> None:
    points = DRIVER.points.copy()
    jump = find_similar_frame(DRIVER, figure(1, **CHILD))[0]
    points[jump] -= (0, 60)
    source = figure(1, **CHILD)
    result = Retargeter(changed(DRIVER, points=points), source)(DRIVER)
    ground = source.points[0, LEFT_ANKLE, 1]
    assert np.median(result.points[:, LEFT_ANKLE, 1]) == pytest.approx(ground, abs=6)


@pytest.mark.parametrize("x", [120, 280])
def test_somebody_who_walks_far_stays_in_the_picture(x: float) -> None:
    driver = figure(60, size=(1600, 500), ground=(100, 450), stepping_px=1300)
    source = figure(1, ground=(x, 450), torso=115)
    result = Retargeter(driver, source)(driver)
    for point in (NOSE, NECK):
        low, high = bounds(result, point, 0)
        assert low > -5 and high < source.size[0] + 5
    assert np.ptp(result.points[:, NECK, 0]) > 200  # and still walks
    aside = HEAD_SIDE * np.linalg.norm(result.points[:, NOSE] - result.points[:, NECK], axis=1)
    for side in (-aside, aside):  # of the head
        at = result.points[:, NOSE, 0] + side
        assert at.min() > -5 and at.max() < source.size[0] + 5


def test_somebody_who_comes_near_keeps_head_and_feet_in_the_picture() -> None:
    driver = figure(80, size=(800, 1000), ground=(400, 700), zoom=1.6)
    source = figure(1, ground=(200, 470), torso=125)
    assert source.points[..., 1].min() > 20
    result = Retargeter(driver, source)(driver)
    assert result.points[:, NOSE, 1].min() > 0
    assert result.points[:, list(ANKLES), 1].max() < source.size[1] * 1.02


def test_arms_may_leave_the_picture_and_do_not_hold_the_figure_back() -> None:
    source = figure(1, size=(150, 500), ground=(75, 450))
    result = Retargeter(DRIVER, source)(figure(60))
    assert bounds(result, 4, 0)[0] < 0 and np.ptp(result.points[:, NECK, 1]) > 10


def test_a_half_length_source_takes_the_upper_body_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "body")
    source = without(figure(1, size=(400, 300), ground=(200, 430)), LEGS)
    retargeter = Retargeter(DRIVER, source)
    result = retargeter(DRIVER)
    assert retargeter.legs == "left out" and "the upper body alone" in caplog.text
    assert not result.visible[:, list(LEGS)].any() and result.visible[:, [NECK, *HIPS, 4, 7]].all()
    np.testing.assert_allclose(result.points[0, list(HIPS)], source.points[0, list(HIPS)], atol=12)


def test_a_bust_shows_no_hips_and_is_held_by_its_neck() -> None:
    source = without(figure(1, size=(400, 200), ground=(200, 430)), LEGS, HIPS)
    result = Retargeter(DRIVER, source)(DRIVER)
    assert not result.visible[:, [*HIPS, *LEGS]].any()
    np.testing.assert_allclose(result.points[0, NECK], source.points[0, NECK], atol=12)


def test_zoom_does_not_shrink_a_half_length_figure() -> None:
    """It would come loose from the border of the picture that cuts it off."""
    driver = without(figure(60, zoom=0.6, bending=0), LEGS)
    source = without(figure(1, size=(400, 300), ground=(200, 430), torso=100, shoulders=80), LEGS)
    result = Retargeter(driver, source)(driver)
    width = np.linalg.norm(result.points[:, LEFT_SHOULDER] - result.points[:, RIGHT_SHOULDER], axis=1)
    assert width.min() > 0.9 * 80
    assert np.ptp(result.points[:, 8, 1]) < 25


def test_a_driver_without_legs_leaves_the_sources_legs_standing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "body")
    driver, source = without(figure(60, stepping_px=60), LEGS), figure(1, **CHILD)
    retargeter = Retargeter(driver, source)
    result = retargeter(driver)
    assert retargeter.legs == "still" and "stay where they are" in caplog.text
    held = [*HIPS, *LEGS]
    np.testing.assert_allclose(result.points[:, held], np.repeat(source.points[:, held], 60, axis=0), atol=1e-3)
    assert result.visible[:, held].all() and np.ptp(result.points[:, 4, 1]) > 20


def test_a_bust_over_legs_that_stand_leans_but_does_not_walk_away() -> None:
    driver, source = without(figure(60, stepping_px=150), LEGS, HIPS), figure(1, **CHILD)
    result = Retargeter(driver, source)(driver)
    lean = np.linalg.norm(result.points[:, NECK] - source.points[0, NECK], axis=1)
    assert 5 < lean.max() < 0.35 * CHILD["torso"]
    np.testing.assert_allclose(result.points[30, LEFT_ANKLE], source.points[0, LEFT_ANKLE], atol=1e-3)


def test_without_shoulders_nothing_can_be_done() -> None:
    hidden = without(figure(1), LEFT_SHOULDER, NECK)
    with pytest.raises(InputError, match="the source does not show both shoulders"):
        Retargeter(DRIVER, hidden)
    with pytest.raises(InputError, match="the driver does not show both shoulders"):
        Retargeter(without(DRIVER, LEFT_SHOULDER, NECK), figure(1))


def test_a_source_is_one_frame() -> None:
    with pytest.raises(ValueError, match="one frame, not 2"):
        Retargeter(DRIVER, DRIVER[:2])


def test_the_most_similar_frame_is_found_whatever_its_size_and_place() -> None:
    source = changed(DRIVER[37:38], points=0.4 * DRIVER.points[37:38] + (30, 90))
    index, unlikeness, scale = find_similar_frame(DRIVER, source)
    assert index == 37 and scale == pytest.approx(0.4, abs=1e-3) and unlikeness[37] < 1e-3


def test_frames_without_the_person_are_not_compared() -> None:
    detected = DRIVER.detected.copy()
    detected[37] = False
    assert find_similar_frame(changed(DRIVER, detected=detected), DRIVER[37:38])[0] != 37


@pytest.mark.slow
@pytest.mark.parametrize("name", ["s13", "dance", "s20"])
def test_a_real_track_does_not_change_on_its_own_first_frame(name: str, shared_media: Path) -> None:
    from body.estimators import open_estimator
    from body.smoothing import SMOOTHERS, fill_gaps
    from body.tracking import track
    from facereenact.video import VideoReader

    estimator = open_estimator("mediapipe")
    frames = VideoReader(shared_media / "people" / f"{name}.mp4", end_s=0.4)
    sequence = SMOOTHERS["normal"](fill_gaps(track(((f.image, f.timestamp_s) for f in frames), estimator)))
    estimator.close()
    result = Retargeter(sequence, sequence[:1])(sequence)
    assert np.abs(result.points - sequence.points)[sequence.visible].max() < 0.5
    np.testing.assert_array_equal(result.visible, sequence.visible)
