"""Results of drive() and what is seen and heard in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from facereenact.drive import DriveResult, drive
from facereenact.settings import DriveSettings
from facereenact.video import VideoReader
from landmarks import LandmarkSequence
from landmarks.mediapipe_tracker import MediaPipeTracker
from landmarks.smoothing import fill_gaps
from landmarks.tracking import track
from tests.facereenact import clips
from tests.facereenact.clips import Image
from tests.facereenact.media import heard

FIRST_S = 0.16  # enough of the driver where its length does not matter: four frames


def made(folder: Path, name: str = "out.mp4", **settings: Any) -> DriveResult:
    """The result of driving the portrait with the clip, unless told otherwise."""
    settings = {"source": clips.portrait(), "driver": clips.talk(), **settings}
    return drive(DriveSettings(output=folder / name, **settings))


def pictures(path: Path) -> list[Image]:
    return [frame.image for frame in VideoReader(path)]


def times_s(path: Path) -> list[float]:
    return [frame.timestamp_s for frame in VideoReader(path)]


def tracked(path: Path) -> LandmarkSequence:
    with MediaPipeTracker() as tracker:
        return fill_gaps(track(((frame.image, frame.timestamp_s) for frame in VideoReader(path)), tracker))


def roll_deg(sequence: LandmarkSequence) -> np.ndarray:
    """Angle of the line between the outer corners of the eyes."""
    x, y = (sequence.points[:, 45] - sequence.points[:, 36]).T
    return np.degrees(np.arctan2(y, x))


def onset_s(path: Path) -> float:
    """When the tone is first heard."""
    times, sound = heard(path)
    return float(times[np.flatnonzero(np.abs(sound) > 0.2)[0]])
