"""`facereenact checkpoints`."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facereenact.cli.options import common_options, dataclass_options

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from checkpoints import Checkpoint

MARKS = {"installed": "[green]installed[/]", "partial": "[yellow]incomplete[/]", "absent": "-"}


@dataclass(frozen=True)
class Place:
    """Where checkpoints lie."""

    checkpoints: Path | None = field(
        default=None,
        metadata={
            "help": "Folder of all checkpoints. [default: $FACEREENACT_CHECKPOINTS, else one in your cache]",
            "metavar": "DIR",
        },
    )


@dataclass(frozen=True)
class PullOptions(Place):
    """Where to take them from."""

    mirror: bool = field(
        default=False,
        metadata={
            "help": "Take the unofficial copy, which nobody has verified; only keys and shapes are checked.",
            "negative": "--publisher",
        },
    )


@click.group()
@common_options
def checkpoints() -> None:
    """List, download, import, verify and remove the weights of networks.

    None is needed for the warp renderer. For the diffusion renderer:

    \b
    facereenact checkpoints pull sd-vae-ft-mse image-encoder
    facereenact checkpoints import moore-face FOLDER
    """


@checkpoints.command(name="list")
@dataclass_options(Place, name="place")
@common_options
def list_command(place: Place) -> None:
    """Show what there is and what is installed."""
    from rich.console import Console
    from rich.table import Table

    from checkpoints import catalogue, checkpoints_root
    from checkpoints.storage import state

    table = Table(box=None, pad_edge=False)
    for title in ("name", "", "size", "licence", "needed by"):
        table.add_column(title, no_wrap=title in ("name", ""))
    for entry in catalogue():
        mark = MARKS[state(entry, root=place.checkpoints)]
        table.add_row(entry.name, mark, size(entry), entry.licence, entry.needed_by)
    console = Console()
    console.print(table)
    console.print(f"\nin {checkpoints_root(place.checkpoints)}", soft_wrap=True, markup=False, highlight=False)


def size(entry: Checkpoint) -> str:
    from checkpoints.storage import readable

    if entry.about_bytes:
        return f"about {readable(entry.about_bytes)}"
    over = "over " if any(file.bytes is None for file in entry.files) else ""
    return over + readable(entry.known_bytes)


@checkpoints.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@dataclass_options(PullOptions, name="options")
@common_options
def pull(names: tuple[str, ...], options: PullOptions) -> None:
    """Download checkpoints; run it again to continue an interrupted download."""
    from checkpoints import pull as run
    from checkpoints.published import find

    entries = [find(name) for name in names]
    without = [entry.name for entry in entries if options.mirror and entry.mirror is None]
    if without:
        raise click.UsageError(f"no mirror of {', '.join(without)} is known; leave out --mirror")
    for entry in entries:
        with ByteBars() as bars:
            source = entry.mirror if options.mirror else None
            folder = run(entry, source=source, root=options.checkpoints, progress=bars)
        click.echo(f"{entry.name} is in {folder}")


@checkpoints.command(name="import")
@click.argument("name")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@dataclass_options(Place, name="place")
@common_options
def import_command(name: str, paths: tuple[Path, ...], place: Place) -> None:
    """Take a checkpoint from a folder, or from its files.

    Every key and shape is checked before anything is stored. PyTorch files are read without running the code that
    they may carry, and stored as safetensors.
    """
    from checkpoints import import_files

    with ByteBars() as bars:
        folder = import_files(name, paths, root=place.checkpoints, progress=bars)
    click.echo(f"{name} is in {folder}")


@checkpoints.command()
@click.argument("name", required=False)
@dataclass_options(Place, name="place")
@common_options
@click.pass_context
def verify(ctx: click.Context, name: str | None, place: Place) -> None:
    """Read installed files again and compare them with the hashes recorded when they came.

    Without a name, everything that is installed. The exit code is 1 when a file is changed or missing.
    """
    from checkpoints import verify as run
    from checkpoints.keeping import recorded
    from checkpoints.storage import command

    names = [name] if name else [entry.name for entry in recorded(root=place.checkpoints)]
    faulty = []
    for each in names:
        with ByteBars() as bars:
            findings = run(each, root=place.checkpoints, progress=bars)
        for finding in findings:
            how = f" ({finding.checked} fitted when it came)" if finding.checked else ""
            click.secho(f"{finding.state:<8} {finding.path}{how}", fg=None if finding.state == "intact" else "red")
        if any(finding.state != "intact" for finding in findings):
            faulty.append(each)
    if not names:
        click.echo("no checkpoint is installed")
    for each in faulty:
        click.secho(
            f"{each} is damaged; run: {command('remove', each, place.checkpoints)}, then get it again", fg="red"
        )
    ctx.exit(1 if faulty else 0)


@checkpoints.command()
@click.argument("name", required=False)
@dataclass_options(Place, name="place")
@common_options
def path(name: str | None, place: Place) -> None:
    """Print where an installed checkpoint lies, or where all do."""
    from checkpoints import checkpoints_root, locate

    click.echo(locate(name, root=place.checkpoints) if name else checkpoints_root(place.checkpoints))


@checkpoints.command()
@click.argument("name")
@dataclass_options(Place, name="place")
@common_options
def remove(name: str, place: Place) -> None:
    """Delete a checkpoint and its partial downloads."""
    from checkpoints import remove as run
    from checkpoints.storage import readable

    click.echo(f"{name} is removed, {readable(run(name, root=place.checkpoints))} freed")


class ByteBars:
    """One bar per file and stage with speed and time left; nothing where the output is no terminal."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> ByteBars:
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.progress import TransferSpeedColumn as SpeedColumn
        from rich.table import Column

        from facereenact.console import console

        if console().is_terminal:
            narrow = Column(no_wrap=True)
            columns = (  # fit into 80 characters
                TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", max_width=30)),
                BarColumn(bar_width=12),
                DownloadColumn(table_column=narrow),
                SpeedColumn(table_column=narrow),
                TimeRemainingColumn(compact=True),
            )
            self._bars = self._stack.enter_context(Progress(*columns, console=console()))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __call__(self, stage: str, done_bytes: int, total_bytes: int | None) -> None:
        if self._bars is None:
            return
        if stage not in self._tasks:  # a resumed download begins where it was, which is no speed
            self._tasks[stage] = self._bars.add_task(stage, total=total_bytes, completed=done_bytes)
        self._bars.update(self._tasks[stage], completed=done_bytes, total=total_bytes)


@checkpoints.command(name="make-tiny")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@common_options
def make_tiny(folder: Path) -> None:
    """Write a tiny diffusion model of random numbers to DIR, to try the renderer in seconds.

    What it renders is noise: it shows that everything runs, not what a face looks like.

    \b
    facereenact checkpoints make-tiny tiny
    facereenact drive -s face.png -d talk.mp4 --renderer diffusion --checkpoints tiny --crop
    """
    from facereenact.tiny_model import make_tiny as run

    for made in run(folder):
        click.echo(f"made {made}")
    click.echo("random numbers: what this model renders is noise")
