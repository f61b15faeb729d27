"""Smoothing: still faces are still, quick ones stay quick, nothing lags; gaps are bridged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from landmarks import LandmarkSequence, smoothing
from landmarks.smoothing import Smoother, adaptive_mean, fill_gaps, gaussian_mean
from landmarks.tracking import SequenceBuilder
from landmarks.types import ARRAYS
from tests.faces import acted, angle_deg, astronaut, hopper, lip_gap, with_points

FRAMES = 100
TIMES_S = np.arange(FRAMES) / 25
SMOOTHED = ("points", "rotation", "translation", "eye_openness")


def jittering(share: float, frames: int = FRAMES) -> LandmarkSequence:
    """A still face seen by a tracker with white noise, in eye distances."""
    face = hopper()
    noise = np.random.default_rng(0).normal(0, share * face.landmarks.eye_distance_px[0], (frames, 68, 2))
    builder = SequenceBuilder(face.size, "test")
    for index, points in enumerate((face.landmarks.points[0] + noise).astype(np.float32)):
        builder.add(points, index / 25)
    return builder.build()


def bump(width_s: float, times_s: NDArray[np.float64] = TIMES_S) -> NDArray[np.float64]:
    """0 to 1 and back around the second second; the width is that at half height."""
    return np.exp(-0.5 * ((times_s - 2) / (width_s / 2.355)) ** 2)


def moving() -> LandmarkSequence:
    """A lively face with a little noise."""
    face = hopper().landmarks
    nod, turn = 6 * np.sin(9 * TIMES_S), 15 * np.sin(5.6 * TIMES_S) + 8 * np.sin(14.4 * TIMES_S + 1)
    track = acted(
        face,
        turn_deg=np.stack([nod, turn, 0 * turn], axis=1),
        jaw=0.1 * np.sin(20 * TIMES_S) ** 2,
        shift_px=np.stack([40 * np.sin(3 * TIMES_S), 5 * TIMES_S], axis=1),
    )
    noise = np.random.default_rng(1).normal(0, 0.002 * face.eye_distance_px[0], track.points.shape)
    return replace(track, points=(track.points + noise).astype(np.float32))


def reversed_in_time(sequence: LandmarkSequence) -> LandmarkSequence:
    arrays = {name: getattr(sequence, name)[::-1] for name in ARRAYS}
    arrays["timestamps_s"] = sequence.timestamps_s[-1] - arrays["timestamps_s"]
    return replace(sequence, **arrays)


def test_a_constant_stays_constant() -> None:
    still = acted(hopper().landmarks, turn_deg=np.zeros((FRAMES, 3)))
    smooth = Smoother()(still)
    np.testing.assert_allclose(smooth.points, still.points, atol=1e-3)
    for name in ("rotation", "translation", "eye_openness"):
        np.testing.assert_allclose(getattr(smooth, name), getattr(still, name), atol=1e-5)


def test_length_times_and_what_was_seen_stay() -> None:
    track = moving()
    smooth = Smoother()(track)
    for name in ("timestamps_s", "detected", "scores"):
        np.testing.assert_array_equal(getattr(smooth, name), getattr(track, name))
    assert (smooth.size, smooth.tracker) == (track.size, track.tracker)


def test_one_frame_is_left_alone() -> None:
    face = hopper().landmarks
    np.testing.assert_allclose(Smoother()(face).points, face.points, atol=1e-3)


def test_the_future_counts_like_the_past() -> None:
    track = moving()
    there, back = Smoother()(track), reversed_in_time(Smoother()(reversed_in_time(track)))
    for name in SMOOTHED:
        np.testing.assert_allclose(getattr(back, name), getattr(there, name), atol=1e-3)


def test_jitter_of_a_still_face_is_reduced() -> None:
    """Frame to frame at least by half at 0.2 % of the eye distance, which is what a tracker does on a still face."""
    track = jittering(0.002)
    smooth = Smoother()(track)
    truth = hopper().landmarks.points
    assert np.diff(smooth.points, axis=0).std() < 0.5 * np.diff(track.points, axis=0).std()
    assert (smooth.points - truth).std() < 0.65 * (track.points - truth).std()
    assert (smooth.rotation.std(axis=0) < 0.5 * track.rotation.std(axis=0)).all()


def test_stronger_smoothing_removes_more() -> None:
    track = jittering(0.003)
    left = [np.diff(Smoother().scaled(factor)(track).points, axis=0).std() for factor in (0.5, 1, 2)]
    assert left[0] > 1.2 * left[1] > 1.2 * 1.2 * left[2]


@pytest.mark.parametrize("width_s", [0.2, 0.3, 0.5])
def test_a_quick_turn_keeps_its_height(width_s: float) -> None:
    turn = 30 * bump(width_s)
    track = acted(astronaut().landmarks, turn_deg=np.stack([0 * turn, turn, 0 * turn], axis=1))
    smooth = Smoother()(track)
    turned = angle_deg(smooth.rotation, np.repeat(smooth.rotation[:1], FRAMES, axis=0)).max()
    assert 0.95 * 30 < turned < 1.02 * 30
    across = np.ptp(smooth.points[:, [0, 8, 36, 45], 0], axis=0) / np.ptp(track.points[:, [0, 8, 36, 45], 0], axis=0)
    assert across.min() > 0.95 and across.max() < 1.02


@pytest.mark.parametrize("fps", [25, 60])
@pytest.mark.parametrize("width_s", [0.1, 0.2, 0.3])
def test_a_blink_and_a_word_keep_their_height_and_moment(width_s: float, fps: float) -> None:
    times = np.arange(4 * fps) / fps
    lids = 1 - np.stack([bump(width_s, times)] * 2, axis=1)
    track = acted(hopper().landmarks, lids=lids, jaw=0.2 * bump(width_s, times), timestamps_s=times)
    smooth = Smoother()(track)
    for was, now in ((track.eye_openness, smooth.eye_openness), (lip_gap(track), lip_gap(smooth))):
        assert (np.ptp(now, axis=0) > 0.95 * np.ptp(was, axis=0)).all()
    assert list(smooth.eye_openness.argmin(axis=0)) == list(track.eye_openness.argmin(axis=0))
    assert lip_gap(smooth).argmax() == lip_gap(track).argmax()


def test_nothing_lags() -> None:
    track = moving()
    smooth = Smoother()(track)
    for point in (8, 36, 63):
        was, now = (s.points[:, point, 0] - s.points[:, point, 0].mean() for s in (track, smooth))
        assert np.correlate(was, now, "full").argmax() == FRAMES - 1
        assert np.corrcoef(was, now)[0, 1] > 0.999


@pytest.mark.parametrize("chunk", [7, 40])
def test_a_long_video_in_parts_is_smoothed_as_one(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    track = moving()
    whole = Smoother()(track)
    monkeypatch.setattr(smoothing, "CHUNK", chunk)
    parts = Smoother()(track)
    for name in SMOOTHED:
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), atol=1e-4)


def test_uneven_times_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of the frames missing at random: the others are where they were."""
    track = acted(hopper().landmarks, turn_deg=np.stack([0 * TIMES_S, 20 * np.sin(3 * TIMES_S), 0 * TIMES_S], axis=1))
    kept = np.sort(np.random.default_rng(0).permutation(FRAMES)[: 2 * FRAMES // 3])
    uneven = replace(track, **{name: getattr(track, name)[kept] for name in ARRAYS})
    error = np.linalg.norm(Smoother()(uneven).points - track.points[kept], axis=2)
    assert error.max() < 0.02 * track.eye_distance_px.min()
    whole = Smoother()(uneven)
    monkeypatch.setattr(smoothing, "CHUNK", 9)
    assert np.abs(Smoother()(uneven).points - whole.points).max() < 0.02


def test_a_head_that_turns_upside_down_stays_whole() -> None:
    """Rotation vectors have a seam at half a turn."""
    face = hopper()
    middle, builder = np.array(face.size) / 2, SequenceBuilder(face.size, "test")
    for index, angle in enumerate(np.linspace(0, 2 * np.pi, FRAMES)):
        turn = Rotation.from_rotvec([0, 0, angle]).as_matrix()[:2, :2]
        builder.add(((face.landmarks.points[0] - middle) @ turn.T + middle).astype(np.float32), index / 25)
    track = builder.build()
    smooth = Smoother()(track)
    inner = slice(5, -5)  # the ends have neighbours on one side only
    assert np.linalg.norm(smooth.points - track.points, axis=2)[inner].max() < 0.01 * face.landmarks.eye_distance_px[0]
    assert angle_deg(smooth.rotation, track.rotation)[inner].max() < 1


def test_gaps_are_filled_along_straight_lines_in_time() -> None:
    times = np.array([0, 0.04, 0.08, 0.2, 0.24, 0.28, 0.32])
    seen = np.array([False, True, False, False, True, True, False])
    track = acted(hopper().landmarks, turn_deg=[(0, k, 0) for k in range(7)], timestamps_s=times)
    track = replace(
        track,
        **{
            name: np.where(seen.reshape(-1, *[1] * (getattr(track, name).ndim - 1)), getattr(track, name), 0)
            for name in (*SMOOTHED, "scores")
        },
        detected=seen,
    )
    filled = fill_gaps(track)
    for name in SMOOTHED:
        was, now = getattr(track, name), getattr(filled, name)
        assert now.dtype == was.dtype
        np.testing.assert_array_equal(now[seen], was[seen])
        np.testing.assert_array_equal(now[0], was[1])
        np.testing.assert_array_equal(now[6], was[5])
        for index, share in ((2, 0.2), (3, 0.8)):  # of the way from 0.04 s to 0.24 s
            np.testing.assert_allclose(now[index], (1 - share) * was[1] + share * was[4], rtol=1e-4, atol=1e-3)
    np.testing.assert_array_equal(filled.detected, seen)
    np.testing.assert_array_equal(filled.scores, track.scores)


def test_without_gaps_nothing_is_filled() -> None:
    track = moving()
    assert fill_gaps(track) is track


def test_the_gaussian_mean_is_a_weighted_mean() -> None:
    values, times = np.array([0.0, 0, 1, 0, 0]), np.arange(5) * 0.04
    mean = gaussian_mean(values, times, 0.04)
    weights = np.exp(-0.5 * np.arange(-2, 3) ** 2)
    assert mean[2] == pytest.approx(1 / weights.sum(), abs=1e-3)
    np.testing.assert_allclose(mean, mean[::-1])
    np.testing.assert_allclose(gaussian_mean(values, times, 1e-6), values)


def test_the_adaptive_mean_is_wide_below_the_noise_and_narrow_above() -> None:
    times = np.arange(200) / 25
    small = np.random.default_rng(0).normal(0, 0.01, (200, 1))
    wide = gaussian_mean(small, times, 0.2)
    np.testing.assert_allclose(adaptive_mean(small, times, (0.02, 0.2), 10.0), wide, atol=1e-4)
    step = np.where(times < 4, 0.0, 100.0)[:, None]
    narrow = gaussian_mean(step, times, 0.02)
    np.testing.assert_allclose(adaptive_mean(step, times, (0.02, 0.2), 0.01), narrow, atol=0.5)


def test_one_face_is_smoothed_the_same_at_any_size() -> None:
    track = moving()
    double = with_points(track[:1], 2 * track.points, rotation=track.rotation, distance=1.0)
    double = replace(double, translation=track.translation)
    np.testing.assert_allclose(Smoother()(double).points, 2 * Smoother()(track).points, atol=0.01)
