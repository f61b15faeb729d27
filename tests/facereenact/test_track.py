"""`facereenact track`: files, gaps, several faces, parts at once, packets, logs, and errors in one line."""

from __future__ import annotations

import csv
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

import facereenact.tracking as tracking
from checkpoints import locate
from facereenact import cli, track_live, track_processes
from facereenact.errors import FaceNotFoundError, InputError
from facereenact.track_live import camera_frames
from facereenact.track_parts import Part, PartError, joined
from facereenact.track_settings import TrackSettings, address
from facereenact.tracking import track_video
from facereenact.video import VideoReader
from landmarks.openseeface.packets import unpack
from landmarks.storage import SUFFIX, load_landmarks
from landmarks.tracking import SeenFace
from tests.facereenact import clips
from tests.facereenact.clips import COUNT
from tests.facereenact.media import write_clip
from tests.landmarks.test_trackers import install_models


@pytest.fixture(autouse=True)
def no_models(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Checkpoints lie in an empty folder, whatever this machine has."""
    folder = tmp_path_factory.mktemp("checkpoints")
    monkeypatch.setenv("FACEREENACT_CHECKPOINTS", str(folder))
    return folder


@pytest.fixture
def models(no_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_models(no_models, monkeypatch)


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("127.0.0.1", 0))
        opened.settimeout(5)
        yield opened


def invoke(*arguments: str | Path | int) -> Result:
    return CliRunner().invoke(cli.main, ["track", *map(str, arguments)])


def error_line(result: Result, code: int = 1) -> str:
    assert result.exit_code == code, result.output
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error:") or code == 2][-1:]
    assert code == 2 or len(result.stderr.splitlines()) == 1
    return line


def table(text: str) -> dict[str, str]:
    return {name: value.strip() for name, _, value in (line.partition(" ") for line in text.splitlines())}


def test_a_track_is_as_long_as_its_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke(clips.talk())
    assert result.exit_code == 0, result.output
    rows = table(result.stdout)
    assert list(rows) == ["written", "tracker", "frames", "seen", "time"]
    assert rows["written"] == f"talk{SUFFIX}" and rows["frames"] == f"{COUNT}, 192x192" and rows["seen"] == str(COUNT)
    assert "not installed" in rows["tracker"] and "facereenact checkpoints pull openseeface" in rows["tracker"]
    track = load_landmarks(tmp_path / f"talk{SUFFIX}")
    assert len(track) == COUNT and track.size == (192, 192) and track.detected.all()
    np.testing.assert_allclose(track.timestamps_s, np.arange(COUNT) / 25, atol=1e-6)


def gappy(folder: Path) -> Path:
    """Two frames of nobody at the start, three in the middle."""
    images = clips.moving_face()
    return write_clip(folder / "gappy.mp4", [*[clips.blank()] * 2, *images[:4], *[clips.blank()] * 3, *images[4:]])


@pytest.mark.parametrize("fill", [True, False])
def test_gaps_are_marked_and_filled_on_request(tmp_path: Path, fill: bool) -> None:
    settings = TrackSettings(video=gappy(tmp_path), output=tmp_path / f"t{SUFFIX}", fill=fill, smooth="light")
    track = track_video(settings).tracks[0]
    assert len(track) == COUNT + 5
    assert not track.detected[:2].any() and not track.detected[6:9].any() and track.detected[2:6].all()
    if fill:
        np.testing.assert_allclose(track.points[0], track.points[2], atol=1)
        middle = (track.points[5] + track.points[9]) / 2
        np.testing.assert_allclose(track.points[7], middle, atol=4)
    else:
        for name in ("points", "rotation", "translation", "eye_openness", "scores"):
            assert not getattr(track, name)[~track.detected].any()
            assert getattr(track, name)[track.detected].any()
    assert load_landmarks(tmp_path / f"t{SUFFIX}").points.tolist() == track.points.tolist()


def test_smoothing_steadies_what_was_tracked(tmp_path: Path) -> None:
    def jerk(smooth: str) -> float:
        output = tmp_path / f"{smooth}{SUFFIX}"
        assert invoke(clips.talk(), "-o", output, "--smooth", smooth).exit_code == 0
        return float(np.abs(np.diff(load_landmarks(output).points, n=3, axis=0)).mean())

    assert jerk("none") > jerk("normal")


def test_a_part_of_the_video_at_another_rate(tmp_path: Path) -> None:
    output = tmp_path / f"t{SUFFIX}"
    assert invoke(clips.talk(), "-o", output, "--start", 0.12, "--end", 0.36, "--fps", 50).exit_code == 0
    track = load_landmarks(output)
    np.testing.assert_allclose(track.timestamps_s, np.arange(12) / 50, atol=1e-6)
    whole = track_video(TrackSettings(video=clips.talk(), output=tmp_path / f"w{SUFFIX}")).tracks[0]
    assert np.abs(track.points[::2] - whole.points[3:9]).mean() < 1.5


@pytest.mark.parametrize("tracker", ["mediapipe", "hybrid", "openseeface"])
def test_one_of_two_faces_is_chosen(tmp_path: Path, tracker: str, request: pytest.FixtureRequest) -> None:
    if tracker != "mediapipe":
        request.getfixturevalue("models")
    output = tmp_path / f"one{SUFFIX}"
    for face, is_left in (("largest", False), ("0", True), ("1", False), ("80,90", True)):
        arguments = (clips.two_drivers(), "-o", output, "--tracker", tracker, "--face", face, "--overwrite")
        assert invoke(*arguments).exit_code == 0
        assert (load_landmarks(output).points[:, 30, 0] < 164).all() == is_left
    output.unlink()
    line = error_line(invoke(clips.two_drivers(), "-o", output, "--tracker", tracker, "--face", 2))
    assert "there is no face 2: 2 found, counted from 0 at the left" in line
    assert not list(tmp_path.glob(f"*{SUFFIX}*"))


def test_several_faces_get_a_file_each(tmp_path: Path) -> None:
    output = tmp_path / f"duo{SUFFIX}"
    stale = tmp_path / f"duo.2{SUFFIX}"
    stale.write_bytes(b"of an earlier run")
    assert "duo.2" in error_line(invoke(clips.two_drivers(), "-o", output, "--faces", 3))
    result = invoke(clips.two_drivers(), "-o", output, "--faces", 3, "--overwrite")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"duo.0{SUFFIX}", f"duo.1{SUFFIX}"]
    tracks = [load_landmarks(tmp_path / f"duo.{index}{SUFFIX}") for index in range(2)]
    spread = [np.ptp(track.points[track.detected][:, 30, 0]) for track in tracks]
    assert min(spread) < 3 and all(len(track) == COUNT for track in tracks)


@pytest.mark.parametrize("tracker", ["hybrid", "openseeface"])
@pytest.mark.usefixtures("models")
def test_the_other_trackers(tmp_path: Path, tracker: str) -> None:
    output = tmp_path / f"t{SUFFIX}"
    result = invoke(clips.talk(), "-o", output, *([] if tracker == "hybrid" else ["--tracker", tracker]))
    assert result.exit_code == 0, result.output
    assert ("auto: the networks" if tracker == "hybrid" else "asked for") in table(result.stdout)["tracker"]
    track = load_landmarks(output)
    assert track.tracker.startswith(tracker) and track.detected.all() and 0.4 < track.mean_score <= 1


@pytest.mark.usefixtures("models")
def test_retinaface_finds_several_faces_too(tmp_path: Path) -> None:
    output = tmp_path / f"duo{SUFFIX}"
    arguments = ("-o", output, "--tracker", "openseeface", "--faces", 2, "--detector", "retinaface")
    result = invoke(clips.two_drivers(), *arguments)
    assert result.exit_code == 0, result.output
    tracks = [load_landmarks(tmp_path / f"duo.{index}{SUFFIX}") for index in range(2)]
    assert all(track.detected.mean() > 0.9 for track in tracks)
    assert abs(tracks[0].points[:, 30, 0].mean() - tracks[1].points[:, 30, 0].mean()) > 50


@pytest.mark.usefixtures("models")
def test_a_landmark_network_that_is_not_there_is_named(tmp_path: Path) -> None:
    line = error_line(invoke(clips.talk(), "-o", tmp_path / f"t{SUFFIX}", "--landmark-model", 3))
    assert "lm_model3_opt.onnx" in line


@pytest.mark.usefixtures("models")
def test_checkpoints_are_looked_for_where_they_are_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copied there by hand, without a record."""
    shutil.copytree(locate("openseeface"), tmp_path / "mine" / "openseeface")
    (tmp_path / "mine" / "openseeface" / "record.json").unlink()
    monkeypatch.setenv("FACEREENACT_CHECKPOINTS", str(tmp_path / "none"))
    output = tmp_path / f"t{SUFFIX}"
    result = invoke(clips.talk(), "-o", output, "--tracker", "openseeface", "--checkpoints", tmp_path / "mine")
    assert result.exit_code == 0, result.output
    assert os.environ["FACEREENACT_CHECKPOINTS"] == str(tmp_path / "none")
    assert "not installed" in error_line(invoke(clips.talk(), "-o", output, "--tracker", "openseeface", "--overwrite"))


def test_parts_at_once_give_nearly_the_same_and_always_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts of 20 and 40 frames, so that a short clip has two."""
    monkeypatch.setattr(track_processes, "SHORTEST_PART", 20)
    monkeypatch.setattr(track_processes, "HEAD_START", 20)
    clip = write_clip(tmp_path / "long.mp4", clips.moving_face(60))

    def run(jobs: int) -> tracking.TrackResult:
        settings = TrackSettings(video=clip, output=tmp_path / f"t{SUFFIX}", jobs=jobs, overwrite=True)
        return track_video(settings)

    alone, first, second = run(1), run(2), run(2)
    assert (alone.jobs, first.jobs) == (1, 2)
    np.testing.assert_array_equal(first.tracks[0].points, second.tracks[0].points)
    np.testing.assert_allclose(first.tracks[0].timestamps_s, alone.tracks[0].timestamps_s, atol=1e-9)
    error = np.linalg.norm(first.tracks[0].points - alone.tracks[0].points, axis=2)
    assert error.mean() < 0.01 * alone.tracks[0].eye_distance_px.mean()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["d3", "d9"])
@pytest.mark.usefixtures("models")
def test_parts_of_a_real_clip_differ_little(
    name: str, tmp_path: Path, shared_media: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for tracker in ("openseeface", "mediapipe", "hybrid"):
        video, output = shared_media / "driving" / f"{name}.mp4", tmp_path / f"t{SUFFIX}"
        results = [
            track_video(TrackSettings(video=video, output=output, tracker=tracker, jobs=jobs, overwrite=True))  # type: ignore[arg-type]
            for jobs in (1, 2)
        ]
        alone, parts = (result.tracks[0] for result in results)
        error = np.linalg.norm(parts.points - alone.points, axis=2).mean(axis=1) / alone.eye_distance_px
        with capsys.disabled():
            took = [f"{result.seconds:.1f} s" for result in results]
            print(f"\n{name} {tracker}: mean {error.mean():.5f}, worst {error.max():.4f} eye distances; {took}")
        assert error.mean() < 0.002 and (parts.detected == alone.detected).all()


def seen(x: float) -> SeenFace:
    points = np.stack([x + np.linspace(0, 100, 68), np.linspace(0, 100, 68)], axis=1)
    return SeenFace(points.astype(np.float32))


def stretch(first: int, last: int, *xs: float | None) -> Part:
    rows: list[list[SeenFace | None]] = [[None if x is None else seen(x) for x in xs] for _ in range(first, last)]
    return Part([index / 25 for index in range(first, last)], rows)


def test_parts_are_joined_by_who_is_who() -> None:
    whole = joined([stretch(0, 10, 0, 300), stretch(6, 20, 305, 5)], [0, 9.5 / 25])
    assert len(whole.rows) == 20 and np.allclose(whole.times_s, np.arange(20) / 25)
    assert [round(float(face.points[0, 0])) for face in whole.rows[15] if face] == [5, 305]
    gone = joined([stretch(0, 10, 0, None), stretch(6, 20, 300, 3)], [0, 9.5 / 25])
    assert [round(float(face.points[0, 0])) for face in gone.rows[15] if face] == [3, 300]


def test_parts_that_differ_are_not_joined() -> None:
    for part in (
        stretch(6, 20, 300),
        stretch(10, 20, 0),
        Part([t + 0.02 for t in stretch(6, 20, 0).times_s], [[None]] * 14),
    ):
        with pytest.raises(PartError):
            joined([stretch(0, 10, 0), part], [0, 9.5 / 25])


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


@pytest.mark.parametrize("more", [("--tracker", "hybrid"), ("--tracker", "openseeface"), ("--send", "11573")])
def test_missing_networks_name_the_command(more: tuple[str, ...], tmp_path: Path) -> None:
    line = error_line(invoke(clips.talk(), "-o", tmp_path / f"t{SUFFIX}", *more))
    assert "facereenact checkpoints pull openseeface" in line and "facereenact checkpoints import" in line
    assert list(tmp_path.iterdir()) == []


def test_a_video_of_nobody_leaves_nothing(tmp_path: Path) -> None:
    line = error_line(invoke(clips.nobody(), "-o", tmp_path / f"t{SUFFIX}"))
    assert "no frame shows a face" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("models")
def test_a_log_of_nobody_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FaceNotFoundError):
        track_video(TrackSettings(video=clips.nobody(), csv=tmp_path / "log.csv"))
    assert list(tmp_path.iterdir()) == []


def test_outputs_are_checked_before_the_work(tmp_path: Path) -> None:
    taken = tmp_path / f"taken{SUFFIX}"
    taken.write_bytes(b"")
    assert "use --overwrite" in error_line(invoke(clips.talk(), "-o", taken))
    assert f"ends in {SUFFIX}" in error_line(invoke(clips.talk(), "-o", tmp_path / "t.npz"))
    assert "does not exist" in error_line(invoke(clips.talk(), "-o", tmp_path / "none" / f"t{SUFFIX}"))
    assert "no such file" in error_line(invoke(tmp_path / "none.mp4"))


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
    ("arguments", "message"),
    [
        ((), "give a video, or --camera"),
        (("v.mp4", "--camera", "0"), "give a video, or --camera"),
        (("--camera", "0"), "--camera needs a place"),
        (("--camera", "0", "--start", "1", "--send", "1"), "are for videos"),
        (("v.mp4", "--faces", "0"), "--faces must be"),
        (("v.mp4", "--faces", "2", "--face", "1"), "--face chooses the one face to follow"),
        (("v.mp4", "--face", "left"), "is no face: give largest, an index"),
        (("v.mp4", "--jobs", "0"), "--jobs must be"),
        (("v.mp4", "--jobs", "2", "--send", "11573"), "do not go with --jobs"),
        (("v.mp4", "--send", "11573", "--tracker", "hybrid"), "do not go with --tracker hybrid"),
        (("v.mp4", "--tracker", "mediapipe", "--preset", "compat"), "--preset is of OpenSeeFace"),
        (("v.mp4", "--tracker", "mediapipe", "--detector", "retinaface"), "--detector is of OpenSeeFace"),
        (("v.mp4", "--tracker", "mediapipe", "--landmark-model", "1"), "--landmark-model is of OpenSeeFace"),
        (("v.mp4", "--landmark-model", "5"), "--landmark-model must be from 0 to 4"),
        (("v.mp4", "--csv", "log.txt"), "ends in .csv"),
        (("v.mp4", "--start", "2", "--end", "1"), "--end after it"),
        (("v.mp4", "--fps", "0"), "--fps must be"),
        (("v.mp4", "--send", "here:port"), "is no address"),
    ],
)
def test_wrong_usage_is_told(arguments: tuple[str, ...], message: str) -> None:
    assert message in error_line(invoke(*arguments), code=2)


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


def test_the_progress_goes_from_nothing_to_all(tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    track_video(
        TrackSettings(video=clips.talk(), output=tmp_path / f"t{SUFFIX}"), progress=lambda *step: told.append(step)
    )
    assert told[-1] == ("tracking", COUNT, COUNT)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_a_broken_part_is_told_as_the_whole_would_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong in a part is tried again from start to end, whose error is the one shown."""
    monkeypatch.setattr(tracking, "part_count", lambda frames, wanted: wanted)
    monkeypatch.setattr(tracking, "read_in_parts", _fails)
    result = track_video(TrackSettings(video=clips.talk(), output=tmp_path / f"t{SUFFIX}", jobs=2))
    assert result.jobs == 1 and result.frames == len(list(VideoReader(clips.talk())))


def _fails(*_: object) -> Part:
    raise InputError("no frame from here on")
