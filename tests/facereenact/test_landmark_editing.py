"""Landmark files cut, joined and written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from facereenact.errors import InputError, OutputError
from facereenact.landmark_tools.edit import merged, trimmed
from facereenact.landmark_tools.formats import write_track
from landmarks.storage import load_landmarks, save_landmarks
from tests.facereenact.tracks import NAME, same, sized, turning, with_gaps


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
