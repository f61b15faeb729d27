"""The settings of a moving body: one definition for Python and the command line."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from facereenact.choices import Choice, person_choice
from facereenact.option import option
from facereenact.pose_tools.settings import POSE

HeadFrom = Literal["body", "face"]


@dataclass(frozen=True)
class BodySettings:
    """Whose motion the whole body takes, and how it goes with that of the face.

    Raises:
        ValueError: values that make no sense, or options that nothing reads.
    """

    body_driver: Path | None = option(
        None,
        "Motion of the whole body: a video, GIF, folder of images, one image, or a .pose.safetensors file, which "
        "needs no tracking. With --driver as well the body moves as here and the face as there.",
        metavar="VIDEO",
    )
    body_person: Choice = option(
        "largest",
        "Whom of several people in it to follow: largest, an index (0 is leftmost), or a pixel x,y. Whom of the "
        "source, says --face.",
        parse=person_choice,
        metavar="PERSON",
    )
    body_estimator: Literal["auto", "mediapipe", "dwpose"] = option(
        "auto",
        "What finds the points of bodies; auto takes what made a pose file, else dwpose where it is installed, else "
        "mediapipe.",
    )
    body_start: float | None = option(
        None, "Where in the body driver to begin, seconds. [default: --start]", metavar="SECONDS"
    )
    head_from: HeadFrom | None = option(
        None,
        "Whose head motion to take, the body driver's or the face driver's; eyes and mouth are the face driver's. "
        "[default: body; face with --head-driver]",
    )
    audio_from: HeadFrom | None = option(
        None, "Whose sound to keep. [default: the face driver's, or the body driver's where that has none]"
    )
    save_pose: Path | None = option(
        None, "Keep the body's track as NAME.pose.safetensors; as --body-driver it skips tracking.", metavar="FILE"
    )

    def __post_init__(self) -> None:
        for name in ("body_driver", "save_pose"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, Path):
                object.__setattr__(self, name, Path(value))
        if self.body_start is not None and not 0 <= self.body_start < math.inf:
            raise ValueError("--body-start must be 0 or more")
        if self.body_driver is None and self.given:
            raise ValueError(f"{', '.join(self.given)}: options of a moving body; give --body-driver")
        if self.has_pose_file and self.body_person != "largest":
            raise ValueError("--body-person: a pose file holds one person only")

    @property
    def has_pose_file(self) -> bool:
        """Whether the body driver is a track that was made before."""
        return self.body_driver is not None and self.body_driver.name.endswith(POSE)

    @property
    def given(self) -> tuple[str, ...]:
        """The options, as written on the command line, that are not at their default."""
        return tuple(
            "--" + each.name.replace("_", "-") for each in fields(self) if getattr(self, each.name) != each.default
        )
