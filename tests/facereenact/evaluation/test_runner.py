"""evaluate(): whole runs over tiny clips."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from facereenact.errors import InputError, OutputError
from facereenact.evaluation import rendering, runner
from facereenact.evaluation.cache import MEASURING, ROOT, contents_of, plain, program, read_json
from facereenact.evaluation.report import Report, load_report
from facereenact.evaluation.runner import evaluate
from facereenact.evaluation.settings import EvaluateSettings
from facereenact.video import VideoReader
from landmarks.mediapipe_tracker import mesh_solution, meshes
from tests.facereenact import clips

Image = NDArray[np.uint8]

LONG = 48  # frames, enough to tell a lag
REFERENCE = {
    "detected": "mesh.detected",
    "akd": "mesh.akd",
    "copy_akd": "mesh.copy_akd",
    "mouth": "mesh.mouth.correlation",
    "eyes": "mesh.eyes.correlation",
    "pose_deg": "mesh.apd_deg",
    "psnr": "psnr",
    "copy_psnr": "copy_psnr",
    "ssim": "ssim",
    "copy_ssim": "copy_ssim",
    "jitter": "mesh.jitter",
    "driver_jitter": "mesh.driver_jitter",
}


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


def test_self_agrees_with_the_definitions_written_down_at_once(self_report: Report) -> None:
    clip = self_report.clips[0]
    expected = plain_metrics(images(clips.talk()), images(Path(clip.result)))
    for name, ours in REFERENCE.items():
        tolerance = 1e-5 if name.endswith("ssim") else 1e-6  # SSIM is measured in single precision
        assert clip.metrics[ours] == pytest.approx(expected[name], abs=tolerance), name


def plain_metrics(driver: list[Image], result: list[Image]) -> dict[str, float]:
    """The measures of the mesh, PSNR and SSIM, over whole arrays."""
    a, b = (tracked(frames) for frames in (driver, result))

    def eyes(points: Any) -> Any:
        return np.linalg.norm(points[:, 33, :2] - points[:, 263, :2], axis=1)

    def gap(points: Any, one: int, other: int) -> Any:
        return np.linalg.norm(points[:, one, :2] - points[:, other, :2], axis=1) / eyes(points)

    def turns(points: Any) -> Any:
        centred = points - points.mean(axis=1, keepdims=True)
        found = []
        for frame in centred:
            u, _, vt = np.linalg.svd(centred[0].T @ frame)
            r = vt.T @ np.diag([1, 1, np.sign(np.linalg.det(vt.T @ u.T))]) @ u.T
            found.append([np.arctan2(r[2, 1], r[2, 2]), np.arcsin(-r[2, 0]), np.arctan2(r[1, 0], r[0, 0])])
        return np.degrees(found)

    def shake(points: Any) -> float:
        acceleration = np.linalg.norm(np.diff(points[..., :2], n=2, axis=0), axis=2).mean(axis=1)
        return float((acceleration / eyes(points)[2:]).mean())

    def distance(points: Any) -> float:
        return float((np.linalg.norm((a - points)[..., :2], axis=2).mean(axis=1) / eyes(a)).mean())

    def lids(points: Any) -> Any:
        return gap(points, 159, 145) + gap(points, 386, 374)

    return {
        "detected": 1.0,
        "akd": distance(b),
        "copy_akd": distance(np.repeat(a[:1], len(a), axis=0)),
        "mouth": float(np.corrcoef(gap(a, 13, 14), gap(b, 13, 14))[0, 1]),
        "eyes": float(np.corrcoef(lids(a), lids(b))[0, 1]),
        "pose_deg": float(np.abs(turns(a) - turns(b)).mean()),
        "psnr": float(np.mean([cv2.PSNR(x, y) for x, y in zip(driver[1:], result[1:], strict=True)])),
        "copy_psnr": float(np.mean([cv2.PSNR(driver[0], x) for x in driver[1:]])),
        "ssim": float(np.mean([similarity(x, y) for x, y in zip(driver[1:], result[1:], strict=True)])),
        "copy_ssim": float(np.mean([similarity(driver[0], x) for x in driver[1:]])),
        "jitter": shake(b),
        "driver_jitter": shake(a),
    }


def similarity(one: Image, other: Image) -> float:
    """SSIM of luma, term by term, the picture mirrored beyond its edges."""
    x, y = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64) for image in (one, other))

    def local_mean(values: Any) -> Any:
        return gaussian_filter(values, 1.5, radius=5, mode="mirror")

    a, b = local_mean(x), local_mean(y)
    variances = local_mean(x * x) - a * a + local_mean(y * y) - b * b
    covariance = local_mean(x * y) - a * b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float(((2 * a * b + c1) * (2 * covariance + c2) / ((a * a + b * b + c1) * (variances + c2))).mean())


def tracked(frames: list[Image]) -> NDArray[np.float64]:
    solution = mesh_solution(faces=1, static=False)
    found = np.array([meshes(solution, frame)[0].vertices for frame in frames], np.float64)
    solution.close()
    return found


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


def test_nothing_is_done_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = EvaluateSettings("self", (clips.talk(),), tmp_path / "o", end=0.3)
    first = evaluate(settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "measure", refuse)
        patch.setattr(rendering, "drive", refuse)
        assert evaluate(settings).clips == first.clips
    monkeypatch.setattr(rendering, "drive", refuse)  # another way of measuring needs no new results
    assert evaluate(EvaluateSettings("self", (clips.talk(),), tmp_path / "o", end=0.3, window=4)).clips
    with pytest.raises(InputError, match="no clip could be evaluated"):
        evaluate(EvaluateSettings("self", (clips.talk(),), tmp_path / "o", end=0.2))


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("done again")


def test_an_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two = (clips.talk(), clips.uneven())
    settings = EvaluateSettings("self", two, tmp_path / "o", end=0.3)

    def interrupt(stage: str, done: int, total: int | None) -> None:
        if stage == "clips" and done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(settings, progress=interrupt)
    assert not (tmp_path / "o" / "report.json").exists()
    measured = []
    real = runner.measure
    monkeypatch.setattr(
        runner, "measure", lambda case, *rest, **more: measured.append(case.name) or real(case, *rest, **more)
    )
    report = evaluate(settings)
    assert [clip.name for clip in report.clips] == ["talk", "uneven"]
    assert measured == ["uneven"]
    assert not list((tmp_path / "o").rglob("*.partial"))


def test_a_damaged_record_is_made_again(tmp_path: Path) -> None:
    settings = EvaluateSettings("self", (clips.talk(),), tmp_path / "o", end=0.2)
    first = evaluate(settings)
    record = tmp_path / "o" / first.clips[0].details
    record.write_text(record.read_text()[:100])
    assert evaluate(settings).clips[0].metrics == first.clips[0].metrics


def test_another_program_measures_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = EvaluateSettings("self", (clips.talk(),), tmp_path / "o", end=0.2)
    evaluate(settings)
    monkeypatch.setattr(runner, "program", lambda: "edited")
    monkeypatch.setattr(runner, "measure", refuse)
    with pytest.raises(InputError, match="AssertionError: done again"):
        evaluate(settings)


def test_another_tracker_at_hand_measures_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = EvaluateSettings("self", (clips.talk(),), tmp_path / "o", end=0.2)
    evaluate(settings)
    monkeypatch.setattr(runner, "is_installed", lambda _: True)
    monkeypatch.setattr(runner, "measure", refuse)
    with pytest.raises(InputError, match="done again"):
        evaluate(settings)


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


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds other files than a report"):
        evaluate(EvaluateSettings("self", (clips.talk(),), tmp_path))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="cannot be written"):
        evaluate(EvaluateSettings("self", (clips.talk(),), tmp_path / "file" / "o"))


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


def test_contents_are_read_again_once_they_change(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    first, folder = contents_of(tmp_path / "a"), contents_of(tmp_path)
    assert first == hashlib.sha256(b"one").hexdigest()
    (tmp_path / "a").write_bytes(b"other")
    assert contents_of(tmp_path / "a") == hashlib.sha256(b"other").hexdigest()
    assert contents_of(tmp_path) != folder
    (tmp_path / "a").rename(tmp_path / "b")
    assert contents_of(tmp_path) != contents_of(tmp_path / "b")


def test_json_has_no_numbers_that_it_cannot_hold() -> None:
    assert plain({"a": math.nan, "b": (np.float32(0.5), np.array([1, 2])), "c": Path("x"), "d": math.inf}) == {
        "a": None,
        "b": [0.5, [1, 2]],
        "c": "x",
        "d": None,
    }


def test_every_source_and_table_is_part_of_the_program(tmp_path: Path) -> None:
    seen = {program(with_file(tmp_path / "empty", "docs/notes.py"))}
    for index, name in enumerate(
        (
            "body/dwpose/networks.py",
            "checkpoints/manifests/unet.json.gz",
            "facereenact/pipelines/sampling.py",
            "landmarks/tables/face_model.csv",
            "facereenact/evaluation/deep/er.py",
        )
    ):
        root = with_file(tmp_path / str(index), name)
        seen |= {program(root), program(with_file(tmp_path / f"{index} edited", name, "edited"))}
        of_renders = program(root, without=MEASURING)
        assert (of_renders == program(tmp_path / "empty")) == name.startswith("facereenact/evaluation/")
    assert len(seen) == 1 + 2 * 5
    cached = with_file(tmp_path / "cached", "body/__pycache__/networks.cpython-311.pyc")
    assert program(cached) == program(tmp_path / "empty")
    assert program(ROOT) == program() != program(without=MEASURING)


def with_file(root: Path, name: str, text: str = "") -> Path:
    """A folder that holds one file."""
    (root / name).parent.mkdir(parents=True)
    (root / name).write_text(text)
    return root
