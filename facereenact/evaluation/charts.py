"""Curves as inline SVG: two lines over time, gaps where nothing is known."""

from __future__ import annotations

import math
from html import escape

Values = list[float | None]

WIDTH, HEIGHT = 520, 110
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 18, 18  # margins
MOST_POINTS = 600  # of a line; longer curves are thinned
COLOURS = ("#7a8694", "#d1495b")  # driver, result


def line_chart(title: str, times_s: list[float], driver: Values, result: Values) -> str:
    """Driver and result over time, with their common range at the left."""
    known = [value for value in (*driver, *result) if value is not None]
    if not known or len(times_s) < 2:
        return ""
    low, high = min(known), max(known)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    lines = "".join(
        f'<path d="{_path(times_s, values, low, high)}" stroke="{colour}"/>'
        for values, colour in zip((driver, result), COLOURS, strict=True)
    )
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    labels = (
        f'<text x="{LEFT}" y="12" class="t">{escape(title)}</text>'
        f'<text x="{LEFT - 4}" y="{TOP + 8}" class="e">{high:.3g}</text>'
        f'<text x="{LEFT - 4}" y="{bottom}" class="e">{low:.3g}</text>'
        f'<text x="{right}" y="{HEIGHT - 4}" class="e">{times_s[-1]:.1f} s</text>'
    )
    frame = f'<rect x="{LEFT}" y="{TOP}" width="{right - LEFT}" height="{bottom - TOP}" class="f"/>'
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{frame}{lines}{labels}</svg>'


def _path(times_s: list[float], values: Values, low: float, high: float) -> str:
    step = max(1, math.ceil(len(values) / MOST_POINTS))
    span_s = (times_s[-1] - times_s[0]) or 1.0
    words, is_down = [], False
    for time_s, value in list(zip(times_s, values, strict=True))[::step]:
        if value is None:
            is_down = False
            continue
        x = LEFT + (time_s - times_s[0]) / span_s * (WIDTH - LEFT - RIGHT)
        y = HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)
        words.append(f"{'L' if is_down else 'M'}{x:.1f} {y:.1f}")
        is_down = True
    return "".join(words)
