"""The settings of `drive`: one definition for Python and the command line."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import Literal, get_args

from facereenact.body_settings import BodySettings, HeadFrom
from facereenact.choices import Choice, face_choice, picture_size
from facereenact.diffusion_settings import DiffusionSettings
from facereenact.option import option

Part = Literal["head", "eyes", "mouth"]
PARTS: tuple[Part, ...] = get_args(Part)

MOST_GAIN = 3  # beyond it no picture holds together
IMAGE_OUTPUTS = (".png", ".jpg", ".jpeg", ".webp")


def face_parts(text: str) -> tuple[str, ...]:
    """Names of parts, separated by commas."""
    names = tuple(name.strip() for name in text.split(","))
    _check_parts(names)
    return names


def _check_parts(names: tuple[str, ...]) -> None:
    unknown = [name for name in names if name not in PARTS]
    if unknown or not names:
        raise ValueError(f"{', '.join(unknown)!r} is no part of a face: give head, eyes, mouth, or several with commas")


@dataclass(frozen=True)
class DriveSettings:
    """What to animate, with which motion, and how.

    Raises:
        ValueError: values that contradict each other.
    """

    source: Path = field(metadata={"help": "Portrait to animate.", "flags": ("-s",), "metavar": "IMAGE"})
    driver: Path | None = option(
        None,
        "Motion to take over: a video, GIF, folder of images, one image, or a .landmarks.safetensors file. Required "
        "unless parts have drivers of their own, or the body has one.",
        flags=("-d",),
        metavar="VIDEO",
    )
    output: Path | None = option(
        None,
        "Result: .mp4, .mov, .mkv, .webm, .gif, or no suffix for a folder of PNG images. "
        "[default: SOURCE-DRIVER.mp4 in this folder]",
        flags=("-o",),
        metavar="VIDEO",
    )
    head_driver: Path | None = option(None, "Whose head motion to take, instead of --driver's.", metavar="VIDEO")
    eyes_driver: Path | None = option(None, "Whose brows, lids and gaze to take, likewise.", metavar="VIDEO")
    mouth_driver: Path | None = option(
        None,
        "Whose mouth and jaw to take, likewise; sound and the inside of the mouth come from here.",
        metavar="VIDEO",
    )
    parts: tuple[Part, ...] | None = option(
        None,
        "Parts that move, e.g. mouth or head,eyes; the others stay as in the source. [default: all that have a driver]",
        parse=face_parts,
        metavar="PARTS",
    )
    head_gain: float = option(1.0, "How far the head goes: 0 is still, 2 twice as far.", metavar="GAIN")
    eyes_gain: float = option(1.0, "How much brows, lids and gaze move, likewise.", metavar="GAIN")
    mouth_gain: float = option(1.0, "How much mouth and jaw move, likewise.", metavar="GAIN")
    length_from: Literal["head", "eyes", "mouth", "driver", "body"] | None = option(
        None, "Whose driver gives length and timing; shorter ones hold their last frame. [default: the longest]"
    )
    renderer: Literal["auto", "warp", "diffusion"] = option(
        "auto",
        "What makes the pictures: warp needs no checkpoints and no GPU; diffusion is slow and lifelike. Auto takes "
        "diffusion where its checkpoints are installed.",
    )
    motion: Literal["relative", "absolute"] = option(
        "relative",
        "Relative: the source moves as the driver moves away from a neutral frame. Absolute: it takes the driver's "
        "pose and mouth as they are, which suits a still driver.",
    )
    neutral_frame: int | None = option(
        None,
        "Frame of the main driver (--driver, else the mouth's, head's or eyes'), from 0, that matches the source as it "
        "is. [default: for each driver the frame most like the source]",
        metavar="N",
    )
    face: Choice = option(
        "largest",
        "Face of the source, or whose body: largest, an index from the left, or a pixel x,y.",
        parse=face_choice,
        metavar="FACE",
    )
    driver_face: Choice = option(
        "largest", "Face of the main driver's first frame, likewise.", parse=face_choice, metavar="FACE"
    )
    smooth: Literal["none", "light", "normal", "strong"] = option(
        "normal", "How much jitter to remove from the drivers' tracks, but for pose files; adds no lag."
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
    compare: bool = option(False, "Also write OUTPUT.compare.mp4: source, drivers and result side by side.")
    save_landmarks: Path | None = option(
        None,
        "Keep the main driver's track as NAME.landmarks.safetensors; as --driver it skips tracking.",
        metavar="FILE",
    )
    prepared: Path | None = option(
        None,
        "Output folder of facereenact preprocess: a driver whose track is there, found by its content, is not tracked "
        "again.",
        metavar="DIR",
    )
    overwrite: bool = option(False, "Replace existing output.")
    body: BodySettings = field(default=BodySettings(), metadata={"cli": False, "section": "Body"})
    diffusion: DiffusionSettings = field(
        default=DiffusionSettings(), metadata={"cli": False, "section": "Diffusion renderer"}
    )

    def __post_init__(self) -> None:
        for name in (
            "source",
            "driver",
            "head_driver",
            "eyes_driver",
            "mouth_driver",
            "output",
            "save_landmarks",
            "prepared",
        ):
            value = getattr(self, name)
            if value is not None and not isinstance(value, Path):
                object.__setattr__(self, name, Path(value))
        if not (0 <= self.start < math.inf and (self.end is None or self.start < self.end)):
            raise ValueError("--start must be 0 or more and --end after it")
        if self.fps is not None and not 0 < self.fps <= 240:
            raise ValueError("--fps must be above 0 and at most 240")
        if self.crop and isinstance(self.size, tuple) and self.size[0] != self.size[1]:
            raise ValueError("--crop gives a square picture: give --size one number")
        if self.body.body_driver is not None:
            self._check_body()
        self._check_drivers()
        self._check_gains()
        self.diffusion.check_use(body=self.body.body_driver is not None, face=bool(self.drivers), crop=self.crop)

    def _check_body(self) -> None:
        if self.crop:
            raise ValueError("--crop gives the face alone: it does not go with --body-driver")
        if self.head_from == "body" and "head" in (self.parts or ()):
            raise ValueError("--parts names head, which follows the body: drop it or add --head-from face")
        if self.head_from == "body" and self.head_driver is not None:
            raise ValueError("--head-driver has nothing to drive: the head follows the body (--head-from)")
        if self.body.head_from == "face" and "head" not in self.part_drivers:
            raise ValueError("--head-from face: no face driver moves the head; give --driver or --head-driver")
        if not self.part_drivers:
            self._check_without_face()

    def _check_without_face(self) -> None:
        """Refuse what concerns the motion of a face where there is none."""
        names = ("motion", "neutral_frame", "driver_face", "mouth", "save_landmarks", "prepared")
        defaults = {each.name: each.default for each in fields(self)}
        given = ["--" + name.replace("_", "-") for name in names if getattr(self, name) != defaults[name]]
        if self.body.audio_from == "face":
            given.append("--audio-from face")
        if self.body.has_pose_file and self.smooth != defaults["smooth"]:
            given.append("--smooth")
        if given:
            raise ValueError(f"{', '.join(given)}: nothing to apply to without a face driver; give --driver too")

    def _check_drivers(self) -> None:
        given = [part for part in PARTS if self.own_driver(part)]
        if not given and self.driver is None and self.body.body_driver is None:
            raise ValueError(
                "Missing option --driver, --body-driver, or drivers of parts: --head-driver, --eyes-driver, "
                "--mouth-driver"
            )
        if self.parts is not None:
            _check_parts(self.parts)
            for part in given:
                if part not in self.parts:
                    raise ValueError(
                        f"--{part}-driver drives what --parts leaves out: drop it or add {part} to --parts"
                    )
            for part in self.parts:
                if part not in self.part_drivers:
                    raise ValueError(f"--parts names {part}, which nothing drives: give --{part}-driver or --driver")
        if self.driver is not None and set(given) == set(self.part_drivers):
            raise ValueError("--driver has nothing to drive: each part that moves has a driver of its own")
        leaders = {*self.part_drivers, "driver" if self.driver else None, "body" if self.body.body_driver else None}
        if self.length_from not in {None, *leaders}:
            raise ValueError(f"--length-from {self.length_from}: there is no such driver")

    def _check_gains(self) -> None:
        for part in PARTS:
            gain = self.gains[part]
            if not 0 <= gain <= MOST_GAIN:
                raise ValueError(f"--{part}-gain must be from 0 to {MOST_GAIN}")
            if gain != 1 and part not in self.part_drivers:
                raise ValueError(f"--{part}-gain has no effect: nothing drives the {part}")

    @property
    def span(self) -> tuple[float, float | None]:
        """From when to when the drivers of the face are used, seconds."""
        return self.start, self.end

    @property
    def body_span(self) -> tuple[float, float | None]:
        """The same of the body driver: as long, but from its own start."""
        start = self.start if self.body.body_start is None else self.body.body_start
        return start, None if self.end is None else start + self.end - self.start

    def own_driver(self, part: Part) -> Path | None:
        """The driver that is given for the part alone."""
        path: Path | None = getattr(self, f"{part}_driver")
        return path

    @property
    def part_drivers(self) -> dict[Part, Path]:
        """Each part of the face that moves of itself, and what drives it."""
        drivers = {part: self.own_driver(part) or self.driver for part in self.parts or PARTS}
        if self.body.body_driver is not None and self.head_from == "body":
            drivers.pop("head", None)
        return {part: drivers[part] for part in PARTS if drivers.get(part)}  # type: ignore[misc]

    @property
    def gains(self) -> dict[Part, float]:
        return {"head": self.head_gain, "eyes": self.eyes_gain, "mouth": self.mouth_gain}

    @property
    def head_from(self) -> HeadFrom:
        """Where a body moves, whose motion its head takes."""
        asks = self.head_driver is not None or "head" in (self.parts or ())
        return self.body.head_from or ("face" if asks else "body")

    @property
    def main_driver(self) -> Path:
        """The face driver that stands for all where only one can: `driver`, else the mouth's, the head's, the eyes'."""
        drivers = (self.driver, *(self.part_drivers.get(part) for part in ("mouth", "head", "eyes")))
        return next(path for path in drivers if path)

    @property
    def drivers(self) -> tuple[Path, ...]:
        """Every driver of the face once, the main one first."""
        if not self.part_drivers:
            return ()
        return tuple(dict.fromkeys((self.main_driver, *self.part_drivers.values())))

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Every file or folder that is read."""
        return (self.source, *self.drivers, *([self.body.body_driver] if self.body.body_driver else []))

    @property
    def output_path(self) -> Path:
        """The output, or its default name."""
        names = [path.name.split(".")[0] for path in (self.body.body_driver, *self.drivers[:1]) if path]
        return self.output or Path(f"{'-'.join([self.source.stem, *names])}.mp4")
