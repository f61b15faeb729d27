"""`facereenact track`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

import click

from facereenact.cli.drive import ProgressBars
from facereenact.cli.options import checkpoints_option, common_options, construct, field_option
from facereenact.track_settings import TrackSettings

if TYPE_CHECKING:
    from facereenact.tracking import TrackResult

Result = TypeVar("Result")


def track_options(function: Callable[..., Result]) -> Callable[..., Result]:
    """The video as an argument, every other setting as an option."""
    hints = get_type_hints(TrackSettings)
    for each in reversed(fields(TrackSettings)):
        if each.metadata.get("cli", True):
            function = field_option(each, hints[each.name])(function)
    return click.argument("video", required=False, type=click.Path(path_type=Path))(function)


@click.command()
@track_options
@checkpoints_option
@common_options
def track(**values: Any) -> None:
    """Track the faces of a video and keep their landmarks.

    The file can be given to drive as --driver: tracking is done once, and nobody needs the video any more.

    \b
    facereenact track talk.mp4
    facereenact track talk.mp4 -o talk.landmarks.safetensors --faces 2
    facereenact track --camera 0 --send 11573
    """
    from facereenact.tracking import track_video

    settings: TrackSettings = construct(TrackSettings, values)
    with ProgressBars() as bars:
        result = track_video(settings, progress=bars)
    show(result)


def show(result: TrackResult) -> None:
    """The short table at the end; its lines are never cut, so that paths can be copied."""
    for path in result.outputs:
        row("written", str(path))
    if result.csv is not None:
        row("log", str(result.csv))
    if result.packets:
        row("sent", f"{result.packets} faces")
    row("tracker", f"{result.tracker} ({result.tracker_reason})")
    row("frames", f"{result.frames}, {result.size[0]}x{result.size[1]}")
    gaps = "the others are filled in" if result.is_filled else "the others are left empty"
    seen = ", ".join(map(str, result.seen))
    row("seen", seen if min(result.seen) == result.frames else f"{seen} ({gaps})")
    parts = f", {result.jobs} parts at once" if result.jobs > 1 else ""
    row("time", f"{result.seconds:.1f} s, {result.frames / max(result.seconds, 1e-6):.0f} frames/s{parts}")


def row(name: str, value: str) -> None:
    click.echo(f"{name:<10}{value}")
