"""A report as one HTML file that needs nothing else: tables, curves over time, the worst frames."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from html import escape
from typing import Any

from facereenact.evaluation.charts import COLOURS, line_chart
from facereenact.evaluation.metric_names import PARTS, describe, headline, shown
from facereenact.evaluation.report import ClipReport, Report

STYLE = f"""
body {{ font: 15px/1.5 system-ui, sans-serif; color: #1d2530; background: #fff; margin: 2em auto; max-width: 1180px;
  padding: 0 1em; }}
h1 {{ font-size: 1.5em; }} h2 {{ font-size: 1.15em; margin-top: 2em; border-bottom: 1px solid #dde2e8; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; display: block;
  overflow-x: auto; }}
th, td {{ padding: 3px 9px; text-align: right; border-bottom: 1px solid #eceff3; white-space: nowrap; }}
th {{ font-weight: 600; color: #4b5765; white-space: normal; vertical-align: bottom; max-width: 8em; }}
td:first-child, th:first-child {{ text-align: left; }} tr.mean td {{ font-weight: 600; border-top: 2px solid #9aa5b1; }}
.charts {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(420px, 1fr)); gap: 8px; }}
svg {{ width: 100%; height: auto; }} svg path {{ fill: none; stroke-width: 1.3; }}
svg .f {{ fill: #f7f9fb; stroke: #dde2e8; }} svg text {{ font: 11px system-ui, sans-serif; fill: #4b5765; }}
svg .e {{ text-anchor: end; }} svg .t {{ font-weight: 600; }}
.worst {{ display: flex; flex-wrap: wrap; gap: 12px; }} figure {{ margin: 0; }}
figcaption {{ font-size: 12px; color: #4b5765; }} .worst img {{ max-width: 100%; border: 1px solid #dde2e8; }}
summary {{ cursor: pointer; font-weight: 600; padding: 6px 0; }}
.driver {{ color: {COLOURS[0]}; font-weight: 600; }} .result {{ color: {COLOURS[1]}; font-weight: 600; }}
pre {{ background: #f7f9fb; padding: 10px; overflow-x: auto; font-size: 12px; }}
"""

TITLES = {
    "self": "Self-reenactment",
    "cross": "Cross-reenactment",
    "pairs": "Pairs of videos",
    "leakage": "Disentanglement of head, eyes and mouth",
}


def html_report(report: Report) -> str:
    """The whole page."""
    body = [
        f"<h1>{TITLES[report.protocol]}: {len(report.clips)} clips, {report.speed['frames']:.0f} frames</h1>",
        _notes(report),
        _leakage(report),
        "<h2>Clips</h2>",
        _table(report, headline(report.judge, report.mean)),
        f"<p>{escape(HEADLINE)}</p>",
        *(_part_tables(report) if report.leakage is None else ()),  # of parts that were not driven on purpose
        "<h2>Clip by clip</h2>",
        '<p>Curves of the <span class="driver">driver</span> and the <span class="result">result</span>; below them '
        "the frames that are off most, driver at the left.</p>",
        *(_clip(report, clip) for clip in report.clips),
        "<h2>All metrics</h2>",
        _table(report, {name: describe(name).title for name in report.mean}),
        "<h2>Settings and versions</h2>",
        f"<pre>{escape(json.dumps(_about(report), indent=1))}</pre>",
    ]
    return page(f"facereenact: {TITLES[report.protocol]}", "\n".join(body))


def page(title: str, body: str) -> str:
    """An HTML document with the style of reports."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n'
    )


def table(header: Iterable[str], rows: Iterable[Iterable[str]], *, last_is_mean: bool = False) -> str:
    """An HTML table of texts."""
    lines = [[f"<td>{escape(cell)}</td>" for cell in row] for row in rows]
    marks = ["<tr>"] * len(lines)
    if last_is_mean and marks:
        marks[-1] = '<tr class="mean">'
    heads = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(f"{mark}{''.join(line)}</tr>" for mark, line in zip(marks, lines, strict=True))
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def _table(report: Report, titles: dict[str, str]) -> str:
    rows = [
        [clip.name, str(clip.frames), *(shown(name, clip.metrics.get(name)) for name in titles)]
        for clip in report.clips
    ]
    mean = ["mean", "", *(shown(name, report.mean.get(name)) for name in titles)]
    return table(["clip", "frames", *titles.values()], [*rows, mean], last_is_mean=True)


HEADLINE = (
    "AKD and AED are in distances of the eyes, APD in degrees, the lag in frames, flicker in levels of 255; mouth and "
    "lids are correlations with the driver."
)


def _part_tables(report: Report) -> Iterable[str]:
    """The mean over clips of each part, as each tracker sees it."""
    for tracker in ("mesh", "openseeface"):
        rows = []
        for part, title in PARTS.items():
            names = [f"{tracker}.{part}.{kind}" for kind in ("correlation", "error", "lag_frames")]
            if any(report.mean.get(name) is not None for name in names):
                rows.append([title, *(shown(name, report.mean.get(name)) for name in names)])
        if rows:
            yield f"<h2>Parts, as {describe(f'{tracker}.akd').title[5:-1]} sees them</h2>"
            yield table(["part", "correlation", "mean error", "lag, frames"], rows)


def _notes(report: Report) -> str:
    """Who judged, what is missing, what failed."""
    judges = dict.fromkeys(
        f"{clip.judge['name']} ({INDEPENDENCE[clip.judge['independent']]}; {clip.judge['reason']})"
        for clip in report.clips
    )
    items = [f"Motion judged by {judge}." for judge in judges]
    items += [f"{describe(name).title} of all: {shown(name, value)}." for name, value in report.of_all.items()]
    items += [f"{describe(name).title}: {why}." for name, why in report.missing.items()]
    items += [f"{name} failed: {why}" for name, why in report.failed.items()]
    speed = report.speed["measured_frames_per_s"]
    items.append(f"Measured at {speed:.0f} frames/s." if speed else "")
    return "<ul>" + "".join(f"<li>{escape(item[:1].upper() + item[1:])}</li>" for item in items if item) + "</ul>"


INDEPENDENCE = {True: "independent of what drove", False: "not independent: it drove", None: "perhaps not independent"}


def _leakage(report: Report) -> str:
    """The matrix, the darker the more leaks."""
    if report.leakage is None:
        return ""
    parts = report.leakage["parts"]
    lines = []
    for index, (part, values) in enumerate(zip(parts, report.leakage["matrix"], strict=True)):
        cells = [_cell(value, is_own=index == column) for column, value in enumerate(values)]
        lines.append(f"<tr><td>only {part} driven</td>{''.join(cells)}</tr>")
    heads = "".join(f"<th>{part} moves</th>" for part in parts)
    return (
        "<h2>Leakage</h2><p>How much each part moves, as a share of its motion in the driver: 1 on the diagonal and 0 "
        f"elsewhere would be perfect.</p><table><tr><th></th>{heads}</tr>{''.join(lines)}</table>"
    )


def _cell(value: float | None, *, is_own: bool) -> str:
    if value is None:
        return "<td>-</td>"
    shade = 0.0 if is_own else min(value, 1.0)
    return f'<td style="background: rgba(209, 73, 91, {shade:.2f})">{value:.2f}</td>'


def _clip(report: Report, clip: ClipReport) -> str:
    details = report.details(clip)
    curves = {**details["curves"]["mesh"], **details["curves"].get(clip.judge["name"], {})}
    charts = "".join(
        line_chart(title, details["times_s"], *curves[part])
        for part, title in PARTS.items()
        if part in curves and part != "eyes"
    )
    figures = "".join(_figure(worst) for worst in details["worst"])
    is_open = " open" if len(report.clips) == 1 else ""
    return (
        f"<details{is_open}><summary>{escape(clip.name)}</summary>"
        f'<div class="charts">{charts}</div><div class="worst">{figures}</div></details>'
    )


def _figure(worst: dict[str, Any]) -> str:
    error = worst["error"]
    off = "no face found" if error is None or not math.isfinite(error) else f"off by {error:.3f}"
    caption = f"frame {worst['frame']} at {worst['time_s']:.2f} s, {off}"
    return (
        f'<figure><img alt="{caption}" src="data:image/jpeg;base64,{worst["jpeg"]}"><figcaption>{caption}</figcaption>'
        "</figure>"
    )


def _about(report: Report) -> dict[str, Any]:
    return {
        "settings": report.settings,
        "versions": report.versions,
        "networks": report.networks,
        "speed": report.speed,
    }
