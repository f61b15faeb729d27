"""`facereenact pose`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

import click

from facereenact.cli.drive import ProgressBars
from facereenact.cli.options import checkpoints_option, common_options, construct, dataclass_options, field_option
from facereenact.pose_tools.settings import PoseShowSettings, PoseTrackSettings

if TYPE_CHECKING:
    from facereenact.pose_tools.measures import PoseSummary

Result = TypeVar("Result")
FILE: Any = click.Path(path_type=Path)
MOST_GAPS = 6  # shown in the table; --json lists all


@click.group()
@common_options
def pose() -> None:
    """Track the body of a person, and look at the result.

    A pose file is the motion of one person, frame by frame, without pictures: 18 body points, feet, hands and face.

    \b
    facereenact pose track dance.mp4 -o dance.pose.safetensors
    facereenact pose info dance.pose.safetensors
    facereenact pose show dance.pose.safetensors --video dance.mp4 -o shown.mp4
    """


def track_options(function: Callable[..., Result]) -> Callable[..., Result]:
    """The video as an argument, every other setting as an option."""
    hints = get_type_hints(PoseTrackSettings)
    for each in reversed(fields(PoseTrackSettings)):
        if each.metadata.get("cli", True):
            function = field_option(each, hints[each.name])(function)
    return click.argument("video", type=FILE)(function)


@pose.command()
@track_options
@checkpoints_option
@common_options
def track(**values: Any) -> None:
    """Track one person of a video and keep body, hand and face points.

    Frames in which the person is not found are filled in. A picture instead of a video gives the pose of a source.

    \b
    facereenact pose track dance.mp4
    facereenact pose track street.mp4 --person 640,400 --start 2 --end 7.5
    facereenact pose track portrait.png -o portrait.pose.safetensors
    """
    from facereenact.pose_tools.tracking import track_pose

    settings: PoseTrackSettings = construct(PoseTrackSettings, values)
    with ProgressBars() as bars:
        result = track_pose(settings, progress=bars)
    row("written", str(result.output))
    row("estimator", f"{result.estimator} ({result.estimator_reason})")
    row("frames", f"{result.frames}, {result.size[0]}x{result.size[1]}")
    row("seen", f"{result.seen}" + ("" if result.seen == result.frames else " (the others are filled in)"))
    row("time", f"{result.seconds:.1f} s, {result.frames / max(result.seconds, 1e-6):.1f} frames/s")


@pose.command()
@click.argument("file", type=FILE)
@dataclass_options(PoseShowSettings, name="settings")
@common_options
def show(file: Path, settings: PoseShowSettings) -> None:
    """Draw the points on their video.

    Limbs, hands and face in the colours of OpenPose; left and right differ. Frames in which the person was not found
    have an orange border. The sound of the video is kept. Without --video the result is the guide itself, on black.

    \b
    facereenact pose show dance.pose.safetensors --video dance.mp4 -o shown.mp4
    facereenact pose show dance.pose.safetensors -o guide.mp4
    """
    from facereenact.pose_tools.showing import show_pose

    with ProgressBars() as bars:
        shown = show_pose(file, settings, progress=bars)
    lost = f", {shown.frames_without_person} without the person" if shown.frames_without_person else ""
    row("written", str(shown.output))
    row("frames", f"{shown.frames}, {shown.size[0]}x{shown.size[1]}{lost}")
    row("sound", "kept" if shown.has_audio else "none")


@pose.command()
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for a program; it lists every gap.")
@common_options
def info(file: Path, as_json: bool) -> None:
    """Tell what a pose file holds.

    Length and rate, in how many frames the person was found, and which parts of the body are seen how often.
    """
    from facereenact.pose_tools.measures import summarise_file

    summary = summarise_file(file)
    if as_json:
        click.echo(json.dumps({"file": str(file), **asdict(summary)}, indent=2))
    else:
        show_summary(file, summary)


def show_summary(file: Path, summary: PoseSummary) -> None:
    """Print the table of `info`."""
    row("file", str(file))
    row("frames", f"{summary.frames}, {summary.rate_hz:.5g} per second" + (", varying" if summary.rate_varies else ""))
    row("duration", f"{summary.duration_s:.2f} s")
    row("size", f"{summary.size[0]}x{summary.size[1]}, torso {summary.torso_px:.0f} px")
    row("estimator", summary.estimator)
    row("found", f"{summary.detected_frames} of {summary.frames} frames ({100 * summary.detected_share:.4g} %)")
    gaps = [f"frames {gap.first_frame}-{gap.last_frame} ({gap.start_s:.2f}-{gap.end_s:.2f} s)" for gap in summary.gaps]
    more = [f"and {len(gaps) - MOST_GAPS} more (--json lists all)"] if len(gaps) > MOST_GAPS else []
    row("gaps", ", ".join([*gaps[:MOST_GAPS], *more]) or "none")
    for name, share in summary.parts.items():
        row(name, f"{100 * share:.0f} %")


def row(name: str, value: str) -> None:
    click.echo(f"{name:<12}{value}")
