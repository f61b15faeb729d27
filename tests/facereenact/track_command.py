"""`facereenact track` as a user runs it."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from facereenact import cli


def invoke(*arguments: str | Path | int) -> Result:
    return CliRunner().invoke(cli.main, ["track", *map(str, arguments)])


def error_line(result: Result, code: int = 1) -> str:
    assert result.exit_code == code, result.output
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error:") or code == 2][-1:]
    assert code == 2 or len(result.stderr.splitlines()) == 1
    return line


def table(text: str) -> dict[str, str]:
    return {name: value.strip() for name, _, value in (line.partition(" ") for line in text.splitlines())}
