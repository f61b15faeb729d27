"""`facereenact preprocess`."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from checkpoints.storage import NotInstalledError
from facereenact.cli.options import COMMON_OPTIONS, checkpoints_option, common_options, dataclass_options
from facereenact.preprocessing.settings import EngineSettings, PreprocessSettings

if TYPE_CHECKING:
    from rich.progress import Progress

    from facereenact.preprocessing.engines import Engine
    from facereenact.preprocessing.results import ClipResult

SOME_FAILED = 3  # exit code
MOST_FAILURES = 20  # in the table; the report lists more, the manifest all


class RunUnlessNamed(click.Group):
    """A group whose command `run` may be left out: `preprocess clips -o out` is `preprocess run clips -o out`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = next((word for word in args if word not in COMMON_FLAGS), None)
        return super().parse_args(ctx, args if first in self.commands else ["run", *args])


COMMON_FLAGS = [flag for flags, _ in COMMON_OPTIONS for flag in flags]


@click.group(cls=RunUnlessNamed)
@common_options
def preprocess() -> None:
    """Track the faces of many clips."""


@preprocess.command()
@click.argument("inputs", metavar="IN...", nargs=-1)
@click.option("-o", "--output", required=True, metavar="FOLDER", help="Folder or address of the results.")
@dataclass_options(PreprocessSettings, name="settings")
@dataclass_options(EngineSettings, name="engine")
@click.option("--retry-failed", is_flag=True, help="Try clips again that failed before; without IN, all of them.")
@click.option(
    "--log-json", type=click.Path(path_type=Path), metavar="FILE", help="Write a JSON object a line for each clip."
)
@checkpoints_option
@common_options
def run(
    inputs: tuple[str, ...],
    output: str,
    settings: PreprocessSettings,
    engine: EngineSettings,
    retry_failed: bool,
    log_json: Path | None,
) -> None:
    """Track the faces of many clips, for training and for driving.

    IN is a video, a folder of videos at any depth, a pattern, a list (.txt, .csv, .parquet), or the address of one
    (s3://, gs://, https://). Each person in each shot becomes a landmark file; OUT/manifest.parquet lists all.

    What is complete is passed over, so an interrupted run goes on when it is started again. Exit code 3 means that
    some clips failed; the manifest says why.

    \b
    facereenact preprocess clips -o tracks
    facereenact preprocess 'more/**/*.mp4' list.csv -o tracks --faces 2 --with-crops --min-face-px 96
    facereenact preprocess s3://bucket/clips -o s3://bucket/tracks --engine ray --ray-address auto
    facereenact preprocess report tracks
    """
    require_parquet()
    from facereenact.preprocessing.json_log import JsonLog
    from facereenact.preprocessing.run import preprocess as run_all

    tally = Tally()
    with ExitStack() as stack:
        bar = stack.enter_context(Bar())
        log = stack.enter_context(JsonLog(log_json)) if log_json else None

        def started(clips: int) -> None:
            bar.start(clips)
            if log:
                log.started(clips)

        results = run_all(inputs, output, settings, engine_of(engine), retry_failed=retry_failed, started=started)
        for result in stack.enter_context(closing(results)):
            tally.add(result)
            bar.show(tally)
            if log:
                log.clip(result)
    tally.show(output)
    if tally.failures:
        click.get_current_context().exit(SOME_FAILED)


@preprocess.command()
@click.argument("output", metavar="OUT")
@click.option("--faces", type=click.IntRange(1, 1000), default=60, show_default=True, help="On the contact sheet.")
@common_options
def report(output: str, faces: int) -> None:
    """Draw histograms and a contact sheet of what is in OUT, and list what failed.

    Writes OUT/report/report.html with its pictures histograms.png and contact_sheet.png.
    """
    require_parquet()
    from facereenact.preprocessing.report import write_report

    written = write_report(output, faces=faces)
    for path in (written.page, written.histograms, written.contact_sheet):
        click.echo(f"written   {path}")
    counts = ", ".join(f"{count} {status}" for status, count in written.counts.items())
    click.echo(f"clips     {written.clips}")
    click.echo(f"rows      {counts}")
    click.echo(f"video     {written.hours:.2f} hours ok")


def require_parquet() -> None:
    """Raises NotInstalledError: what reads and writes the manifest is missing."""
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        raise NotInstalledError("preprocess needs pyarrow: pip install 'facereenact[preprocess]'")


def engine_of(settings: EngineSettings) -> Engine:
    if settings.engine == "ray":
        from facereenact.preprocessing.ray_engine import RayEngine

        return RayEngine(settings.ray_address, settings.workers)
    from facereenact.preprocessing.engines import LocalEngine

    return LocalEngine(settings.workers)


class Tally:
    """Counts what came of the clips."""

    def __init__(self) -> None:
        self.done = self.complete = 0
        self.failures: list[ClipResult] = []
        self.video_s = 0.0
        self._begun_s = time.monotonic()

    def add(self, result: ClipResult) -> None:
        if result.error:
            self.failures.append(result)
        elif result.was_complete:
            self.complete += 1
        else:
            self.done += 1
            self.video_s += result.seconds

    @property
    def speed(self) -> float:
        """Hours of video an hour."""
        return self.video_s / max(time.monotonic() - self._begun_s, 1e-6)

    def show(self, output: str) -> None:
        """The short table at the end; its lines are never cut, so that paths can be copied."""
        click.echo(f"written   {output.rstrip('/')}/manifest.parquet")
        click.echo(f"clips     {self.done} done, {self.complete} as they were, {len(self.failures)} failed")
        click.echo(f"video     {self.video_s / 3600:.2f} hours, {self.speed:.1f} hours an hour")
        for failure in self.failures[:MOST_FAILURES]:
            click.echo(f"failed    {failure.clip.path}: {failure.error}")
        if len(self.failures) > MOST_FAILURES:
            click.echo(
                f"failed    and {len(self.failures) - MOST_FAILURES} more: facereenact preprocess report {output}"
            )
        if self.failures:
            click.echo("retry     add --retry-failed to try them again")


class Bar:
    """Clips, hours of video an hour, failures and time left; nothing where the output is no terminal."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._bars: Progress | None = None

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: Any) -> None:
        self._stack.close()

    def start(self, clips: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        from facereenact.console import console

        if not console().is_terminal:
            return
        columns = (
            TextColumn("clips"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]:.1f} hours an hour"),
            TextColumn("{task.fields[failed]} failed"),
            TimeRemainingColumn(compact=True),
        )
        self._bars = self._stack.enter_context(Progress(*columns, console=console()))
        self._task = self._bars.add_task("clips", total=clips, speed=0.0, failed=0)

    def show(self, tally: Tally) -> None:
        if self._bars is not None:
            count = tally.done + tally.complete + len(tally.failures)
            self._bars.update(self._task, completed=count, speed=tally.speed, failed=len(tally.failures))
