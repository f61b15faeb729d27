"""Ten kinds of media that are broken or out of the ordinary: each is done or fails with a reason."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from facereenact.preprocessing.engines import LocalEngine
from facereenact.preprocessing.manifest import read_manifest
from facereenact.preprocessing.run import preprocess
from facereenact.preprocessing.settings import PreprocessSettings
from landmarks.storage import load_landmarks
from tests.facereenact.clips import UNEVEN_MS, astronaut, moving_face, nobody, talk, two_drivers, uneven
from tests.facereenact.media import SOUND_HZ, write_clip

EIGHT_K = (7680, 4320)


def truncated(path: Path) -> None:
    path.write_bytes(talk().read_bytes()[:-4000])


def empty(path: Path) -> None:
    path.touch()


def audio_only(path: Path) -> None:
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("aac", rate=SOUND_HZ, layout="mono")
        piece = av.AudioFrame.from_ndarray(np.zeros((1, SOUND_HZ), np.float32), "fltp", "mono")
        piece.sample_rate = SOUND_HZ
        output.mux(stream.encode(piece))
        output.mux(stream.encode(None))


def wrong_extension(path: Path) -> None:
    shutil.copy(talk(), path)


def no_video_at_all(path: Path) -> None:
    path.write_text("to be continued")


def one_frame(path: Path) -> None:
    write_clip(path, moving_face()[:1])


def rotated(path: Path) -> None:
    write_clip(path, [np.ascontiguousarray(np.rot90(image)[:, :160]) for image in moving_face()], rotation_deg=-90)


def variable_rate(path: Path) -> None:
    shutil.copy(uneven(), path)


def eight_k(path: Path) -> None:
    face = np.asarray(cv2.resize(astronaut(), (3000, 3000)))
    image = np.full((EIGHT_K[1], EIGHT_K[0], 3), 60, np.uint8)
    image[600:3600, 2000:5000] = face
    write_clip(path, [image] * 3, rate=Fraction(25), options={"preset": "ultrafast"})


def no_face(path: Path) -> None:
    shutil.copy(nobody(), path)


def two_faces(path: Path) -> None:
    shutil.copy(two_drivers(), path)


KINDS: dict[str, Callable[[Path], None]] = {
    "truncated.mp4": truncated,
    "empty.mp4": empty,
    "audio_only.mp4": audio_only,
    "wrong_extension.avi": wrong_extension,
    "no_video_at_all.mp4": no_video_at_all,
    "one_frame.mp4": one_frame,
    "rotated.mp4": rotated,
    "variable_rate.mp4": variable_rate,
    "eight_k.mp4": eight_k,
    "no_face.mp4": no_face,
    "two_faces.mp4": two_faces,
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """The rows of each kind, all done in one run by real workers; `output` is the folder."""
    folder = tmp_path_factory.mktemp("kinds")
    for name, write in KINDS.items():
        write(folder / name)
    settings = PreprocessSettings(tracker="mediapipe", faces=2, with_crops=True)
    results = list(preprocess([folder], folder / "out", settings, LocalEngine(2)))
    assert sorted(Path(result.clip.path).name for result in results) == sorted(KINDS)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in KINDS}
    for row in read_manifest(folder / "out").to_pylist():
        found[Path(row["path"]).name].append({**row, "output": folder / "out"})
    return found


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("truncated.mp4", "is broken after|damaged or incomplete"),
        ("empty.mp4", "is empty; download or record it again"),
        ("audio_only.mp4", "has no video track"),
        ("no_video_at_all.mp4", "is not a video that can be read"),
    ],
)
def test_what_cannot_be_tracked_fails_with_a_reason(
    rows: dict[str, list[dict[str, Any]]], name: str, words: str
) -> None:
    (row,) = rows[name]
    assert row["status"] == "failed" and row["landmarks"] is None
    assert any(word in row["error"] for word in words.split("|")), row["error"]
    assert row["path"] in row["error"] and "\n" not in row["error"]


@pytest.mark.parametrize(
    ("name", "size", "frames"),
    [
        ("wrong_extension.avi", (192, 192), 12),
        ("one_frame.mp4", (192, 192), 1),
        ("rotated.mp4", (192, 160), 12),
        ("variable_rate.mp4", (192, 192), 6),
        ("eight_k.mp4", EIGHT_K, 3),
    ],
)
def test_what_is_only_unusual_is_tracked(
    rows: dict[str, list[dict[str, Any]]], name: str, size: tuple[int, int], frames: int
) -> None:
    (row,) = rows[name]
    assert (row["status"], row["error"], row["detected"]) == ("ok", "", 1.0)
    assert ((row["width"], row["height"]), row["frames"]) == (size, frames)
    assert len(load_landmarks(row["output"] / row["landmarks"])) == frames
    with av.open(str(row["output"] / row["crop"])) as crop:
        assert sum(1 for _ in crop.decode(video=0)) == frames


def test_a_rotated_clip_is_upright(rows: dict[str, list[dict[str, Any]]]) -> None:
    (row,) = rows["rotated.mp4"]
    assert abs(row["roll_min_deg"] + row["roll_max_deg"]) / 2 < 15


def test_a_variable_rate_is_kept(rows: dict[str, list[dict[str, Any]]]) -> None:
    (row,) = rows["variable_rate.mp4"]
    times_s = load_landmarks(row["output"] / row["landmarks"]).timestamps_s
    assert times_s == pytest.approx(np.array(UNEVEN_MS) / 1000)


def test_nobody_is_no_failure(rows: dict[str, list[dict[str, Any]]]) -> None:
    (row,) = rows["no_face.mp4"]
    assert (row["status"], row["error"]) == ("filtered", "no face found")


def test_two_people_are_two_sequences(rows: dict[str, list[dict[str, Any]]]) -> None:
    assert [(row["person"], row["status"]) for row in rows["two_faces.mp4"]] == [(0, "ok"), (1, "ok")]
