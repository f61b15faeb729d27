"""The settings of the tools: one definition for Python and the command line."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

from facereenact.choices import Choice, person_choice
from facereenact.option import option

POSE = ".pose.safetensors"


@dataclass(frozen=True)
class PoseTrackSettings:
    """Whom to track in what, how, and where the points go.

    Raises:
        ValueError: the times or the rate make no sense.
    """

    video: Path = field(metadata={"help": "Video, GIF, folder of images or one image.", "cli": False})
    output: Path | None = option(
        None,
        "Result, NAME.pose.safetensors. [default: the video's name in this folder]",
        flags=("-o",),
        metavar="FILE",
    )
    estimator: Literal["auto", "mediapipe", "dwpose"] = option(
        "auto",
        "What finds the points; auto takes dwpose where its networks are installed, else mediapipe, which needs no "
        "download.",
    )
    person: Choice = option(
        "largest",
        "Whom to follow, where the first frame with people shows several: largest, an index (0 is leftmost), or a "
        "pixel x,y.",
        parse=person_choice,
        metavar="PERSON",
    )
    smooth: Literal["none", "light", "normal", "strong"] = option("normal", "How much jitter to remove; nothing lags.")
    start: float = option(0.0, "Where in the video to begin, seconds.", metavar="SECONDS")
    end: float | None = option(None, "Where to end, seconds. [default: the end]", metavar="SECONDS")
    fps: Fraction | None = option(
        None, "Frames per second of the track, e.g. 25 or 30000/1001. [default: every frame as it is]", metavar="RATE"
    )
    overwrite: bool = option(False, "Replace an existing file.")

    def __post_init__(self) -> None:
        if not (0 <= self.start < math.inf and (self.end is None or self.start < self.end < math.inf)):
            raise ValueError("--start must be 0 or more and --end after it")
        if self.fps is not None and not 0 < self.fps <= 240:
            raise ValueError("--fps must be above 0 and at most 240")

    @property
    def output_path(self) -> Path:
        """The output, or its default name."""
        return self.output or Path(self.video.name.split(".")[0] + POSE)


@dataclass(frozen=True)
class PoseShowSettings:
    """Where to draw a track and where to put the video.

    Raises:
        ValueError: the start is negative or belongs to no video.
    """

    output: Path = field(
        metadata={
            "help": "Result: .mp4, .mov, .mkv, .webm, .gif, or no suffix for a folder of PNG images.",
            "flags": ("-o",),
            "metavar": "FILE",
        }
    )
    video: Path | None = option(
        None,
        "Video that the track was made from; without it the guide is drawn on black, as a pose guider takes it.",
        metavar="VIDEO",
    )
    video_start: float = option(
        0.0, "Where in the video the track begins, seconds; for a track made with --start.", metavar="SECONDS"
    )
    overwrite: bool = option(False, "Replace an existing result.")

    def __post_init__(self) -> None:
        if not 0 <= self.video_start < math.inf:
            raise ValueError("--video-start must be 0 or more")
        if self.video_start and self.video is None:
            raise ValueError("--video-start says where in a video to begin: give --video too")
