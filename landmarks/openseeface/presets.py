"""How a tracker behaves: as the original's command line, or corrected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from checkpoints.errors import InputError
from landmarks.openseeface.models import LANDMARK_MODELS
from landmarks.openseeface.pose import CompatiblePose, CorrectedPose, PoseSolver
from landmarks.openseeface.recovery import Recovery

Detector = Literal["own", "retinaface"]
OWN: Detector = "own"
RETINAFACE: Detector = "retinaface"


@dataclass(frozen=True)
class Preset:
    """Everything that can be chosen about a tracker; the defaults are the corrected behaviour."""

    max_faces: int = 1
    landmark_model: int = 0  # 0 to 4, of OpenSeeFace's files; what is measured and tested here is 0
    detector: Detector = OWN
    detection_threshold: float = 0.4  # of its own detector; a find counts once its landmarks are confident
    landmark_threshold: float = 0.6  # of the mean peak of the landmarks
    scan_every: int = 3  # frames, while fewer faces than `max_faces` are followed
    discard_after: int = 10  # frames without a face before its place is given up
    pose: PoseSolver = field(default_factory=CorrectedPose)
    recovery: Recovery | None = field(
        default_factory=Recovery
    )  # None: a lost face is looked for once its place is given up
    score_limit: float = 1.0  # the largest score of a point; the peaks go up to about 1.2

    def __post_init__(self) -> None:
        if not 0 <= self.landmark_model < len(LANDMARK_MODELS):
            raise InputError(f"OpenSeeFace has no landmark model {self.landmark_model}: choose 0 to 4")


PRESETS = {
    "corrected": Preset(),
    # The original's command line, with its static face model. Its wall-clock limit on calibration (900 s) is left out.
    "compat": Preset(detection_threshold=0.6, pose=CompatiblePose(), recovery=None, score_limit=float("inf")),
}
