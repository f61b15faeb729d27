"""Motion compared: a video with itself, moved, late, still."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal
from scipy.spatial.transform import Rotation

from facereenact.evaluation.motion_metrics import MotionComparison, correlation, lag_frames, mean_error
from facereenact.evaluation.readings import Reading
from tests.facereenact.evaluation.fabricated import mesh_at

COUNT = 60

Float = NDArray[np.float64]


def wave(count: int = 200, late: float = 0.0) -> Float:
    """A motion of several speeds, late by so many frames."""
    frame = np.arange(count) - late
    return np.sin(frame / 5) + 0.6 * np.sin(frame / 2.3 + 1) + 0.3 * np.cos(frame / 11)


def moving(index: int) -> Reading:
    """A face that turns and drifts."""
    turn = Rotation.from_euler(
        "yxz", [8 * np.sin(index / 5), 4 * np.cos(index / 7), 3 * np.sin(index / 3)], degrees=True
    )
    return mesh_at(120 + 5 * np.sin(index / 4), 118, turn=turn, stretch=1 + 0.1 * np.sin(index / 6))


def compared(
    result: Callable[[int], Reading | None],
    driver: Callable[[int], Reading | None] = moving,
    *,
    in_place: bool = True,
    frames: Sequence[int] = range(COUNT),
) -> dict[str, float | None]:
    meter = MotionComparison(in_place=in_place)
    for index in frames:
        meter.add(driver(index), result(index))
    return meter.result()


def test_a_motion_is_like_itself() -> None:
    found = compared(moving)
    assert found["akd"] == found["aed"] == found["apd_deg"] == found["missing_keypoints"] == 0
    assert found["detected"] == 1
    assert found["jitter"] == found["driver_jitter"]
    for name in ("yaw_deg", "pitch_deg", "roll_deg"):
        assert found[f"{name}.correlation"] == pytest.approx(1)
        assert found[f"{name}.error"] == 0
        assert found[f"{name}.lag_frames"] == pytest.approx(0, abs=1e-6)


def test_points_moved_by_a_pixel_are_off_by_it() -> None:
    def beside(index: int) -> Reading:
        return shifted(moving(index), 1.0)

    found = compared(beside)
    units = [1 / moving(index).eye_distance_px for index in range(COUNT)]
    assert found["akd"] == pytest.approx(np.mean(units), abs=1e-6)
    assert found["aed"] == pytest.approx(0, abs=1e-3)
    assert found["apd_deg"] == pytest.approx(0, abs=1e-4)


def shifted(reading: Reading, pixels: float) -> Reading:
    vertices = reading.pose + np.array([pixels, 0, 0])
    return Reading(
        vertices[:, :2], reading.scores, reading.eye_distance_px, reading.measures, reading.expression, vertices
    )


def test_a_still_is_the_baseline() -> None:
    found = compared(lambda _: moving(0))
    assert found["akd"] == pytest.approx(found["copy_akd"])
    assert found["apd_deg"] == pytest.approx(found["copy_apd_deg"])
    assert found["yaw_deg.correlation"] is None
    assert found["yaw_deg.lag_frames"] is None
    assert found["jitter"] == 0


def test_a_late_result_is_late() -> None:
    found = compared(lambda index: moving(index - 1))
    assert found["yaw_deg.lag_frames"] == pytest.approx(1, abs=0.05)
    assert found["roll_deg.lag_frames"] == pytest.approx(1, abs=0.05)
    early = compared(lambda index: moving(index + 2))
    assert early["yaw_deg.lag_frames"] == pytest.approx(-2, abs=0.05)


def test_jitter_of_a_known_shake() -> None:
    found = compared(lambda index: shifted(mesh_at(120, 118), (-1) ** index), lambda _: mesh_at(120, 118))
    assert found["driver_jitter"] == 0
    assert found["jitter"] == pytest.approx(4 / mesh_at(120, 118).eye_distance_px, rel=1e-6)


def test_lost_faces_are_counted_and_left_out() -> None:
    found = compared(lambda index: None if index % 4 == 3 else moving(index))
    assert found["detected"] == pytest.approx(0.75)
    assert found["missing_keypoints"] == pytest.approx(0.25)
    assert found["akd"] == 0
    assert found["yaw_deg.correlation"] == pytest.approx(1)


def test_missing_keypoints_go_by_score() -> None:
    def dim(index: int) -> Reading:
        reading = moving(index)
        scores = reading.scores.copy()
        scores[:47] = 0.2
        return Reading(
            reading.points, scores, reading.eye_distance_px, reading.measures, reading.expression, reading.pose
        )

    assert compared(dim)["missing_keypoints"] == pytest.approx(47 / 478)
    assert compared(moving, dim)["missing_keypoints"] == 0


def test_other_people_are_not_compared_in_place() -> None:
    def elsewhere(index: int) -> Reading:
        return shifted(moving(index), 50)

    found = compared(elsewhere, in_place=False)
    assert "akd" not in found
    assert found["aed"] == pytest.approx(0, abs=1e-3)
    assert found["apd_deg"] == pytest.approx(0, abs=1e-4)


def test_a_video_without_a_face_has_no_motion() -> None:
    found = compared(lambda _: None, lambda _: None)
    assert found["detected"] == 0
    assert found["akd"] is found["aed"] is found["jitter"] is None
    assert "yaw_deg.correlation" not in found


def test_correlation_is_numpy_s_where_both_are_known() -> None:
    one, other = wave(), wave(late=1) + 0.2
    holed = one.copy()
    holed[10:20] = np.nan
    keep = np.isfinite(holed)
    assert correlation(holed, other) == pytest.approx(np.corrcoef(one[keep], other[keep])[0, 1])
    assert mean_error(holed, holed + 0.25) == pytest.approx(0.25)
    assert mean_error(np.full(3, np.nan), np.ones(3)) is None
    assert correlation(one, np.ones(len(one))) is None


@pytest.mark.parametrize("late", [0, 1, 3.5, -2.25])
def test_lag_between_frames(late: float) -> None:
    assert lag_frames(wave(), wave(late=late)) == pytest.approx(late, abs=0.05)
    if late == int(late):
        offsets = signal.correlation_lags(200, 200)
        best = signal.correlate(wave(late=late), wave())[np.abs(offsets) <= 10].argmax()
        assert best - 10 == late


def test_lag_of_unlike_curves_is_unknown() -> None:
    noise = np.random.default_rng(1).normal(size=(2, 200))
    assert lag_frames(*noise) is None
    assert lag_frames(wave(30), wave(30)) is None
    assert lag_frames(np.arange(200.0), np.arange(200.0)) is None
