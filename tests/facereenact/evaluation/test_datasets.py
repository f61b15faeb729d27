"""Clips found in folders, manifests and published layouts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from facereenact.errors import InputError
from facereenact.evaluation.datasets import find_clips, find_pictures, recognised
from facereenact.evaluation.protocols import find_cases
from facereenact.evaluation.settings import EvaluateSettings
from facereenact.preprocessing.manifest import Manifest
from facereenact.preprocessing.stores import Output


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def names(path: Path, *arguments: str) -> list[str]:
    return [clip.name for clip in find_clips(path, *arguments)]  # type: ignore[arg-type]


def test_a_folder_of_clips(tmp_path: Path) -> None:
    touch(tmp_path / "b.mp4", tmp_path / "a.MOV", tmp_path / "notes.txt", tmp_path / "frames" / "0001.png")
    (tmp_path / "empty").mkdir()
    assert names(tmp_path) == ["a", "b", "frames"]
    assert names(tmp_path / "b.mp4") == ["b"]
    assert names(tmp_path / "frames") == ["frames"]


def test_the_manifest_of_preprocess(tmp_path: Path) -> None:
    manifest = Manifest(Output(tmp_path))
    rows = [("/videos/two.mp4", 0, "ok"), ("/videos/two.mp4", 1, "ok"), ("/videos/one.mp4", 0, "ok")]
    rows += [("/videos/bad.mp4", None, "failed"), ("/videos/blurred.mp4", 0, "filtered")]
    manifest.append({"path": path, "shot": shot, "status": status} for path, shot, status in rows)
    manifest.merge()
    assert recognised(tmp_path) == recognised(tmp_path / "manifest.parquet") == "manifest"
    for path in (tmp_path, tmp_path / "manifest.parquet"):
        assert [str(clip.path) for clip in find_clips(path)] == ["/videos/one.mp4", "/videos/two.mp4"]
    with pytest.raises(InputError, match="holds no"):
        find_clips(tmp_path.parent, "manifest")


def test_a_manifest_needs_the_packages_of_preprocess(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "manifest.parquet")
    monkeypatch.setitem(sys.modules, "facereenact.preprocessing.manifest", None)
    with pytest.raises(InputError, match=r"pip install 'facereenact\[preprocess\]'"):
        find_clips(tmp_path)


def test_the_layout_of_tiktok(tmp_path: Path) -> None:
    for number in (1, 334, 335, 340):
        touch(tmp_path / f"{number:05d}" / "images" / "0001.png", tmp_path / f"{number:05d}" / "masks" / "0001.png")
    assert recognised(tmp_path) == "tiktok"
    assert names(tmp_path) == ["00335", "00340"]
    assert names(tmp_path, "auto", "train") == ["00001", "00334"]
    assert len(names(tmp_path, "tiktok", "all")) == 4
    assert find_clips(tmp_path)[0].path == tmp_path / "00335" / "images"


def test_the_layout_of_ubc_fashion(tmp_path: Path) -> None:
    touch(tmp_path / "train" / "A1.mp4", tmp_path / "train" / "A2.mp4", tmp_path / "test" / "B1.mp4")
    assert recognised(tmp_path) == "ubc-fashion"
    assert names(tmp_path) == ["B1"]
    assert names(tmp_path, "auto", "all") == ["A1", "A2", "B1"]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        find_clips(tmp_path / "gone")
    with pytest.raises(InputError, match="no clip that fits the layout folder"):
        find_clips(tmp_path)
    with pytest.raises(InputError, match="no clip that fits the layout tiktok"):
        find_clips(tmp_path, "tiktok")
    with pytest.raises(InputError, match="holds no picture"):
        find_pictures(tmp_path)


def test_cross_takes_every_pair_and_leakage_every_part(tmp_path: Path) -> None:
    touch(tmp_path / "d" / "a.mp4", tmp_path / "d" / "b.mp4", tmp_path / "s" / "x.png", tmp_path / "s" / "y.jpg")
    inputs = {"drivers": [tmp_path / "d"], "sources": [tmp_path / "s"], "output": tmp_path / "o"}
    crossed = find_cases(EvaluateSettings(protocol="cross", **inputs))
    assert [case.name for case in crossed] == ["x-a", "x-b", "y-a", "y-b"]
    assert (crossed[3].source, crossed[3].driver) == (tmp_path / "s" / "y.jpg", tmp_path / "d" / "b.mp4")
    leaking = find_cases(EvaluateSettings(protocol="leakage", **inputs))
    assert [case.name for case in leaking[:3]] == ["x-a.head", "x-a.eyes", "x-a.mouth"]
    assert [case.parts for case in leaking[:3]] == [("head",), ("eyes",), ("mouth",)]
    assert len(leaking) == 12


def test_equal_names_are_numbered(tmp_path: Path) -> None:
    touch(tmp_path / "1" / "a.mp4", tmp_path / "2" / "a.mp4")
    settings = EvaluateSettings(protocol="self", drivers=[tmp_path / "1", tmp_path / "2"], output=tmp_path / "o")
    assert [case.name for case in find_cases(settings)] == ["a", "a-2"]


def test_results_pair_by_name(tmp_path: Path) -> None:
    touch(
        *(tmp_path / folder / f"{name}.mp4" for folder in ("d", "r") for name in ("a", "b")), tmp_path / "r" / "c.mp4"
    )
    paired = EvaluateSettings(
        protocol="pairs", drivers=[tmp_path / "d"], results=[tmp_path / "r"], output=tmp_path / "o"
    )
    assert [(case.driver.name, case.result) for case in find_cases(paired)] == [
        ("a.mp4", tmp_path / "r" / "a.mp4"),
        ("b.mp4", tmp_path / "r" / "b.mp4"),
    ]
    (tmp_path / "r" / "b.mp4").unlink()
    with pytest.raises(InputError, match="no result of the name of b"):
        find_cases(paired)
    two = EvaluateSettings(
        protocol="pairs", drivers=[tmp_path / "d" / "a.mp4"], results=[tmp_path / "r" / "c.mp4"], output=tmp_path / "o"
    )
    assert find_cases(two)[0].result == tmp_path / "r" / "c.mp4"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"drivers": []}, "nothing to evaluate"),
        ({"protocol": "cross"}, "Missing option --source"),
        ({"sources": ["a.png"]}, "takes no --source"),
        ({"results": ["a.mp4"]}, "only pairs"),
        ({"protocol": "pairs"}, "only pairs"),
        ({"protocol": "pairs", "results": ["a.mp4"], "drive": {"smooth": "none"}}, "change nothing"),
        ({"drive": {"output": "x.mp4"}}, "itself chooses output"),
        ({"source_frame": -1}, "counts from 0"),
        ({"end": 0}, "above 0"),
        ({"window": 1}, "2 or more"),
        ({"jobs": 0}, "from 1 to"),
    ],
)
def test_settings_that_contradict_each_other(changed: dict[str, object], told: str) -> None:
    given = {"protocol": "self", "drivers": ["a.mp4"], "output": "o", **changed}
    with pytest.raises(ValueError, match=told):
        EvaluateSettings(**given)  # type: ignore[arg-type]
