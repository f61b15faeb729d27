"""The "compat" preset gives the original's numbers."""

import csv
import io
import struct
from pathlib import Path

import numpy as np
import pytest

from landmarks.openseeface import OpenSeeFaceTracker
from landmarks.openseeface.csv_log import COMPATIBLE_NAMES, CsvLog
from landmarks.openseeface.detection import FaceDetector, RetinaFaceDetector
from landmarks.openseeface.packets import FACE, pack, unpack
from landmarks.openseeface.slots import GOOD_FIT
from tests.landmarks.openseeface.conftest import clip

SHORT = ("d0", "d11", "m3")  # clips that every run of the tests takes
CLIPS = ("d0", "d11", "d13", "d18", "d3", "d9", "m1", "m3", "s13", "s18", "s20")
MEAN, PERCENTILE_95, PUPILS = 0.002, 0.005, 0.01  # of the distance of the outer eye corners


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in SHORT else pytest.mark.long) for name in CLIPS]
)
def test_a_clip_is_tracked_as_by_the_original(
    name: str, models_dir: Path, original_tracks: Path, shared_media: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = np.load(original_tracks / f"{name}.trackcli.npz")
    tracker = OpenSeeFaceTracker(models_dir, preset="compat")
    errors, poses, features, found = [], [], [], []
    for index, image in enumerate(clip(shared_media, name)):
        faces = tracker(image)
        found.append(bool(faces))
        if not faces or not original["detected"][index]:
            continue
        face, expected = faces[0], original["landmarks"][index]
        eye_distance = np.linalg.norm(expected[45, :2] - expected[36, :2])
        errors.append(np.linalg.norm(face.points - expected[:, 1::-1], axis=1) / eye_distance)
        if original["pnp_error"][index] <= GOOD_FIT:
            poses.append(np.abs(face.sent.euler_deg - original["euler"][index]).max())
            features.append(np.abs(face.features - original["features"][index]).max())
            features.append(np.abs(face.eye_blink - original["eye_blink"][index]).max())
    assert found == original["detected"].tolist()
    points, pupils = np.array(errors)[:, :66], np.array(errors)[:, 66:]
    with capsys.disabled():
        print(
            f"\n{name}: {len(found)} frames, {sum(found)} with a face; points mean {points.mean():.6f} "
            f"p95 {np.percentile(points, 95):.6f}, pupils mean {pupils.mean():.6f} max {pupils.max():.6f}, "
            f"euler max {max(poses):.5f} deg, features max {max(features):.5f}"
        )
    assert points.mean() <= MEAN
    assert np.percentile(points, 95) <= PERCENTILE_95
    assert np.percentile(pupils, 99) <= PUPILS
    assert np.median(poses) < 1e-3
    assert max(features) < 0.01


def test_packets_and_log_are_the_originals(models_dir: Path, original_tracks: Path, shared_media: Path) -> None:
    capture = (original_tracks / "udp_d0.bin").read_bytes()
    record = struct.Struct(f"<i{FACE.size}s")  # the capture states each packet's length
    packets = [packet for _, packet in record.iter_unpack(capture)]
    log = list(csv.reader(io.StringIO((original_tracks / "log_d0.csv").read_text(), newline="")))
    tracker, own_log = OpenSeeFaceTracker(models_dir, preset="compat"), io.StringIO(newline="")
    writer = CsvLog(own_log, names=COMPATIBLE_NAMES)
    for index, image in enumerate(clip(shared_media, "d0")):
        size = (image.shape[1], image.shape[0])
        faces = tracker(image)
        (sent,) = unpack(packets[index])
        (own,) = unpack(pack(faces[0], time_s=sent.time_s, size=size))
        for name, expected in vars(sent).items():
            np.testing.assert_allclose(getattr(own, name), expected, atol=0.03, err_msg=name)
        writer.write(faces, frame=index + 1, time_s=float(log[index + 1][1]), size=size)
    own_rows = list(csv.reader(io.StringIO(own_log.getvalue(), newline="")))
    assert own_rows[0] == log[0]
    for own_row, row in zip(own_rows[1:], log[1:], strict=True):
        np.testing.assert_allclose(_numbers(own_row), _numbers(row), atol=0.03)


@pytest.mark.parametrize("name", ["d0", "d13"])
def test_detectors_find_the_originals_boxes(
    name: str, models_dir: Path, original_tracks: Path, shared_media: Path
) -> None:
    original = np.load(original_tracks / f"{name}.detect.npz")
    first = next(clip(shared_media, name))
    own = FaceDetector(models_dir, threshold=0)(first, count=1)[0]
    np.testing.assert_allclose(own, original["box_xywh"][0], atol=0.01)
    retina = RetinaFaceDetector(models_dir)(first, count=1)[0]
    np.testing.assert_allclose(retina, original["retina_box_xywh"][0], atol=0.01)


def _numbers(row: list[str]) -> list[float]:
    return [float({"True": 1, "False": 0}.get(text, text)) for text in row]
