"""The settings of `drive`: one definition for Python and the command line."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

FaceChoice = int | tuple[float, float] | str

IMAGE_OUTPUTS = (".png", ".jpg", ".jpeg", ".webp")


def face_choice(text: str) -> FaceChoice:
    """`largest`, an index counted from the left, or a pixel `x,y`."""
    if text == "largest":
        return text
    try:
        if "," in text:
            x, y = (float(part) for part in text.split(","))
            if not (math.isfinite(x) and math.isfinite(y)):
                raise ValueError
            return x, y
        return int(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no face: give largest, an index (0 is leftmost), or a pixel x,y") from error


def picture_size(text: str) -> tuple[int, int] | int:
    """`WIDTHxHEIGHT`, or one number for the longer side."""
    try:
        sides = [int(part) for part in text.lower().split("x")]
    except ValueError:
        sides = []
    if len(sides) not in (1, 2) or not all(32 <= side <= 8192 for side in sides):
        raise ValueError(f"{text!r} is no size: give WIDTHxHEIGHT or the longer side, from 32 to 8192 pixels")
    return (sides[0], sides[1]) if len(sides) == 2 else sides[0]


def option(default: Any, help_text: str, **more: Any) -> Any:
    return field(default=default, metadata={"help": help_text, **more})


@dataclass(frozen=True)
class DriveSettings:
    """What to animate, with which motion, and how.

    Raises:
        ValueError: values that contradict each other.
    """

    source: Path = field(metadata={"help": "Portrait to animate.", "flags": ("-s",), "metavar": "IMAGE"})
    driver: Path = field(
        metadata={
            "help": "Motion to take over: a video, GIF, folder of images, one image, or a .landmarks.safetensors file.",
            "flags": ("-d",),
            "metavar": "VIDEO",
        }
    )
    output: Path | None = option(
        None,
        "Result: .mp4, .mov, .mkv, .webm, .gif, or no suffix for a folder of PNG images. "
        "[default: SOURCE-DRIVER.mp4 in this folder]",
        flags=("-o",),
        metavar="VIDEO",
    )
    renderer: Literal["auto", "warp", "diffusion"] = option(
        "auto", "What makes the pictures; auto takes diffusion where its checkpoints are installed, else warp."
    )
    motion: Literal["relative", "absolute"] = option(
        "relative",
        "Relative: the source moves as the driver moves away from a neutral frame. Absolute: it takes the driver's "
        "pose and mouth as they are, which suits a still driver.",
    )
    neutral_frame: int | None = option(
        None,
        "Driver frame, from 0, that matches the source as it is. [default: the frame most like the source]",
        metavar="N",
    )
    face: FaceChoice = option(
        "largest",
        "Face of the source: largest, an index from the left, or a pixel x,y.",
        parse=face_choice,
        metavar="FACE",
    )
    driver_face: FaceChoice = option(
        "largest", "Face of the driver's first frame, likewise.", parse=face_choice, metavar="FACE"
    )
    smooth: Literal["none", "light", "normal", "strong"] = option(
        "normal", "How much jitter to remove from the driver's track; adds no lag."
    )
    mouth: Literal["driver", "painted"] = option(
        "driver", "Inside of an open mouth: the driver's own in the source's light, or painted teeth and tongue."
    )
    crop: bool = option(
        False,
        "Give the square 512x512 crop of the face, or paste the moving face into the whole picture.",
        negative="--paste",
    )
    size: tuple[int, int] | int | None = option(
        None,
        "Size of the result: WIDTHxHEIGHT, or the longer side. [default: the source's; 512 with --crop]",
        parse=picture_size,
        metavar="SIZE",
    )
    start: float = option(0.0, "Where in the driver to begin, seconds.", metavar="SECONDS")
    end: float | None = option(None, "Where in the driver to end, seconds. [default: its end]", metavar="SECONDS")
    fps: Fraction | None = option(
        None,
        "Frames per second of the result, e.g. 25 or 30000/1001. [default: the driver's own timing]",
        metavar="RATE",
    )
    compare: bool = option(False, "Also write OUTPUT.compare.mp4: source, driver and result side by side.")
    save_landmarks: Path | None = option(
        None, "Keep the driver's track as NAME.landmarks.safetensors; as --driver it skips tracking.", metavar="FILE"
    )
    overwrite: bool = option(False, "Replace existing output.")

    def __post_init__(self) -> None:
        for name in ("source", "driver", "output", "save_landmarks"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, Path):
                object.__setattr__(self, name, Path(value))
        if not (0 <= self.start < math.inf and (self.end is None or self.start < self.end)):
            raise ValueError("--start must be 0 or more and --end after it")
        if self.fps is not None and not 0 < self.fps <= 240:
            raise ValueError("--fps must be above 0 and at most 240")
        if self.crop and isinstance(self.size, tuple) and self.size[0] != self.size[1]:
            raise ValueError("--crop gives a square picture: give --size one number")

    @property
    def output_path(self) -> Path:
        """The output, or its default name."""
        return self.output or Path(f"{self.source.stem}-{self.driver.name.split('.')[0]}.mp4")
