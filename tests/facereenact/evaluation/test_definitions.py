"""evaluate() against the measures written down plainly, over whole arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from facereenact.evaluation.report import Report
from facereenact.video import VideoReader
from landmarks.mediapipe_tracker import mesh_solution, meshes
from tests.facereenact import clips

Image = NDArray[np.uint8]
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
