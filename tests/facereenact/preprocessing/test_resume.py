"""preprocess() again on the same output: what is passed over, what is done again, what a fault leaves."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from facereenact.errors import InputError, OutputError
from facereenact.preprocessing.manifest import NAME, read_manifest
from facereenact.preprocessing.run_lock import only_run
from facereenact.preprocessing.stores import Output
from tests.facereenact.clips import talk
from tests.facereenact.preprocessing.plain import SETTINGS, InPlace, files_of, run, write_face


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_face(tmp_path / "clip.mp4")


def rows(output: Path) -> list[dict[str, object]]:
    return read_manifest(output).to_pylist()


def test_a_second_run_does_nothing(tmp_path: Path, clip: Path) -> None:
    first = run([clip, talk()], tmp_path / "out")
    before = files_of(tmp_path / "out")
    engine = InPlace()
    second = run([clip, talk()], tmp_path / "out", engine=engine)
    assert engine.done == []
    assert files_of(tmp_path / "out") == before
    assert [result.was_complete for result in second.values()] == [True, True]
    assert [result.content for result in second.values()] == [result.content for result in first.values()]


def test_content_counts_and_not_the_name(tmp_path: Path, clip: Path) -> None:
    run([clip], tmp_path / "out")
    copy = shutil.copy(clip, tmp_path / "copy.mp4")
    assert run([copy], tmp_path / "out")["copy.mp4"].was_complete
    os.utime(clip, ns=(1, 1))
    assert run([clip], tmp_path / "out")["clip.mp4"].was_complete
    write_face(clip, first=20)
    assert not run([clip], tmp_path / "out")["clip.mp4"].was_complete
    found = rows(tmp_path / "out")
    assert [Path(str(row["path"])).name for row in found] == ["clip.mp4", "copy.mp4"]
    assert found[0]["hash"] != found[1]["hash"]
    assert len(list((tmp_path / "out" / "clips").iterdir())) == 2


def test_other_settings_make_the_clip_again(tmp_path: Path, clip: Path) -> None:
    run([clip], tmp_path / "out")
    assert not run([clip], tmp_path / "out", replace(SETTINGS, with_crops=True))["clip.mp4"].was_complete
    (row,) = rows(tmp_path / "out")
    assert row["crop"] is not None
    assert run([clip], tmp_path / "out", replace(SETTINGS, with_crops=True, timeout=5))["clip.mp4"].was_complete


def test_what_was_removed_is_made_again(tmp_path: Path, clip: Path) -> None:
    run([clip], tmp_path / "out")
    before = files_of(tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "clips")
    assert not run([clip], tmp_path / "out")["clip.mp4"].was_complete
    assert files_of(tmp_path / "out") == before
    (tmp_path / "out" / NAME).unlink()
    assert run([clip], tmp_path / "out")["clip.mp4"].was_complete
    assert files_of(tmp_path / "out") == before


def test_a_failure_is_kept_until_it_is_retried(tmp_path: Path, clip: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(clip.read_bytes()[:3000])
    inputs = [broken, clip]
    first = run(inputs, tmp_path / "out")
    assert "broken.mp4" in first["broken.mp4"].error and not first["clip.mp4"].error
    engine = InPlace()
    again = run(inputs, tmp_path / "out", engine=engine)
    assert engine.done == [] and again["broken.mp4"].error == first["broken.mp4"].error

    run(inputs, tmp_path / "out", engine=engine, retry_failed=True)
    assert engine.done == ["broken.mp4"]
    broken.unlink()
    assert "no such file" in run([], tmp_path / "out", retry_failed=True)["broken.mp4"].error
    shutil.copy(clip, broken)
    assert not run([], tmp_path / "out", retry_failed=True)["broken.mp4"].error
    assert {row["status"] for row in rows(tmp_path / "out")} == {"ok"}
    with pytest.raises(InputError, match="names no clip that failed"):
        run([], tmp_path / "out", retry_failed=True)


def test_a_clip_that_was_missing_is_tried_again(tmp_path: Path, clip: Path) -> None:
    (tmp_path / "list.txt").write_text("later.mp4\n")
    assert "no such file" in run([tmp_path / "list.txt"], tmp_path / "out")["later.mp4"].error
    shutil.copy(clip, tmp_path / "later.mp4")
    assert not run([tmp_path / "list.txt"], tmp_path / "out")["later.mp4"].error


def test_a_full_disk_stops_the_run_and_loses_nothing(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run([clip], tmp_path / "out")
    before = files_of(tmp_path / "out")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(OutputError, match=r"No space left|disk full"):
            run([clip, talk()], tmp_path / "out")
    assert files_of(tmp_path / "out") == before
    assert not run([clip, talk()], tmp_path / "out")["talk.mp4"].error


def test_two_runs_do_not_share_an_output(tmp_path: Path, clip: Path) -> None:
    for output in (tmp_path / "out", "memory://held"):
        Output(output).create()
        with (
            only_run(Output(output)),
            pytest.raises(OutputError, match=rf"is in use by another run \(process {os.getpid()} on"),
        ):
            run([clip], output)
        assert not run([clip], output)["clip.mp4"].error


def test_a_marker_of_a_dead_run_does_not_block_a_store(clip: Path) -> None:
    import socket

    files = fsspec.filesystem("memory")
    files.pipe_file("/dead/.lock", json.dumps({"process": 2**22 + 1, "machine": socket.gethostname()}).encode())
    assert not run([clip], "memory://dead")["clip.mp4"].error
    files.pipe_file("/dead/.lock", b"whatever")
    with pytest.raises(OutputError, match=r"if that run was killed, remove memory://dead/.lock"):
        run([clip], "memory://dead")


def test_of_two_runs_that_start_at_once_one_has_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    from facereenact.preprocessing import run_lock

    real = run_lock._holder
    looks = 0

    def slow_store(output: Output, path: str) -> str:
        """The first look comes before the other run's marker does."""
        nonlocal looks
        looks += 1
        found = real(output, path)
        if looks == 1:
            output.files.pipe_file(path, b'{"process": 7, "machine": "elsewhere"}')
        return found

    monkeypatch.setattr(run_lock, "_holder", slow_store)
    output = Output("memory://at-once")
    output.create()
    with pytest.raises(OutputError, match=r"another run \(process 7 on elsewhere\)"), only_run(output):
        pass
    assert b"elsewhere" in output.files.cat_file("/at-once/.lock")


def test_half_made_files_of_a_killed_run_are_removed(tmp_path: Path, clip: Path) -> None:
    left = tmp_path / "out" / ".work" / "clip-x" / "files"
    left.mkdir(parents=True)
    (left / "0-0.landmarks.safetensors").write_bytes(b"half")
    run([clip], tmp_path / "out")
    assert not left.exists()


def test_a_defect_that_one_clip_sets_off_fails_that_clip(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facereenact.preprocessing import clip_work

    real = clip_work.track_clip

    def strange(path: Path, *arguments: object, **more: object) -> object:
        if path == clip:
            raise IndexError("list index\nout of range")
        return real(path, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(clip_work, "track_clip", strange)
    results = run([clip, talk()], tmp_path / "out")
    assert results["clip.mp4"].error == "IndexError: list index out of range"
    assert not results["talk.mp4"].error
