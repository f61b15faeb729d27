"""evaluate(): whole runs over tiny clips."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facereenact.errors import InputError
from facereenact.evaluation.cache import contents_of, plain, read_json
from facereenact.evaluation.report import Report, load_report
from facereenact.evaluation.runner import evaluate
from facereenact.evaluation.settings import EvaluateSettings
from facereenact.video import VideoReader
from tests.facereenact import clips

Image = NDArray[np.uint8]
LONG = 48  # frames, enough to tell a lag


def images(path: Path) -> list[Image]:
    return [frame.image for frame in VideoReader(path)]


def lossless(path: Path, pictures: Sequence[Image], **more: Any) -> Path:
    """A folder of PNG files."""
    path.mkdir()
    for index, image in enumerate(pictures):
        cv2.imwrite(str(path / f"{index:04d}.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return path


def pair(folder: Path, driver: Sequence[Image], result: Sequence[Image], **more: Any) -> dict[str, float | None]:
    """The metrics of two videos."""
    made = lossless(folder / "driver", driver), lossless(folder / "result", result)
    settings = EvaluateSettings("pairs", made[:1], folder / "report", results=made[1:], **more)
    return evaluate(settings).clips[0].metrics


def test_a_video_with_itself(tmp_path: Path) -> None:
    found = pair(tmp_path, clips.moving_face(LONG), clips.moving_face(LONG))
    assert found["psnr"] is not None and found["psnr"] > 300
    assert json.loads((tmp_path / "report" / "report.json").read_text())["speed"]["rendered_frames_per_s"] is None
    assert found["ssim"] == pytest.approx(1, abs=1e-6)
    assert found["ms_ssim"] == pytest.approx(1, abs=1e-6)
    assert found["l1"] == found["mesh.akd"] == found["mesh.aed"] == found["mesh.apd_deg"] == 0
    assert found["mesh.jitter"] == found["mesh.driver_jitter"]
    assert found["flicker"] == found["driver_flicker"]
    assert found["mesh.roll_deg.correlation"] == pytest.approx(1)
    assert found["mesh.roll_deg.lag_frames"] == pytest.approx(0, abs=1e-6)
    assert found["audio_offset_ms"] is None


def test_a_video_late_by_a_frame(tmp_path: Path) -> None:
    driver = clips.moving_face(LONG)
    found = pair(tmp_path, driver, [driver[0], *driver[:-1]])
    assert found["mesh.roll_deg.lag_frames"] == pytest.approx(1, abs=0.15)
    assert found["mesh.akd"] is not None and found["mesh.akd"] > 0.01
    assert found["mesh.roll_deg.correlation"] is not None and found["mesh.roll_deg.correlation"] < 0.99


def test_a_video_moved_by_a_pixel(tmp_path: Path) -> None:
    driver = clips.moving_face()
    found = pair(tmp_path, driver, [np.roll(image, 1, axis=1) for image in driver])
    assert found["mesh.akd"] == pytest.approx(1 / 42, rel=0.35)  # the eyes are about 42 pixels apart
    assert found["mesh.apd_deg"] is not None and found["mesh.apd_deg"] < 1
    expected = np.mean([cv2.PSNR(image, np.roll(image, 1, axis=1)) for image in driver[1:]])
    assert found["psnr"] == pytest.approx(expected, abs=1e-6)


def test_a_brighter_video(tmp_path: Path) -> None:
    dark = [image // 2 for image in clips.moving_face()]
    found = pair(tmp_path, dark, [image + np.uint8(20) for image in dark])
    assert found["psnr"] == pytest.approx(20 * math.log10(255 / 20), abs=1e-6)
    assert found["l1"] == pytest.approx(20 / 255, abs=1e-9)
    assert found["mesh.akd"] is not None and found["mesh.akd"] < 0.02


def test_a_still(tmp_path: Path) -> None:
    driver = clips.moving_face()
    found = pair(tmp_path, driver, [driver[0]] * len(driver))
    assert found["psnr"] == pytest.approx(found["copy_psnr"])
    assert found["ssim"] == pytest.approx(found["copy_ssim"])
    assert found["mesh.akd"] == pytest.approx(found["mesh.copy_akd"], rel=0.2)
    assert found["mesh.roll_deg.lag_frames"] is None
    assert abs(found["mesh.roll_deg.correlation"] or 0.0) < 0.5  # what is left is the settling of the tracker
    assert (found["mesh.jitter"] or 1.0) < 0.6 * (found["mesh.driver_jitter"] or 0.0)
    assert found["flicker"] == 0


def test_the_source_frame_is_left_out(tmp_path: Path) -> None:
    driver = clips.moving_face()
    result = [image.copy() for image in driver]
    result[3][:] = 0
    spoilt = pair(tmp_path, driver, result, source_frame=3)
    assert spoilt["l1"] == 0
    assert spoilt["copy_psnr"] == pytest.approx(
        np.mean([cv2.PSNR(driver[3], image) for image in driver if image is not driver[3]])
    )


def test_videos_of_unequal_length(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the driver has more frames than the result, which ends after 8"):
        pair(tmp_path, clips.moving_face(), clips.moving_face()[:8])
    (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match="the result has more frames than the driver, which ends after 8"):
        pair(tmp_path / "b", clips.moving_face()[:8], clips.moving_face())


def test_a_result_of_another_size_is_brought_to_the_driver_s(tmp_path: Path) -> None:
    driver = clips.moving_face(6)
    found = pair(tmp_path, driver, [cv2.resize(image, (384, 384), interpolation=cv2.INTER_NEAREST) for image in driver])
    assert found["l1"] == 0


def test_videos_without_a_face_are_compared_as_pictures(tmp_path: Path) -> None:
    street = [np.roll(clips.portrait_image()[150:], 3 * index, axis=1) // 4 for index in range(6)]
    found = pair(tmp_path, street, [image + np.uint8(5) for image in street])
    assert found["l1"] == pytest.approx(5 / 255, abs=1e-9)
    assert found["mesh.detected"] == 0
    assert found["mesh.akd"] is found["mesh.aed"] is found["flicker"] is None
    assert "no face found" not in (tmp_path / "report" / "report.html").read_text()


def test_only_the_first_seconds(tmp_path: Path) -> None:
    driver = clips.moving_face()
    made = lossless(tmp_path / "a", driver), lossless(tmp_path / "b", driver)
    report = evaluate(EvaluateSettings("pairs", made[:1], tmp_path / "o", results=made[1:], end=0.2))
    assert report.clips[0].frames == 5


def test_a_clip_that_fails_is_listed_and_stops_no_other(self_report: Report) -> None:
    assert [clip.name for clip in self_report.clips] == ["talk"]
    assert list(self_report.failed) == ["nobody"]
    assert "shows no face" in self_report.failed["nobody"]


def test_the_report_says_what_was_done(self_report: Report) -> None:
    content = json.loads((self_report.folder / "report.json").read_text())
    assert content["protocol"] == "self"
    assert content["settings"]["drivers"] == [str(clips.talk()), str(clips.nobody())]
    assert content["versions"]["facereenact"]
    assert content["missing"]["lpips"].startswith("not installed: alexnet, lpips")
    assert content["speed"]["frames"] == clips.COUNT
    assert content["speed"]["rendered_frames_per_s"] > 0
    assert content["clips"][0]["judge"]["independent"] is False
    assert content["clips"][0]["metrics"]["audio_offset_ms"] == pytest.approx(0, abs=5)
    assert load_report(self_report.folder) == self_report
    assert load_report(self_report.folder / "report.json").mean == self_report.mean
    details = self_report.details(self_report.clips[0])
    driver, result = details["curves"]["mesh"]["mouth"]
    assert len(driver) == len(result) == len(details["times_s"]) == clips.COUNT


def test_the_mean_counts_every_clip_once(self_report: Report) -> None:
    assert self_report.mean["psnr"] == self_report.clips[0].metrics["psnr"]


@pytest.mark.slow
def test_several_at_once_give_the_same(tmp_path: Path) -> None:
    two = (clips.talk(), clips.uneven(), clips.nobody())
    alone = evaluate(EvaluateSettings("self", two, tmp_path / "a", end=0.3))
    together = evaluate(EvaluateSettings("self", two, tmp_path / "b", end=0.3, jobs=2))
    assert [clip.metrics for clip in together.clips] == [clip.metrics for clip in alone.clips]
    assert list(together.failed) == list(alone.failed) == ["nobody"]


def test_cross_compares_motion_and_not_pictures(tmp_path: Path) -> None:
    report = evaluate(EvaluateSettings("cross", (clips.talk(),), tmp_path / "o", sources=(clips.portrait(),)))
    found = report.clips[0].metrics
    assert report.clips[0].name == "portrait-talk"
    assert report.clips[0].source_sha256 == contents_of(clips.portrait())
    assert not {"psnr", "ssim", "mesh.akd", "lpips"} & found.keys()
    assert found["mesh.roll_deg.correlation"] is not None and found["mesh.roll_deg.correlation"] > 0.9
    assert found["mesh.aed"] is not None
    assert report.missing["fid"] == "driver and result show different people"


def test_leakage_has_what_is_driven_on_its_diagonal(tmp_path: Path) -> None:
    report = evaluate(EvaluateSettings("leakage", (clips.talk(),), tmp_path / "o", sources=(clips.portrait(),)))
    assert report.leakage is not None
    assert report.leakage["parts"] == ["head", "eyes", "mouth"]
    matrix = report.leakage["matrix"]
    assert matrix[0][0] == pytest.approx(1, abs=0.3)
    assert matrix[1][0] < 0.3 and matrix[2][0] < 0.3  # the head of the clip moves, its face is a photograph
    assert [clip.parts for clip in report.clips] == [["head"], ["eyes"], ["mouth"]]


def test_settings_of_drive_reach_the_render(tmp_path: Path) -> None:
    report = evaluate(EvaluateSettings("self", (clips.talk(),), tmp_path / "o", end=0.2, drive={"head_gain": 0.5}))
    told = json.loads(Path(report.clips[0].result).with_suffix(".json").read_text())
    assert told["settings"]["head_gain"] == 0.5


def test_windows_and_published_values_where_asked_for(tmp_path: Path) -> None:
    driver = clips.moving_face(20)
    found = pair(tmp_path, driver, driver, window=5, as_published=True)
    assert found["seam"] == pytest.approx(1)
    assert (found["published.psnr"], found["published.l1"]) == (100, 0)
    assert found["published.ssim"] == pytest.approx(1)
    assert "published.lpips" not in found


def test_a_report_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no report"):
        load_report(tmp_path)
    (tmp_path / "report.json").write_text('{"format": 1, "clips": []}')
    with pytest.raises(InputError, match="is no complete report"):
        load_report(tmp_path)


def test_memory_does_not_grow_with_the_clip(tmp_path: Path) -> None:
    """What a record holds of each frame is a few hundred bytes."""
    driver = clips.moving_face()
    short, long = (lossless(tmp_path / name, driver * times) for name, times in (("a", 1), ("b", 4)))
    sizes = []
    for path in (short, long):
        report = evaluate(EvaluateSettings("pairs", (path,), tmp_path / f"o{path.name}", results=(path,)))
        record = read_json(report.folder / report.clips[0].details)
        assert record is not None and len(record["worst"]) <= 3
        sizes.append(len(json.dumps({**record, "worst": []})))
    assert (sizes[1] - sizes[0]) / (3 * len(driver)) < 400


def test_json_has_no_numbers_that_it_cannot_hold() -> None:
    assert plain({"a": math.nan, "b": (np.float32(0.5), np.array([1, 2])), "c": Path("x"), "d": math.inf}) == {
        "a": None,
        "b": [0.5, [1, 2]],
        "c": "x",
        "d": None,
    }
