"""The estimators by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from body import estimators
from body.estimators import choose_estimator, open_estimator
from body.mediapipe import MediaPipeEstimator
from checkpoints import NotInstalledError
from checkpoints.errors import InputError


@pytest.fixture(autouse=True)
def no_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEREENACT_CHECKPOINTS", str(tmp_path))


def test_without_downloads_it_is_mediapipe() -> None:
    name, reason = choose_estimator()
    assert name == "mediapipe" and "facereenact checkpoints pull dwpose" in reason
    assert isinstance(open_estimator(name), MediaPipeEstimator)


def test_dwpose_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimators, "is_installed", lambda name: name == "dwpose")
    assert choose_estimator()[0] == "dwpose"


@pytest.mark.parametrize("name", ["mediapipe", "dwpose"])
def test_what_is_asked_for_is_taken(name: str) -> None:
    assert choose_estimator(name) == (name, "asked for")


def test_missing_networks_name_the_command_that_brings_them() -> None:
    with pytest.raises(NotInstalledError, match="facereenact checkpoints pull dwpose"):
        open_estimator("dwpose")


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(InputError, match="choose auto, mediapipe, dwpose"):
        choose_estimator("openpose")
