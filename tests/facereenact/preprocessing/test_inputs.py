"""From what the user names to clips, each once."""

from __future__ import annotations

import os
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from facereenact.errors import InputError
from facereenact.preprocessing.inputs import find_clips
from facereenact.preprocessing.stores import Output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.mp4", "a.MOV", "deep/er/c.mkv", "deep/notes.txt", ".hidden.mp4", ".trash/d.mp4"):
        path = tmp_path / "clips" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "clips"


def found(*inputs: str | Path, output: Path = Path("/nowhere")) -> list[str]:
    return [clip.path for clip in find_clips(inputs, Output(output))]


def test_a_folder_stands_for_the_videos_in_it_at_any_depth(folder: Path) -> None:
    assert found(folder) == [f"{folder}/a.MOV", f"{folder}/b.mp4", f"{folder}/deep/er/c.mkv"]


def test_each_clip_counts_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert found("b.mp4", ".", folder / "b.mp4", "*.mp4") == [
        f"{folder}/b.mp4",
        f"{folder}/a.MOV",
        f"{folder}/deep/er/c.mkv",
    ]


def test_a_pattern_may_match_folders_and_depths(folder: Path) -> None:
    assert found(f"{folder}/**/*.mkv") == [f"{folder}/deep/er/c.mkv"]
    assert found(f"{folder}/d*p") == [f"{folder}/deep/er/c.mkv"]


def test_a_file_is_taken_whatever_its_name(folder: Path) -> None:
    odd = folder / "clip[1].bin"
    odd.write_bytes(b"x")
    assert found(odd) == [str(odd)]


def test_what_lies_in_the_output_is_no_input(folder: Path) -> None:
    assert found(folder, output=folder / "deep") == [f"{folder}/a.MOV", f"{folder}/b.mp4"]


def test_lists_name_clips_relative_to_themselves(folder: Path, tmp_path: Path) -> None:
    wanted = [f"{folder}/b.mp4", f"{folder}/gone.mp4", "memory://store/x.mp4?key=[1]*"]
    (tmp_path / "list.txt").write_text("# mine\n\nclips/b.mp4\nclips/gone.mp4\n" + wanted[2])
    (tmp_path / "list.csv").write_text("name,path\nx,clips/b.mp4\ny,clips/gone.mp4\nz," + wanted[2])
    (tmp_path / "one.csv").write_text("\n".join(wanted))
    pq.write_table(pa.table({"n": [1, 2, 3, 4], "path": [*wanted, None]}), tmp_path / "list.parquet")
    for name in ("list.txt", "list.csv", "one.csv", "list.parquet"):
        assert found(tmp_path / name) == wanted, name


def test_the_stamp_tells_a_changed_file_and_a_missing_one(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("clips/b.mp4\nclips/gone.mp4\n")
    before, gone = find_clips([tmp_path / "list.txt"], Output("/nowhere"))
    os.utime(folder / "b.mp4", ns=(1, 1))
    after, _ = find_clips([tmp_path / "list.txt"], Output("/nowhere"))
    assert before.stamp != after.stamp
    assert gone.stamp == ""


def test_stores_are_listed_like_folders() -> None:
    files = fsspec.filesystem("memory")
    for name in ("b.mp4", "deep/a.mov", "notes.md"):
        files.pipe_file(f"/store/{name}", name.encode())
    assert found("memory://store") == ["memory:///store/b.mp4", "memory:///store/deep/a.mov"]
    assert found("memory://store/*.mp4") == ["memory:///store/b.mp4"]
    assert found("memory://store/b.mp4") == ["memory://store/b.mp4"]
    files.pipe_file("/store/list.txt", b"deep/a.mov")
    assert found("memory://store/list.txt") == ["memory://store/deep/a.mov"]
    stamps = {clip.stamp for clip in find_clips(["memory://store"], Output("/nowhere"))}
    assert len(stamps) == 2 and "" not in stamps


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gone.mp4", "no such file or folder"),
        ("*.nothing", "no clip in"),
        ("empty", "no clip in .*empty"),
        ("gone.txt", "no such file or folder"),
        ("two.csv", "has no column 'path'"),
        ("bad.parquet", "cannot be read"),
        ("two.parquet", "has no column 'path'"),
        ("memory://gone.csv", "no such file or folder"),
        ("nostore://x.mp4", "is no address that can be opened"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "two.csv").write_text("a,b\n1,2\n")
    (tmp_path / "bad.parquet").write_text("no parquet")
    pq.write_table(pa.table({"a": ["x"], "b": ["y"]}), tmp_path / "two.parquet")
    with pytest.raises(InputError, match=words) as caught:
        found(name)
    assert "\n" not in str(caught.value)


def test_a_store_whose_package_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "s3fs", None)
    with pytest.raises(InputError, match="s3fs"):
        found("s3://bucket/clips")
