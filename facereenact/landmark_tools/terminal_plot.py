"""The curves of a track in a terminal, in braille dots."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facereenact.landmark_tools.formats import read_track
from facereenact.landmark_tools.measures import Curves, end_s, find_blinks, measure
from facereenact.landmark_tools.plots import ticks
from landmarks import LandmarkSequence

Float = NDArray[np.float64]

DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # bits of the dots of a cell, 4 by 2
EMPTY = 0x2800  # the braille cell without dots
ROWS = 3  # of text, for each curve
MARGIN = 19  # columns left of the curves
NARROWEST, WIDEST = 20, 160  # columns of the curves
OVERSAMPLING = 4  # samples for each column of dots


def terminal_plot_of_file(path: Path, *, columns: int) -> str:
    """The curves of a track, for a terminal of so many columns.

    Raises:
        InputError: the track cannot be used.
    """
    return terminal_plot(read_track(path), columns=columns)


def terminal_plot(sequence: LandmarkSequence, *, columns: int) -> str:
    """Yaw, pitch, roll, lids and lips over time, and where there is no face."""
    width = int(np.clip(columns - MARGIN - 1, NARROWEST, WIDEST))
    curves = measure(sequence)
    end = end_s(sequence)
    lines: list[str] = []
    for name, unit, values, least in _rows(curves):
        lines += _plot(name, unit, values, curves.time_s, end, width=width, least=least)
    gaps = _missing(sequence, end, width)
    if gaps.strip():
        lines.append(f"{'no face':<{MARGIN - 1}} {gaps}".rstrip())
    lines += _time_axis(float(curves.time_s[0]), end, width)
    lines.append(f"{'':<{MARGIN}}seconds; blinks: {len(find_blinks(curves))}")
    return "\n".join(line.rstrip() for line in lines)


def _rows(curves: Curves) -> list[tuple[str, str, Float, tuple[float, float]]]:
    """Name, unit, values, and what the axis shows at least."""
    return [
        ("yaw", "deg", curves.yaw_deg, (-2.0, 2.0)),
        ("pitch", "deg", curves.pitch_deg, (-2.0, 2.0)),
        ("roll", "deg", curves.roll_deg, (-2.0, 2.0)),
        ("right lids", "", curves.lids[:, 0], (0.0, 0.2)),
        ("left lids", "", curves.lids[:, 1], (0.0, 0.2)),
        ("lips", "", curves.lips, (0.0, 0.05)),
    ]


def _plot(
    name: str, unit: str, values: Float, time_s: Float, end: float, *, width: int, least: tuple[float, float]
) -> list[str]:
    finite = values[np.isfinite(values)]
    low = min(least[0], float(finite.min())) if len(finite) else least[0]
    high = max(least[1], float(finite.max())) if len(finite) else least[1]
    cells = braille(values, time_s, (float(time_s[0]), end), (low, high), width=width)
    digits = 0 if unit else 2
    labels = [f"{high:.{digits}f}", *[""] * (ROWS - 2), f"{low:.{digits}f}"]
    names = [name, unit, *[""] * (ROWS - 2)]
    rows = zip(names, labels, cells, strict=True)
    return [f"{title:<11}{label:>6} \u2502{row}" for title, label, row in rows]


def braille(
    values: Float, time_s: Float, times: tuple[float, float], span: tuple[float, float], *, width: int
) -> list[str]:
    """Rows of text with a curve in dots, two columns and four rows of them in each letter.

    Args:
        values: (frames,), NaN where the curve is broken.
        time_s: (frames,) increasing.
        times: at the left and the right border, seconds.
        span: values at the lower and the upper border.
        width: letters in a row.
    """
    across, high = 2 * width, 4 * ROWS
    dots = np.zeros((high, across), bool)
    seen = np.isfinite(values)
    if seen.any():
        even = np.linspace(times[0], times[1], OVERSAMPLING * across, endpoint=False)
        wanted = np.union1d(even, time_s)
        holder = np.maximum(np.searchsorted(time_s, wanted, "right") - 1, 0)  # the frame that shows then
        level = (np.interp(wanted, time_s[seen], values[seen]) - span[0]) / (span[1] - span[0])
        row = np.clip(np.round((1 - level) * (high - 1)), 0, high - 1).astype(int)
        column = np.clip(((wanted - times[0]) / (times[1] - times[0]) * across).astype(int), 0, across - 1)
        before: int | None = None
        for x, y, is_seen in zip(column.tolist(), row.tolist(), seen[holder].tolist(), strict=True):
            if is_seen:
                near = y if before is None else before
                dots[min(y, near + (y > near)) : max(y, near - (y < near)) + 1, x] = True
                dots[y, x] = True
            before = y if is_seen else None
    cells = (dots.reshape(ROWS, 4, width, 2) * DOTS[None, :, None, :]).sum(axis=(1, 3))
    return ["".join(chr(EMPTY + int(cell)) for cell in line) for line in cells]


def _missing(sequence: LandmarkSequence, end: float, width: int) -> str:
    """A mark in each column that holds a frame without a face."""
    begin = float(sequence.timestamps_s[0])
    lost = sequence.timestamps_s[~sequence.detected]
    marked = set(((lost - begin) / (end - begin) * width).astype(int).tolist())
    return "".join("\u2591" if column in marked else " " for column in range(width))


def _time_axis(begin: float, end: float, width: int) -> list[str]:
    axis, labels = ["\u2500"] * width, [" "] * (width + 12)
    after = 0
    for value in ticks(begin, end, max(2, width // 10)):
        column = min(int((value - begin) / (end - begin) * width), width - 1)
        text = f"{value:.10g}"
        if column >= after and column + len(text) <= width + 1:
            axis[column] = "\u252c"
            labels[column : column + len(text)] = text
            after = column + len(text) + 1
    indent = " " * (MARGIN - 1)
    return [f"{indent}\u2514{''.join(axis)}", f"{indent} {''.join(labels)}"]
