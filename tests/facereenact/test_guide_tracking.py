"""The guides of the diffusion renderer: OpenSeeFace's points where its networks are installed, in source and driver."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from checkpoints import locate
from facereenact.body_settings import BodySettings
from facereenact.diffusion_settings import DiffusionSettings
from facereenact.drive import drive
from facereenact.driver import VideoDriver
from facereenact.errors import InputError
from facereenact.guide_tracking import CountingTracker, guide_tracker, landmarks_of_still, open_guide_tracker
from facereenact.settings import DriveSettings
from facereenact.sidecar import sidecar_path
from facereenact.tiny_model import make_tiny
from landmarks import trackers
from landmarks.mediapipe_tracker import TRACKER_NAME, MediaPipeTracker
from landmarks.tracking import track
from tests.facereenact.media import write_clip
from tests.faces import Picture, astronaut, hopper
from tests.landmarks.test_trackers import couple, install_models

BLANK: Picture = np.full((600, 512, 3), 90, np.uint8)
PULL = "facereenact checkpoints pull openseeface"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of checkpoints with OpenSeeFace's networks."""
    install_models(tmp_path / "checkpoints", monkeypatch)
    return tmp_path / "checkpoints"


def clip(path: Path, images: Sequence[Picture]) -> Path:
    return write_clip(path, images)


def test_without_openseeface_one_line_says_how_to_get_it(caplog: pytest.LogCaptureFixture) -> None:
    assert guide_tracker("warp") == "mediapipe" and not caplog.text
    assert guide_tracker("diffusion") == "mediapipe"
    (record,) = caplog.records
    assert PULL in record.getMessage()


def test_with_it_the_warp_renderer_keeps_the_mesh(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(trackers, "is_installed", lambda name: name == "openseeface")
    assert (guide_tracker("warp"), guide_tracker("diffusion")) == ("mediapipe", "hybrid")
    assert not caplog.text


def test_mediapipe_is_as_it_was() -> None:
    face = hopper()
    found = landmarks_of_still(face.image, face.mesh, "mediapipe")
    assert np.array_equal(found.points, face.landmarks.points) and found.tracker == TRACKER_NAME
    with open_guide_tracker("mediapipe") as tracker:
        assert isinstance(tracker, MediaPipeTracker)


@pytest.mark.parametrize("face", [hopper, astronaut])
def test_a_still_picture_is_seen_as_a_frame_of_a_video(models: Path, face: type[hopper]) -> None:
    """Else the first frame of a driver that shows the source would not leave it as it is."""
    picture = face()
    with open_guide_tracker("hybrid") as tracker:
        video = track([(picture.image, k / 25) for k in range(6)], tracker)
    still = landmarks_of_still(picture.image, picture.mesh, "hybrid")
    assert still.tracker == video.tracker and "openseeface" in still.tracker
    eyes_px = np.linalg.norm(still.points[0, 36] - still.points[0, 45])
    apart_px = np.linalg.norm(still.points[0] - video.points[-1], axis=1)
    assert apart_px.max() < 0.02 * eyes_px
    assert np.linalg.norm(still.points[0] - picture.landmarks.points[0], axis=1).max() > 0.04 * eyes_px


def test_of_several_faces_the_chosen_is_seen(models: Path) -> None:
    face = hopper()
    still = landmarks_of_still(couple(), type(face.mesh)(face.mesh.vertices + np.float32([512, 0, 0])), "hybrid")
    alone = landmarks_of_still(face.image, face.mesh, "hybrid")
    np.testing.assert_allclose(still.points[0] - np.float32([512, 0]), alone.points[0], atol=3)


def test_where_openseeface_sees_nothing_the_mesh_counts_half(models: Path) -> None:
    found = landmarks_of_still(BLANK, hopper().mesh, "hybrid")
    assert np.array_equal(found.points[0], hopper().mesh.points) and found.scores.max() <= 0.5


def test_the_faces_to_choose_from_are_counted(models: Path) -> None:
    with open_guide_tracker("hybrid") as tracker:
        assert isinstance(tracker, CountingTracker)
        assert tracker(BLANK) is None and tracker.faces_seen == 0
        assert tracker(couple()) is not None and tracker.faces_seen == 2
        tracker.reset()
        assert tracker.faces_seen == 0


def test_a_face_that_is_not_there_is_told_with_its_option(models: Path, tmp_path: Path) -> None:
    video = clip(tmp_path / "couple.mp4", [couple()] * 2)
    driver = VideoDriver(video, DriveSettings(source=video, driver=video, driver_face=5), "hybrid")
    with pytest.raises(InputError, match=r"couple.mp4: there is no face 5: 2 found.*\(--driver-face\)"):
        driver.track(lambda *_: None)


@pytest.mark.parametrize("moves_body", [False, True])
def test_a_rendering_uses_it(models: Path, tmp_path: Path, moves_body: bool) -> None:
    from tests.facereenact import people

    made = tmp_path / "tiny"
    make_tiny(made)
    for folder in made.iterdir():
        folder.rename(models / folder.name)
    assert locate("moore-face")
    video = clip(tmp_path / "hopper.mp4", [hopper().image] * 2)
    settings = DriveSettings(
        people.person() if moves_body else video.with_name("hopper.png"),
        video,
        output=tmp_path / "out.mp4",
        renderer="diffusion",
        diffusion=DiffusionSettings(steps=1, guidance=1, device="cpu", body_side=128 if moves_body else None),
        body=BodySettings(body_driver=people.saved("still", people.posed(np.zeros((2, 2)))) if moves_body else None),
    )
    if not moves_body:
        from facereenact.images import write_image

        write_image(settings.source, hopper().image)
    drive(settings)
    assert '"hybrid(openseeface' in sidecar_path(tmp_path / "out.mp4").read_text("utf-8").split('"tracker": ')[-1]
