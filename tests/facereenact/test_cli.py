import json
import logging
import signal
import subprocess
import sys
from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner, Result

import facereenact
from facereenact import cli
from facereenact.cli.options import common_options
from facereenact.errors import InputError

HEAVY = ("torch", "diffusers", "transformers", "mediapipe", "cv2", "numba", "numpy", "rich")


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def run_command(body: Callable[[], object], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    """The outcome of `facereenact ARGUMENTS`, with a command `act` that runs `body`."""
    command = click.command("act")(common_options(lambda: body()))
    monkeypatch.setattr(cli.LazyCommand, "load", lambda self: command)
    monkeypatch.setitem(cli.COMMANDS, "act", cli.LazyCommand("nowhere:act", "Act."))
    return CliRunner().invoke(cli.main, list(arguments))


def raising(error: BaseException) -> Callable[[], object]:
    def body() -> object:
        raise error

    return body


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import json, sys
from facereenact.cli import main
try:
    main(["--help"])
except SystemExit:
    print(json.dumps([name for name in {HEAVY} if name in sys.modules]), file=sys.stderr)
"""
    done = python(code)
    assert json.loads(done.stderr) == []
    assert all(f"{name} " in done.stdout for name in cli.COMMANDS)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to catch")
def test_being_terminated_unwinds_the_work() -> None:
    code = """
import os, signal, sys, click
from facereenact import cli
@click.command("act")
def act():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        print("went on")
    finally:
        print("cleaned up")
cli.LazyCommand.load = lambda self: act
cli.main(["doctor"])
"""
    done = python(code)
    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, "cleaned up\n")


def test_version() -> None:
    assert CliRunner().invoke(cli.main, ["--version"]).output.split()[-1] == facereenact.__version__


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_loads_and_takes_the_common_options(name: str) -> None:
    command = cli.COMMANDS[name].load()
    assert {"verbose", "debug"} <= {parameter.name for parameter in command.params}
    assert command.help


@pytest.mark.parametrize(
    ("error", "exit_code", "message"),
    [
        (InputError("no such file: a.png"), 1, "error: no such file: a.png\n"),
        (ZeroDivisionError("by zero"), 1, "error: ZeroDivisionError: by zero; run again with --debug"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (click.UsageError("wrong"), 2, "Error: wrong"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    error: BaseException, exit_code: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run_command(raising(error), monkeypatch, "act")
    assert done.exit_code == exit_code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("arguments", [("--debug", "act"), ("act", "--debug")])
@pytest.mark.parametrize("error", [InputError("no such file"), ZeroDivisionError("no such file")])
def test_debug_shows_the_traceback_at_either_place(
    arguments: tuple[str, ...], error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run_command(raising(error), monkeypatch, *arguments)
    assert done.exit_code == 1
    assert "Traceback" in done.stderr
    assert "no such file" in done.stderr.splitlines()[-1]
    assert "run again" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("act",), ["warning: three"]),
        (("-v", "act"), ["two", "warning: three"]),
        (("act", "--verbose"), ["two", "warning: three"]),
        (("--debug", "act"), ["debug: one", "two", "warning: three"]),
        (("--debug", "act", "-v"), ["debug: one", "two", "warning: three"]),
    ],
)
def test_messages_by_verbosity(arguments: tuple[str, ...], shown: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def body() -> None:
        logger = logging.getLogger("landmarks.anything")
        logger.debug("one")
        logger.info("two")
        logger.warning("three")

    assert run_command(body, monkeypatch, *arguments).stderr.splitlines() == shown


def test_an_unknown_command_is_wrong_usage() -> None:
    done = CliRunner().invoke(cli.main, ["dirve"])
    assert done.exit_code == 2
    assert "dirve" in done.stderr


def test_library_chatter_is_dropped_and_the_rest_kept() -> None:
    done = python("""
import os, sys
from facereenact.console import quiet_libraries, show_libraries
quiet_libraries()
os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\\n")
os.write(2, b"a C++ message\\n")
print("a Python message", file=sys.stderr)
show_libraries()
os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called\\n")
""")
    assert sorted(done.stderr.splitlines()) == [
        "WARNING: All log messages before absl::InitializeLog() is called",
        "a C++ message",
        "a Python message",
    ]


def test_mediapipe_says_nothing() -> None:
    done = python("""
from facereenact.console import quiet_libraries
quiet_libraries()
import mediapipe
import numpy
with mediapipe.solutions.face_mesh.FaceMesh(refine_landmarks=True) as mesh:
    mesh.process(numpy.zeros((64, 96, 3), numpy.uint8))
""")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
