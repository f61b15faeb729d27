"""The HTML report: one file, well formed, with what it should show."""

from __future__ import annotations

import base64
import math
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from facereenact.errors import InputError
from facereenact.evaluation.charts import MOST_POINTS, line_chart
from facereenact.evaluation.metric_names import METRICS, describe, headline, shown
from facereenact.evaluation.report import Report
from facereenact.evaluation.report_html import html_report
from facereenact.evaluation.worst_frames import APART, KEPT, WorstFrames
from tests.facereenact import clips

EMPTY = ("meta", "img", "rect", "path")


class Page(HTMLParser):
    """Checks that elements nest, and collects what the page shows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.counts: dict[str, int] = {}
        self.pictures: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if tag not in EMPTY:
            self.open.append(tag)
        if tag == "img":
            self.pictures.append(dict(attrs)["src"] or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_stands_alone_and_shows_everything(self_report: Report) -> None:
    text = (self_report.folder / "report.html").read_text("utf-8")
    assert text == html_report(self_report)
    page = Page(text)
    shown_text = " ".join(page.words)
    assert "http" not in text.replace("http-equiv", "")
    assert not {"script", "link", "iframe"} & page.counts.keys()
    for part in ("mouth", "right lid", "yaw", "pitch", "roll"):
        assert part in shown_text
    clip = self_report.clips[0]
    assert shown("psnr", clip.metrics["psnr"]) in shown_text
    assert "not independent: it drove" in shown_text
    assert "nobody failed: " in shown_text.replace("Nobody", "nobody")
    assert "checkpoints pull arcface" in shown_text
    assert '"smooth"' not in shown_text and '"protocol": "self"' in shown_text
    assert page.counts["svg"] >= 6


def test_the_worst_frames_are_pictures_of_both(self_report: Report) -> None:
    page = Page(html_report(self_report))
    assert len(page.pictures) == 1  # of one stretch of 12 frames
    code = base64.b64decode(page.pictures[0].removeprefix("data:image/jpeg;base64,"))
    image = cv2.imdecode(np.frombuffer(code, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (240, 480, 3)


def test_names_are_escaped(self_report: Report) -> None:
    hostile = replace(self_report, failed={"<script>alert(1)</script>": "<b>"})
    Page(html_report(hostile))
    assert "<script>" not in html_report(hostile)


def test_leakage_is_shown_as_a_matrix(self_report: Report) -> None:
    parts = ["head", "eyes", "mouth"]
    leaking = replace(
        self_report, leakage={"parts": parts, "matrix": [[1, 0.25, None], [0, 1, 0.1], [0, 2.5, 1]], "clips": []}
    )
    text = html_report(leaking)
    Page(text)
    assert "0.25</td>" in text and "only eyes driven" in text
    assert "rgba(209, 73, 91, 0.25)" in text and "rgba(209, 73, 91, 1.00)" in text


def test_a_report_without_its_details_says_so(self_report: Report) -> None:
    gone = replace(self_report, folder=self_report.folder / "elsewhere")
    with pytest.raises(InputError, match="run evaluate again"):
        html_report(gone)


def test_curves_have_gaps_and_are_thinned() -> None:
    values = [float(index) for index in range(50)]
    holed = [*values[:20], None, *values[21:]]
    chart = line_chart("a < b", [index / 25 for index in range(50)], values, holed)
    assert chart.count("M") == 3 and "a &lt; b" in chart
    long = [float(index) for index in range(5 * MOST_POINTS)]
    assert line_chart("x", long, long, long).count("L") <= 2 * MOST_POINTS
    assert line_chart("x", [0.0, 1.0], [None, None], [None, None]) == ""
    assert "M" in line_chart("flat", [0.0, 1.0], [2.0, 2.0], [2.0, 2.0])


def test_the_worst_frames_are_kept_apart() -> None:
    keeper = WorstFrames()
    image = clips.blank()
    errors = [1.0] * 60
    errors[14], errors[15], errors[30], errors[50], errors[51] = 5.0, 6.0, math.inf, 3.0, math.nan
    for frame, error in enumerate(errors):
        keeper.add(error, frame, frame / 25, image, image)
    kept = keeper.result()
    assert [each["frame"] for each in kept] == [30, 15, 50]
    assert len(kept) == KEPT and APART == 12


def test_metrics_have_names_and_directions() -> None:
    assert describe("openseeface.mouth.lag_frames").title == "mouth: lag, frames (OpenSeeFace)"
    assert describe("mesh.yaw_deg.error").better == "lower"
    assert describe("psnr").better == "higher" and describe("copy_psnr").better == "none"
    assert describe("something new").better == "none"
    assert shown("psnr", 26.144) == "26.14" and shown("psnr", None) == "-"
    assert list(headline("mesh", ["ssim", "psnr", "mesh.akd", "l1"])) == ["psnr", "ssim", "mesh.akd"]


def test_every_measured_metric_has_a_name(self_report: Report) -> None:
    unknown = [name for name in self_report.mean if describe(name).title == name]
    assert unknown == []
    assert all(metric.digits >= 0 for metric in METRICS.values())
