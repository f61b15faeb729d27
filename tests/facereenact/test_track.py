"""`facereenact track`: files, gaps, several faces, trackers."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from checkpoints import locate
from facereenact.track_settings import TrackSettings
from facereenact.tracking import track_video
from landmarks.storage import SUFFIX, load_landmarks
from tests.facereenact import clips
from tests.facereenact.clips import COUNT
from tests.facereenact.media import write_clip
from tests.facereenact.track_command import error_line, invoke, table


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


def test_the_progress_goes_from_nothing_to_all(tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    track_video(
        TrackSettings(video=clips.talk(), output=tmp_path / f"t{SUFFIX}"), progress=lambda *step: told.append(step)
    )
    assert told[-1] == ("tracking", COUNT, COUNT)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
