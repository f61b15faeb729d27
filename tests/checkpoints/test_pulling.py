"""pull(): from the catalogue to files in their places, by one process at a time."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from checkpoints import NotInstalledError, is_installed, locate, manifest, pull, verify
from checkpoints.downloads import DownloadError
from checkpoints.errors import OutputError
from checkpoints.published import Drive, Hub, PublishedFile, Web
from checkpoints.storage import RECORD, UNFINISHED, read_record
from tests.checkpoints.server import TINY, Server, checkpoint, published, serving, some_bytes, write_manifest

ONE, TWO = some_bytes(60_000, 1), some_bytes(40_000, 2)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(files={"one.onnx": ONE, "two.onnx": TWO}) as running:
        yield running


def test_files_come_are_proven_and_recorded(server: Server, tmp_path: Path) -> None:
    entry = checkpoint(server.base, published("one.onnx", ONE), published("two.onnx", TWO))
    assert not is_installed(entry, root=tmp_path)
    folder = pull(entry, root=tmp_path)
    assert is_installed(entry, root=tmp_path)
    assert locate(entry, root=tmp_path) == folder == tmp_path / "tiny"
    assert sorted(path.name for path in folder.iterdir()) == ["one.onnx", RECORD, "two.onnx"]
    assert (folder / "one.onnx").read_bytes() == ONE
    stored = read_record(folder)["one.onnx"]
    assert (stored.sha256, stored.bytes, stored.checked) == (hashlib.sha256(ONE).hexdigest(), len(ONE), "sha256")
    assert stored.source == f"{server.base}/one.onnx"


def test_what_is_there_is_not_pulled_again(server: Server, tmp_path: Path) -> None:
    entry = checkpoint(server.base, published("one.onnx", ONE), published("two.onnx", TWO))
    pull(entry, root=tmp_path)
    pull(entry, root=tmp_path)
    assert len(server.asked) == 2
    (tmp_path / "tiny" / "two.onnx").write_bytes(b"cut short")
    assert not is_installed(entry, root=tmp_path)
    pull(entry, root=tmp_path)
    assert [path for path, _ in server.asked] == ["one.onnx", "two.onnx", "two.onnx"]


@pytest.mark.parametrize("known", ["sha256", "git blob"])
def test_a_wrong_file_is_deleted(server: Server, tmp_path: Path, known: str) -> None:
    blob = hashlib.sha1(b"blob %d\0" % len(ONE) + ONE).hexdigest()
    file = published("one.onnx", ONE) if known == "sha256" else PublishedFile("one.onnx", git_blob=blob)
    entry = checkpoint(server.base, file)
    server.files["one.onnx"] = some_bytes(len(ONE), 9)
    with pytest.raises(DownloadError, match="another file than expected, which was deleted"):
        pull(entry, root=tmp_path)
    assert not (tmp_path / "tiny").exists()
    server.files["one.onnx"] = ONE
    stored = read_record(pull(entry, root=tmp_path))["one.onnx"]
    assert (stored.checked, stored.sha256) == (known, hashlib.sha256(ONE).hexdigest())


def test_a_file_that_differs_from_what_the_hub_states_is_deleted(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.base)
    monkeypatch.setenv("HF_TOKEN", "secret")
    content = b'{"width": 3}'
    path, digest = "who/what/resolve/abc/sub/config.json", hashlib.sha256(content).hexdigest()
    server.redirects[path] = ("cdn", {"X-Linked-ETag": f'"{digest}"'})
    server.files["cdn"] = b'{"width": 3, "cut": 1}'
    file = PublishedFile("config.json", settings=(("width", 3),))
    entry = checkpoint(server.base, file, source=Hub("who/what", "abc", "sub"))
    with pytest.raises(DownloadError, match="deleted: its SHA-256 is"):
        pull(entry, root=tmp_path)
    server.files["cdn"] = content
    assert read_record(pull(entry, root=tmp_path))["config.json"].checked == "settings"
    assert dict(server.asked)[path]["authorization"] == "Bearer secret"


def test_right_keys_do_not_make_up_for_a_wrong_hash(server: Server, tmp_path: Path) -> None:
    content = b'{"width": 3}'
    server.files["config.json"] = b'{"width":3 }'  # of the same size
    entry = checkpoint(server.base, published("config.json", content, settings=(("width", 3),)))
    with pytest.raises(DownloadError, match="deleted: its SHA-256 is"):
        pull(entry, root=tmp_path)
    server.files["config.json"] = content
    assert read_record(pull(entry, root=tmp_path))["config.json"].checked == "sha256"


def test_weights_become_safetensors(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "FOLDER", tmp_path / "manifests")
    layout = write_manifest(tmp_path / "manifests", "net", TINY)
    tensors = {key: torch.rand(shape) for key, shape in TINY.items()}
    torch.save(tensors, tmp_path / "net.pth")
    server.files["net.pth"] = (tmp_path / "net.pth").read_bytes()
    entry = checkpoint(server.base, PublishedFile("net.pth", stored="net.safetensors", layout=layout))
    folder = pull(entry, root=tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["net.safetensors", RECORD]
    stored = read_record(folder)["net.safetensors"]
    assert stored.checked == "keys and shapes"
    assert stored.published_sha256 == hashlib.sha256(server.files["net.pth"]).hexdigest() != stored.sha256
    assert [finding.state for finding in verify(entry, root=tmp_path)] == ["intact"]


def test_weights_of_another_network_are_deleted(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "FOLDER", tmp_path / "manifests")
    layout = write_manifest(tmp_path / "manifests", "net", TINY)
    torch.save({"other": torch.zeros(1)}, tmp_path / "net.pth")
    server.files["net.pth"] = (tmp_path / "net.pth").read_bytes()
    entry = checkpoint(server.base, PublishedFile("net.pth", stored="net.safetensors", layout=layout))
    with pytest.raises(DownloadError, match=r"3 missing: conv\.weight"):
        pull(entry, root=tmp_path)
    assert not (tmp_path / "tiny").exists()


def test_the_publisher_of_a_drive_is_named_and_a_mirror_taken_only_on_request(server: Server, tmp_path: Path) -> None:
    mirror = Web(server.base, page=server.base)
    entry = checkpoint(
        server.base, replace(published("one.onnx", ONE), bytes=5), source=Drive("https://drive/x"), mirror=mirror
    )
    with pytest.raises(DownloadError, match=r"download one.onnx from https://drive/x in a browser.*import tiny FOLDER"):
        pull(entry, root=tmp_path)
    pull(entry, source=mirror, root=tmp_path)
    assert pull(entry, root=tmp_path) == tmp_path / "tiny"  # nothing to do


def test_without_a_connection_the_message_says_all(tmp_path: Path) -> None:
    entry = checkpoint("http://127.0.0.1:9", published("one.onnx", ONE))
    with pytest.raises(DownloadError) as caught:
        pull(entry, root=tmp_path)
    told = str(caught.value)
    assert "http://127.0.0.1:9/one.onnx" in told
    assert f"facereenact checkpoints import tiny FOLDER --checkpoints {tmp_path}" in told
    assert str(tmp_path / "tiny" / "one.onnx") in told
    assert "\n" not in told


def test_a_hub_is_left_alone_when_the_user_forbids_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    entry = checkpoint("", published("one.onnx", ONE), source=Hub("who/what", "abc"))
    with pytest.raises(DownloadError, match=r"HF_HUB_OFFLINE is set.*import tiny FOLDER"):
        pull(entry, root=tmp_path)


def test_the_room_for_all_files_is_checked_first(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=70_000))
    with pytest.raises(OutputError, match="needs 100 kB"):
        pull(checkpoint(server.base, published("one.onnx", ONE), published("two.onnx", TWO)), root=tmp_path)
    assert server.asked == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="choose another with --checkpoints"):
        pull(checkpoint("", published("one.onnx", ONE)), root=tmp_path / "file")


PULL = """
import json, logging, sys
from pathlib import Path
from checkpoints.published import Checkpoint, PublishedFile, Web
from checkpoints.pulling import pull
logging.basicConfig(level=logging.WARNING)
base, root, name, size, sha256 = sys.argv[1:]
file = PublishedFile(name, bytes=int(size), sha256=sha256)
print("ready", flush=True)
print(pull(Checkpoint("tiny", "Tiny", "tests", "MIT", (file,), Web(base, base)), root=Path(root)))
"""


def start_pull(server: Server, root: Path) -> subprocess.Popen[str]:
    """Another process that pulls."""
    arguments = [server.base, str(root), "one.onnx", str(len(ONE)), hashlib.sha256(ONE).hexdigest()]
    process = subprocess.Popen(
        [sys.executable, "-c", PULL, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_two_processes_pull_a_file_once(server: Server, tmp_path: Path) -> None:
    server.chunk_s = 0.05  # 15 chunks
    processes = [start_pull(server, tmp_path) for _ in range(2)]
    outcomes = [process.communicate(timeout=20) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outcomes
    assert [printed.strip() for printed, _ in outcomes] == [str(tmp_path / "tiny")] * 2
    assert sum("waiting for it" in told for _, told in outcomes) == 1
    assert len(server.asked) == 1
    assert (tmp_path / "tiny" / "one.onnx").read_bytes() == ONE


def test_a_killed_download_is_continued(server: Server, tmp_path: Path) -> None:
    server.chunk_s = 0.05
    part = tmp_path / "tiny" / UNFINISHED / "one.onnx.part"
    process = start_pull(server, tmp_path)
    deadline = time.monotonic() + 10
    while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    process.communicate(timeout=10)
    kept = part.stat().st_size
    assert 0 < kept < len(ONE)
    server.chunk_s = 0.0
    entry = checkpoint(server.base, published("one.onnx", ONE))
    with pytest.raises(NotInstalledError):
        locate(entry, root=tmp_path)
    folder = pull(entry, root=tmp_path)
    assert (folder / "one.onnx").read_bytes() == ONE
    assert server.offsets("one.onnx") == [0, kept]
    assert json.loads((folder / RECORD).read_text("utf-8"))["files"].keys() == {"one.onnx"}
