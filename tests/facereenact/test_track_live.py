"""`facereenact track`: packets, logs, cameras."""

from __future__ import annotations

import csv
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facereenact import track_live
from facereenact.track_live import camera_frames
from facereenact.track_settings import TrackSettings, address
from facereenact.tracking import track_video
from landmarks.openseeface.packets import unpack
from landmarks.storage import SUFFIX, load_landmarks
from tests.facereenact import clips
from tests.facereenact.clips import COUNT
from tests.facereenact.track_command import error_line, invoke, table


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("127.0.0.1", 0))
        opened.settimeout(5)
        yield opened


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("more", [(), ("--smooth", "strong"), ("--preset", "compat")])
def test_packets_come_at_the_pace_of_the_video(more: tuple[str, ...], receiver: socket.socket) -> None:
    start = time.monotonic()
    result = invoke(clips.talk(), "--send", receiver.getsockname()[1], *more)
    assert result.exit_code == 0, result.output
    assert time.monotonic() - start > (COUNT - 1) / 25
    rows = table(result.stdout)
    assert rows["sent"] == f"{COUNT} faces" and "written" not in rows and rows["tracker"].startswith("openseeface")
    packets = [receiver.recv(65535) for _ in range(COUNT)]
    assert {len(packet) for packet in packets} == {1785}
    faces = [face for packet in packets for face in unpack(packet)]
    assert np.ptp([face.time_s for face in faces]) == pytest.approx((COUNT - 1) / 25, abs=0.1)
    assert abs(faces[-1].time_s - time.time()) < 30
    assert all(face.size == (192, 192) and face.number == 0 and face.succeeded for face in faces)


@pytest.mark.usefixtures("models")
def test_a_log_has_a_row_per_face_and_frame(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    output = tmp_path / f"t{SUFFIX}"
    result = invoke(clips.with_gaps(), "--csv", path, "-o", output)
    assert result.exit_code == 0, result.output
    assert table(result.stdout)["log"] == str(path)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    track = load_landmarks(output)
    assert [int(row["Frame"]) - 1 for row in rows] == np.flatnonzero(track.detected).tolist()
    np.testing.assert_allclose([float(row["Time"]) for row in rows], track.timestamps_s[track.detected])
    np.testing.assert_allclose([float(row["Landmark[30].X"]) for row in rows], track.points[track.detected, 30, 0])
    assert "exists" in error_line(invoke(clips.talk(), "--csv", path))


class FakeCamera:
    """Gives the frames of the driver, then nothing."""

    def __init__(self, images: list[NDArray[np.uint8]]) -> None:
        self.images = iter(images)

    def isOpened(self) -> bool:
        return True

    def read(self) -> tuple[bool, NDArray[np.uint8] | None]:
        image = next(self.images, None)
        return image is not None, None if image is None else np.ascontiguousarray(image[..., ::-1])

    def release(self) -> None: ...


def test_a_camera_is_tracked_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", lambda number: FakeCamera(clips.moving_face(4)))
    result = invoke("--camera", 1, "-o", tmp_path / f"t{SUFFIX}")
    assert result.exit_code == 0, result.output
    track = load_landmarks(tmp_path / f"t{SUFFIX}")
    assert len(track) == 4 and track.detected.all() and track.timestamps_s[0] == 0
    np.testing.assert_array_equal(next(iter(camera_frames(0))).image, clips.moving_face(1)[0])
    assert list(camera_frames(0, end_s=0)) == []


def test_a_camera_stops_with_ctrl_c_and_keeps_its_track(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(FakeCamera):
        def read(self) -> tuple[bool, NDArray[np.uint8] | None]:
            is_read, image = super().read()
            if not is_read:
                raise KeyboardInterrupt
            return is_read, image

    monkeypatch.setattr(cv2, "VideoCapture", lambda number: Stopped(clips.moving_face(3)))
    result = track_video(TrackSettings(camera=0, output=tmp_path / f"t{SUFFIX}"))
    assert result.frames == 3 and result.outputs[0].is_file()


def test_no_camera_is_one_line(tmp_path: Path) -> None:
    line = error_line(invoke("--camera", 93, "-o", tmp_path / f"t{SUFFIX}"))
    assert "camera 93 cannot be opened" in line
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_host_is_one_line(models: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(host: str) -> str:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "gethostbyname", unknown)
    assert "the host nowhere is not known" in error_line(invoke(clips.talk(), "--send", "nowhere:11573"))


@pytest.mark.usefixtures("models")
def test_an_address_out_of_reach_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(track_live.FaceSender, "send", unreachable)
    line = error_line(invoke(clips.talk(), "--send", "10.0.0.7:11573", "--csv", tmp_path / "log.csv"))
    assert "10.0.0.7:11573 cannot be reached (Network is unreachable)" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("11573", ("127.0.0.1", 11573)), ("10.0.0.7:5066", ("10.0.0.7", 5066)), ("studio:1", ("studio", 1))],
)
def test_addresses(text: str, expected: tuple[str, int]) -> None:
    assert address(text) == expected


@pytest.mark.parametrize("text", ["", ":1", "a:", "0", "65536", "-1", "[::1]:5", "::1:5"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError):
        address(text)
