"""The one-euro filter on known signals, and the live smoother on faces that act as told."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from landmarks import LandmarkSequence
from landmarks.live_smoothing import LIVE_RESPONSES, LiveSmoother, OneEuroFilter, Response, StateSmoother
from landmarks.openseeface.pose import CorrectedPose
from landmarks.tracking import eye_openness
from tests.faces import acted, angle_deg, hopper, with_points
from tests.landmarks.openseeface.fabricated import face

FPS = 30


def live(sequence: LandmarkSequence, smoother: LiveSmoother) -> NDArray[np.float32]:
    return np.concatenate([smoother(frame).points for frame in sequence])


def test_the_filter_follows_the_paper() -> None:
    """The published steps, one component at a time, in plain numbers."""

    def factor(cutoff_hz: float, step_s: float) -> float:
        return 1 / (1 + (1 / (2 * math.pi * cutoff_hz)) / step_s)

    values, step_s = np.random.default_rng(0).normal(size=40).cumsum(), 1 / FPS
    filtered, speed = values[0], 0.0
    smooth = OneEuroFilter(Response(cutoff_hz=1.2, slope=0.3))
    for index, value in enumerate(values):
        if index:
            speed += factor(1.0, step_s) * ((value - filtered) / step_s - speed)
            filtered += factor(1.2 + 0.3 * abs(speed), step_s) * (value - filtered)
        assert smooth(np.array([value]), index * step_s)[0] == pytest.approx(filtered)


def test_noise_goes_and_a_step_arrives() -> None:
    noise = np.random.default_rng(1).normal(0, 0.01, (200, 2))
    smooth = OneEuroFilter(Response(cutoff_hz=1.5, slope=8))
    still = np.array([smooth(value, index / FPS) for index, value in enumerate(noise)])
    assert still[20:].std() < 0.6 * noise[20:].std()
    smooth.reset()
    step = [smooth(np.full(2, float(index >= 10)), index / FPS)[0] for index in range(20)]
    assert step[9] == 0 and step[12] > 0.9


def test_a_pause_starts_anew() -> None:
    smooth = OneEuroFilter(Response(cutoff_hz=1, slope=0), longest_gap_s=0.5)
    smooth(np.zeros(1), 0.0)
    assert smooth(np.ones(1), 0.4)[0] < 1
    assert smooth(np.full(1, 5.0), 1.0)[0] == 5


def test_a_unit_scales_the_speed() -> None:
    small, large = (OneEuroFilter(Response(cutoff_hz=1, slope=2)) for _ in range(2))
    for index, value in enumerate((0.0, 0.1, 0.3, 0.2)):
        a, b = small(np.array([value]), index / FPS), large(np.array([100 * value]), index / FPS, unit=100)
        assert 100 * a[0] == pytest.approx(b[0])


def test_a_still_face_becomes_stiller_and_stronger_is_stiller_yet() -> None:
    points = np.repeat(hopper().landmarks.points, 60, axis=0)
    shaking = with_points(hopper().landmarks, points + np.random.default_rng(2).normal(0, 0.4, points.shape))
    before = np.std(shaking.points[20:], axis=0).mean()
    left = [np.std(live(shaking, LiveSmoother(LIVE_RESPONSES[name]))[20:], axis=0).mean() for name in LIVE_RESPONSES]
    assert before > left[0] > left[1] > left[2]
    assert left[1] < 0.65 * before


def test_a_blink_and_a_turn_keep_their_shape() -> None:
    lids = np.ones((40, 2))
    lids[20:24] = 0.15
    turn = np.zeros((40, 3))
    turn[:, 1] = 25 * np.sin(np.arange(40) / 8)
    sequence = acted(hopper().landmarks, lids=lids, turn_deg=turn, timestamps_s=np.arange(40) / FPS)
    smoother = LiveSmoother()
    frames = [smoother(frame) for frame in sequence]
    openness = eye_openness(np.concatenate([frame.points for frame in frames]))
    assert openness[22:24].min() < 0.45 * openness[10:18].mean()
    rotation = np.concatenate([frame.rotation for frame in frames])
    lag = [angle_deg(rotation[10:], sequence.rotation[10 - k : 40 - k or None]).mean() for k in range(5)]
    assert int(np.argmin(lag)) <= 2  # frames


def test_frames_without_a_face_pass_and_others_are_refused() -> None:
    frame = replace(hopper().landmarks, detected=np.array([False]))
    assert LiveSmoother()(frame) is frame
    with pytest.raises(ValueError, match="one frame"):
        LiveSmoother()(acted(hopper().landmarks, jaw=[0, 0.1]))


def test_the_smoothed_state_of_openseeface_says_the_same_in_both_conventions() -> None:
    """A still face is left as it is: points, pose, and the pose as it is sent."""
    points, size = hopper().landmarks.points[0], hopper().size
    pose = CorrectedPose()(points, size, None)
    stated = replace(
        face(number=0), points=points, scores=np.ones(68, np.float32), rotation=pose.rotation,
        translation=pose.translation, points_3d=pose.points_3d, sent=pose.sent,
    )  # fmt: skip
    smooth = StateSmoother()
    for index in range(3):
        shown = smooth(stated, index / FPS, size)
    np.testing.assert_allclose(shown.points, points, atol=0.01)
    np.testing.assert_allclose(shown.sent.matrix, pose.sent.matrix, atol=1e-4)
    np.testing.assert_allclose(shown.sent.translation, pose.sent.translation, rtol=1e-6)
    np.testing.assert_allclose(shown.points_3d, pose.points_3d)
    assert shown.features is stated.features
