"""Tracks as OpenSeeFace's CSV log."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from facereenact.errors import InputError
from facereenact.landmark_tools.formats import convert_file, read_track, write_track
from facereenact.landmark_tools.settings import ConvertSettings
from landmarks import LandmarkSequence
from landmarks.storage import save_landmarks
from tests.facereenact.tracks import NAME, turning, with_gaps
from tests.faces import angle_deg


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
