"""`facereenact checkpoints`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from checkpoints import published as catalogue
from checkpoints.published import CATALOGUE, Drive, Web
from facereenact import cli
from tests.checkpoints.server import Server, checkpoint, published, serving, some_bytes

ONE = some_bytes(5000)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that publishes the checkpoint `tiny`, and mirrors `driven`."""
    with serving(files={"one.onnx": ONE}) as running:
        file = published("one.onnx", ONE)
        mirror = Web(running.base, running.base)
        driven = checkpoint(running.base, file, name="driven", source=Drive("https://drive/x"), mirror=mirror)
        entries = {"tiny": checkpoint(running.base, file), "driven": driven}
        monkeypatch.setattr(catalogue, "CATALOGUE", entries)
        yield running


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.main, ["checkpoints", *map(str, arguments)])


def rows(*arguments: str | Path) -> list[list[str]]:
    """The words of each line that is printed."""
    return [line.split() for line in run(*arguments).stdout.splitlines()]


def test_from_pull_to_remove(server: Server, tmp_path: Path) -> None:
    place = ("--checkpoints", tmp_path / "root")
    assert ["tiny", "-", "5", "kB", "MIT", "tests"] in rows("list", *place)
    done = run("pull", "tiny", *place)
    assert (done.exit_code, done.stdout) == (0, f"tiny is in {tmp_path / 'root' / 'tiny'}\n")
    assert done.stderr == ""
    assert ["tiny", "installed", "5", "kB", "MIT", "tests"] in rows("list", *place)
    assert run("path", "tiny", *place).stdout == f"{tmp_path / 'root' / 'tiny'}\n"
    assert run("verify", *place).exit_code == 0
    (tmp_path / "root" / "tiny" / "one.onnx").write_bytes(b"x" * len(ONE))
    broken = run("verify", "tiny", *place)
    assert broken.exit_code == 1
    assert "changed" in broken.stdout
    assert f"facereenact checkpoints remove tiny --checkpoints {tmp_path / 'root'}" in broken.stdout
    assert run("remove", "tiny", *place).stdout.startswith("tiny is removed, 5.")
    missing = run("path", "tiny", *place)
    assert missing.exit_code == 1
    assert missing.stderr.startswith("error: tiny is not installed in ")
    assert run("verify", *place).stdout == "no checkpoint is installed\n"


def test_the_environment_names_the_place(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEREENACT_CHECKPOINTS", str(tmp_path / "there"))
    assert run("path").stdout == f"{tmp_path / 'there'}\n"
    assert run("pull", "tiny").exit_code == 0
    assert (tmp_path / "there" / "tiny" / "one.onnx").read_bytes() == ONE


def test_files_are_imported(server: Server, tmp_path: Path) -> None:
    (tmp_path / "one.onnx").write_bytes(ONE)
    done = run("import", "driven", tmp_path / "one.onnx", "--checkpoints", tmp_path)
    assert (done.exit_code, done.stdout) == (0, f"driven is in {tmp_path / 'driven'}\n")
    assert server.asked == []
    (tmp_path / "one.onnx").write_bytes(b"other")
    refused = run("import", "driven", tmp_path, "--checkpoints", tmp_path)
    assert refused.exit_code == 1
    assert "is not the published one.onnx: its SHA-256 is" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_mirror_is_taken_on_request_only(server: Server, tmp_path: Path) -> None:
    place = ("--checkpoints", tmp_path)
    refused = run("pull", "driven", *place)
    assert refused.exit_code == 1
    assert "https://drive/x in a browser" in refused.stderr
    assert f"facereenact checkpoints pull driven --mirror --checkpoints {tmp_path}" in refused.stderr
    assert run("pull", "driven", "--mirror", *place).exit_code == 0
    wrong = run("pull", "driven", "tiny", "--mirror", *place)
    assert wrong.exit_code == 2
    assert "no mirror of tiny is known" in wrong.stderr


def test_an_unknown_name_and_a_missing_name(tmp_path: Path) -> None:
    unknown = run("pull", "moor", "--checkpoints", tmp_path)
    assert unknown.exit_code == 1
    assert "there are openseeface" in unknown.stderr
    assert run("pull").exit_code == 2


@pytest.mark.parametrize("width", [80, 200])
def test_the_list_shows_every_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shown = run("list", "--checkpoints", tmp_path).output
    assert all(name in shown for name in CATALOGUE)
    assert str(tmp_path) in shown


@pytest.mark.parametrize("name", ["list", "pull", "import", "verify", "path", "remove"])
def test_every_command_explains_itself(name: str) -> None:
    shown = run(name, "--help")
    assert shown.exit_code == 0
    assert "--checkpoints DIR" in shown.output
    assert "--debug" in shown.output
