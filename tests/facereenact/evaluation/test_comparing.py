"""Two reports side by side."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from facereenact.errors import InputError, OutputError
from facereenact.evaluation.comparing import Comparison, bootstrap, compare
from facereenact.evaluation.comparison_html import html_comparison
from facereenact.evaluation.report import ClipReport, Report, mean_of

Values = dict[str, dict[str, float | None]]


def report(name: str, clips: Values, protocol: str = "self") -> Report:
    """A report of clips with these metrics."""
    made = [
        ClipReport(
            name=clip,
            driver=f"{clip}.mp4",
            driver_sha256=f"hash of {clip}",
            source=None,
            source_sha256=None,
            result="",
            parts=None,
            frames=10,
            judge={"name": "mesh", "independent": True, "reason": ""},
            metrics=metrics,
            details="",
            seconds={},
        )
        for clip, metrics in clips.items()
    ]
    return Report(
        protocol=protocol,
        settings={},
        versions={},
        networks={},
        missing={},
        clips=made,
        failed={},
        mean=mean_of(list(clips.values())),
        of_all={},
        leakage=None,
        speed={},
        folder=Path(name),
    )


BASE: Values = {
    f"clip {index}": {"psnr": 20.0 + index, "mesh.akd": 0.02, "audio_offset_ms": -40.0} for index in range(8)
}


def changed(psnr: float = 0.0, akd: float = 0.0, offset_ms: float = 0.0, noise: float = 0.0) -> Report:
    rng = np.random.default_rng(4)
    clips: Values = {}
    for name, metrics in BASE.items():
        shake = noise * float(rng.normal())
        clips[name] = {
            "psnr": (metrics["psnr"] or 0) + psnr + shake,
            "mesh.akd": (metrics["mesh.akd"] or 0) + akd + shake / 100,
            "audio_offset_ms": (metrics["audio_offset_ms"] or 0) + offset_ms,
        }
    return report("b", clips)


def verdicts(comparison: Comparison) -> dict[str, str]:
    return {each.metric: each.verdict for each in comparison.differences}


def test_a_report_is_even_with_itself() -> None:
    found = compare(report("a", BASE), changed())
    assert verdicts(found) == dict.fromkeys(BASE["clip 0"], "even")
    assert [(each.difference, each.low, each.high) for each in found.differences] == [(0, 0, 0)] * 3
    assert len(found.clips) == 8 and found.left_out == []


def test_a_known_gain() -> None:
    found = compare(report("a", BASE), changed(psnr=1.5, akd=0.01, offset_ms=30, noise=0.2))
    assert verdicts(found) == {"psnr": "better", "mesh.akd": "worse", "audio_offset_ms": "better"}
    psnr = found.differences[0]
    assert psnr.b - psnr.a == pytest.approx(psnr.difference)
    assert psnr.low is not None and psnr.high is not None
    assert psnr.low < psnr.difference < psnr.high
    assert psnr.difference == pytest.approx(1.5, abs=0.2)


def test_a_gain_within_the_noise_is_none() -> None:
    assert verdicts(compare(report("a", BASE), changed(psnr=0.1, noise=2.0)))["psnr"] == "even"


def test_too_far_to_the_other_side_is_no_gain() -> None:
    assert verdicts(compare(report("a", BASE), changed(offset_ms=100)))["audio_offset_ms"] == "worse"


def test_the_interval_is_that_of_scipy() -> None:
    values = np.random.default_rng(7).normal(0.5, 1, 30)
    expected = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", random_state=1)
    assert bootstrap(values) == pytest.approx(tuple(expected.confidence_interval), abs=0.02)
    assert bootstrap(values[:2]) is None


def test_few_clips_give_no_verdict() -> None:
    few = {name: BASE[name] for name in list(BASE)[:2]}
    found = compare(report("a", few), report("b", few))
    assert set(verdicts(found).values()) == {"unknown"}
    assert found.differences[0].low is None


def test_only_shared_clips_and_metrics_count() -> None:
    other: Values = {"clip 0": {"psnr": 21.0, "ssim": 0.9}, "clip 1": {"psnr": None}, "new": {"psnr": 50.0}}
    found = compare(report("a", BASE), report("b", other))
    assert found.clips == ["clip 0", "clip 1"]
    assert found.left_out == ["clip 2", "clip 3", "clip 4", "clip 5", "clip 6", "clip 7", "new"]
    assert [(each.metric, each.clips, each.difference) for each in found.differences] == [("psnr", 1, 1.0)]


def test_a_clip_with_another_driver_is_another_clip() -> None:
    other = report("b", BASE)
    other.clips[0] = replace(other.clips[0], driver_sha256="of another file")
    assert compare(report("a", BASE), other).left_out == ["clip 0"]


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InputError, match="one report is of self, the other of cross"):
        compare(report("a", BASE), report("b", BASE, "cross"))
    with pytest.raises(InputError, match="share no clip"):
        compare(report("a", BASE), report("b", {"new": {"psnr": 1.0}}))


def test_settings_of_drive_are_what_reports_differ_in() -> None:
    settings = {"end": None, "source_frame": 0, "tracker": "auto", "window": None, "jobs": 1, "drive": {}}
    a = replace(report("a", BASE), settings=settings)
    b = replace(report("b", BASE), settings={**settings, "jobs": 4, "drive": {"smooth": "light"}, "output": "b"})
    assert compare(a, b).warnings == []


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("end", 2.0, "--end differs: A none, B 2.0"),
        ("source_frame", 3, "--source-frame differs: A none, B 3"),
        ("tracker", "mediapipe", "--tracker differs: A none, B mediapipe"),
        ("window", 12, "--window differs: A none, B 12"),
    ],
)
def test_other_settings_are_warned_of(name: str, value: object, told: str) -> None:
    assert compare(report("a", BASE), replace(report("b", BASE), settings={name: value})).warnings == [told]


def test_other_judges_and_sources_are_warned_of() -> None:
    judged, drawn = report("b", BASE), report("b", BASE)
    judged.clips[2] = replace(judged.clips[2], judge={"name": "openseeface", "independent": True, "reason": ""})
    assert compare(report("a", BASE), judged).warnings == ["the motion is judged by other trackers: clip 2"]
    drawn.clips = [replace(clip, source_sha256="of a portrait") for clip in drawn.clips]
    assert compare(report("a", BASE), drawn).warnings == ["the sources differ: clip 0, clip 1, clip 2 and 5 more"]


def test_metrics_of_the_whole_set_stand_side_by_side() -> None:
    a = replace(report("a", BASE), of_all={"fid": 30.0, "fvd": None})
    b = replace(report("b", BASE), of_all={"fid": 20.0, "fvd": 9.0})
    found = compare(a, b)
    assert (found.of_all, found.warnings) == ({"fid": (30.0, 20.0)}, [])
    assert "FID of all: A 30.00, B 20.00, without an interval" in html_comparison(found)
    fewer = replace(b, clips=b.clips[1:])
    assert compare(a, fewer).warnings == ["FID and FVD are of all clips of a report, and A and B have other clips"]


def test_a_comparison_is_written(tmp_path: Path) -> None:
    found = compare(report("a", BASE), replace(changed(psnr=1.5), settings={"end": 2.0}))
    found.save(tmp_path / "c.json")
    content = json.loads((tmp_path / "c.json").read_text())
    assert content["differences"][0]["verdict"] == "better"
    assert content["warnings"] == found.warnings
    found.save(tmp_path / "c.html")
    page = (tmp_path / "c.html").read_text()
    assert "--end differs: A none, B 2.0." in page
    assert "PSNR, dB" in page and "1.50 to 1.50" in page and "better" in page
    with pytest.raises(OutputError, match=r"ends in \.json or \.html"):
        found.save(tmp_path / "c.txt")
