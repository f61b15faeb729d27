"""Landmark files: what is saved is what is loaded, anything else is refused, and nothing half-written stays."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from facereenact.errors import InputError, OutputError
from landmarks import LandmarkSequence
from landmarks.storage import SUFFIX, load_landmarks, save_landmarks
from landmarks.types import ARRAYS
from tests.faces import acted, hopper

NAME = f"talk{SUFFIX}"


@pytest.fixture
def sequence() -> LandmarkSequence:
    track = acted(hopper().landmarks, turn_deg=[(0, k, 0) for k in range(5)], timestamps_s=[0, 0.04, 1 / 3, 2, 1e5 / 3])
    return replace(track, detected=np.array([True, True, False, True, False]), tracker="tést/1")


@pytest.fixture
def saved(tmp_path: Path, sequence: LandmarkSequence) -> Path:
    save_landmarks(sequence, tmp_path / NAME)
    return tmp_path / NAME


def with_metadata(path: Path, change: dict[str, Any] | None) -> Path:
    """The file again, its description changed or (None) left out."""
    about = {"format": "facereenact-landmarks", "version": 1, "size": [512, 600], "tracker": "t"}
    metadata = None if change is None else {"facereenact": json.dumps(about | change)}
    save_file(load_file(path), path, metadata=metadata)
    return path


def test_what_is_saved_is_loaded(saved: Path, sequence: LandmarkSequence) -> None:
    loaded = load_landmarks(saved)
    assert (loaded.size, loaded.tracker) == (sequence.size, sequence.tracker)
    for name in ARRAYS:
        was, now = getattr(sequence, name), getattr(loaded, name)
        assert (now.dtype, now.tobytes()) == (was.dtype, was.tobytes()), name
    assert [path.name for path in saved.parent.iterdir()] == [NAME]


def test_a_part_of_a_sequence_can_be_saved(tmp_path: Path, sequence: LandmarkSequence) -> None:
    save_landmarks(sequence[::2], tmp_path / NAME)
    np.testing.assert_array_equal(load_landmarks(tmp_path / NAME).points, sequence.points[::2])


def test_saving_again_replaces_the_file(saved: Path, sequence: LandmarkSequence) -> None:
    save_landmarks(sequence[:2], saved)
    assert len(load_landmarks(saved)) == 2


@pytest.mark.parametrize("name", ["talk.safetensors", "talk.landmarks", "talk.mp4"])
def test_another_suffix_is_refused(tmp_path: Path, sequence: LandmarkSequence, name: str) -> None:
    with pytest.raises(OutputError, match=SUFFIX):
        save_landmarks(sequence, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path, sequence: LandmarkSequence) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        save_landmarks(sequence, tmp_path / "missing" / NAME)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_the_name_is_an_error_that_leaves_nothing_behind(
    tmp_path: Path, sequence: LandmarkSequence
) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        save_landmarks(sequence, tmp_path / NAME)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_an_interrupted_save_keeps_the_old_file(
    saved: Path, sequence: LandmarkSequence, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def interrupted(path: Path, content: bytes) -> None:
        write(path, content[: len(content) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_landmarks(sequence[:2], saved)
    assert [path.name for path in saved.parent.iterdir()] == [NAME]
    assert len(load_landmarks(saved)) == 5


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path / NAME, tmp_path):
        with pytest.raises(InputError, match="no such landmark file"):
            load_landmarks(path)


@pytest.mark.parametrize("length", [0, 7, 100, -1])
def test_a_truncated_file_is_an_error(saved: Path, length: int) -> None:
    saved.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(InputError, match=r"damaged landmark file.*make it again"):
        load_landmarks(saved)


def test_a_file_of_something_else_is_an_error(saved: Path) -> None:
    import pickle

    for content in (b"not at all a landmark file", pickle.dumps({"points": [1, 2]}), b"\xff" * 64):
        saved.write_bytes(content)
        with pytest.raises(InputError, match="damaged landmark file"):
            load_landmarks(saved)


@pytest.mark.parametrize("change", [None, {"format": "somebody-elses"}])
def test_a_safetensors_file_of_something_else_is_an_error(saved: Path, change: dict[str, Any] | None) -> None:
    with pytest.raises(InputError, match="not a landmark file"):
        load_landmarks(with_metadata(saved, change))


def test_another_format_version_says_which(saved: Path) -> None:
    with pytest.raises(InputError, match="format version 2, this program reads 1"):
        load_landmarks(with_metadata(saved, {"version": 2}))


@pytest.mark.parametrize("size", [[512], "512x600", None, [0, 600], ["wide", "high"]])
def test_a_wrong_size_is_an_error(saved: Path, size: object) -> None:
    with pytest.raises(InputError, match="damaged landmark file"):
        load_landmarks(with_metadata(saved, {"size": size}))


@pytest.mark.parametrize("metadata", ["[]", "3", "not json"])
def test_a_description_of_another_form_is_an_error(saved: Path, metadata: str) -> None:
    save_file(load_file(saved), saved, metadata={"facereenact": metadata})
    with pytest.raises(InputError, match="landmark file"):
        load_landmarks(saved)


@pytest.mark.parametrize("name", ARRAYS)
def test_a_missing_array_is_an_error(saved: Path, name: str) -> None:
    arrays = load_file(saved)
    del arrays[name]
    save_file(arrays, saved, metadata={"facereenact": json.dumps({"format": "facereenact-landmarks", "version": 1})})
    with pytest.raises(InputError, match="damaged landmark file"):
        load_landmarks(saved)


def test_arrays_that_do_not_fit_together_are_an_error(saved: Path) -> None:
    arrays = load_file(saved)
    arrays["points"] = np.ascontiguousarray(arrays["points"][:-1])
    save_file(arrays, saved)
    with pytest.raises(InputError, match="damaged landmark file"):
        load_landmarks(with_metadata(saved, {}))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30, -1e7])
def test_points_that_are_no_numbers_are_an_error(saved: Path, value: float) -> None:
    arrays = load_file(saved)
    arrays["points"][0, 0, 0] = value
    save_file(arrays, saved)
    with pytest.raises(InputError, match="damaged landmark file"):
        load_landmarks(with_metadata(saved, {}))


def test_a_file_may_be_read_by_whom_the_umask_lets(tmp_path: Path, saved: Path) -> None:
    (tmp_path / "beside").touch()
    assert saved.stat().st_mode == (tmp_path / "beside").stat().st_mode
