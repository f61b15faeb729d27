"""From what was measured of each clip to a report of all."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from facereenact.evaluation.cache import plain
from facereenact.evaluation.disentanglement import leakage_of, matrix_of
from facereenact.evaluation.frechet import distance_of_files
from facereenact.evaluation.perceptual import WIDTHS, missing_networks, network_hashes
from facereenact.evaluation.report import ClipReport, Report, mean_of, versions
from facereenact.evaluation.settings import EvaluateSettings


def summarised(
    settings: EvaluateSettings, records: list[dict[str, Any]], failed: dict[str, str], *, seconds: float
) -> Report:
    """The report of measured clips.

    Args:
        records: what was measured of each clip, as it is kept in its file.
        failed: why others could not be measured, by name.
        seconds: that all took together.
    """
    names = ClipReport.__dataclass_fields__
    clips = [ClipReport(**{name: record[name] for name in names}) for record in records]
    rows = [
        leakage_of(record["parts"][0], record["curves"], record["judge"]["name"])
        for record in records
        if settings.protocol == "leakage"
    ]
    return Report(
        protocol=settings.protocol,
        settings=plain(asdict(settings)),
        versions=versions(),
        networks=network_hashes(),
        missing=_missing(settings, clips),
        clips=clips,
        failed=failed,
        mean=mean_of([clip.metrics for clip in clips]),
        of_all=_of_all(settings, records),
        leakage=matrix_of(rows) if rows else None,
        speed={
            "frames": sum(clip.frames for clip in clips),
            "measured_frames_per_s": _rate(clips, "measuring"),
            "rendered_frames_per_s": _rate(clips, "rendering"),
            "seconds": seconds,
        },
        folder=settings.output,
    )


def _rate(clips: list[ClipReport], stage: str) -> float | None:
    """Frames a second of what was done at that stage; None where nothing was."""
    timed = [(clip.frames, clip.seconds[stage]) for clip in clips]
    done = [(frames, seconds) for frames, seconds in timed if seconds]
    return sum(frames for frames, _ in done) / sum(seconds for _, seconds in done) if done else None


def _missing(settings: EvaluateSettings, clips: list[ClipReport]) -> dict[str, str]:
    """Why metrics were not measured."""
    missing = missing_networks()
    if not settings.as_published:
        missing.pop("published.lpips", None)
    if not settings.in_place:
        for name in ("lpips", "fid", "fvd"):
            missing[name] = "driver and result show different people"
    if not any("seam" in clip.metrics for clip in clips):
        missing["seam"] = "the windows of the renderer are not known (--window)"
    return missing


def _of_all(settings: EvaluateSettings, records: list[dict[str, Any]]) -> dict[str, float | None]:
    """The metrics of the whole set."""
    found: dict[str, float | None] = {}
    for metric, width in WIDTHS.items():
        pairs = [record["features"][metric] for record in records if metric in record["features"]]
        if pairs:
            drivers, results = ([settings.output / pair[side] for pair in pairs] for side in (0, 1))
            found[metric] = distance_of_files(drivers, results, width)
    return found
