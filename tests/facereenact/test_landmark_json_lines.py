"""Tracks as JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facereenact.errors import FaceNotFoundError, InputError
from facereenact.landmark_tools.formats import read_track, write_track
from landmarks import LandmarkSequence
from tests.facereenact.tracks import same, turning, with_gaps
from tests.faces import angle_deg, hopper


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
