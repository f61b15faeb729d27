"""Pose files; tests/landmarks/test_storage.py covers what all files of sequences share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from body import PoseSequence
from body.storage import SUFFIX, load_pose, save_pose
from body.types import ARRAYS
from checkpoints.errors import InputError, OutputError
from landmarks.storage import load_landmarks, save_landmarks
from tests.body.figures import figure
from tests.faces import hopper

NAME = f"dance{SUFFIX}"


@pytest.fixture
def sequence() -> PoseSequence:
    times = np.array([0, 0.04, 1 / 3, 2, 1e5 / 3])
    detected = np.array([True, True, False, True, False])
    return replace(figure(5), timestamps_s=times, detected=detected, estimator="tést/1")


def test_what_is_saved_is_loaded(tmp_path: Path, sequence: PoseSequence) -> None:
    save_pose(sequence, tmp_path / NAME)
    loaded = load_pose(tmp_path / NAME)
    assert (loaded.size, loaded.estimator) == (sequence.size, sequence.estimator)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(sequence, name))
        assert getattr(loaded, name).dtype == getattr(sequence, name).dtype


def test_another_suffix_is_refused(tmp_path: Path, sequence: PoseSequence) -> None:
    with pytest.raises(OutputError, match=r"the name of a pose file ends in \.pose\.safetensors"):
        save_pose(sequence, tmp_path / "dance.safetensors")
    assert not list(tmp_path.iterdir())


def test_faces_are_no_poses_and_poses_are_no_faces(tmp_path: Path, sequence: PoseSequence) -> None:
    save_pose(sequence, tmp_path / NAME)
    with pytest.raises(InputError, match="not a landmark file"):
        load_landmarks(tmp_path / NAME)
    save_landmarks(hopper().landmarks, tmp_path / "a.landmarks.safetensors")
    with pytest.raises(InputError, match="not a pose file; make one with `facereenact pose track`"):
        load_pose(tmp_path / "a.landmarks.safetensors")


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, sequence: PoseSequence) -> None:
    path = tmp_path / NAME
    save_pose(sequence, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"damaged pose file.*make it again"):
        load_pose(path)


def test_scores_above_one_are_refused(tmp_path: Path, sequence: PoseSequence) -> None:
    object.__setattr__(sequence, "scores", sequence.scores + 1)
    save_pose(sequence, tmp_path / NAME)
    with pytest.raises(InputError, match=r"damaged pose file \(scores must lie from 0 to 1\)"):
        load_pose(tmp_path / NAME)
