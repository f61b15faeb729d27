"""`facereenact landmarks`."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facereenact.cli.drive import ProgressBars
from facereenact.cli.options import common_options, dataclass_options
from facereenact.landmark_tools.settings import (
    ConvertSettings,
    MergeSettings,
    PlotSettings,
    ShowSettings,
    TrimSettings,
)

if TYPE_CHECKING:
    from facereenact import LandmarkSequence
    from facereenact.landmark_tools.measures import Gap, Range, Summary

FILE: Any = click.Path(path_type=Path)
MOST_GAPS = 6  # shown in the table; --json lists all


@click.group()
@common_options
def landmarks() -> None:
    """Look at, convert and cut the landmark files of `drive --save-landmarks`.

    A landmark file is the motion of one face, frame by frame, without its picture: 68 points, head pose, lids.

    \b
    facereenact drive -s face.png -d talk.mp4 --save-landmarks talk.landmarks.safetensors
    facereenact landmarks info talk.landmarks.safetensors
    facereenact landmarks show talk.landmarks.safetensors --video talk.mp4 -o shown.mp4
    facereenact landmarks trim talk.landmarks.safetensors -o part.landmarks.safetensors --start 2 --end 7.5

    FILE may also be a CSV log of OpenSeeFace or a .jsonl file of `landmarks convert`.
    """


@landmarks.command()
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for a program; it lists every gap.")
@common_options
def info(file: Path, as_json: bool) -> None:
    """Tell what a landmark file holds.

    Length and rate, in how many frames the face was found, how far the head turns, blinks and mouth.
    """
    from facereenact.landmark_tools.formats import read_track
    from facereenact.landmark_tools.measures import summarise

    summary = summarise(read_track(file))
    if as_json:
        click.echo(json.dumps({"file": str(file), **asdict(summary)}, indent=2))
    else:
        show_summary(file, summary)


@landmarks.command()
@click.argument("file", type=FILE)
@dataclass_options(ShowSettings, name="settings")
@common_options
def show(file: Path, settings: ShowSettings) -> None:
    """Draw the points on their video.

    Points and lines of head, eyes and mouth, each in a colour (the fainter, the less certain), the axes of the head on
    the forehead (red to the right, green down, blue where the face points), white arrows where the eyes look. Frames
    without a face have an orange border, and the points filled in there are grey. The sound of the video is kept.

    \b
    facereenact landmarks show talk.landmarks.safetensors --video talk.mp4 -o shown.mp4
    facereenact landmarks show talk.landmarks.safetensors -o points.mp4
    """
    from facereenact.landmark_tools.showing import show_file

    with ProgressBars() as bars:
        shown = show_file(file, settings, progress=bars)
    lost = f", {shown.frames_without_face} without a face" if shown.frames_without_face else ""
    click.echo(f"written   {shown.output}")
    click.echo(f"frames    {shown.frames}, {shown.size[0]}x{shown.size[1]}{lost}")
    click.echo(f"sound     {'kept' if shown.has_audio else 'none'}")


@landmarks.command()
@click.argument("file", type=FILE)
@dataclass_options(PlotSettings, name="settings")
@common_options
def plot(file: Path, settings: PlotSettings) -> None:
    """Draw head angles, lids and lips over time.

    Into a picture with -o, else in the terminal. Stretches without a face are shaded.
    """
    if settings.output is not None:
        from facereenact.landmark_tools.plots import plot_file

        plot_file(file, settings)
        click.echo(f"written   {settings.output}")
        return
    from facereenact.landmark_tools.terminal_plot import terminal_plot_of_file

    text = terminal_plot_of_file(file, columns=shutil.get_terminal_size().columns)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError as error:
        raise click.UsageError(f"this terminal ({encoding}) cannot show the plot; give -o plot.png") from error
    click.echo(text)


@landmarks.command()
@click.argument("source", metavar="IN", type=FILE)
@click.argument("output", metavar="OUT", type=FILE)
@dataclass_options(ConvertSettings, name="settings")
@common_options
def convert(source: Path, output: Path, settings: ConvertSettings) -> None:
    """Convert to and from OpenSeeFace's logs and JSON lines.

    The suffixes of IN and OUT tell the forms: .landmarks.safetensors, .csv, .jsonl. JSON lines keep everything; what
    a CSV log has no place for is named at the end.

    \b
    facereenact landmarks convert talk.landmarks.safetensors talk.jsonl
    facereenact landmarks convert openseeface.csv talk.landmarks.safetensors --fps 30
    """
    from facereenact.landmark_tools.formats import convert_file

    conversion = convert_file(source, output, settings)
    show_written(output, conversion.track)
    for loss in conversion.losses:
        click.echo(f"lost      {loss}")


@landmarks.command()
@click.argument("file", type=FILE)
@dataclass_options(TrimSettings, name="settings")
@common_options
def trim(file: Path, settings: TrimSettings) -> None:
    """Keep a part, by time; the part is timed from its start."""
    from facereenact.landmark_tools.edit import trim_file

    show_written(settings.output, trim_file(file, settings))


@landmarks.command()
@click.argument("files", metavar="FILE FILE...", nargs=-1, required=True, type=FILE)
@dataclass_options(MergeSettings, name="settings")
@common_options
def merge(files: tuple[Path, ...], settings: MergeSettings) -> None:
    """Join files one after another in time.

    All must have been tracked in frames of the same size.
    """
    if len(files) < 2:
        raise click.UsageError("give two files or more to merge")
    from facereenact.landmark_tools.edit import merge_files

    show_written(settings.output, merge_files(files, settings))


def show_written(output: Path, track: LandmarkSequence) -> None:
    from facereenact.landmark_tools.measures import end_s

    lost = int((~track.detected).sum())
    click.echo(f"written   {output}")
    click.echo(
        f"frames    {len(track)}, {end_s(track) - float(track.timestamps_s[0]):.2f} s"
        + (f", {lost} without a face" if lost else "")
    )


def show_summary(file: Path, summary: Summary) -> None:
    """Print the table of `info`."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    rate = f"{summary.rate_hz:.5g} per second" + (", varying" if summary.rate_varies else "")
    found = f"{summary.detected_frames} of {summary.frames} frames ({100 * summary.detected_share:.4g} %)"
    rows = {
        "file": str(file),
        "frames": f"{summary.frames}, {rate}",
        "duration": f"{summary.duration_s:.2f} s",
        "size": f"{summary.size[0]}x{summary.size[1]}",
        "tracker": summary.tracker,
        "face found": found + (f", mean score {summary.mean_score:.2f}" if summary.detected_frames else ""),
        "gaps": gap_list(summary.gaps),
        "yaw": between(summary.yaw_deg, "\u00b0", "+ is to the image's right"),
        "pitch": between(summary.pitch_deg, "\u00b0", "+ is down"),
        "roll": between(summary.roll_deg, "\u00b0", "+ is clockwise"),
        "right lids": between(summary.lids_right, "", "gap over eye width"),
        "left lids": between(summary.lids_left, "", "gap over eye width"),
        "mouth": between(summary.mouth_opening, "", "lip gap over the distance of the outer eye corners"),
        "blinks": str(summary.blinks),
    }
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, escape(value))
    Console(highlight=False).print(table)


def gap_list(gaps: tuple[Gap, ...]) -> str:
    if not gaps:
        return "none"
    shown = [
        f"frames {gap.first_frame}-{gap.last_frame} ({gap.start_s:.2f}-{gap.end_s:.2f} s)" for gap in gaps[:MOST_GAPS]
    ]
    more = [f"and {len(gaps) - MOST_GAPS} more (--json lists all)"] if len(gaps) > MOST_GAPS else []
    return "\n".join([*shown, *more])


def between(values: Range | None, unit: str, meaning: str) -> str:
    if values is None:
        return "-"
    low, high = (f"{value:+.1f}{unit}" if unit else f"{value:.3f}" for value in (values.min, values.max))
    return f"{low} to {high}  ({meaning})"
