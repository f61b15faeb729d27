"""drive() by a landmark file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from facereenact.drive import DriveResult
from landmarks.storage import load_landmarks
from tests.facereenact import clips
from tests.facereenact.clips import PORTRAIT_SIZE, difference
from tests.facereenact.driving import FIRST_S, made, pictures, roll_deg, times_s, tracked
from tests.facereenact.media import write_clip


def test_a_saved_track_gives_the_same_pictures_without_the_video(
    tmp_path: Path, plain: DriveResult, saved_track: Path
) -> None:
    result = made(tmp_path, driver=saved_track)
    assert not result.has_audio
    assert (result.neutral_frame, result.rate) == (plain.neutral_frame, plain.rate)
    assert times_s(result.output) == pytest.approx(times_s(plain.output), abs=1e-9)
    assert difference(pictures(result.output), pictures(plain.output)) < 0.5


def test_a_saved_track_can_be_trimmed_and_resampled(tmp_path: Path, saved_track: Path) -> None:
    chosen = {"start": 0.08, "end": 0.4, "fps": Fraction(10), "mouth": "painted", "neutral_frame": 0}
    (tmp_path / "again").mkdir()
    result = made(tmp_path, driver=saved_track, save_landmarks=tmp_path / "part.landmarks.safetensors", **chosen)
    part, whole = load_landmarks(tmp_path / "part.landmarks.safetensors"), load_landmarks(saved_track)
    assert times_s(result.output) == pytest.approx([0, 0.1, 0.2, 0.3], abs=1e-9)
    assert result.rate == 10
    assert np.array_equal(part.points, whole.points[[2, 4, 7, 9]])
    of_video = made(tmp_path / "again", **chosen)
    assert np.abs(roll_deg(tracked(result.output)) - roll_deg(tracked(of_video.output))).max() < 2


def test_a_saved_track_is_cut_where_its_video_is(tmp_path: Path, saved_track: Path) -> None:
    of_video, of_track = (
        times_s(made(tmp_path, name, driver=driver, start=0.05, end=0.17).output)
        for name, driver in (("a.mp4", clips.talk()), ("b.mp4", saved_track))
    )
    assert of_track == pytest.approx(of_video, abs=1e-4)


def test_a_saved_track_of_one_frame_keeps_the_asked_rate(tmp_path: Path, saved_track: Path) -> None:
    assert made(tmp_path, driver=saved_track, end=0.05, fps=Fraction(10)).rate == 10


def test_a_track_of_rounded_times_keeps_its_rate(tmp_path: Path) -> None:
    rounded = write_clip(
        tmp_path / "rounded.mkv", clips.moving_face()[:10], ticks=[round(k * 1000 / 30) for k in range(10)],
        time_base=Fraction(1, 1000), rate=Fraction(30),
    )  # fmt: skip
    saved = tmp_path / "a.landmarks.safetensors"
    made(tmp_path, driver=rounded, save_landmarks=saved)
    assert made(tmp_path, "again.mp4", driver=saved).rate == pytest.approx(30, abs=0.05)


def test_a_track_is_compared_as_points(tmp_path: Path, saved_track: Path) -> None:
    result = made(tmp_path, driver=saved_track, compare=True, end=FIRST_S)
    assert result.compare is not None
    width, height = PORTRAIT_SIZE
    middle = pictures(result.compare)[0][:, width : width + height]
    assert np.median(middle) < 20
    assert middle[..., 1].max() > 150
