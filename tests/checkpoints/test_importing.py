"""import_files(): everything is checked before anything is stored, and no pickle runs code."""

from __future__ import annotations

import errno
import os
import pickle
import shutil
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from checkpoints import import_files, is_installed, manifest, verify
from checkpoints.errors import InputError, OutputError
from checkpoints.published import Checkpoint, PublishedFile
from checkpoints.storage import read_record
from tests.checkpoints.server import TINY, checkpoint, write_manifest

Tensors = dict[str, torch.Tensor]


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    """A checkpoint of two networks and a settings file."""
    monkeypatch.setattr(manifest, "FOLDER", tmp_path / "manifests")
    layout = write_manifest(tmp_path / "manifests", "net", TINY)
    return checkpoint(
        "http://nowhere.invalid",
        PublishedFile("first.pth", stored="first.safetensors", layout=layout),
        PublishedFile("second.pth", stored="second.safetensors", layout=layout, also_named=("second.bin",)),
        PublishedFile("config.json", settings=(("width", 4),)),
        folders=("sub",),
    )


def weights(**changed: torch.Tensor | None) -> Tensors:
    """Weights that fit TINY but for what is changed; dots in keys are written as two underscores."""
    tensors: dict[str, torch.Tensor | None] = {key: torch.rand(shape) for key, shape in TINY.items()}
    tensors |= {key.replace("__", "."): tensor for key, tensor in changed.items()}
    return {key: tensor for key, tensor in tensors.items() if tensor is not None}


def write_folder(folder: Path, first: Any = None, second: Any = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(first or weights(), folder / "first.pth")
    torch.save(second or weights(), folder / "second.pth")
    (folder / "config.json").write_text('{"width": 4, "depth": 2}')
    return folder


def stored_files(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "tiny").rglob("*")) if (root / "tiny").exists() else []


@pytest.mark.parametrize("where", ["folder", "folder above", "files"])
def test_good_files_are_stored_as_safetensors(entry: Checkpoint, tmp_path: Path, where: str) -> None:
    first = weights(conv__bias=torch.rand(4).half(), pe=torch.rand(1, 8, 4).bfloat16())
    given = write_folder(tmp_path / "given" / "sub", first)
    paths = {"folder": given, "folder above": given.parent, "files": sorted(given.iterdir())}[where]
    folder = import_files(entry, paths, root=tmp_path)
    assert stored_files(tmp_path) == ["config.json", "first.safetensors", "record.json", "second.safetensors"]
    assert is_installed(entry, root=tmp_path)
    loaded = load_file(folder / "first.safetensors")
    assert {key: (tensor.dtype, tensor.shape) for key, tensor in loaded.items()} == {
        key: (tensor.dtype, tensor.shape) for key, tensor in first.items()
    }
    assert all(torch.equal(loaded[key], first[key]) for key in first)
    record = read_record(folder)
    assert (record["first.safetensors"].checked, record["config.json"].checked) == ("keys and shapes", "settings")
    assert {finding.state for finding in verify(entry, root=tmp_path)} == {"intact"}
    assert (given / "first.pth").exists()
    assert {file.stat().st_mode for file in folder.iterdir()} == {(given / "config.json").stat().st_mode}
    assert folder.stat().st_mode == given.stat().st_mode


def test_safetensors_are_taken_as_they_are(entry: Checkpoint, tmp_path: Path) -> None:
    given = write_folder(tmp_path / "given")
    (given / "second.pth").unlink()
    save_file(weights(), given / "second.safetensors", metadata={"by": "someone"})
    folder = import_files(entry, given, root=tmp_path)
    assert (folder / "second.safetensors").read_bytes() == (given / "second.safetensors").read_bytes()


def test_the_old_format_and_shared_memory_are_read(entry: Checkpoint, tmp_path: Path) -> None:
    whole = torch.rand(2, 4)
    shared = weights(conv__bias=whole[1], pe=whole[0].expand(1, 8, 4))
    given = write_folder(tmp_path / "given", shared)
    torch.save(shared, given / "second.pth", _use_new_zipfile_serialization=False)
    folder = import_files(entry, given, root=tmp_path)
    for name in ("first.safetensors", "second.safetensors"):
        loaded = load_file(folder / name)
        assert all(torch.equal(loaded[key], shared[key]) for key in TINY)


def test_a_missing_file_can_be_given_later(entry: Checkpoint, tmp_path: Path) -> None:
    given = write_folder(tmp_path / "given")
    with pytest.raises(InputError, match=r"also needs second.pth, config.json; give all together"):
        import_files(entry, given / "first.pth", root=tmp_path)
    assert stored_files(tmp_path) == []
    folder = import_files(entry, given, root=tmp_path)
    before = (folder / "second.safetensors").read_bytes()
    torch.save(weights(), given / "first.pth")
    import_files(entry, given / "first.pth", root=tmp_path)
    assert (folder / "second.safetensors").read_bytes() == before
    assert {finding.state for finding in verify(entry, root=tmp_path)} == {"intact"}


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (weights(pe=None), r"1 missing: pe$"),
        (weights(new=torch.zeros(1)), r"1 unknown: new$"),
        (weights(conv__bias=torch.zeros(5)), r"1 wrong shape: conv.bias is \[5\] instead of \[4\]$"),
        (
            {f"block.{index}": torch.zeros(1) for index in range(9)},
            r"3 missing: conv.weight, conv.bias, pe; 9 unknown: block.0, .*, block.4 and 4 more$",
        ),
        ({**weights(), "step": 5}, "something else than a dictionary of tensors"),
        ([torch.zeros(1)], "something else than a dictionary of tensors"),
    ],
)
def test_nothing_is_stored_unless_all_fits(entry: Checkpoint, tmp_path: Path, second: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        import_files(entry, write_folder(tmp_path / "given", second=second), root=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["given", "manifests"]  # no lock, either


class Attack:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"echo > '{self.path}'",)


@pytest.mark.parametrize("kind", ["zip", "old", "pickle"])
def test_a_pickle_that_runs_code_is_refused(entry: Checkpoint, tmp_path: Path, kind: str) -> None:
    given = write_folder(tmp_path / "given")
    content = {**weights(), "evil": Attack(tmp_path / "ran")}
    if kind == "pickle":
        (given / "second.pth").write_bytes(pickle.dumps(content))
    else:
        torch.save(content, given / "second.pth", _use_new_zipfile_serialization=kind == "zip")
    with pytest.raises(InputError) as caught:
        import_files(entry, given, root=tmp_path)
    told = str(caught.value)
    assert "\n" not in told and "second.pth" in told
    assert kind == "pickle" or "is refused: it asks for posix.system" in told or "nt.system" in told
    assert not (tmp_path / "ran").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["given", "manifests"]  # no lock, either


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>not found</html>",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        b"PK\x03\x04 cut",
        struct.pack("<Q", 2) + b"{}" + b"left over",
        struct.pack("<Q", 1 << 60) + b"{",
    ],
)
def test_a_damaged_file_is_told_in_one_line(entry: Checkpoint, tmp_path: Path, content: bytes) -> None:
    given = write_folder(tmp_path / "given")
    (given / "second.pth").write_bytes(content)
    with pytest.raises(InputError, match=r"second.pth is not a .*download it again$"):
        import_files(entry, given, root=tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [('{"width": 8}', "width is 8 instead of 4"), ("{", "not a JSON file"), ("[]", "width is None")],
)
def test_settings_of_another_network_are_refused(entry: Checkpoint, tmp_path: Path, text: str, told: str) -> None:
    given = write_folder(tmp_path / "given")
    (given / "config.json").write_text(text)
    with pytest.raises(InputError, match=told):
        import_files(entry, given, root=tmp_path)


def test_paths_that_say_nothing_are_refused(entry: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "other.pth").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    for path, told in (
        (tmp_path / "nowhere", "no such file or folder"),
        (tmp_path / "other.pth", "is no part of tiny, which has first.pth, second.pth, config.json"),
        (tmp_path / "empty", "is no part of tiny"),
    ):
        with pytest.raises(InputError, match=told):
            import_files(entry, path, root=tmp_path)


def test_a_full_disk_leaves_nothing(entry: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = write_folder(tmp_path / "given")

    def full(*_: object, **__: object) -> None:
        raise SafetensorError(f"I/O error: No space left on device (os error {errno.ENOSPC})")

    with monkeypatch.context() as patch:
        patch.setattr("safetensors.torch.save_file", full)
        with pytest.raises(OutputError, match=r"the disk of .* is full; make room"):
            import_files(entry, given, root=tmp_path)
    assert stored_files(tmp_path) == []
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
        with pytest.raises(OutputError, match="has 10 bytes free"):
            import_files(entry, given, root=tmp_path)
    assert stored_files(tmp_path) == []


def test_a_failed_import_keeps_what_was_installed(entry: Checkpoint, tmp_path: Path) -> None:
    import_files(entry, write_folder(tmp_path / "given"), root=tmp_path)
    before = stored_files(tmp_path)
    with pytest.raises(InputError):
        import_files(entry, write_folder(tmp_path / "bad", second=weights(pe=None)), root=tmp_path)
    assert stored_files(tmp_path) == before
    assert {finding.state for finding in verify(entry, root=tmp_path)} == {"intact"}
