"""Fixtures of more than one module."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facereenact.drive import DriveResult, drive
from facereenact.settings import DriveSettings
from landmarks.storage import save_landmarks
from tests.facereenact import clips
from tests.facereenact.tracks import NAME, SIZE, sized, turning, with_gaps
from tests.landmarks.test_trackers import install_models


@pytest.fixture
def models(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSeeFace's networks are installed, in a folder of the test's own."""
    install_models(tmp_path_factory.mktemp("checkpoints"), monkeypatch)


@pytest.fixture
def track_file(tmp_path: Path) -> Path:
    """A track of twelve frames, two of them filled in."""
    save_landmarks(with_gaps(sized(turning(12), SIZE), 5, 6), tmp_path / NAME)
    return tmp_path / NAME


@pytest.fixture(scope="session")
def steps() -> list[tuple[str, int, int | None]]:
    """What `progress` was told while `plain` was made."""
    return []


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int | None]]) -> DriveResult:
    """The portrait driven by the clip, without further ado."""
    settings = DriveSettings(
        clips.portrait(),
        clips.talk(),
        tmp_path_factory.mktemp("plain") / "out.mp4",
        mouth="painted",
        save_landmarks=tmp_path_factory.mktemp("track") / "talk.landmarks.safetensors",
    )
    return drive(settings, progress=lambda *step: steps.append(step))


@pytest.fixture(scope="session")
def saved_track(plain: DriveResult) -> Path:
    """The landmark file that was saved when `plain` was made."""
    sidecar = json.loads(plain.output.with_suffix(".json").read_text())
    return Path(sidecar["settings"]["save_landmarks"])
