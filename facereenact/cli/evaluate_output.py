"""What `facereenact evaluate` shows: how far it is, and the short tables at the end."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID
    from rich.table import Table

    from facereenact.evaluation.report import Report

WIDEST = 1000  # columns of a table


class ClipBar:
    """One bar over the clips, with what is done to the one at hand; nothing where the output is no terminal."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._bars: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> ClipBar:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        from facereenact.console import console

        if console().is_terminal:
            columns = (
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("clips, {task.description:<24}"),
                TimeRemainingColumn(compact=True),
            )
            self._bars = self._stack.enter_context(Progress(*columns, console=console()))
            self._task = self._bars.add_task("", total=None)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        if self._bars is None or self._task is None:
            return
        if stage == "clips":
            self._bars.update(self._task, completed=done, total=total)
        else:
            self._bars.update(self._task, description=f"{stage} {done}" + (f"/{total}" if total else ""))


def show(report: Report) -> None:
    """The short tables at the end, and where the rest lies."""
    from rich.table import Table

    from facereenact.evaluation.metric_names import describe, headline, shown

    titles = headline(report.judge, report.mean)
    table = Table(box=None, pad_edge=False)
    table.add_column("clip", no_wrap=True)
    for title in titles.values():
        table.add_column(title, justify="right", no_wrap=True)
    for clip in report.clips:
        table.add_row(clip.name, *(shown(name, clip.metrics.get(name)) for name in titles))
    table.add_row("mean", *(shown(name, report.mean.get(name)) for name in titles), style="bold")
    print_whole(table)
    if report.leakage is not None:
        print_whole(leakage_table(report.leakage))
    for name, value in report.of_all.items():
        click.echo(f"{describe(name).title} of all: {shown(name, value)}")
    for name, why in report.failed.items():
        click.secho(f"{name} failed: {why}", fg="red")
    rates = {"measured": report.speed["measured_frames_per_s"], "rendered": report.speed["rendered_frames_per_s"]}
    told = ", ".join(f"{name} {rate:.0f} frames/s" for name, rate in rates.items() if rate)
    if told:
        click.echo(f"speed     {told}")
    click.echo(f"report    {report.folder / 'report.html'}")


def print_whole(table: Table) -> None:
    """Print a table without cutting it where the terminal is narrow."""
    from rich.console import Console

    needed = Console(width=WIDEST).measure(table).maximum
    Console(width=max(Console().width, needed)).print(table)


def leakage_table(leakage: dict[str, Any]) -> Table:
    """How much each part moves (columns) when one is driven (rows), as a share of its motion in the driver."""
    from rich.table import Table

    parts = leakage["parts"]
    table = Table(box=None, pad_edge=False, title="share of the driver's motion")
    for title in ("", *(f"{part} moves" for part in parts)):
        table.add_column(title, justify="right" if title else "left")
    for part, values in zip(parts, leakage["matrix"], strict=True):
        table.add_row(f"only {part} driven", *("-" if value is None else f"{value:.2f}" for value in values))
    return table
