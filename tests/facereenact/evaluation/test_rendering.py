"""What identifies a render: all that it is made from, wherever that lies."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from body.estimators import DWPOSE
from checkpoints import NotInstalledError
from checkpoints.storage import StoredFile, write_record
from facereenact.body_settings import BodySettings
from facereenact.diffusion_settings import DiffusionSettings
from facereenact.evaluation.protocols import Case
from facereenact.evaluation.rendering import render_key
from facereenact.evaluation.settings import EvaluateSettings
from facereenact.tiny_model import make_tiny
from tests.facereenact import clips

CASE = Case("talk", clips.talk(), clips.portrait())


def key(case: Case = CASE, **chosen: Any) -> str:
    return render_key(case, EvaluateSettings("self", (clips.talk(),), Path("o"), drive=chosen))


def test_the_renderer_that_auto_takes_identifies_a_render(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "checkpoints"
    monkeypatch.setenv("FACEREENACT_CHECKPOINTS", str(root))
    without = key()
    with pytest.raises(NotInstalledError):
        key(renderer="diffusion")
    make_tiny(root)
    diffused = key()
    assert diffused != without
    assert key(renderer="diffusion") == diffused
    assert key(renderer="warp") == without
    shutil.rmtree(root)
    assert key() == without
    make_tiny(root, seed=1)
    assert key() not in (without, diffused)


def test_checkpoints_count_by_content_and_not_by_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tiny(tmp_path / "one")
    named = key(diffusion=DiffusionSettings(checkpoints=tmp_path / "one"))
    (tmp_path / "one").rename(tmp_path / "other")
    assert key(diffusion=DiffusionSettings(checkpoints=tmp_path / "other")) == named
    monkeypatch.setenv("FACEREENACT_CHECKPOINTS", str(tmp_path / "other"))
    fast = key(diffusion=DiffusionSettings(preset="fast"))
    exact = key()
    shutil.rmtree(tmp_path / "other" / "taesd")  # fast decodes with it where it is there
    assert key(diffusion=DiffusionSettings(preset="fast")) != fast
    assert key() == exact == named


def test_an_estimator_of_bodies_identifies_the_render_of_a_body(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEREENACT_CHECKPOINTS", str(tmp_path))
    body = BodySettings(body_driver=clips.talk())
    before, of_a_face = key(body=body), key()
    (tmp_path / DWPOSE).mkdir()
    write_record(tmp_path / DWPOSE, {"pose.onnx": StoredFile("a hash", 1, "pose.onnx", "a hash", "sha256", "import")})
    assert key(body=body) != before
    assert key() == of_a_face


@pytest.mark.parametrize("name", ["head_driver", "mouth_driver", "prepared"])
def test_files_that_settings_name_count_by_content(tmp_path: Path, name: str) -> None:
    path = tmp_path / ("folder" if name == "prepared" else "file")
    file = path / "manifest.parquet" if name == "prepared" else path
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"one")
    first = key(**{name: path})
    path.rename(tmp_path / "moved")
    assert key(**{name: tmp_path / "moved"}) == first != key()
    (tmp_path / "moved").rename(path)
    file.write_bytes(b"other")
    assert key(**{name: str(path)}) != first


def test_source_driver_and_settings_identify_a_render() -> None:
    cases = (CASE, Case("talk", clips.talk()), Case("talk", clips.uneven(), clips.portrait()))
    keys = {key(case) for case in cases} | {key(smooth="light"), key(Case("talk", *CASE_FILES, parts=("mouth",)))}
    assert len(keys) == 5
    assert key(Case("another name", *CASE_FILES)) == key()


CASE_FILES = (clips.talk(), clips.portrait())
