"""The settings of `track`: one definition for Python and the command line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from facereenact.choices import Choice, face_choice
from facereenact.option import option

LANDMARKS = ".landmarks.safetensors"
MOST_FACES = 16
MOST_JOBS = 64
LOOPBACK = "127.0.0.1"


def address(text: str) -> tuple[str, int]:
    """`HOST:PORT`, or a port of this machine."""
    host, separator, port = text.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65536 or (separator and not host):
        raise ValueError(f"{text!r} is no address: give HOST:PORT, or a port of this machine (1 to 65535)")
    host = host or LOOPBACK
    if ":" in host:
        raise ValueError(f"{text!r} is an IPv6 address; packets go to IPv4 addresses: give a name or four numbers")
    return host, int(port)


@dataclass(frozen=True)
class TrackSettings:
    """What to track, how, and where the landmarks go.

    Raises:
        ValueError: values that contradict each other.
    """

    video: Path | None = option(None, "Video, GIF, folder of images or one image.", metavar="VIDEO", cli=False)
    output: Path | None = option(
        None,
        "Result, NAME.landmarks.safetensors; with several faces NAME.0.landmarks.safetensors and so on. "
        "[default: the video's name in this folder; none with --send, --csv or --camera]",
        flags=("-o",),
        metavar="FILE",
    )
    tracker: Literal["auto", "hybrid", "openseeface", "mediapipe"] = option(
        "auto",
        "What finds the points; auto takes hybrid where the networks of OpenSeeFace are installed, else mediapipe, and "
        "openseeface with --send or --csv.",
    )
    preset: Literal["corrected", "compat"] = option(
        "corrected", "OpenSeeFace's networks used better, or exactly as its own command line does."
    )
    detector: Literal["own", "retinaface"] = option(
        "own",
        "What finds faces for OpenSeeFace: its own network, or RetinaFace, which is slower and surer where there are "
        "several.",
    )
    landmark_model: int = option(
        0,
        "OpenSeeFace's landmark network, 0 to 4: higher ones are slower; all that is stated here is of 0.",
        metavar="N",
    )
    faces: int = option(1, "How many faces to follow; each gets a file.", metavar="N")
    face: Choice = option(
        "largest",
        "Which face to follow, of the first frame that shows any: largest, an index from the left, or a pixel x,y.",
        parse=face_choice,
        metavar="FACE",
    )
    smooth: Literal["none", "light", "normal", "strong"] = option(
        "none", "How much jitter to remove. `drive` smooths by itself, so a track for it needs none."
    )
    fill: bool = option(True, "Interpolate the frames in which the face was not found, or leave them zero.")
    jobs: int | None = option(
        None, "Parts of the video to track at once; 1 tracks from start to end. [default: one per core]", metavar="N"
    )
    start: float = option(0.0, "Where in the video to begin, seconds.", metavar="SECONDS")
    end: float | None = option(None, "Where to end, seconds. [default: the end]", metavar="SECONDS")
    fps: Fraction | None = option(
        None, "Frames per second of the track, e.g. 25 or 30000/1001. [default: every frame as it is]", metavar="RATE"
    )
    send: tuple[str, int] | None = option(
        None,
        "Send OpenSeeFace's UDP packets there while tracking, at the speed of the video: HOST:PORT, or a port of this "
        "machine (OpenSeeFace's is 11573).",
        parse=address,
        metavar="ADDRESS",
    )
    csv: Path | None = option(None, "Write OpenSeeFace's log, a row per face and frame.", metavar="FILE.csv")
    camera: int | None = option(None, "Track a camera instead of a video, by its number, until Ctrl-C.", metavar="N")
    overwrite: bool = option(False, "Replace existing output.")

    def __post_init__(self) -> None:
        for name in ("video", "output", "csv"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, Path):
                object.__setattr__(self, name, Path(value))
        self._check_sources()
        if not 1 <= self.faces <= MOST_FACES:
            raise ValueError(f"--faces must be from 1 to {MOST_FACES}")
        if self.faces > 1 and self.face != "largest":
            raise ValueError("--face chooses the one face to follow: it does not go with --faces")
        if self.jobs is not None and not 1 <= self.jobs <= MOST_JOBS:
            raise ValueError(f"--jobs must be from 1 to {MOST_JOBS}")
        if self.is_live and self.jobs not in (None, 1):
            raise ValueError("--send, --csv and --camera go from start to end: they do not go with --jobs")
        if self.needs_openseeface and self.tracker not in ("auto", "openseeface"):
            raise ValueError(
                f"--send and --csv state what OpenSeeFace sees: they do not go with --tracker {self.tracker}"
            )
        if self.preset == "compat" and self.tracker == "mediapipe":
            raise ValueError("--preset is of OpenSeeFace: it does not go with --tracker mediapipe")
        if not 0 <= self.landmark_model <= 4:
            raise ValueError("--landmark-model must be from 0 to 4")
        for name in ("detector", "landmark_model"):
            if self.tracker == "mediapipe" and getattr(self, name) != TrackSettings.__dataclass_fields__[name].default:
                raise ValueError(
                    f"--{name.replace('_', '-')} is of OpenSeeFace: it does not go with --tracker mediapipe"
                )
        if self.csv is not None and self.csv.suffix.lower() != ".csv":
            raise ValueError("the name of the log given to --csv ends in .csv")

    def _check_sources(self) -> None:
        if (self.video is None) == (self.camera is None):
            raise ValueError("give a video, or --camera with its number")
        if self.camera is not None and self.camera < 0:
            raise ValueError("--camera takes a number from 0")
        if self.camera is not None and (self.start or self.fps is not None):
            raise ValueError("--start and --fps are for videos: they do not go with --camera")
        if not (0 <= self.start < math.inf and (self.end is None or self.start < self.end < math.inf)):
            raise ValueError("--start must be 0 or more and --end after it")
        if self.fps is not None and not 0 < self.fps <= 240:
            raise ValueError("--fps must be above 0 and at most 240")
        if self.camera is not None and self.output is None and self.send is None and self.csv is None:
            raise ValueError("--camera needs a place for its landmarks: --send, --csv or --output")

    @property
    def needs_openseeface(self) -> bool:
        return self.send is not None or self.csv is not None

    @property
    def is_live(self) -> bool:
        """Whether frames are handled one after the other, as they come."""
        return self.needs_openseeface or self.camera is not None

    @property
    def output_path(self) -> Path | None:
        """The output, or its default name; None where only packets or a log are wanted."""
        if self.output is not None or self.video is None or self.needs_openseeface:
            return self.output
        return Path(self.video.name.split(".")[0] + LANDMARKS)
