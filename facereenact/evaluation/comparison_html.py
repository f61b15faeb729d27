"""A comparison of two reports as one HTML file."""

from __future__ import annotations

from html import escape

from facereenact.evaluation.comparing import Comparison, Difference
from facereenact.evaluation.metric_names import describe, shown
from facereenact.evaluation.report_html import page, table

HEADER = ("metric", "A", "B", "B - A", "95 % interval", "clips", "B is")


def html_comparison(comparison: Comparison) -> str:
    """The whole page."""
    names = "".join(
        f"<li>{letter}: {escape(name)}</li>" for letter, name in zip("AB", (comparison.a, comparison.b), strict=True)
    )
    body = f"<h1>Comparison over {len(comparison.clips)} clips ({comparison.protocol})</h1><ul>{names}</ul>"
    body += "".join(f"<p><b>Warning:</b> {escape(each)}.</p>" for each in comparison.warnings)
    if comparison.left_out:
        body += f"<p>Left out, as only one has them: {escape(', '.join(comparison.left_out))}.</p>"
    body += table(HEADER, map(row, comparison.differences))
    body += "".join(f"<p>{escape(each)}</p>" for each in lines_of_all(comparison))
    return page("facereenact: comparison", body)


def lines_of_all(comparison: Comparison) -> list[str]:
    """The metrics of the whole set, each in a line."""
    return [
        f"{describe(name).title} of all: A {shown(name, a)}, B {shown(name, b)}, without an interval"
        for name, (a, b) in comparison.of_all.items()
    ]


def row(difference: Difference) -> list[str]:
    """One line of a table."""
    name = difference.metric
    interval = "-" if difference.low is None else f"{shown(name, difference.low)} to {shown(name, difference.high)}"
    values = (difference.a, difference.b, difference.difference)
    return [
        describe(name).title,
        *(shown(name, value) for value in values),
        interval,
        str(difference.clips),
        "" if difference.verdict == "unknown" else difference.verdict,
    ]
