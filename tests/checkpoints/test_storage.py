"""Where checkpoints lie, what is told when one is missing, and what becomes of damaged ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest

import checkpoints
from checkpoints import NotInstalledError, checkpoints_root, is_installed, locate, pull, remove, verify
from checkpoints.errors import InputError
from checkpoints.keeping import recorded
from checkpoints.published import CATALOGUE, Checkpoint, Hub, PublishedFile, find
from checkpoints.storage import RECORD, UNFINISHED, how_to_install, read_record, readable, state
from tests.checkpoints.server import Server, checkpoint, published, serving, some_bytes

ONE, TWO = some_bytes(5000, 1), some_bytes(3000, 2)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(files={"one.onnx": ONE, "two.onnx": TWO}) as running:
        yield running


@pytest.fixture
def entry(server: Server) -> Checkpoint:
    return checkpoint(server.base, published("one.onnx", ONE), published("two.onnx", TWO, optional=True))


def test_the_root_is_the_argument_then_the_environment_then_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FACEREENACT_CHECKPOINTS", raising=False)
    assert checkpoints_root() == platformdirs.user_cache_path("facereenact") / "checkpoints"
    monkeypatch.setenv("FACEREENACT_CHECKPOINTS", "~/weights")
    assert checkpoints_root() == Path.home() / "weights"
    assert checkpoints_root(tmp_path) == tmp_path


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_missing_checkpoint_names_the_commands(name: str, tmp_path: Path) -> None:
    with pytest.raises(NotInstalledError) as caught:
        locate(name, root=tmp_path)
    told = str(caught.value)
    assert f"facereenact checkpoints pull {name}" in told
    assert f"facereenact checkpoints import {name} FOLDER --checkpoints {tmp_path}" in told
    assert str(tmp_path / name) in told
    assert find(name).source.page in told
    assert "\n" not in told
    assert not is_installed(name, root=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"no checkpoint is called 'moor'; there are openseeface, moore-face"):
        locate("moor")


def test_an_optional_file_is_not_needed_but_can_be_asked_for(entry: Checkpoint, tmp_path: Path) -> None:
    folder = pull(entry, root=tmp_path)
    assert locate(entry, file="two.onnx", root=tmp_path) == folder / "two.onnx"
    (folder / "two.onnx").unlink()
    assert locate(entry, root=tmp_path) == folder
    with pytest.raises(NotInstalledError, match=r"two.onnx is missing; .*pull tiny"):
        locate(entry, file="two.onnx", root=tmp_path)
    with pytest.raises(InputError, match=r"tiny has no file three\.onnx"):
        locate(entry, file="three.onnx", root=tmp_path)


def test_verify_finds_a_flipped_byte_and_a_missing_file(entry: Checkpoint, tmp_path: Path) -> None:
    folder = pull(entry, root=tmp_path)
    assert [finding.state for finding in verify(entry, root=tmp_path)] == ["intact", "intact"]
    content = bytearray(ONE)
    content[2500] ^= 1
    (folder / "one.onnx").write_bytes(content)
    (folder / "two.onnx").unlink()
    findings = verify(entry, root=tmp_path)
    assert [(finding.path.name, finding.state) for finding in findings] == [
        ("one.onnx", "changed"),
        ("two.onnx", "missing"),
    ]
    assert is_installed(entry, root=tmp_path)  # a look at the sizes only


def test_verify_needs_a_record(entry: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(NotInstalledError):
        verify(entry, root=tmp_path)
    folder = pull(entry, root=tmp_path)
    (folder / RECORD).write_text('{"format": 99, "files": {}}')
    assert state(entry, root=tmp_path) == "partial"
    with pytest.raises(InputError, match=r"record.json is damaged; run: facereenact checkpoints remove tiny"):
        verify(entry, root=tmp_path)
    remove(entry, root=tmp_path)
    assert state(entry, root=tmp_path) == "absent"


def test_a_shared_folder_without_write_permission_is_enough_for_what_is_there(
    entry: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = pull(entry, root=tmp_path)

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("checkpoints.lock.os.open", refuse)
    assert pull(entry, root=tmp_path) == locate(entry, root=tmp_path) == folder


def test_only_what_is_recorded_is_looked_after(
    entry: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("checkpoints.published.CATALOGUE", {"tiny": entry})
    (tmp_path / "tiny" / UNFINISHED).mkdir(parents=True)
    (tmp_path / "tiny" / UNFINISHED / "one.onnx.part").write_bytes(b"1")
    assert (state(entry, root=tmp_path), recorded(root=tmp_path)) == ("partial", [])
    pull(entry, root=tmp_path)
    assert recorded(root=tmp_path) == [entry]


def test_remove_takes_what_is_ours_and_nothing_else(entry: Checkpoint, tmp_path: Path) -> None:
    folder = pull(entry, root=tmp_path)
    (folder / UNFINISHED).mkdir()
    (folder / UNFINISHED / "one.onnx.part").write_bytes(b"12345")
    (folder / "notes.txt").write_text("mine")
    assert remove(entry, root=tmp_path) > len(ONE) + len(TWO) + 5
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    (folder / "notes.txt").unlink()
    pull(entry, root=tmp_path)
    remove(entry, root=tmp_path)
    assert not folder.exists()
    with pytest.raises(InputError, match="nothing of tiny is in"):
        remove(entry, root=tmp_path)


def test_the_catalogue_is_consistent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    for entry in checkpoints.catalogue():
        names = [file.stored_name for file in entry.files]
        assert len(set(names)) == len(names)
        assert not any(name.endswith((".pth", ".bin")) for name in names)
        for file in entry.files:
            assert file.sha256 is None or len(file.sha256) == 64
            assert file.git_blob is None or len(file.git_blob) == 40
            assert file.sha256 or file.git_blob or file.layout or file.settings, "nothing would prove this file"
        if not isinstance(entry.source, Hub):
            continue
        assert len(entry.source.revision) == 40, "a branch can change"
    assert find("image-encoder").source.page.startswith("https://huggingface.co/lambdalabs/")


def test_sizes_for_people() -> None:
    assert [readable(size) for size in (5, 1902521, 334643276, 8_700_000_000)] == [
        "5 bytes",
        "1.9 MB",
        "335 MB",
        "8.7 GB",
    ]


def test_the_public_names_are_lazy() -> None:
    assert set(checkpoints.__all__) <= set(dir(checkpoints))
    with pytest.raises(AttributeError, match="nothing"):
        _ = checkpoints.nothing


def by_hand(folder: Path) -> Checkpoint:
    """A checkpoint of two files that somebody has copied into their folder."""
    contents = {"a.onnx": b"network", "b.json": b"{}"}
    for name, content in contents.items():
        (folder / "tiny").mkdir(parents=True, exist_ok=True)
        (folder / "tiny" / name).write_bytes(content)
    files = tuple(PublishedFile(name, sha256=hashlib.sha256(content).hexdigest()) for name, content in contents.items())
    optional = PublishedFile("c.onnx", git_blob="0" * 40, optional=True)
    return Checkpoint(
        name="tiny", title="", needed_by="", licence="", source=Hub("a/b", revision="0" * 40), files=(*files, optional)
    )


def test_files_that_were_copied_into_the_folder_count_once_their_hashes_prove_them(tmp_path: Path) -> None:
    entry = by_hand(tmp_path)
    assert state(entry, root=tmp_path) == "installed"
    assert set(read_record(tmp_path / "tiny")) == {"a.onnx", "b.json"}
    (tmp_path / "tiny" / "a.onnx").write_bytes(b"net")
    assert state(entry, root=tmp_path) == "partial"
    assert "tiny is incomplete or damaged (a.onnx) in" in how_to_install(entry, tmp_path)


def test_a_copied_file_of_another_content_does_not_count(tmp_path: Path) -> None:
    entry = by_hand(tmp_path)
    (tmp_path / "tiny" / "a.onnx").write_bytes(b"Network")
    assert state(entry, root=tmp_path) == "partial"
    assert not (tmp_path / "tiny" / "record.json").exists()


def test_a_folder_that_may_only_be_read_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("checkpoints.storage.write_record", refuse)
    assert state(by_hand(tmp_path), root=tmp_path) == "installed"
