"""download(): nothing received is asked for again, and every failure says what to do."""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from checkpoints import downloads
from checkpoints.downloads import RETRY_DELAYS_S, DownloadError, UnreachableError, download, origin_path
from checkpoints.errors import OutputError
from tests.checkpoints.server import Server, serving, some_bytes

CONTENT = some_bytes(200_000)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(files={"file": CONTENT}) as running:
        yield running


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts, which take no time."""
    waited: list[float] = []
    monkeypatch.setattr(downloads, "time", SimpleNamespace(sleep=waited.append))
    return waited


def fetch(server: Server, tmp_path: Path, **more: Any) -> bytes:
    download(f"{server.base}/file", tmp_path / "part", **more)
    return (tmp_path / "part").read_bytes()


def test_a_file_arrives_with_progress(server: Server, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int | None]] = []
    assert fetch(server, tmp_path, stage="file", progress=lambda *step: steps.append(step)) == CONTENT
    assert steps[0] == ("file", 0, len(CONTENT))
    assert steps[-1] == ("file", len(CONTENT), len(CONTENT))
    assert [step[1] for step in steps] == sorted(step[1] for step in steps)


def test_cut_connections_are_taken_up_where_they_ended(server: Server, tmp_path: Path, waits: list[float]) -> None:
    server.cuts["file"] = [50_000, 30_000, 1]
    assert fetch(server, tmp_path) == CONTENT
    assert server.offsets("file") == [0, 50_000, 80_000, 80_001]
    assert waits == [RETRY_DELAYS_S[0]] * 3  # each attempt got further, so the count began anew


def test_a_connection_that_stays_cut_ends_in_an_error_and_keeps_the_part(
    server: Server, tmp_path: Path, waits: list[float]
) -> None:
    server.cuts["file"] = [70_000, *[0] * 20]
    with pytest.raises(DownloadError, match=r"70 kB are kept, run the command again"):
        fetch(server, tmp_path)
    assert waits == list(RETRY_DELAYS_S)
    server.cuts.clear()
    assert fetch(server, tmp_path) == CONTENT
    assert server.offsets("file")[-1] == 70_000


def test_a_connection_that_goes_away_midway_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        stack.close()  # the server is gone

    monkeypatch.setattr(downloads, "time", SimpleNamespace(sleep=sleep))
    stack = ExitStack()
    server = stack.enter_context(serving(files={"file": CONTENT}, cuts={"file": [70_000]}))
    with pytest.raises(DownloadError, match=r"cannot be reached .*; 70 kB are kept, run the command again") as caught:
        fetch(server, tmp_path)
    assert not isinstance(caught.value, UnreachableError)
    assert waited == [RETRY_DELAYS_S[0], *RETRY_DELAYS_S[1:]]


@pytest.mark.parametrize("change", ["content", "no ranges", "no etag", "shorter"])
def test_a_part_of_something_else_is_never_continued(
    server: Server, tmp_path: Path, waits: list[float], change: str
) -> None:
    server.etags = change != "no etag"
    server.cuts["file"] = [100_000, *[0] * 5]
    with pytest.raises(DownloadError):
        fetch(server, tmp_path)
    server.cuts.clear()
    server.ranges = change != "no ranges"
    if change in ("content", "shorter"):
        server.files["file"] = some_bytes(90_000 if change == "shorter" else 200_000, seed=1)
    assert fetch(server, tmp_path) == server.files["file"]


def test_a_part_beyond_the_end_is_dropped(server: Server, tmp_path: Path, waits: list[float]) -> None:
    fetch(server, tmp_path)
    (tmp_path / "part").write_bytes(CONTENT + b"more")
    assert fetch(server, tmp_path) == CONTENT


def test_a_complete_part_is_not_asked_for_again(server: Server, tmp_path: Path) -> None:
    fetch(server, tmp_path)
    assert fetch(server, tmp_path) == CONTENT
    assert len(server.asked) == 1


def test_the_part_of_another_url_is_not_continued(server: Server, tmp_path: Path, waits: list[float]) -> None:
    server.files["other"] = some_bytes(200_000, seed=2)
    server.cuts["other"] = [100_000, *[0] * 5]
    with pytest.raises(DownloadError):
        download(f"{server.base}/other", tmp_path / "part")
    assert fetch(server, tmp_path) == CONTENT
    assert server.offsets("file") == [0]


def test_a_damaged_note_beside_the_part_only_costs_time(server: Server, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"x" * 10)
    origin_path(tmp_path / "part").write_text('{"url": 5, "new": ')
    assert fetch(server, tmp_path) == CONTENT


def test_a_busy_server_is_asked_again_when_it_says(server: Server, tmp_path: Path, waits: list[float]) -> None:
    server.statuses["file"] = [503, 429]
    assert fetch(server, tmp_path) == CONTENT
    assert waits == [3.0, 3.0]


@pytest.mark.parametrize(("status", "hint"), [(404, "404"), (401, "HF_TOKEN"), (403, "HF_TOKEN")])
def test_a_refusal_is_final(server: Server, tmp_path: Path, waits: list[float], status: int, hint: str) -> None:
    server.statuses["file"] = [status]
    with pytest.raises(DownloadError, match=hint):
        fetch(server, tmp_path)
    assert waits == []


def test_another_size_than_published_is_refused_before_the_download(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="200000 bytes instead of 5"):
        fetch(server, tmp_path, expected_bytes=5)
    assert not (tmp_path / "part").exists()


def test_no_connection_is_told_at_once(server: Server, tmp_path: Path, waits: list[float]) -> None:
    for url in ("http://127.0.0.1:9/file", "http://nowhere.invalid/file"):
        with pytest.raises(UnreachableError, match=f"{url} cannot be reached"):
            download(url, tmp_path / "part")
    assert waits == []


def test_the_hash_that_a_hub_states_is_returned_and_the_token_stays_there(server: Server, tmp_path: Path) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    server.redirects["resolve"] = ("file", {"X-Linked-ETag": f'"{digest}"'})
    origin = download(f"{server.base}/resolve", tmp_path / "part", token="secret")
    assert origin.stated_sha256 == digest
    asked = dict(server.asked)
    assert asked["resolve"]["authorization"] == "Bearer secret"
    assert "authorization" not in asked["file"]


def test_a_redirected_download_is_continued(server: Server, tmp_path: Path, waits: list[float]) -> None:
    server.redirects["resolve"] = ("file", {})
    server.cuts["file"] = [60_000]
    download(f"{server.base}/resolve", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert server.offsets("file") == [0, 60_000]


def test_a_full_disk_is_seen_before_the_download(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(OutputError, match=r"needs 200 kB and its disk has 1 kB free.*--checkpoints"):
        fetch(server, tmp_path)
    assert not (tmp_path / "part").exists()


def test_a_disk_that_fills_up_keeps_what_arrived(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Filling:
        """A file on a disk with room for 100 kB."""

        def __init__(self, path: Path, mode: str) -> None:
            self.file = path.open(mode)

        def __enter__(self) -> Filling:
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

        def write(self, chunk: bytes) -> None:
            if self.file.tell() + len(chunk) > 100_000:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.file.write(chunk)

    server.chunk_s = 0.001
    monkeypatch.setattr(downloads, "open", Filling, raising=False)
    with pytest.raises(OSError, match="No space"):
        fetch(server, tmp_path)
    kept = (tmp_path / "part").stat().st_size
    assert 0 < kept <= 100_000
    monkeypatch.undo()
    assert fetch(server, tmp_path) == CONTENT
    assert server.offsets("file") == [0, kept]
