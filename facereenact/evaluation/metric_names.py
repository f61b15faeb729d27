"""What each metric is called and which way is better: for tables, reports and comparisons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower", "one", "zero", "none"]


@dataclass(frozen=True)
class Metric:
    """How one metric is shown."""

    title: str
    better: Better = "lower"
    digits: int = 3


PARTS = {
    "mouth": "mouth",
    "eyes": "lids",
    "lid_right": "right lid",
    "lid_left": "left lid",
    "gaze_x": "gaze across",
    "gaze_y": "gaze up and down",
    "yaw_deg": "yaw",
    "pitch_deg": "pitch",
    "roll_deg": "roll",
}

KINDS = {
    "correlation": Metric("correlation", "higher"),
    "error": Metric("error", "lower"),
    "lag_frames": Metric("lag, frames", "zero", 2),
}

METRICS = {
    "psnr": Metric("PSNR, dB", "higher", 2),
    "copy_psnr": Metric("PSNR of the still", "none", 2),
    "ssim": Metric("SSIM", "higher"),
    "copy_ssim": Metric("SSIM of the still", "none"),
    "ms_ssim": Metric("MS-SSIM", "higher"),
    "l1": Metric("L1", "lower", 4),
    "lpips": Metric("LPIPS"),
    "csim": Metric("CSIM", "higher"),
    "fid": Metric("FID", "lower", 2),
    "fvd": Metric("FVD", "lower", 1),
    "published.psnr": Metric("PSNR as published", "higher", 2),
    "published.ssim": Metric("SSIM as published", "higher"),
    "published.l1": Metric("L1 as published", "lower", 6),
    "published.lpips": Metric("LPIPS as published"),
    "detected": Metric("face found", "higher"),
    "missing_keypoints": Metric("missing keypoints"),
    "akd": Metric("AKD", "lower", 4),
    "copy_akd": Metric("AKD of the still", "none", 4),
    "aed": Metric("AED", "lower", 4),
    "apd_deg": Metric("APD, degrees", "lower", 2),
    "copy_apd_deg": Metric("APD of the still, degrees", "none", 2),
    "jitter": Metric("jitter", "lower", 4),
    "driver_jitter": Metric("jitter of the driver", "none", 4),
    "flicker": Metric("flicker, levels", "lower", 2),
    "driver_flicker": Metric("flicker of the driver, levels", "none", 2),
    "seam": Metric("seam", "one", 2),
    "drift.colour": Metric("colour drift, levels", "zero", 2),
    "drift.shape": Metric("shape drift", "zero", 4),
    "drift.identity": Metric("identity drift", "zero"),
    "audio_offset_ms": Metric("sound late by, ms", "zero", 0),
}

TRACKERS = {"mesh": "mesh", "openseeface": "OpenSeeFace"}


def describe(name: str) -> Metric:
    """How a metric of a report is shown; its name may begin with that of a tracker."""
    tracker, _, rest = name.partition(".")
    if tracker in TRACKERS:
        inner = describe(rest)
        return Metric(f"{inner.title} ({TRACKERS[tracker]})", inner.better, inner.digits)
    part, _, kind = name.rpartition(".")
    if part in PARTS and kind in KINDS:
        return Metric(f"{PARTS[part]}: {KINDS[kind].title}", KINDS[kind].better, _digits(part, kind))
    return METRICS.get(name, Metric(name, "none"))


def _digits(part: str, kind: str) -> int:
    return 2 if kind == "error" and part.endswith("_deg") else KINDS[kind].digits + (kind == "error")


def shown(name: str, value: float | None) -> str:
    """A value as people read it."""
    return "-" if value is None else f"{value:.{describe(name).digits}f}"


def headline(judge: str, names: Iterable[str]) -> dict[str, str]:
    """What a glance needs, of the metrics given: each with the short title of its column."""
    columns = {
        "psnr": "PSNR",
        "copy_psnr": "(still)",
        "ssim": "SSIM",
        "copy_ssim": "(still)",
        "lpips": "LPIPS",
        "csim": "CSIM",
        f"{judge}.akd": "AKD",
        f"{judge}.aed": "AED",
        f"{judge}.apd_deg": "APD",
        f"{judge}.mouth.correlation": "mouth",
        "mesh.eyes.correlation": "lids",
        f"{judge}.mouth.lag_frames": "lag",
        "mesh.jitter": "jitter",
        "mesh.driver_jitter": "(driver)",
        "flicker": "flicker",
        "seam": "seam",
    }
    there = set(names)
    return {name: title for name, title in columns.items() if name in there}
