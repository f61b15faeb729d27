"""How long the segments of one figure are compared with another's, robustly over a whole sequence."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from body.skeleton import KINDS, LENGTHS, Points, pelvis_seen, with_pelvis
from body.types import PoseSequence
from landmarks.smoothing import gaussian_mean

USUAL_PERCENTILE = 60  # of a length over time: segments that point at the camera look short, none looks long
SIZE_PERCENTILE = 75  # of the lengths of one frame, for the same reason
SIZE_WIDTH_S = 0.4  # standard deviation of the mean over time: size changes with distance and zoom, not with a gesture
LEAST, MOST = 0.4, 2.5  # of a ratio, of the figure's

WEIGHTS = {"torso": 3, "shoulders": 2, "thigh": 2, "shin": 2, "head": 2}
"""What each kind counts for in the ratio of the whole figure; the others 1."""

GROUPS = (("torso", "shoulders", "hips"), ("upper arm", "forearm"), ("thigh", "shin"), ("head", "neck"))
WITHIN_GROUP = 1.25  # how far the ratios of a group may differ: people's do by less, foreshortened segments' by more
HANGS_ON = {"upper arm": "shoulders", "hand": "forearm", "foot": "shin", "thigh": "shin", "hips": "torso"}
"""Where the ratio of a kind that cannot be measured comes from, before that of the figure."""


@dataclass(frozen=True, eq=False)
class Build:
    """The lengths of one figure."""

    usual_px: dict[str, NDArray[np.float64]]  # of each kind, its measures at the size of the first frame; NaN: unseen
    size: NDArray[np.float64]  # (frames,), figure size relative to the first frame


def measure(sequence: PoseSequence) -> Build:
    """The build of the person of a sequence, whatever its distance and zoom."""
    lengths = {kind: _lengths(sequence, kind) for kind in LENGTHS}
    size = np.ones(len(sequence))
    for _ in range(2):  # the second time with lengths freed from a change of size
        usual = {kind: _usual(each / size[:, None]) for kind, each in lengths.items()}
        size = _size(lengths, usual, sequence.timestamps_s)
    return Build({kind: each * size[0] for kind, each in usual.items()}, size / size[0])


def ratios(source: Build, driver: Build, *, driver_size: float) -> tuple[dict[str, float], float]:
    """For each kind of segment, and for the whole figure, how much longer the source's is.

    Args:
        source: of a single picture.
        driver: of a sequence.
        driver_size: figure size of the driver to compare with, relative to its first frame.
    """
    measured: dict[str, float] = {}
    for kind, usual_px in driver.usual_px.items():
        with np.errstate(invalid="ignore", divide="ignore"):
            each = source.usual_px[kind] / (usual_px * driver_size)
        each = np.sort(each[np.isfinite(each) & (each > 0)])
        if len(each):  # the largest of many is a mistake as often as not
            measured[kind] = float(each[-2] if len(each) > 2 else each[-1])
    figure = _weighted_median(
        np.array([measured[kind] for kind in measured if kind != "hand"]),
        np.array([WEIGHTS.get(kind, 1) for kind in measured if kind != "hand"]),
    )
    for group in GROUPS:
        _reconcile(measured, group, figure)
    found = {kind: float(np.clip(ratio, LEAST * figure, MOST * figure)) for kind, ratio in measured.items()}
    for kind in KINDS:
        if kind not in found:
            found[kind] = found.get(HANGS_ON.get(kind, ""), figure)
    return found, figure


def _reconcile(measured: dict[str, float], group: tuple[str, ...], figure: float) -> None:
    """Bring the ratios of a group near to that of them which is most like the figure's, in place."""
    own = [kind for kind in group if kind in measured]
    if own:
        middle = min((measured[kind] for kind in own), key=lambda ratio: abs(np.log(ratio / figure)))
        for kind in own:
            measured[kind] = float(np.clip(measured[kind], middle / WITHIN_GROUP, middle * WITHIN_GROUP))


def _lengths(sequence: PoseSequence, kind: str) -> NDArray[np.float64]:
    """(frames, measures) pixels, NaN where unseen."""
    points, seen = with_pelvis(sequence.points), pelvis_seen(sequence.visible)
    columns = []
    for sides in LENGTHS[kind]:
        longest = np.full(len(points), np.nan)
        for start, end in sides:
            length = np.linalg.norm(points[:, start] - points[:, end], axis=1)
            longest = np.fmax(longest, np.where(seen[:, start] & seen[:, end] & (length > 0), length, np.nan))
        columns.append(longest)
    return np.stack(columns, axis=1)


def _usual(lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """(measures,) of (frames, measures)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a measure that is nowhere seen
        return np.asarray(np.nanpercentile(lengths, USUAL_PERCENTILE, axis=0))


def _size(lengths: dict[str, Points], usual: dict[str, Points], time_s: Points) -> Points:
    """(frames,) size of the figure, relative to the usual lengths; 1 where nothing can be measured."""
    relative = np.concatenate([lengths[kind] / usual[kind] for kind in LENGTHS if kind != "hand"], axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        size = np.nanpercentile(relative, SIZE_PERCENTILE, axis=1)
    known = np.isfinite(size)
    if not known.any():
        return np.ones(len(time_s))
    size = np.interp(time_s, time_s[known], size[known])
    return np.exp(gaussian_mean(np.log(size), time_s, SIZE_WIDTH_S))


def _weighted_median(values: Points, weights: Points) -> float:
    order = np.argsort(values)
    share = (np.cumsum(weights[order]) - weights[order] / 2) / weights.sum()
    return float(np.exp(np.interp(0.5, share, np.log(values[order]))))
