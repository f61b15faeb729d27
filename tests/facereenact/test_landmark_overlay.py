"""Points, axes and gaze drawn on the video."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from facereenact.errors import InputError
from facereenact.images import read_image
from facereenact.landmark_tools.overlay import EYES, HEAD, LOST, MOUTH, Overlay, gaze_direction
from facereenact.landmark_tools.settings import ShowSettings
from facereenact.landmark_tools.showing import show_file
from facereenact.video import VideoReader
from landmarks import LandmarkSequence
from landmarks.head_pose import rotation_matrices
from landmarks.motion import split_motion
from landmarks.storage import save_landmarks
from tests.facereenact import clips
from tests.facereenact.media import heard, number, numbered, write_clip
from tests.facereenact.tracks import NAME, SIZE, sized, turning, with_gaps
from tests.faces import acted, hopper

Image = NDArray[np.uint8]


def drawn(track: LandmarkSequence, index: int | None = 0) -> Image:
    return Overlay(track).draw(np.zeros((track.size[1], track.size[0], 3), np.uint8), index)


def test_each_part_has_its_colour() -> None:
    track = turning(3)
    image = drawn(track)
    for point, colour in ((8, HEAD), (17, EYES), (58, MOUTH)):
        x, y = np.round(track.points[0, point]).astype(int)
        share = float(0.15 + 0.85 * track.scores[0, point])
        np.testing.assert_allclose(image[y, x], np.array(colour) * share, atol=8)


def test_the_fainter_the_less_certain() -> None:
    track = turning(2)
    scores = track.scores.copy()
    scores[1] = 0.1
    track = replace(track, scores=scores, points=np.repeat(track.points[:1], 2, axis=0))
    strong, faint = drawn(track, 0), drawn(track, 1)
    x, y = np.round(track.points[0, 8]).astype(int)
    assert faint[y, x].max() < 0.4 * strong[y, x].max()


def test_a_lost_face_has_a_border_and_grey_points() -> None:
    track = with_gaps(turning(3), 1)
    image = drawn(track, 1)
    assert image[300, 0].tolist() == list(LOST)
    assert drawn(track, 0)[300, 0].tolist() == [0, 0, 0]
    points = track.points[1].astype(int)
    box = image[points[48:66, 1].min() : points[48:66, 1].max(), points[48:66, 0].min() : points[48:66, 0].max()]
    assert np.ptp(box.astype(int), axis=2).max() < 20
    assert box.max() > 60


def test_the_picture_itself_stays_as_it_is() -> None:
    image = np.full((600, 512, 3), 50, np.uint8)
    result = Overlay(turning(1)).draw(image, 0)
    assert (image == 50).all()
    assert (result[560, 400] == 50).all()
    assert not (result == 50).all()


@pytest.mark.parametrize("shift", [0, 300, -5000, 1e7])
def test_points_may_lie_outside(shift: float) -> None:
    track = turning(1)
    drawn(replace(track, points=track.points + np.float32(shift)))
    drawn(replace(track, points=np.zeros_like(track.points)))
    drawn(replace(track, detected=np.zeros(1, bool)))
    drawn(sized(track, (40, 30)))
    drawn(track, None)


@pytest.mark.parametrize("side", [0, 1])
def test_eyes_at_rest_look_where_the_nose_points_and_pupils_turn_them(side: int) -> None:
    straight = acted(hopper().landmarks, turn_deg=[(0, 0, 0), (0, 25, 0)])
    aside = acted(hopper().landmarks, gaze=[(0, 0), (0.06, 0), (0, 0.04)])

    def gazes(track: LandmarkSequence) -> NDArray[np.float64]:
        turns, scales = rotation_matrices(track.rotation), split_motion(track).head.scale
        rows = [
            gaze_direction(track.points[k].astype(float), side, float(scales[k]), turns[k]) for k in range(len(track))
        ]
        return np.array(rows)

    looks = gazes(straight)
    np.testing.assert_allclose(np.linalg.norm(looks, axis=1), 1)
    turned = rotation_matrices(straight.rotation)
    expected = turned[1] @ turned[0].T @ looks[0]
    assert np.degrees(np.arccos(np.clip(looks[1] @ expected, -1, 1))) < 6
    ahead, right, down = gazes(aside)
    assert right[0] > ahead[0] + 0.2
    assert abs(right[1] - ahead[1]) < 0.05
    assert down[1] > ahead[1] + 0.2


def corner(image: Image) -> Image:
    """A part of a picture on which nothing is drawn."""
    return image[90:110, 160:185]


def test_a_track_is_drawn_on_its_video_in_step_and_the_sound_is_kept(tmp_path: Path, track_file: Path) -> None:
    steps: list[tuple[str, int, int | None]] = []
    shown = show_file(
        track_file,
        ShowSettings(tmp_path / "out.mp4", video=clips.talk()),
        progress=lambda *step: steps.append(step),
    )
    assert (shown.frames, shown.frames_without_face, shown.size, shown.has_audio) == (12, 2, SIZE, True)
    assert steps[-1] == ("drawing", 12, 12)
    frames, originals = list(VideoReader(tmp_path / "out.mp4")), list(VideoReader(clips.talk()))
    np.testing.assert_allclose([f.timestamp_s for f in frames], [f.timestamp_s for f in originals], atol=1e-4)
    for index, frame in enumerate(frames):
        orange = frame.image[100, :2].astype(int).mean(axis=0)
        assert (orange[0] - orange[2] > 120) == (index in (5, 6))
    times_s, sound = heard(tmp_path / "out.mp4")
    assert times_s[np.abs(sound) > 0.2][0] == pytest.approx(clips.TONE_S, abs=0.03)


def test_a_part_of_a_video_is_found_by_its_start(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "in.mp4", [numbered(index, SIZE) for index in range(20)])
    save_landmarks(sized(turning(5), SIZE), tmp_path / NAME)
    shown = show_file(tmp_path / NAME, ShowSettings(tmp_path / "out.mp4", video=video, video_start=0.4))
    assert shown.frames == 5
    assert not shown.has_audio
    numbers = [number(corner(frame.image)) for frame in VideoReader(tmp_path / "out.mp4")]
    assert numbers == [10, 11, 12, 13, 14]


def test_a_video_of_another_rate_shows_the_nearest_frames(tmp_path: Path) -> None:
    video = write_clip(
        tmp_path / "in.mkv", [numbered(index, SIZE) for index in range(6)],
        ticks=(0, 33, 150, 190, 260, 400), time_base=Fraction(1, 1000),
    )  # fmt: skip
    track = sized(turning(6, timestamps_s=[0, 0.0333, 0.15, 0.19, 0.26, 0.4]), SIZE)
    save_landmarks(with_gaps(track, 3), tmp_path / NAME)
    shown = show_file(tmp_path / NAME, ShowSettings(tmp_path / "out", video=video))
    assert (shown.frames, shown.frames_without_face) == (6, 1)
    borders = [read_image(tmp_path / "out" / f"{index:06d}.png")[0][100, 0] for index in range(6)]
    assert [border.tolist() == list(LOST) for border in borders] == [index == 3 for index in range(6)]


def test_a_smaller_copy_of_the_video_will_do(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "in.mp4", [numbered(index, (96, 96)) for index in range(3)])
    save_landmarks(sized(turning(3), SIZE), tmp_path / NAME)
    assert show_file(tmp_path / NAME, ShowSettings(tmp_path / "out.mp4", video=video)).size == (96, 96)


def test_a_video_that_does_not_belong_is_refused(tmp_path: Path, track_file: Path) -> None:
    video = write_clip(tmp_path / "in.mp4", [numbered(0)])
    with pytest.raises(InputError, match=r"64x48, but .* in frames of 192x192"):
        show_file(track_file, ShowSettings(tmp_path / "out.mp4", video=video))
    with pytest.raises(InputError, match="is an input"):
        show_file(track_file, ShowSettings(video, video=video, overwrite=True))


def test_a_video_that_ends_early_is_told(tmp_path: Path, track_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    video = write_clip(tmp_path / "in.mp4", [numbered(index, SIZE) for index in range(4)])
    assert show_file(track_file, ShowSettings(tmp_path / "out.mp4", video=video)).frames == 4
    assert "ends before the track: 4 of 12 frames are shown" in caplog.text


def test_without_a_video_the_points_move_on_black(tmp_path: Path, track_file: Path) -> None:
    shown = show_file(track_file, ShowSettings(tmp_path / "out.gif"))
    assert (shown.frames, shown.has_audio) == (12, False)
    assert np.median(next(iter(VideoReader(tmp_path / "out.gif"))).image) < 30
