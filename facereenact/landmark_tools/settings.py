"""The settings of the tools: one definition for Python and the command line."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from facereenact.option import option

OUTPUT: dict[str, Any] = {"flags": ("-o",), "metavar": "FILE"}


@dataclass(frozen=True)
class ShowSettings:
    """Where to draw a track and where to put the video.

    Raises:
        ValueError: the start is negative or belongs to no video.
    """

    output: Path = field(
        metadata=OUTPUT | {"help": "Result: .mp4, .mov, .mkv, .webm, .gif, or no suffix for a folder of PNG images."}
    )
    video: Path | None = option(
        None, "Video that the track was made from; without it the points move on black.", metavar="VIDEO"
    )
    video_start: float = option(
        0.0,
        "Where in the video the track begins, seconds; for a track made with `drive --start` or cut by `trim`.",
        metavar="SECONDS",
    )
    overwrite: bool = option(False, "Replace an existing result.")

    def __post_init__(self) -> None:
        if not 0 <= self.video_start < math.inf:
            raise ValueError("--video-start must be 0 or more")
        if self.video_start and self.video is None:
            raise ValueError("--video-start says where in a video to begin: give --video too")


@dataclass(frozen=True)
class PlotSettings:
    """Where to put a plot."""

    output: Path | None = option(
        None, "Picture: .png, .jpg or .webp. [default: draw in the terminal]", flags=("-o",), metavar="IMAGE"
    )
    overwrite: bool = option(False, "Replace an existing picture.")


@dataclass(frozen=True)
class ConvertSettings:
    """How to read OpenSeeFace's log, and whether to replace a file.

    Raises:
        ValueError: the rate is not above 0 and at most 1000.
    """

    fps: Fraction | None = option(
        None,
        "Frames per second of the video that a CSV log was made from; the log itself holds the time of day instead. "
        "[default: trust the times in the log]",
        metavar="RATE",
    )
    face_id: int | None = option(
        None, "FaceID to take from a CSV log of several faces. [default: the one in most frames]", metavar="N"
    )
    overwrite: bool = option(False, "Replace an existing file.")

    def __post_init__(self) -> None:
        if self.fps is not None and not 0 < self.fps <= 1000:
            raise ValueError("--fps must be above 0 and at most 1000")


@dataclass(frozen=True)
class MergeSettings:
    """Where to put a track."""

    output: Path = field(
        metadata=OUTPUT | {"help": "Result: .landmarks.safetensors, .csv or .jsonl, as for `convert`."}
    )
    overwrite: bool = option(False, "Replace an existing file.")


@dataclass(frozen=True)
class TrimSettings(MergeSettings):
    """Which part to keep and where to put it.

    Raises:
        ValueError: the end does not come after the start.
    """

    start: float = option(0.0, "Where to begin, seconds.", metavar="SECONDS")
    end: float | None = option(None, "Where to end, seconds. [default: its end]", metavar="SECONDS")

    def __post_init__(self) -> None:
        if not (0 <= self.start < math.inf and (self.end is None or self.start < self.end)):
            raise ValueError("--start must be 0 or more and --end after it")
