"""OpenSeeFace's CSV log: one row per face and frame."""

from __future__ import annotations

import csv
from typing import TextIO

import numpy as np

from landmarks.openseeface.face import Face
from landmarks.openseeface.features import FEATURE_NAMES
from landmarks.openseeface.packets import SIGNS_3D

POINTS, POINTS_3D = 68, 70
COMPATIBLE_NAMES = (66, 66)
"""How many points and points in space the original's header names; its rows hold more."""

# fmt: off
FIRST_COLUMNS = (
    "Frame", "Time", "Width", "Height", "FPS", "Face", "FaceID", "RightOpen", "LeftOpen", "AverageConfidence",
    "Success3D", "PnPError", "RotationQuat.X", "RotationQuat.Y", "RotationQuat.Z", "RotationQuat.W", "Euler.X",
    "Euler.Y", "Euler.Z", "RVec.X", "RVec.Y", "RVec.Z", "TVec.X", "TVec.Y", "TVec.Z",
)
# fmt: on


class CsvLog:
    """Writes the log to a text file opened with newline=""; `names` can be COMPATIBLE_NAMES."""

    def __init__(self, file: TextIO, *, names: tuple[int, int] = (POINTS, POINTS_3D), fps: float = 0) -> None:
        self._writer = csv.writer(file, lineterminator="\r\n")
        self._fps = fps
        self._writer.writerow(header(names))

    def write(self, faces: list[Face], *, frame: int, time_s: float, size: tuple[int, int]) -> None:
        """The faces of one frame, counted from 1, of (width, height), at a time in seconds since 1970."""
        for index, face in enumerate(faces):
            self._writer.writerow([frame, time_s, *size, self._fps, index, face.number, *values(face)])


def header(names: tuple[int, int] = (POINTS, POINTS_3D)) -> list[str]:
    """Names of the columns, of so many points and points in space."""
    points = [f"Landmark[{index}].{part}" for index in range(names[0]) for part in ("X", "Y", "Confidence")]
    points_3d = [f"Point3D[{index}].{part}" for index in range(names[1]) for part in "XYZ"]
    return [*FIRST_COLUMNS, *points, *points_3d, *FEATURE_NAMES]


def values(face: Face) -> list[float | bool]:
    """The columns from RightOpen on."""
    sent = face.sent
    pose = np.concatenate([sent.quaternion, sent.euler_deg, sent.rotation, sent.translation])
    points = np.concatenate([face.points, face.scores[:, None]], axis=1)
    numbers = np.concatenate([pose, points.ravel(), (face.points_3d * SIGNS_3D).ravel(), face.features])
    blink = face.eye_blink.tolist()
    return [*blink, face.confidence, sent.succeeded, sent.error, *numbers.tolist()]
