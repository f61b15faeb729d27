"""The settings of `preprocess`: one definition for Python and the command line."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any, Literal

from facereenact.option import option

FORMAT_VERSION = 1  # of what is written for a clip: a higher one makes every clip again
MOST_FACES = 16
MOST_WORKERS = 1024

LIMITS = ("detected", "face_px", "seconds", "sharpness", "turn_deg", "blur", "jitter")
"""Figures of a sequence that a `min_` or `max_` setting bounds."""


@dataclass(frozen=True)
class PreprocessSettings:
    """What to make of each clip.

    Raises:
        ValueError: a value out of its range, or values that contradict each other.
    """

    tracker: Literal["auto", "hybrid", "openseeface", "mediapipe"] = option(
        "auto",
        "What finds the points; auto takes hybrid where the networks of OpenSeeFace are installed, else mediapipe.",
    )
    faces: int = option(1, "How many people to follow in each shot; each gets a sequence.", metavar="N")
    cuts: bool = option(True, "Begin a new sequence at each hard cut, or take each clip as one shot.")
    with_pose: bool = option(False, "Also write body, hands and face of each person as NAME.pose.safetensors.")
    with_crops: bool = option(False, "Also write the 512x512 video of each face.")
    min_detected: float | None = option(
        None, "Keep sequences whose face is seen in at least this share of the frames, 0 to 1.", metavar="SHARE"
    )
    min_face_px: float | None = option(None, "Keep faces of at least so many pixels.", metavar="PIXELS")
    min_seconds: float | None = option(None, "Keep sequences of at least this length.", metavar="SECONDS")
    min_sharpness: float | None = option(None, "Keep faces of at least this sharpness.", metavar="VALUE")
    min_turn_deg: float | None = option(
        None, "Keep sequences in which the head turns through at least this angle about one axis.", metavar="DEGREES"
    )
    max_blur: float | None = option(None, "Keep faces of at most this blur, 0 to 1.", metavar="VALUE")
    max_jitter: float | None = option(None, "Keep sequences of at most this jitter.", metavar="VALUE")
    timeout: float = option(
        120.0, "Give a clip up when nothing has come of it for so long: no byte, no frame.", metavar="SECONDS"
    )

    def __post_init__(self) -> None:
        if not 1 <= self.faces <= MOST_FACES:
            raise ValueError(f"--faces must be from 1 to {MOST_FACES}")
        if not 1 <= self.timeout <= 86400:
            raise ValueError("--timeout must be from 1 to 86400 seconds")
        for name, bound in self.bounds.items():
            most = 1 if name in SHARES else math.inf
            if not 0 <= bound <= most:
                raise ValueError(f"--{name.replace('_', '-')} must be " + ("from 0 to 1" if most == 1 else "0 or more"))

    @property
    def bounds(self) -> dict[str, float]:
        """The limits that are set, by the name of their setting."""
        values = {f"{side}_{figure}": getattr(self, f"{side}_{figure}", None) for side in SIDES for figure in LIMITS}
        return {name: value for name, value in values.items() if value is not None}


SIDES = ("min", "max")
SHARES = ("min_detected", "max_blur")  # limits of figures that go from 0 to 1


def making(settings: PreprocessSettings, tracker: str, estimator: str | None) -> dict[str, Any]:
    """What the files of a clip depend on besides its content; tracker and estimator are those that were chosen.

    Limits only mark rows of the manifest, so that they can be changed without tracking again; crops alone are made for
    no more than what is kept.
    """
    parts: dict[str, Any] = {
        "format": FORMAT_VERSION,
        "tracker": tracker,
        "faces": settings.faces,
        "cuts": settings.cuts,
        "estimator": estimator,
        "with_crops": settings.with_crops,
    }
    return {**parts, **settings.bounds} if settings.with_crops else parts


def key_of(parts: dict[str, Any]) -> str:
    """A short name of what `making` gives."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class EngineSettings:
    """Where the work is done.

    Raises:
        ValueError: a value out of its range, or values that contradict each other.
    """

    engine: Literal["local", "ray"] = option("local", "Processes of this machine, or a Ray cluster.")
    workers: int | None = option(
        None, "Clips to work on at once. [default: one per core; with Ray, of the cluster]", metavar="N"
    )
    ray_address: str | None = option(
        None,
        "With --engine ray: a cluster's address, or auto for the one that this machine belongs to. "
        "[default: start Ray here for this run]",
        metavar="ADDRESS",
    )

    def __post_init__(self) -> None:
        if self.workers is not None and not 1 <= self.workers <= MOST_WORKERS:
            raise ValueError(f"--workers must be from 1 to {MOST_WORKERS}")
        if self.ray_address is not None and self.engine != "ray":
            raise ValueError("--ray-address goes with --engine ray")
