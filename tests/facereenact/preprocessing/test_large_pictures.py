"""Pictures larger than the networks need are tracked reduced; what comes of them is in the video's own pixels."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from body.estimators import open_estimator
from body.types import NOSE
from facereenact.preprocessing import shot_tracking
from facereenact.preprocessing.shot_tracking import Sequence, Trackers, track_clip
from landmarks.trackers import Following, open_tracker
from tests.facereenact.media import write_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A person, 1024x768."""
    image = np.asarray(Image.fromarray(data.astronaut()[:384]).resize((1024, 768), Image.Resampling.BICUBIC))
    return write_clip(tmp_path_factory.mktemp("large") / "person.mp4", [image] * 3)


def tracked(clip: Path, monkeypatch: pytest.MonkeyPatch, longest_px: int) -> Sequence:
    monkeypatch.setattr(shot_tracking, "LONGEST_PX", longest_px)
    tracker, estimator = open_tracker("mediapipe", Following(1)), open_estimator("mediapipe")
    with closing(tracker), closing(estimator):
        tracking = track_clip(clip, Trackers(tracker, 1, estimator), cuts=True, feed=lambda: None)
    assert tracking.size == (1024, 768)
    (sequence,) = tracking.sequences
    return sequence


def test_reduced_pictures_give_the_landmarks_and_the_pose_of_the_whole(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, reduced = (tracked(clip, monkeypatch, longest_px) for longest_px in (1024, 600))
    assert reduced.landmarks.size == whole.landmarks.size == (1024, 768)
    away_px = np.linalg.norm(reduced.landmarks.points - whole.landmarks.points, axis=-1)
    assert away_px.mean() < 0.02 * whole.landmarks.eye_distance_px.mean()
    assert not np.array_equal(reduced.landmarks.points, whole.landmarks.points)
    assert reduced.figures.face_px == pytest.approx(whole.figures.face_px, rel=0.02)
    assert whole.pose is not None and reduced.pose is not None
    assert reduced.pose.size == (1024, 768)
    assert np.linalg.norm(reduced.pose.points[:, NOSE] - whole.pose.points[:, NOSE], axis=-1).max() < 6
