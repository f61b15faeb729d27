"""The settings of `evaluate`: one definition for Python and the command line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from facereenact.option import option

Protocol = Literal["self", "cross", "pairs", "leakage"]
Layout = Literal["auto", "folder", "manifest", "tiktok", "ubc-fashion"]
Split = Literal["train", "test", "all"]

MOST_JOBS = 64

# What `evaluate` itself decides about each render.
OWN = ("source", "driver", "output", "parts", "end", "overwrite", "compare", "save_landmarks", "start", "fps")


@dataclass(frozen=True)
class EvaluateSettings:
    """What to evaluate, by which protocol, and where the report goes.

    Raises:
        ValueError: values that contradict each other.
    """

    protocol: Protocol = field(metadata={"help": "What is compared with what.", "cli": False})
    drivers: tuple[Path, ...] = field(metadata={"help": "Videos, folders of them, or data sets.", "cli": False})
    output: Path = field(metadata={"help": "Folder of the report.", "flags": ("-o",), "metavar": "DIR"})
    sources: tuple[Path, ...] = option((), "Portraits, or folders of them.", cli=False)
    results: tuple[Path, ...] = option((), "Finished videos, one for each driver in its order.", cli=False)
    drive: Mapping[str, Any] = field(
        default_factory=dict, metadata={"help": "Settings of `drive` that differ from its defaults.", "cli": False}
    )
    layout: Layout = option(
        "auto",
        "How data sets are laid out: a folder of clips, a manifest of preprocess, or as TikTok or UBC fashion are "
        "published.",
    )
    split: Split = option("test", "Part of a published data set.")
    source_frame: int = option(
        0, "Frame of the driver, from 0, that is the source; it is left out of the image metrics.", metavar="N"
    )
    end: float | None = option(None, "Take only the first SECONDS of each clip.", metavar="SECONDS")
    tracker: Literal["auto", "openseeface", "mediapipe"] = option(
        "auto",
        "What judges the motion. Auto takes one that did not drive: OpenSeeFace where its networks are installed and "
        "MediaPipe drove.",
    )
    window: int | None = option(
        None,
        "Frames from the start of one window of the renderer to the next, to measure the seams. [default: what the "
        "sidecar of a result says]",
        metavar="N",
    )
    as_published: bool = option(
        False, "Also measure as the published tables of dancing and fashion videos did, faults included."
    )
    jobs: int = option(1, "Clips to evaluate at once.", metavar="N")

    def __post_init__(self) -> None:
        for name in ("drivers", "sources", "results"):
            object.__setattr__(self, name, tuple(Path(path) for path in getattr(self, name)))
        object.__setattr__(self, "output", Path(self.output))
        self._check_numbers()
        if not self.drivers:
            raise ValueError("there is nothing to evaluate: name a video, a folder or a data set")
        if self.protocol in ("cross", "leakage") and not self.sources:
            raise ValueError("Missing option --source")
        if self.protocol in ("self", "pairs") and self.sources:
            raise ValueError(f"{self.protocol} takes no --source")
        if (self.protocol == "pairs") != bool(self.results):
            raise ValueError("pairs, and only pairs, take finished results")
        if self.protocol == "pairs" and self.drive:
            raise ValueError("pairs are finished: settings of drive change nothing")
        owned = sorted(set(self.drive) & set(OWN))
        if owned:
            raise ValueError(f"evaluate itself chooses {', '.join(owned)} of each render")

    def _check_numbers(self) -> None:
        if self.source_frame < 0:
            raise ValueError("--source-frame counts from 0")
        if self.end is not None and not 0 < self.end < math.inf:
            raise ValueError("--end must be above 0")
        if self.window is not None and self.window < 2:
            raise ValueError("--window must be 2 or more")
        if not 1 <= self.jobs <= MOST_JOBS:
            raise ValueError(f"--jobs must be from 1 to {MOST_JOBS}")

    @property
    def in_place(self) -> bool:
        """Whether driver and result show the same scene, pixel by pixel."""
        return self.protocol in ("self", "pairs")
