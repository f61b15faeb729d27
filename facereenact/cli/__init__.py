"""The command line: commands are imported when they run, and every error ends here as one line."""

from __future__ import annotations

import errno
import signal
import threading
import traceback
from dataclasses import dataclass
from importlib import import_module
from typing import NoReturn

import click

from checkpoints.errors import FacereenactError
from facereenact import __version__
from facereenact.cli.options import common_options, debug_requested
from facereenact.console import quiet_libraries


@dataclass(frozen=True)
class LazyCommand:
    """Where a command lives, and the line that `facereenact --help` shows without importing it."""

    target: str  # "module:attribute"
    short_help: str

    def load(self) -> click.Command:
        module, _, attribute = self.target.partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.target} is not a click command")
        return command


COMMANDS = {
    "drive": LazyCommand("facereenact.cli.drive:drive", "Animate a face with the motion of a video."),
    "track": LazyCommand("facereenact.cli.track:track", "Track the faces of a video and keep their landmarks."),
    "preprocess": LazyCommand(
        "facereenact.cli.preprocess:preprocess", "Track the faces of many clips, here or on a cluster; a manifest."
    ),
    "evaluate": LazyCommand("facereenact.cli.evaluate:evaluate", "Measure how good results are; reports and tables."),
    "compare": LazyCommand("facereenact.cli.compare:compare", "Set two reports of evaluate side by side."),
    "checkpoints": LazyCommand(
        "facereenact.cli.checkpoints:checkpoints", "List, download, import, verify and remove the weights of networks."
    ),
    "landmarks": LazyCommand("facereenact.cli.landmarks:landmarks", "Look at, plot, convert and cut landmark files."),
    "pose": LazyCommand("facereenact.cli.pose:pose", "Track the body of a person, and look at the result."),
    "doctor": LazyCommand("facereenact.cli.doctor:doctor", "Check the installation and name the cure of each fault."),
}


class LazyGroup(click.Group):
    """A group that imports a command when it is used, and turns exceptions into one line and an exit code.

    Exit codes: 0 done, 1 an error of ours or a defect, 2 wrong usage (click's), 130 interrupted, 143 terminated.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return COMMANDS[cmd_name].load() if cmd_name in COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.short_help) for name, command in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            click.secho("interrupted", err=True, fg="red")
            ctx.exit(130)
        except FacereenactError as error:
            fail(ctx, str(error), error)
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise  # the reader of our output has gone: click leaves quietly
            hint = "" if debug_requested(ctx) else "; run again with --debug for the traceback"
            fail(ctx, f"{type(error).__name__}: {error}{hint}", error)


def fail(ctx: click.Context, message: str, error: Exception) -> NoReturn:
    """Show one red line, after the traceback when `--debug` was given, and exit with 1."""
    if debug_requested(ctx):
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    click.secho(f"error: {message}", err=True, fg="red")
    ctx.exit(1)


def clean_up_when_terminated() -> None:
    """Let SIGTERM, which job schedulers send before they kill, unwind the work as Ctrl-C does."""

    def leave(*_: object) -> NoReturn:
        raise SystemExit(128 + signal.SIGTERM)

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, leave)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", package_name="facereenact", message="%(prog)s %(version)s")
@common_options
def main() -> None:
    """Animate a still portrait with the head, eye and mouth motion of a video.

    FACEREENACT COMMAND --help describes each command.
    """
    quiet_libraries()
    clean_up_when_terminated()
