"""Finished evaluations of tiny clips, made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from facereenact.evaluation.report import Report
from facereenact.evaluation.runner import evaluate
from facereenact.evaluation.settings import EvaluateSettings
from tests.facereenact import clips


@pytest.fixture(autouse=True)
def no_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a fresh machine."""
    monkeypatch.setenv("FACEREENACT_CHECKPOINTS", str(tmp_path / "no-checkpoints"))


@pytest.fixture(scope="session")
def self_report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    """The driver of the tests, animated by itself, and a clip that shows nobody."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEREENACT_CHECKPOINTS", str(tmp_path_factory.mktemp("none")))
        folder = tmp_path_factory.mktemp("self") / "report"
        yield evaluate(EvaluateSettings("self", (clips.talk(), clips.nobody()), folder))
