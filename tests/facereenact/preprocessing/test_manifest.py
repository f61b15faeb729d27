"""The manifest keeps every row, whatever happens to the run, and others can read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from facereenact.errors import InputError, OutputError
from facereenact.preprocessing import manifest as module
from facereenact.preprocessing.manifest import NAME, PARTS, SCHEMA, Manifest, read_manifest
from facereenact.preprocessing.stores import Output


def row(path: str, shot: int | None = 0, person: int | None = 0, **values: Any) -> dict[str, Any]:
    return {"path": path, "shot": shot, "person": person, "status": "ok", "error": "", **values}


def places(table: pa.Table) -> list[tuple[str, int | None, int | None]]:
    return [(each["path"], each["shot"], each["person"]) for each in table.to_pylist()]


@pytest.fixture(params=["folder", "store"])
def manifest(request: pytest.FixtureRequest, tmp_path: Path) -> Manifest:
    """In a folder, and in a store."""
    output = Output(tmp_path / "out" if request.param == "folder" else f"file://{tmp_path}/out")
    output.create()
    return Manifest(output)


def test_rows_come_back_in_order(manifest: Manifest) -> None:
    manifest.append([row("b", 1, 1), row("b", 1, 0), row("b", 0)])
    manifest.append([row("a", face_px=120.5, rate_hz=29.97, versions="x")])
    manifest.merge()
    table = read_manifest(manifest.output)
    assert places(table) == [("a", 0, 0), ("b", 0, 0), ("b", 1, 0), ("b", 1, 1)]
    assert table.schema == SCHEMA
    assert table.to_pylist()[0] == dict.fromkeys(SCHEMA.names) | row("a", face_px=120.5, rate_hz=29.97, versions="x")


def test_rows_are_read_before_they_are_merged(manifest: Manifest) -> None:
    manifest.append([row("b")])
    manifest.merge()
    manifest.append([row("c")])
    manifest.flush()
    manifest.append([row("a", face_px=10.0), row("b", 5)])
    manifest.flush()
    assert places(read_manifest(manifest.output)) == [("a", 0, 0), ("b", 5, 0), ("c", 0, 0)]
    assert places(read_manifest(manifest.output, where=pc.field("face_px") > 5)) == [("a", 0, 0)]
    assert read_manifest(manifest.output, ["status"], pc.field("path") == "b").to_pylist() == [{"status": "ok"}]


def test_a_clip_done_again_replaces_all_its_rows(manifest: Manifest) -> None:
    manifest.append([row("a", 0), row("a", 1), row("b")])
    manifest.merge()
    manifest.append([row("a", None, None, status="failed", error="gone")])
    manifest.merge()
    assert places(read_manifest(manifest.output)) == [("a", None, None), ("b", 0, 0)]


def test_merging_twice_and_after_a_kill_counts_nothing_twice(manifest: Manifest) -> None:
    manifest.append([row("a"), row("b")])
    manifest.flush()
    part = manifest.output.files.cat_file(manifest.output.inside(f"{PARTS}/00000001.parquet"))
    manifest.merge()
    before = manifest.output.files.cat_file(manifest.output.inside(NAME))
    # Killed between the new file and the removal of its parts.
    manifest.output.write(f"{PARTS}/00000001.parquet", part)
    assert places(read_manifest(manifest.output)) == [("a", 0, 0), ("b", 0, 0)]
    manifest.merge()
    manifest.merge()
    assert manifest.output.files.cat_file(manifest.output.inside(NAME)) == before
    assert manifest.output.files.ls(manifest.output.inside(PARTS)) == []


def test_the_order_in_which_clips_finish_leaves_no_trace(tmp_path: Path) -> None:
    names = [f"clip{number}" for number in range(50)]
    for output, order in (("one", names), ("other", names[::-1])):
        manifest = Manifest(Output(tmp_path / output))
        manifest.output.create()
        for name in order:
            manifest.append([row(name, 1), row(name, 0)])
            if name.endswith("7"):
                manifest.flush()
        manifest.merge()
    assert (tmp_path / "one" / NAME).read_bytes() == (tmp_path / "other" / NAME).read_bytes()


def test_rows_reach_the_disk_by_number_and_by_time(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FLUSH_ROWS", 2)
    manifest.append([row("a"), row("b")])
    assert manifest.exists()
    monkeypatch.setattr(module, "FLUSH_S", 0.0)
    manifest.append([row("c")])
    assert len(read_manifest(manifest.output)) == 3


def test_a_full_disk_leaves_the_manifest_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = Manifest(Output(tmp_path))
    manifest.append([row("a")])
    manifest.merge()
    before = (tmp_path / NAME).read_bytes()
    manifest.append([row("b")])
    manifest.flush()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(pq.ParquetWriter, "write_table", full)
        with pytest.raises(OutputError, match="disk full"):
            manifest.merge()
    assert (tmp_path / NAME).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [PARTS, NAME]
    assert places(read_manifest(tmp_path)) == [("a", 0, 0), ("b", 0, 0)]


def test_a_folder_without_a_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give the output folder of"):
        read_manifest(tmp_path)


def test_a_damaged_manifest_is_told(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"PAR1 no more")
    with pytest.raises(InputError, match=r"is damaged \(.*remove it: the next run makes it again"):
        read_manifest(tmp_path)


def test_pandas_duckdb_and_datasets_read_it(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    duckdb = pytest.importorskip("duckdb")
    pandas = pytest.importorskip("pandas")
    manifest = Manifest(Output(tmp_path))
    manifest.append([row("a", face_px=200.0), row("b", face_px=50.0)])
    manifest.append([row("c", None, None, status="failed", error="gone")])
    manifest.merge()
    path = str(tmp_path / NAME)
    frame = pandas.read_parquet(path)
    assert list(frame[frame.face_px > 100].path) == ["a"]
    query = f"select path, face_px from '{path}' where status = 'ok' order by face_px"
    assert duckdb.sql(query).fetchall() == [("b", 50.0), ("a", 200.0)]
    loaded = datasets.load_dataset("parquet", data_files=path, split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.filter(lambda each: each["status"] == "failed")["path"] == ["c"]
