"""The tools for landmark files: what they measure, draw, convert, cut and join."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from facereenact.errors import FaceNotFoundError, InputError, OutputError
from facereenact.images import read_image
from facereenact.landmark_tools.edit import merged, trimmed
from facereenact.landmark_tools.formats import convert_file, read_track, write_track
from facereenact.landmark_tools.measures import find_blinks, measure, printable, summarise
from facereenact.landmark_tools.overlay import EYES, HEAD, LOST, MOUTH, Overlay, gaze_direction
from facereenact.landmark_tools.plots import SHADE, plot_file, ticks
from facereenact.landmark_tools.plots import plot as plot_picture
from facereenact.landmark_tools.settings import ConvertSettings, PlotSettings, ShowSettings
from facereenact.landmark_tools.showing import show_file
from facereenact.landmark_tools.terminal_plot import braille, terminal_plot
from facereenact.video import VideoReader
from landmarks import LandmarkSequence
from landmarks.head_pose import rotation_matrices
from landmarks.motion import split_motion
from landmarks.smoothing import fill_gaps
from landmarks.storage import load_landmarks, save_landmarks
from landmarks.types import ARRAYS
from tests.facereenact import clips
from tests.facereenact.media import heard, number, numbered, write_clip
from tests.faces import acted, angle_deg, hopper

Image = NDArray[np.uint8]
COUNT = 40
NAME = "talk.landmarks.safetensors"


def turning(count: int = COUNT, **how: Any) -> LandmarkSequence:
    """A head that turns from -15 to 15 degrees, at 25 frames per second."""
    how = {"turn_deg": [(0, yaw, 0) for yaw in np.linspace(15, -15, count)]} | how
    return acted(hopper().landmarks, **how)


def with_gaps(sequence: LandmarkSequence, *frames: int) -> LandmarkSequence:
    """The same, not seen in some frames, which are filled in."""
    detected, scores = sequence.detected.copy(), sequence.scores.copy()
    detected[list(frames)] = False
    scores[list(frames)] = 0
    return fill_gaps(replace(sequence, detected=detected, scores=scores))


def sized(sequence: LandmarkSequence, size: tuple[int, int]) -> LandmarkSequence:
    """The same face in frames of another size, in the middle."""
    factor = min(size) / max(sequence.size)
    middle = sequence.points[:1].mean(axis=(0, 1))
    points = (sequence.points - middle) * factor + np.array(size) / 2
    return replace(sequence, points=points.astype(np.float32), size=size)


def lid_track(share: list[float], rate: float = 25) -> LandmarkSequence:
    return acted(hopper().landmarks, lids=[(s, s) for s in share], timestamps_s=np.arange(len(share)) / rate)


def same(a: LandmarkSequence, b: LandmarkSequence) -> bool:
    return (a.size, a.tracker) == (b.size, b.tracker) and all(
        np.array_equal(getattr(a, name), getattr(b, name)) for name in ARRAYS
    )


# Measures


def test_a_summary_tells_length_gaps_and_turns() -> None:
    summary = summarise(with_gaps(turning(), 0, 10, 11, 39))
    assert (summary.frames, summary.duration_s, summary.rate, summary.rate_varies) == (40, 1.6, "25", False)
    assert (summary.detected_frames, summary.detected_share) == (36, 0.9)
    assert [(gap.first_frame, gap.last_frame) for gap in summary.gaps] == [(0, 0), (10, 11), (39, 39)]
    assert [(gap.start_s, gap.end_s) for gap in summary.gaps] == [(0.0, 0.04), (0.4, 0.48), (1.56, 1.6)]
    assert summary.yaw_deg is not None
    assert summary.yaw_deg.max - summary.yaw_deg.min == pytest.approx(30 * 37 / 39, abs=1)
    assert summary.mouth_opening is not None
    assert summary.mouth_opening.max < 0.1
    assert summary.blinks == 0
    json.dumps(summary.__dict__, default=lambda value: value.__dict__)


def test_what_nobody_showed_has_no_range() -> None:
    track = turning(5)
    summary = summarise(replace(track, detected=np.zeros(5, bool)))
    assert (summary.detected_share, summary.yaw_deg, summary.mouth_opening, summary.blinks) == (0, None, None, 0)


def test_rates_are_exact_and_varying_ones_are_told() -> None:
    ntsc = summarise(turning(30, timestamps_s=np.arange(30) * 1001 / 30000))
    assert (ntsc.rate, ntsc.rate_varies) == ("30000/1001", False)
    rounded = summarise(turning(30, timestamps_s=np.round(np.arange(30) / 30, 3)))  # as mkv does
    assert not rounded.rate_varies
    assert summarise(turning(4, timestamps_s=[0, 0.04, 0.2, 0.24])).rate_varies
    assert summarise(turning(1)).rate == "25"


def test_an_open_mouth_is_measured() -> None:
    lips = measure(acted(hopper().landmarks, jaw=[0, 0.1, 0.2])).lips
    assert np.diff(lips) == pytest.approx([0.1, 0.1], abs=0.02)


@pytest.mark.parametrize(
    ("share", "count"),
    [
        ([1] * 20 + [0.1] * 4 + [1] * 30 + [0.2] * 3 + [1] * 20, 2),
        ([1] * 20 + [0.8] * 5 + [1] * 20, 0),  # eyes narrowed
        ([1] * 20 + [0.05] * 40 + [1] * 20, 0),  # eyes closed for long
        ([1] * 20 + [0.1, 0.6, 0.1, 0.6, 0.1] + [1] * 20, 1),  # one, with jitter
        ([1] * 20 + [0.1] * 5, 0),  # not open again
        ([1, 0.1], 0),
    ],
)
def test_blinks_are_counted(share: list[float], count: int) -> None:
    assert len(find_blinks(measure(lid_track(share)))) == count


def test_frames_without_a_face_are_no_blinks() -> None:
    track = lid_track([1] * 20 + [0.1] * 4 + [1] * 20)
    assert find_blinks(measure(track)) == pytest.approx([0.8])
    assert find_blinks(measure(with_gaps(track, *range(19, 25)))) == []


def test_texts_from_files_cannot_move_the_cursor() -> None:
    assert printable("a\x1b[2Jb\n") == "a [2Jb "


# Cutting and joining


@pytest.mark.parametrize("cut_s", [0.04, 0.4, 1.0, 1.56])
def test_merging_the_parts_gives_the_whole(cut_s: float) -> None:
    track = with_gaps(turning(), 3, 20, 21)
    parts = [trimmed(track, 0, cut_s), trimmed(track, cut_s, None)]
    assert [part.timestamps_s[0] for part in parts] == pytest.approx([0, 0])
    whole = merged(parts)
    np.testing.assert_allclose(whole.timestamps_s, track.timestamps_s, atol=1e-9)
    assert same(replace(whole, timestamps_s=track.timestamps_s), track)


def test_a_part_is_timed_from_its_start() -> None:
    part = trimmed(turning(), 0.5, 0.7)  # frames at 0.52 to 0.68
    np.testing.assert_allclose(part.timestamps_s, np.arange(5) * 0.04 + 0.02)


@pytest.mark.parametrize(("start_s", "end_s"), [(1.6, None), (0.41, 0.43), (5, 6)])
def test_a_part_without_frames_is_refused(start_s: float, end_s: float | None) -> None:
    with pytest.raises(ValueError, match=r"has no frame .*; it lasts 1\.60 s"):
        trimmed(turning(), start_s, end_s)


def test_tracks_of_other_sizes_are_not_joined() -> None:
    track = turning(3)
    with pytest.raises(ValueError, match="one size"):
        merged([track, sized(track, (64, 64))])


def test_joined_tracks_name_their_trackers_once() -> None:
    track = turning(3)
    assert merged([track, replace(track, tracker="b"), track]).tracker == f"{track.tracker} + b"


# JSON lines


def test_json_lines_keep_everything(tmp_path: Path) -> None:
    track = with_gaps(turning(7, timestamps_s=[0, 0.04, 1 / 3, 0.5, 2, 2.5, 1e5 / 3]), 2, 6)
    write_track(track, tmp_path / "a.jsonl", overwrite=False)
    assert same(read_track(tmp_path / "a.jsonl"), track)
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


def test_points_and_times_are_enough(tmp_path: Path) -> None:
    track = turning(5)
    path = write_lines(tmp_path, [bare(track, index) for index in range(5)])
    read = read_track(path)
    assert read.detected.all()
    assert read.tracker == "unknown"
    assert angle_deg(read.rotation, track.rotation).max() < 1
    np.testing.assert_allclose(read.eye_openness, track.eye_openness, atol=1e-5)


def bare(track: LandmarkSequence, index: int, **change: Any) -> dict[str, Any]:
    return {"time_s": float(track.timestamps_s[index]), "points": track.points[index].tolist()} | change


def write_lines(folder: Path, lines: list[Any], **about: Any) -> Path:
    head = {"format": "facereenact-landmarks-jsonl", "version": 1, "size": list(hopper().size)} | about
    path = folder / "a.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in [head, *lines]))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time_s": -1}, "line 3: time_s must be seconds from 0 on"),
        ({"time_s": "1"}, "line 3: time_s"),
        ({"time_s": 0.0}, "must increase; frame 1"),
        ({"time_s": float("nan")}, "line 3 is no JSON object .NaN is no number"),
        ({"points": [[1, 2]]}, "line 3: points must hold 68 x 2 numbers"),
        ({"points": [[1, 2], 3]}, "line 3: "),
        ({"points": "x"}, "line 3: "),
        ({"points": [[1e60, 1]] * 68}, "line 3: points"),
        ({"points": [[1, 1]] * 68}, "frame 1"),
        ({"detected": 1}, "line 3: detected must be true or false"),
        ({"rotation": [0, 0]}, "line 3: rotation must hold 3 numbers"),
    ],
)
def test_a_wrong_frame_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    track = turning(3)
    path = write_lines(tmp_path, [bare(track, 0), bare(track, 1, **change), bare(track, 2)])
    with pytest.raises(InputError, match=message) as caught:
        read_track(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"format": "other"}, "first line must state"),
        ({"version": 2}, "version 2; this program reads 1"),
        ({"size": [0, 5]}, "size"),
        ({"size": [512.5, 600]}, "size"),
        ({"frames": 9}, "cut short: 2 of 9 frames"),
    ],
)
def test_a_wrong_first_line_is_told(tmp_path: Path, about: dict[str, Any], message: str) -> None:
    track = turning(2)
    with pytest.raises(InputError, match=message):
        read_track(write_lines(tmp_path, [bare(track, 0), bare(track, 1)], **about))


@pytest.mark.parametrize("content", [b"", b"\n", b"[]\n", b"{}\n", b"\xff\xfe\x00", b"[" * 100_000, b'{"format":'])
def test_other_files_are_no_json_lines(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.jsonl"):
        read_track(tmp_path / "a.jsonl")


def test_a_frame_without_points_or_a_file_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 2 has no 'points'"):
        read_track(write_lines(tmp_path, [{"time_s": 0}]))
    with pytest.raises(InputError, match="has no frames"):
        read_track(write_lines(tmp_path, []))
    with pytest.raises(FaceNotFoundError):
        read_track(write_lines(tmp_path, [bare(turning(1), 0, detected=False)]))


# OpenSeeFace's log


def test_a_log_keeps_points_and_times(tmp_path: Path) -> None:
    track = with_gaps(turning(12), 0, 1, 5, 6)
    path = tmp_path / "a.csv"
    write_track(track, path, overwrite=False)
    read = read_track(path)
    np.testing.assert_array_equal(read.detected, track.detected)
    seen = track.detected
    for name in ("points", "scores"):
        np.testing.assert_array_equal(getattr(read, name)[seen], getattr(track, name)[seen])
    np.testing.assert_allclose(read.timestamps_s, track.timestamps_s, atol=1e-9)
    assert angle_deg(read.rotation, track.rotation)[seen].max() < 1
    assert read.size == track.size
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [int(row["Frame"]) for row in rows] == [3, 4, 5, 8, 9, 10, 11, 12]
    assert float(rows[0]["FPS"]) == 25
    assert {row["Success3D"] for row in rows} == {"True"}


def test_frames_without_a_face_at_the_end_are_lost_in_a_log(tmp_path: Path) -> None:
    track = with_gaps(turning(6), 4, 5)
    save_landmarks(track, tmp_path / NAME)
    conversion = convert_file(tmp_path / NAME, tmp_path / "a.csv", ConvertSettings())
    assert conversion.losses[0].startswith("2 frames without a face")
    assert len(read_track(tmp_path / "a.csv")) == 4
    back = convert_file(tmp_path / "a.csv", tmp_path / "b.jsonl", ConvertSettings())
    assert "points in space" in back.losses[0]
    assert convert_file(tmp_path / "b.jsonl", tmp_path / f"b{NAME}", ConvertSettings()).losses == ()


def log_rows(folder: Path, track: LandmarkSequence) -> list[list[str]]:
    write_track(track, folder / "log.csv", overwrite=True)
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.reader(file))


def write_rows(folder: Path, rows: list[list[str]], end: str = "\r\n") -> Path:
    path = folder / "log.csv"
    path.write_text("\r\n".join(",".join(row) for row in rows) + end, newline="")
    return path


def test_times_of_day_begin_at_zero_and_fps_replaces_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = log_rows(tmp_path, turning(5))
    for index, row in enumerate(rows[1:]):
        row[1], row[4] = str(1.7e9 + 0.5 * index), "0"
    path = write_rows(tmp_path, rows)
    np.testing.assert_allclose(read_track(path).timestamps_s, np.arange(5) * 0.5, atol=1e-6)
    assert "--fps" in caplog.text
    read = read_track(path, ConvertSettings(fps=Fraction(30000, 1001)))
    np.testing.assert_allclose(read.timestamps_s, np.arange(5) * 1001 / 30000)


def test_a_log_whose_clock_began_with_the_first_face(tmp_path: Path) -> None:
    rows = log_rows(tmp_path, turning(4))
    for row in rows[1:]:
        row[0] = str(int(row[0]) + 3)
    read = read_track(write_rows(tmp_path, rows))
    np.testing.assert_allclose(read.timestamps_s, np.arange(7) * 0.04, atol=1e-9)
    assert read.detected.tolist() == [False] * 3 + [True] * 4


def test_of_several_faces_the_most_frequent_is_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    track = turning(4)
    other = replace(track, points=track.points + 1)
    rows, others = log_rows(tmp_path, track), log_rows(tmp_path, other)[1:]
    for row in others:
        row[6] = "3"
    path = write_rows(tmp_path, [rows[0], *[row for pair in zip(rows[1:], others, strict=True) for row in pair][1:]])
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(read_track(path).points, other.points)
    assert "0 (3 frames), 3 (4 frames); 3 is taken (--face-id chooses another)" in caplog.text
    first = read_track(path, ConvertSettings(face_id=0))
    assert first.detected.tolist() == [False, True, True, True]
    with pytest.raises(InputError, match=r"has no face 7 \(--face-id\)"):
        read_track(path, ConvertSettings(face_id=7))


def test_pupils_that_were_not_seen_lie_in_their_eyes(tmp_path: Path) -> None:
    rows = log_rows(tmp_path, turning(2))
    rows[1][25 + 3 * 66 : 25 + 3 * 67] = ["0", "0", "0"]
    points = read_track(write_rows(tmp_path, rows)).points[0]
    np.testing.assert_allclose(points[66], points[36:42].mean(axis=0), atol=1e-3)


def test_a_last_line_cut_short_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = log_rows(tmp_path, turning(4))
    path = write_rows(tmp_path, [*rows[:-1], rows[-1][:100]], end="")
    assert len(read_track(path)) == 3
    assert "line 5" in caplog.text


def set_cell(column: int, value: str) -> Callable[[list[list[str]]], None]:
    def change(rows: list[list[str]]) -> None:
        rows[2][column] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_cell(0, "1"), "line 3: frame 1 is out of order"),
        (set_cell(0, "99999999999"), "out of order"),
        (set_cell(1, "-5"), "does not come after|negative"),
        (set_cell(2, "64"), "size of the frames changes"),
        (set_cell(30, "nan"), "line 3 is no row"),
        (set_cell(30, "1e30"), "line 3 is no row"),
        (set_cell(30, "abc"), "line 3 is no row"),
        (lambda rows: rows[2].pop(), "it has 452 values, not 453"),
        (lambda rows: rows[0].reverse(), "first line does not begin with Frame"),
        (lambda rows: rows.__delitem__(slice(1, None)), "no rows"),
    ],
)
def test_a_wrong_log_is_one_clear_error(
    tmp_path: Path, change: Callable[[list[list[str]]], None], message: str
) -> None:
    rows = log_rows(tmp_path, turning(4))
    change(rows)
    with pytest.raises(InputError, match=message) as caught:
        read_track(write_rows(tmp_path, rows))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\xff\x00\x01", b"a,b\n1,2\n", b'"' + b"x" * 200_000])
def test_other_files_are_no_log(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.csv"):
        read_track(tmp_path / "a.csv")


def test_the_originals_log_is_read(original_log: Path) -> None:
    track = read_track(original_log, ConvertSettings(fps=Fraction(25)))
    assert (len(track), track.size, bool(track.detected.all())) == (78, (512, 512), True)
    assert np.abs(np.degrees(track.rotation)).max() < 10


@pytest.fixture
def original_log(shared_media: Path) -> Path:
    path = shared_media.parent / "openseeface" / "log_d0.csv"
    if not path.is_file():
        pytest.skip(f"needs a log made by OpenSeeFace as {path}")
    return path


# Files


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", NAME])
def test_nothing_is_replaced_or_left_behind(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path, track = tmp_path / name, turning(2)
    write_track(track, path, overwrite=False)
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists; use --overwrite"):
        write_track(track, path, overwrite=False)
    monkeypatch.setattr(Path, "replace", _fails)
    monkeypatch.setattr("os.replace", _fails)
    with pytest.raises(OutputError):
        write_track(track, path, overwrite=True)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    assert path.read_bytes() == before


def _fails(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(("name", "message"), [("a.txt", "unknown suffix"), ("none/a.csv", "does not exist")])
def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(OutputError, match=message):
        write_track(turning(1), tmp_path / name, overwrite=True)


def saved_with(folder: Path, name: str, value: NDArray[Any]) -> Path:
    path = folder / NAME
    save_landmarks(turning(4), path)
    about = {"format": "facereenact-landmarks", "version": 1, "size": [512, 600], "tracker": "t"}
    arrays = load_file(path) | {name: np.ascontiguousarray(value)}
    save_file(arrays, path, metadata={"facereenact": json.dumps(about)})
    return path


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("points", np.zeros((4, 68, 2), np.float64), "points is float64, expected float32"),
        ("points", np.full((4, 68, 2), np.nan, np.float32), "points holds values that are no finite numbers"),
        ("points", np.zeros((4, 66, 2), np.float32), "points has shape"),
        ("points", np.zeros((), np.float32), "number of frames"),
        ("scores", np.zeros((3, 68), np.float32), "number of frames"),
        ("rotation", np.full((4, 3), np.inf, np.float32), "rotation holds"),
        ("detected", np.ones(4, np.uint8), "detected is uint8, expected bool"),
        ("timestamps_s", np.arange(4, dtype=np.float32), "timestamps_s is float32, expected float64"),
        ("timestamps_s", np.arange(4) - 1.0, "negative times"),
        ("timestamps_s", np.array([0.0, 0.1, 0.1, 0.2]), "must increase"),
    ],
)
def test_a_damaged_landmark_file_is_one_clear_line(
    tmp_path: Path, name: str, value: NDArray[Any], message: str
) -> None:
    with pytest.raises(InputError, match=rf"damaged landmark file \(.*{message}.*make it again") as caught:
        load_landmarks(saved_with(tmp_path, name, value))
    assert "\n" not in str(caught.value)


# Overlay


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


# Videos

SIZE = (192, 192)


@pytest.fixture
def track_file(tmp_path: Path) -> Path:
    save_landmarks(with_gaps(sized(turning(12), SIZE), 5, 6), tmp_path / NAME)
    return tmp_path / NAME


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


# Plots


def test_a_plot_shades_gaps_and_shows_curves() -> None:
    image = plot_picture(with_gaps(turning(), *range(10, 20)), title="a.landmarks.safetensors")
    assert image.dtype == np.uint8
    assert image.shape[1:] == (1280, 3)
    shaded = (image == np.array(SHADE)).all(axis=2)[:600].sum(axis=0) > 200
    left, right = np.flatnonzero(shaded)[[0, -1]]
    assert (left, right) == (pytest.approx(92 + 1160 * 0.25, abs=4), pytest.approx(92 + 1160 * 0.5, abs=4))
    coloured = np.ptp(image.astype(int), axis=2) > 100
    assert coloured[100:270, 100:350].any(axis=0).mean() > 0.95  # the curves of the head
    assert not coloured[100:270, 390:665].any()


@pytest.mark.parametrize("track", [turning(1), replace(turning(3), detected=np.zeros(3, bool))], ids=["one", "none"])
def test_any_track_can_be_plotted(track: LandmarkSequence) -> None:
    assert plot_picture(track, title="x" * 300).shape[1] == 1280
    assert terminal_plot(track, columns=80)


def test_a_plot_is_written_once(tmp_path: Path, track_file: Path) -> None:
    for name in ("a.png", "a.jpg"):
        plot_file(track_file, PlotSettings(tmp_path / name))
        assert read_image(tmp_path / name)[0].shape[1] == 1280
    with pytest.raises(OutputError, match="exists"):
        plot_file(track_file, PlotSettings(tmp_path / "a.png"))
    with pytest.raises(OutputError, match="a plot is a picture"):
        plot_file(track_file, PlotSettings(tmp_path / "a.mp4"))


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [(0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]), (-14, 14, 5, [-10, 0, 10]), (0.01, 0.31, 5, [0.1, 0.2, 0.3])],
)
def test_ticks_are_round(low: float, high: float, most: int, expected: list[float]) -> None:
    assert ticks(low, high, most) == pytest.approx(expected)


@pytest.mark.parametrize("columns", [10, 80, 500])
def test_a_terminal_plot_fits_and_leaves_gaps_empty(columns: int) -> None:
    text = terminal_plot(with_gaps(turning(), *range(10, 20)), columns=columns)
    assert max(map(len, text.splitlines())) <= max(min(columns, 180), 40)
    assert [name for name in ("yaw", "pitch", "roll", "right lids", "left lids", "lips") if name not in text] == []
    assert "\u2591" in text
    yaw = text.splitlines()[:3]
    curves = [line.partition("\u2502")[2].ljust(60, "\u2800") for line in yaw]
    width = len(curves[0])
    if columns == 80:
        middle = "".join(line[width // 4 + 1 : width // 2 - 1] for line in curves)
        assert set(middle) == {"\u2800"}


def test_dots_rise_and_fall_with_the_values() -> None:
    values, times = np.array([0.0, 1.0]), np.array([0.0, 1.0])
    rows = braille(values, times, (0, 1.0001), (0, 1), width=6)
    assert [len(row) for row in rows] == [6, 6, 6]
    assert rows[0][-1] != "\u2800"
    assert rows[2][0] != "\u2800"
    assert rows[0][0] == rows[2][-1] == "\u2800"
    assert "".join(braille(np.array([np.nan, np.nan]), times, (0, 1), (0, 1), width=3)) == "\u2800" * 9
