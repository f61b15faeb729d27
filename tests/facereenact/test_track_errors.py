"""`facereenact track`: errors in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from facereenact.errors import FaceNotFoundError
from facereenact.track_settings import TrackSettings
from facereenact.tracking import track_video
from landmarks.storage import SUFFIX
from tests.facereenact import clips
from tests.facereenact.track_command import error_line, invoke


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
