"""What evaluate() keeps between runs, and when it measures anew."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from facereenact.errors import InputError, OutputError
from facereenact.evaluation import rendering, runner
from facereenact.evaluation.cache import MEASURING, ROOT, contents_of, program
from facereenact.evaluation.runner import evaluate
from facereenact.evaluation.settings import EvaluateSettings
from tests.facereenact import clips

Image = NDArray[np.uint8]


def test_nothing_is_done_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = EvaluateSettings("self", (clips.talk(),), tmp_path / "o", end=0.3)
    first = evaluate(settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "measure", refuse)
        patch.setattr(rendering, "drive", refuse)
        assert evaluate(settings).clips == first.clips
    monkeypatch.setattr(rendering, "drive", refuse)  # another way of measuring needs no new results
    assert evaluate(EvaluateSettings("self", (clips.talk(),), tmp_path / "o", end=0.3, window=4)).clips
    with pytest.raises(InputError, match="no clip could be evaluated"):
        evaluate(EvaluateSettings("self", (clips.talk(),), tmp_path / "o", end=0.2))


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("done again")


def test_an_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two = (clips.talk(), clips.uneven())
    settings = EvaluateSettings("self", two, tmp_path / "o", end=0.3)

    def interrupt(stage: str, done: int, total: int | None) -> None:
        if stage == "clips" and done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(settings, progress=interrupt)
    assert not (tmp_path / "o" / "report.json").exists()
    measured = []
    real = runner.measure
    monkeypatch.setattr(
        runner, "measure", lambda case, *rest, **more: measured.append(case.name) or real(case, *rest, **more)
    )
    report = evaluate(settings)
    assert [clip.name for clip in report.clips] == ["talk", "uneven"]
    assert measured == ["uneven"]
    assert not list((tmp_path / "o").rglob("*.partial"))


def test_a_damaged_record_is_made_again(tmp_path: Path) -> None:
    settings = EvaluateSettings("self", (clips.talk(),), tmp_path / "o", end=0.2)
    first = evaluate(settings)
    record = tmp_path / "o" / first.clips[0].details
    record.write_text(record.read_text()[:100])
    assert evaluate(settings).clips[0].metrics == first.clips[0].metrics


def test_another_program_measures_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = EvaluateSettings("self", (clips.talk(),), tmp_path / "o", end=0.2)
    evaluate(settings)
    monkeypatch.setattr(runner, "program", lambda: "edited")
    monkeypatch.setattr(runner, "measure", refuse)
    with pytest.raises(InputError, match="AssertionError: done again"):
        evaluate(settings)


def test_another_tracker_at_hand_measures_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = EvaluateSettings("self", (clips.talk(),), tmp_path / "o", end=0.2)
    evaluate(settings)
    monkeypatch.setattr(runner, "is_installed", lambda _: True)
    monkeypatch.setattr(runner, "measure", refuse)
    with pytest.raises(InputError, match="done again"):
        evaluate(settings)


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds other files than a report"):
        evaluate(EvaluateSettings("self", (clips.talk(),), tmp_path))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="cannot be written"):
        evaluate(EvaluateSettings("self", (clips.talk(),), tmp_path / "file" / "o"))


def test_contents_are_read_again_once_they_change(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    first, folder = contents_of(tmp_path / "a"), contents_of(tmp_path)
    assert first == hashlib.sha256(b"one").hexdigest()
    (tmp_path / "a").write_bytes(b"other")
    assert contents_of(tmp_path / "a") == hashlib.sha256(b"other").hexdigest()
    assert contents_of(tmp_path) != folder
    (tmp_path / "a").rename(tmp_path / "b")
    assert contents_of(tmp_path) != contents_of(tmp_path / "b")


def test_every_source_and_table_is_part_of_the_program(tmp_path: Path) -> None:
    seen = {program(with_file(tmp_path / "empty", "docs/notes.py"))}
    for index, name in enumerate(
        (
            "body/dwpose/networks.py",
            "checkpoints/manifests/unet.json.gz",
            "facereenact/pipelines/sampling.py",
            "landmarks/tables/face_model.csv",
            "facereenact/evaluation/deep/er.py",
        )
    ):
        root = with_file(tmp_path / str(index), name)
        seen |= {program(root), program(with_file(tmp_path / f"{index} edited", name, "edited"))}
        of_renders = program(root, without=MEASURING)
        assert (of_renders == program(tmp_path / "empty")) == name.startswith("facereenact/evaluation/")
    assert len(seen) == 1 + 2 * 5
    cached = with_file(tmp_path / "cached", "body/__pycache__/networks.cpython-311.pyc")
    assert program(cached) == program(tmp_path / "empty")
    assert program(ROOT) == program() != program(without=MEASURING)


def with_file(root: Path, name: str, text: str = "") -> Path:
    """A folder that holds one file."""
    (root / name).parent.mkdir(parents=True)
    (root / name).write_text(text)
    return root
