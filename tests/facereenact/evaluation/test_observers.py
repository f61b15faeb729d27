"""Which tracker judges: one that did not drive."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from checkpoints import NotInstalledError
from facereenact.evaluation import observers
from facereenact.evaluation.observers import choose_judge
from facereenact.evaluation.sidecars import driving_tracker, window_step


def result_of(folder: Path, tracker: str | None) -> Path:
    if tracker is not None:
        (folder / "out.json").write_text(json.dumps({"tracker": tracker}))
    return folder / "out.mp4"


@pytest.mark.parametrize(
    ("drove", "installed", "name", "independent"),
    [
        ("mediapipe-0.10.21/face-mesh", True, "openseeface", True),
        ("mediapipe-0.10.21/face-mesh", False, "mesh", False),
        ("openseeface-1.20.4/lm_model0", True, "mesh", True),
        ("openseeface-1.20.4/lm_model0", False, "mesh", True),
        ("hybrid(openseeface-1.20.4/lm_model0, mediapipe-0.10.21/face-mesh)", True, "openseeface", False),
        (None, True, "openseeface", None),
        (None, False, "mesh", None),
    ],
)
def test_the_judge_did_not_drive(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    drove: str | None,
    installed: bool,
    name: str,
    independent: bool | None,
) -> None:
    monkeypatch.setattr(observers, "is_installed", lambda _: installed)
    judge = choose_judge("auto", result_of(tmp_path, drove))
    assert (judge.name, judge.independent) == (name, independent)
    assert "mesh" in judge.observers
    assert ("checkpoints pull openseeface" in judge.reason) == (name == "mesh" and independent is not True)


def test_a_tracker_can_be_asked_for(tmp_path: Path) -> None:
    result = result_of(tmp_path, "mediapipe-0.10.21/face-mesh")
    judge = choose_judge("mediapipe", result)
    assert (judge.name, judge.independent, judge.observers) == ("mesh", False, ("mesh",))
    assert choose_judge("openseeface", result).independent is True


def test_what_was_asked_for_must_be_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEREENACT_CHECKPOINTS", str(tmp_path))
    with pytest.raises(NotInstalledError, match="checkpoints pull openseeface"):
        observers.OpenSeeFaceObserver()


@pytest.mark.parametrize("text", ["", "[]", '{"tracker": 3}', '{"other": 1}'])
def test_a_file_beside_the_result_that_is_no_sidecar(tmp_path: Path, text: str) -> None:
    (tmp_path / "out.json").write_text(text)
    assert driving_tracker(tmp_path / "out.mp4") is None
    assert window_step(tmp_path / "out.mp4") is None


@pytest.mark.parametrize(("renderer", "step"), [("diffusion", 20), ("warp", None)])
def test_the_windows_of_the_diffusion_renderer(tmp_path: Path, renderer: str, step: int | None) -> None:
    content = {"settings": {"diffusion": {"window": 24, "overlap": 4}}, "result": {"renderer": renderer}}
    (tmp_path / "out.json").write_text(json.dumps(content))
    assert window_step(tmp_path / "out.mp4") == step
