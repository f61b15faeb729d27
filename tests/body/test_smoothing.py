"""Gaps are filled, jitter goes, gestures keep their reach, nothing lags."""

from __future__ import annotations

import numpy as np
import pytest

from body import PoseSequence
from body.smoothing import LONGEST_GAP_S, SMOOTHERS, fill_gaps, torso_px
from body.types import LEFT_HAND, LEFT_WRIST, NOSE, RIGHT_WRIST
from tests.body.figures import LENGTHS, changed, figure


def hidden(sequence: PoseSequence, part: int | slice, frames: slice) -> PoseSequence:
    """The sequence in which some points are out of sight, and wrong, for some frames."""
    scores, points = sequence.scores.copy(), sequence.points.copy()
    scores[frames, part], points[frames, part] = 0, 999
    return changed(sequence, scores=scores, points=points)


def lost(sequence: PoseSequence, frames: slice) -> PoseSequence:
    detected = sequence.detected.copy()
    detected[frames] = False
    return changed(hidden(sequence, slice(None), frames), detected=detected)


def test_frames_without_the_person_are_interpolated() -> None:
    sequence = figure(40)
    filled = fill_gaps(lost(sequence, slice(10, 14)))
    share = (sequence.timestamps_s[11] - sequence.timestamps_s[9]) / (
        sequence.timestamps_s[14] - sequence.timestamps_s[9]
    )
    expected = (1 - share) * sequence.points[9] + share * sequence.points[14]
    np.testing.assert_allclose(filled.points[11], expected, atol=1e-3)
    assert filled.visible.all() and not filled.detected[10:14].any()
    np.testing.assert_array_equal(filled.points[:10], sequence.points[:10])


def test_before_the_first_and_after_the_last_sight_values_hold() -> None:
    sequence = figure(20)
    filled = fill_gaps(lost(lost(sequence, slice(0, 3)), slice(18, None)))
    np.testing.assert_array_equal(filled.points[:3], np.repeat(sequence.points[3:4], 3, axis=0))
    np.testing.assert_array_equal(filled.points[18:], np.repeat(sequence.points[17:18], 2, axis=0))


def test_a_hand_out_of_sight_for_a_moment_moves_with_its_wrist() -> None:
    sequence = figure(40, stepping_px=60)
    filled = fill_gaps(hidden(sequence, LEFT_HAND, slice(10, 20)))
    assert filled.visible.all()
    inner = filled.points[10:20, LEFT_HAND] - filled.points[10:20, [LEFT_WRIST]]
    borders = [sequence.points[i, LEFT_HAND] - sequence.points[i, LEFT_WRIST] for i in (9, 20)]
    share = (np.arange(1, 11) / 11)[:, None, None]
    np.testing.assert_allclose(inner, (1 - share) * borders[0] + share * borders[1], atol=1e-3)


def test_after_a_long_absence_a_point_stays_unseen() -> None:
    frames = int(2 * LONGEST_GAP_S * 25)
    sequence = figure(frames + 40)
    filled = fill_gaps(hidden(sequence, RIGHT_WRIST, slice(20, 20 + frames)))
    assert not filled.visible[20 : 20 + frames, RIGHT_WRIST].any()
    assert np.linalg.norm(np.diff(filled.points[:, RIGHT_WRIST], axis=0), axis=1).max() < 20  # but it does not jump


def test_a_point_that_flashes_up_is_no_sight() -> None:
    sequence = hidden(hidden(figure(120), LEFT_HAND, slice(10, 60)), LEFT_HAND, slice(61, 110))
    filled = fill_gaps(sequence)
    assert sequence.visible[60, LEFT_HAND].all() and not filled.visible[10:110, LEFT_HAND].any()


def test_a_point_never_seen_stays_as_it_is() -> None:
    sequence = hidden(figure(10), LEFT_HAND, slice(None))
    filled = fill_gaps(sequence)
    np.testing.assert_array_equal(filled.points, sequence.points)
    np.testing.assert_array_equal(filled.scores, sequence.scores)


def test_filling_twice_is_filling_once() -> None:
    sequence = hidden(lost(figure(90), slice(5, 9)), LEFT_HAND, slice(20, 60))
    once = fill_gaps(sequence)
    np.testing.assert_allclose(fill_gaps(once).points, once.points, atol=1e-4)


def test_a_single_picture_is_left_alone() -> None:
    one = figure(1)
    smooth = SMOOTHERS["strong"](fill_gaps(one))
    np.testing.assert_allclose(smooth.points, one.points, atol=1e-4)


@pytest.mark.parametrize("name", SMOOTHERS)
def test_jitter_goes_and_a_still_person_stays(name: str) -> None:
    still = figure(80, waving=0, bending=0)
    noise = np.random.default_rng(1).normal(0, 0.4, still.points.shape)  # of a torso of 110 px: what estimators do
    smooth = SMOOTHERS[name](changed(still, points=still.points + noise))
    before, after = (np.diff(points, 2, axis=0).std() for points in (still.points + noise, smooth.points))
    assert after < {"light": 0.7, "normal": 0.25, "strong": 0.08}[name] * before
    assert np.abs(smooth.points - still.points).mean() < 0.8


def test_a_fast_gesture_keeps_its_reach_and_its_time() -> None:
    sequence = figure(75, waving=1.5)
    smooth = SMOOTHERS["normal"](sequence)
    height, smoothed = sequence.points[:, RIGHT_WRIST, 1], smooth.points[:, RIGHT_WRIST, 1]
    assert np.ptp(smoothed) > 0.95 * np.ptp(height)
    shifts = [np.abs(smoothed[5:-5] - height[5 + k : len(height) - 5 + k]).mean() for k in range(-3, 4)]
    assert int(np.argmin(shifts)) == 3  # none: the filter is symmetric


def test_smoothing_is_the_same_backwards() -> None:
    sequence = figure(30)
    backwards = changed(sequence, points=sequence.points[::-1])
    forwards = SMOOTHERS["normal"](sequence).points
    np.testing.assert_allclose(SMOOTHERS["normal"](backwards).points[::-1], forwards, atol=1e-3)


def test_smoothing_does_not_depend_on_the_size_of_the_picture() -> None:
    sequence = figure(30)
    doubled = SMOOTHERS["normal"](sequence.resized((800, 1000)))
    np.testing.assert_allclose(doubled.points, 2 * SMOOTHERS["normal"](sequence).points, atol=1e-2)


def test_the_torso_is_measured_from_what_is_seen() -> None:
    sequence = figure(10)
    assert torso_px(sequence) == pytest.approx(np.hypot(LENGTHS["torso"], LENGTHS["hips"] / 2), rel=0.01)
    shoulders_only = hidden(sequence, (8), slice(None))
    assert torso_px(hidden(shoulders_only, 11, slice(None))) == pytest.approx(1.4 * LENGTHS["shoulders"], rel=0.01)
    assert torso_px(hidden(sequence, slice(None), slice(None))) > 0
    assert NOSE == 0
