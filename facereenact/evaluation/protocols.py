"""The protocols: which result is made of which source and driver, or is there already, and compared with what."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from facereenact.errors import InputError
from facereenact.evaluation.datasets import Clip, find_clips, find_pictures
from facereenact.evaluation.settings import EvaluateSettings
from facereenact.settings import PARTS, Part


@dataclass(frozen=True)
class Case:
    """One result to evaluate."""

    name: str  # unique within a report, and the name of its files
    driver: Path
    source: Path | None = None  # a picture; without one the driver's own frame is the source
    result: Path | None = None  # a finished video; without one it is rendered
    parts: tuple[Part, ...] | None = None  # what moves; None for all


def find_cases(settings: EvaluateSettings) -> list[Case]:
    """Everything that a protocol evaluates, in order.

    Raises:
        InputError: an input is missing, or drivers and results do not pair.
    """
    drivers = [clip for path in settings.drivers for clip in find_clips(path, settings.layout, settings.split)]
    if settings.protocol == "self":
        return _named_apart([Case(clip.name, clip.path) for clip in drivers])
    if settings.protocol == "pairs":
        return _named_apart(_pairs(drivers, settings))
    sources = [picture for path in settings.sources for picture in find_pictures(path)]
    crossed = [Case(f"{source.stem}-{clip.name}", clip.path, source) for source in sources for clip in drivers]
    if settings.protocol == "cross":
        return _named_apart(crossed)
    return [
        replace(case, name=f"{case.name}.{part}", parts=(part,)) for case in _named_apart(crossed) for part in PARTS
    ]


def _pairs(drivers: list[Clip], settings: EvaluateSettings) -> list[Case]:
    """Two files pair as given; what lies in folders pairs by name."""
    results = [clip for path in settings.results for clip in find_clips(path, "folder")]
    if len(drivers) == len(results) == 1:
        return [Case(results[0].name, drivers[0].path, result=results[0].path)]
    of_name = {clip.name: clip.path for clip in results}
    missing = [clip.name for clip in drivers if clip.name not in of_name]
    if missing:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise InputError(f"there is no result of the name of {shown}; a result is called as its driver")
    return [Case(clip.name, clip.path, result=of_name[clip.name]) for clip in drivers]


def _named_apart(cases: list[Case]) -> list[Case]:
    """The same, equal names numbered."""
    seen: dict[str, int] = {}
    apart = []
    for case in cases:
        seen[case.name] = seen.get(case.name, 0) + 1
        apart.append(case if seen[case.name] == 1 else replace(case, name=f"{case.name}-{seen[case.name]}"))
    return apart
