"""The estimators by name: MediaPipe, DWPose."""

from __future__ import annotations

from typing import Literal, get_args

from body.tracking import Estimator
from checkpoints import is_installed, locate
from checkpoints.errors import InputError

EstimatorName = Literal["mediapipe", "dwpose"]

DWPOSE = "dwpose"  # the checkpoint


def choose_estimator(wanted: str = "auto") -> tuple[EstimatorName, str]:
    """The estimator to use and why.

    Raises:
        InputError: there is no such estimator.
    """
    if wanted == "auto":
        if is_installed(DWPOSE):
            return "dwpose", "auto: its networks are installed"
        return "mediapipe", f"auto: DWPose is not installed (facereenact checkpoints pull {DWPOSE})"
    for name in get_args(EstimatorName):
        if wanted == name:
            return name, "asked for"
    raise InputError(f"there is no estimator {wanted!r}: choose auto, {', '.join(get_args(EstimatorName))}")


def open_estimator(name: EstimatorName) -> Estimator:
    """An estimator; close it after use.

    Raises:
        NotInstalledError: DWPose's networks are missing; the message names the command that brings them.
        InputError: they are damaged.
    """
    if name == "dwpose":
        folder = locate(DWPOSE)
        from body.dwpose import DWPoseEstimator

        return DWPoseEstimator(folder)
    from body.mediapipe import MediaPipeEstimator

    return MediaPipeEstimator()
