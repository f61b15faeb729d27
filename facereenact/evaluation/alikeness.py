"""What makes two reports unlike besides how their results were rendered, which is what they are compared for."""

from __future__ import annotations

from facereenact.evaluation.report import ClipReport, Report

SETTINGS = {"end": "--end", "source_frame": "--source-frame", "tracker": "--tracker", "window": "--window"}
"""The settings, besides those of `drive`, that change the numbers."""

MOST_NAMES = 3


def unlike(a: Report, b: Report, pairs: list[tuple[ClipReport, ClipReport]]) -> list[str]:
    """One line for each thing that differs.

    Args:
        pairs: the clips that both have.
    """
    found = [
        f"{option} differs: A {_said(a.settings.get(name))}, B {_said(b.settings.get(name))}"
        for name, option in SETTINGS.items()
        if a.settings.get(name) != b.settings.get(name)
    ]
    judges = [one.name for one, other in pairs if one.judge["name"] != other.judge["name"]]
    if judges:
        found.append(f"the motion is judged by other trackers: {_some(judges)}")
    sources = [one.name for one, other in pairs if one.source_sha256 != other.source_sha256]
    if sources:
        found.append(f"the sources differ: {_some(sources)}")
    if _set_of(a) != _set_of(b) and a.of_all.keys() & b.of_all.keys():
        found.append("FID and FVD are of all clips of a report, and A and B have other clips")
    return found


def _said(value: object) -> str:
    return "none" if value is None else str(value)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _set_of(report: Report) -> list[str]:
    return sorted(clip.driver_sha256 for clip in report.clips)
