"""compare(): two reports side by side, with confidence intervals by bootstrap over the clips they share."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facereenact.errors import InputError, OutputError
from facereenact.evaluation.alikeness import unlike
from facereenact.evaluation.cache import write_json, write_text
from facereenact.evaluation.metric_names import describe
from facereenact.evaluation.report import ClipReport, Report

RESAMPLES = 10_000
SEED = 0
FEWEST = 3  # clips below which a confidence interval says nothing

Verdict = Literal["better", "worse", "even", "unknown"]


@dataclass(frozen=True)
class Difference:
    """One metric in both reports."""

    metric: str
    clips: int
    a: float
    b: float
    difference: float  # b - a, mean over clips
    low: float | None  # of the difference, 95 %
    high: float | None
    verdict: Verdict  # whether b is better than a


@dataclass(frozen=True)
class Comparison:
    """Two reports, metric by metric."""

    a: str
    b: str
    protocol: str
    clips: list[str]  # that both have
    left_out: list[str]  # that only one has, or that differ in their driver
    differences: list[Difference]
    of_all: dict[str, tuple[float, float]]  # metrics of the whole set, in a and b: they have no interval
    warnings: list[str]  # what makes the two unlike, besides the settings of their renders

    def save(self, path: Path) -> None:
        """Write it as .json or .html.

        Raises:
            OutputError: another suffix, or the file cannot be written.
        """
        if path.suffix.lower() == ".json":
            write_json(path, asdict(self))
        elif path.suffix.lower() == ".html":
            from facereenact.evaluation.comparison_html import html_comparison

            write_text(path, html_comparison(self))
        else:
            raise OutputError(f"{path}: a comparison ends in .json or .html")


def compare(a: Report, b: Report) -> Comparison:
    """Compare two reports over the clips that both have.

    The interval is that of the mean difference when clips are drawn anew 10,000 times, each with both its results.

    Raises:
        InputError: they are of different protocols, or share no clip.
    """
    if a.protocol != b.protocol:
        raise InputError(f"one report is of {a.protocol}, the other of {b.protocol}: they cannot be compared")
    of_a, of_b = ({clip.name: clip for clip in report.clips} for report in (a, b))
    shared = [name for name in of_a if name in of_b and of_a[name].driver_sha256 == of_b[name].driver_sha256]
    if not shared:
        raise InputError("the two reports share no clip: evaluate the same clips with both")
    pairs = [(of_a[name], of_b[name]) for name in shared]
    names = [name for name in a.mean if name in b.mean]
    found = (_difference(name, pairs) for name in names)
    return Comparison(
        a=str(a.folder),
        b=str(b.folder),
        protocol=a.protocol,
        clips=shared,
        left_out=sorted((of_a.keys() | of_b.keys()) - set(shared)),
        differences=[each for each in found if each is not None],
        of_all=_of_all(a, b),
        warnings=unlike(a, b, pairs),
    )


def _of_all(a: Report, b: Report) -> dict[str, tuple[float, float]]:
    """The metrics of the whole set that both have."""
    pairs = {name: (value, b.of_all.get(name)) for name, value in a.of_all.items()}
    return {name: (one, other) for name, (one, other) in pairs.items() if one is not None and other is not None}


def _difference(metric: str, pairs: list[tuple[ClipReport, ClipReport]]) -> Difference | None:
    values = [(one.metrics.get(metric), other.metrics.get(metric)) for one, other in pairs]
    known = np.array([pair for pair in values if None not in pair], np.float64)
    if not len(known):
        return None
    differences = known[:, 1] - known[:, 0]
    interval = bootstrap(differences)
    return Difference(
        metric=metric,
        clips=len(known),
        a=float(known[:, 0].mean()),
        b=float(known[:, 1].mean()),
        difference=float(differences.mean()),
        low=None if interval is None else interval[0],
        high=None if interval is None else interval[1],
        verdict=_verdict(metric, known, interval),
    )


def bootstrap(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """The 95 % interval of the mean, by percentiles of resampled means; None for too few values."""
    if len(values) < FEWEST:
        return None
    drawn = np.random.default_rng(SEED).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def _verdict(metric: str, known: NDArray[np.float64], interval: tuple[float, float] | None) -> Verdict:
    """Whether the second is better beyond doubt."""
    better = describe(metric).better
    if interval is None or better == "none":
        return "unknown"
    if better in ("zero", "one"):  # how near to the ideal, not which side of it
        ideal = 1.0 if better == "one" else 0.0
        gains = np.abs(known[:, 0] - ideal) - np.abs(known[:, 1] - ideal)
    else:
        gains = (known[:, 1] - known[:, 0]) * (1 if better == "higher" else -1)
    gain = bootstrap(gains)
    assert gain is not None
    if gain[0] > 0:
        return "better"
    return "worse" if gain[1] < 0 else "even"
