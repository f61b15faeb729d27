"""The settings of the diffusion renderer: one definition for Python and the command line."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from facereenact.option import option

SHORTEST_PX = 64  # below it a body is a few pixels of latents
LONGEST_WINDOW = 32  # frames: the rows of the motion modules' positional table
BODY_CHECKPOINTS = ("moore-body", "sd-vae-ft-mse", "image-encoder")
COMBINED_CHECKPOINTS = (*BODY_CHECKPOINTS, "moore-face")
FOR_BODIES = {"--body-scale", "--combine", "--body-side"}
FOR_FACES = {"--head-scale", "--mouth-scale", "--combine", "--render-background"}
DEVICES = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


@dataclass(frozen=True)
class DiffusionSettings:
    """How the diffusion renderer works.

    Raises:
        ValueError: values that make no sense, or contradict each other.
    """

    preset: Literal["exact", "balanced", "fast"] = option(
        "exact",
        "Exact computes what the published model computes; balanced and fast leave work out (docs/diffusion.md says "
        "what, and how much it shows).",
    )
    steps: int | None = option(
        None, "Denoising steps. [default: the preset's, 20 for exact, and half as many again for bodies]", metavar="N"
    )
    guidance: float | None = option(
        None,
        "How strictly the picture follows the source and the guides; 1 is half the work. [default: 3.5]",
        metavar="SCALE",
    )
    scheduler: Literal["ddim", "dpm++", "euler", "unipc"] | None = option(
        None, "How noise is removed, step by step. [default: the preset's, ddim for exact]"
    )
    decoder: Literal["full", "small"] | None = option(
        None,
        "What makes pictures of the result: small is over ten times as fast and loses fine detail. [default: small "
        "with --preset fast where the checkpoint taesd is installed, else full]",
    )
    seed: int = option(0, "Of the noise that the pictures are made from; the same seed gives the same video.")
    head_scale: float = option(1.0, "Weight of the guide of head and eyes; 0 leaves it out.", metavar="WEIGHT")
    mouth_scale: float = option(1.0, "Weight of the guide of the mouth, likewise.", metavar="WEIGHT")
    body_scale: float = option(1.0, "Weight of the guide of the body, likewise.", metavar="WEIGHT")
    combine: Literal["paste", "guided"] = option(
        "paste",
        "Of body and face together: paste renders the body, then the face of each frame anew; guided renders both at "
        "once, which is meant for weights trained so.",
    )
    body_side: int | None = option(
        None,
        "Longer side of the picture in which a body is rendered, pixels, divisible by 8. [default: 768]",
        metavar="PX",
    )
    window: int = option(24, "Frames denoised together, at most 32: fewer need less memory.", metavar="N")
    overlap: int = option(4, "Frames that two windows share, so that no seam shows.", metavar="N")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = option(
        "auto", "Numbers of the networks; auto takes float16 on a GPU and bfloat16 or float32 on a CPU."
    )
    device: str = option("auto", "auto, cpu, cuda, cuda:1 or mps; auto takes a GPU where there is one.")
    checkpoints: Path | None = option(
        None, "Folder of all checkpoints. [default: $FACEREENACT_CHECKPOINTS, else one in your cache]", metavar="DIR"
    )
    keep_background: bool = option(
        True,
        "Outside the person return the source's own pixels, or the rendered ones of the whole square.",
        negative="--render-background",
    )

    def __post_init__(self) -> None:
        if self.checkpoints is not None:
            object.__setattr__(self, "checkpoints", Path(self.checkpoints))
        if self.steps is not None and not 1 <= self.steps <= 1000:
            raise ValueError("--steps must be from 1 to 1000")
        if self.guidance is not None and not 1 <= self.guidance < math.inf:
            raise ValueError("--guidance must be 1 or more; 1 follows the guides without emphasis")
        if not 0 <= self.seed < 2**63:
            raise ValueError("--seed must be 0 or more")
        if self.body_side is not None and (self.body_side < SHORTEST_PX or self.body_side % 8):
            raise ValueError(f"--body-side must be {SHORTEST_PX} or more and divisible by 8")
        for name in ("body_scale", "head_scale", "mouth_scale"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"--{name.replace('_', '-')} must be 0 or more")
        if not 1 <= self.window <= LONGEST_WINDOW:
            raise ValueError(
                f"--window must be from 1 to {LONGEST_WINDOW} frames: the motion modules know no longer one"
            )
        if not 0 <= self.overlap < self.window:
            raise ValueError("--overlap must be 0 or more and less than --window")
        if not DEVICES.fullmatch(self.device):
            raise ValueError(f"--device {self.device!r} is unknown; give auto, cpu, cuda, cuda:N or mps")

    @property
    def given(self) -> tuple[str, ...]:
        """The options, as written on the command line, that are not at their default."""
        return tuple(
            each.metadata.get("negative") or "--" + each.name.replace("_", "-")  # a flag is given to switch it off
            for each in fields(self)
            if each.name != "checkpoints" and getattr(self, each.name) != each.default
        )

    def check_use(self, *, body: bool, face: bool, crop: bool) -> None:
        """Refuse what nothing reads.

        Args:
            body: whether a body driver moves the whole person.
            face: whether a driver of its own moves the face.
            crop: whether the rendered square itself is the result.

        Raises:
            ValueError: such options are given.
        """
        given = [name for name in self.given if name in FOR_BODIES and not body]
        if given:
            raise ValueError(f"{', '.join(given)}: options of a moving body; give --body-driver")
        given = [name for name in self.given if name in FOR_FACES and not face]
        if given:
            raise ValueError(f"{', '.join(given)}: nothing to apply to without a face driver; give --driver too")
        if body and self.combine == "guided" and not self.keep_background:
            raise ValueError("--render-background has no effect: --combine guided renders the whole picture anyway")
        if crop and not self.keep_background:
            raise ValueError("--render-background has no effect: --crop shows the rendered square as it is")
