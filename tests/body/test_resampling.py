"""A track at other times: interpolated between its frames, held at both ends."""

from __future__ import annotations

import numpy as np

from body.resampling import resample
from tests.body.figures import changed, figure


def test_its_own_times_give_the_track_back() -> None:
    track = figure(20)
    again = resample(track, track.timestamps_s)
    np.testing.assert_array_equal(again.points, track.points)
    np.testing.assert_array_equal(again.scores, track.scores)


def test_between_frames_points_are_interpolated() -> None:
    track = figure(20)
    middle = resample(track, track.timestamps_s[:-1] + 0.02)
    np.testing.assert_allclose(middle.points, (track.points[1:] + track.points[:-1]) / 2, atol=1e-3)


def test_both_ends_hold() -> None:
    track = changed(figure(5), timestamps_s=np.arange(5) / 25 + 1)
    held = resample(track, np.array([0.0, 0.5, 1.1, 9.0]))
    np.testing.assert_array_equal(held.points[0], track.points[0])
    np.testing.assert_array_equal(held.points[3], track.points[4])
    assert len(resample(figure(1), np.arange(7) / 25)) == 7


def test_what_is_seen_is_the_nearest_frames() -> None:
    track = figure(2)
    track.detected[1] = False
    np.testing.assert_array_equal(resample(track, np.array([0, 0.01, 0.03])).detected, [True, True, False])
