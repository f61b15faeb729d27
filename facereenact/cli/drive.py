"""`facereenact drive`."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from facereenact.cli.options import SectionedCommand, common_options, dataclass_options, use_checkpoints
from facereenact.settings import DriveSettings

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from facereenact.drive import DriveResult
    from facereenact.film import BodyResult
    from facereenact.planning import DrivePlan


@click.command(cls=SectionedCommand)
@dataclass_options(DriveSettings, name="settings")
@click.option("--dry-run", is_flag=True, help="Only tell what would be done and how long it would take.")
@common_options
def drive(settings: DriveSettings, dry_run: bool) -> None:
    """Animate a face, a body, or both with the motion of videos.

    The face of the source moves its head, eyes and mouth as the driver does; it keeps its own shape. The sound of the
    driver is kept. Each part can have a driver of its own, or stay as it is. With a body driver the whole person moves.

    \b
    facereenact drive --source face.png --driver talk.mp4
    facereenact drive -s painting.jpg -d talk.mp4 -o out.mp4 --compare
    facereenact drive -s face.png -d talk.mp4 --parts mouth
    facereenact drive -s face.png --head-driver nod.mp4 --mouth-driver talk.mp4
    facereenact drive -s person.png --body-driver dance.mp4 --driver talk.mp4
    """
    use_checkpoints(click.get_current_context(), settings.diffusion.checkpoints)
    if dry_run:
        from facereenact.planning import plan

        show_plan(plan(settings))
        return
    from facereenact.drive import drive as run

    with ProgressBars() as bars:
        result = run(settings, progress=bars)
    show(result)


class ProgressBars:
    """One bar per stage with frames per second and time left; nothing where the output is no terminal."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._started: dict[str, tuple[float, int]] = {}  # when, and after how many frames

    def __enter__(self) -> ProgressBars:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        from facereenact.console import console

        if console().is_terminal:
            columns = (
                TextColumn("{task.description:<10}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]:>6} frames/s"),
                TimeRemainingColumn(compact=True),
            )
            self._bars = self._stack.enter_context(Progress(*columns, console=console()))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        if self._bars is None:
            return
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total, rate="-")
            self._started[stage] = time.perf_counter(), done
        start, first = self._started[stage]
        rate = f"{(done - first) / (time.perf_counter() - start):.0f}" if done > first else "-"
        self._bars.update(self._tasks[stage], completed=done, total=total, rate=rate)


def _drivers(result: DriveResult) -> dict[str, str]:
    """What drove each part, where there are several drivers, and whose sound it is."""
    if result.body is None and len({part.driver for part in result.parts.values()}) == 1:
        return {"neutral": f"driver frame {result.neutral_frame}", "sound": "kept" if result.has_audio else "none"}
    parts = {name: f"{part.driver}, neutral frame {part.neutral_frame}" for name, part in result.parts.items()}
    body = _body(result.body) if result.body else {}
    return {**body, **parts, "sound": str(result.audio) if result.audio else "none"}


def _body(body: BodyResult) -> dict[str, str]:
    """What moved the body, and in how many frames it could not be followed."""
    counts = {
        "without a person filled in": body.frames_filled,
        "held back": body.frames_clamped,
        "with the face of the body pass": body.frames_without_face,
    }
    notes = [f"{count} frames {what}" for what, count in counts.items() if count]
    notes += {"moved": [], "still": ["legs stay"], "left out": ["upper body only"]}[body.legs]
    return {
        "body": ", ".join([f"{body.driver}, neutral frame {body.neutral_frame}", *notes]),
        "estimator": f"{body.estimator} ({body.estimator_reason})",
    }


def show(result: DriveResult) -> None:
    """The short table at the end; its lines are never cut, so that paths can be copied."""
    rows = {
        "written": str(result.output),
        "compared": str(result.compare) if result.compare else "",
        "renderer": f"{result.renderer} ({result.renderer_reason})",
        "frames": f"{result.frames}, {float(result.rate):.5g} per second, {result.size[0]}x{result.size[1]}"
        + (f", {result.frames_filled} without a face filled in" if result.frames_filled else ""),
        **_drivers(result),
        "time": ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in result.seconds.items()),
    }
    for name, value in rows.items():
        if value:
            click.echo(f"{name:<10}{value}")


def show_plan(plan: DrivePlan) -> None:
    """The same for what would be done."""
    length = f"{plan.frames}" if plan.frames else "unknown before the driver is read"
    rows = {
        "output": str(plan.output),
        "renderer": f"{plan.renderer} ({plan.renderer_reason})",
        "frames": f"{length}, {float(plan.rate):.5g} per second",
    }
    if plan.estimates:
        parts = ("body ", "face ") if len(plan.estimates) > 1 else ("",)
        memory_bytes = max(cost.memory_bytes for cost in plan.estimates)
        denoising_s, decoding_s, total_s = (
            sum(getattr(cost, name) for cost in plan.estimates) for name in ("denoising_s", "decoding_s", "total_s")
        )
        rows |= {
            "networks": f"{plan.dtype} on {plan.device}, {memory_bytes / 2**30:.1f} GiB of its memory",
            "work": "; ".join(
                f"{part}{cost.chunks} chunks, {cost.windows} windows ({cost.windows_at_once} at once), "
                f"{cost.steps} steps"
                for part, cost in zip(parts, plan.estimates, strict=True)
            ),
            "time": f"about {readable_time(total_s)}: denoising {readable_time(denoising_s)}, "
            f"decoding {readable_time(decoding_s)}" + ("" if plan.frames else " for one window"),
        }
    for name, value in rows.items():
        click.echo(f"{name:<10}{value}")


def readable_time(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"
