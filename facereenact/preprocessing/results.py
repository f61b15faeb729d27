"""What came of a clip, and its rows in the manifest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from facereenact.preprocessing.figures import objection
from facereenact.preprocessing.shot_tracking import FILES
from facereenact.preprocessing.stores import Clip

NO_FACE = "no face found"


@dataclass(frozen=True)
class ClipResult:
    """What came of a clip: a record, or an error in words, or neither where an earlier run's rows stand."""

    clip: Clip
    content: str = ""  # SHA-256; "" where it could not be read, or its worker died
    record: dict[str, Any] | None = None
    error: str = ""
    was_complete: bool = False  # nothing was made: an earlier run had done it, or found that it cannot be done

    @property
    def frames(self) -> int:
        return self.record["frames"] if self.record else 0

    @property
    def seconds(self) -> float:
        """Length of the video."""
        return float(self.frames / Fraction(self.record["rate"])) if self.record else 0.0


def limits_of(bounds: dict[str, float]) -> str:
    """The limits of a run in words, the same for the same limits."""
    return ", ".join(f"{name} {bound:g}" for name, bound in bounds.items())


def rows_of(result: ClipResult, folder: str, key: str, bounds: dict[str, float]) -> Iterator[dict[str, Any]]:
    """The rows of a clip, one a sequence; one alone where it failed or nobody was seen.

    Args:
        result: what came of the clip.
        folder: that of its files, relative to the output.
        key: what the files depend on besides the content.
        bounds: limits that a sequence must keep to be `ok`.
    """
    clip: dict[str, Any] = {"path": result.clip.path, "stamp": result.clip.stamp, "hash": result.content}
    clip |= {"settings": key, "limits": limits_of(bounds)}
    record = result.record
    if record is None:
        yield {**clip, "status": "failed", "error": result.error}
        return
    clip |= {
        "rate_hz": float(Fraction(record["rate"])),
        "width": record["size"][0],
        "height": record["size"][1],
        "clip_frames": record["frames"],
        "tracker": record["tracker"],
        "versions": ", ".join(f"{name} {number}" for name, number in record["versions"].items()),
    }
    if not record["sequences"]:
        yield {**clip, "status": "filtered", "error": NO_FACE}
    for sequence in record["sequences"]:
        reason = objection(sequence["figures"], bounds)
        left, top, right, _ = sequence["crop_xyxy"]
        files = {name: sequence[name] and f"{folder}/{sequence[name]}" for name in FILES}
        yield {
            **clip,
            **{name: sequence[name] for name in ("shot", "person", "first_frame", "frames", "start_s")},
            **sequence["figures"],
            **files,
            "crop_left_px": left,
            "crop_top_px": top,
            "crop_side_px": right - left,
            "status": "filtered" if reason else "ok",
            "error": reason,
        }
