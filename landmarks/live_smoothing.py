"""Smoothing while the frames come in: the one-euro filter, which uses the past alone and so lags a little.

For files use `landmarks.smoothing.Smoother`: it also sees the frames to come, and does not lag.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landmarks.head_pose import rotation_matrices, rotation_vectors
from landmarks.motion import FaceMotion, HeadMotion, split_motion
from landmarks.openseeface import Face
from landmarks.openseeface.pose import MIRRORED_DEPTH, SWAP, rotation_matrix, rotation_vector
from landmarks.tracking import SequenceBuilder
from landmarks.types import LEFT_EYE, MOUTH, RIGHT_EYE, LandmarkSequence

Array = NDArray[np.floating[Any]]
PUPILS = slice(66, 68)


@dataclass(frozen=True)
class Response:
    """How strongly the one-euro filter smooths: less cutoff, less jitter; less `slope`, more lag in fast motion."""

    cutoff_hz: float  # of what stands still
    slope: float  # Hz that the cutoff rises per unit of speed; the unit is that of the values, a second
    speed_cutoff_hz: float = 1.0  # of the speed itself; the paper's


class OneEuroFilter:
    """A low-pass whose cutoff rises with speed.

    G. Casiez, N. Roussel, D. Vogel: 1 Euro Filter, CHI 2012. The components of the last axis move together: their
    common speed counts. After a pause of more than `longest_gap_s` it starts anew.
    """

    def __init__(self, response: Response, *, longest_gap_s: float = 0.5) -> None:
        self.response = response
        self._longest_gap_s = longest_gap_s
        self.reset()

    def reset(self) -> None:
        """Forget what was filtered."""
        self._time_s = -math.inf
        self._value: NDArray[np.float64] | None = None
        self._speed = np.zeros(())

    def __call__(self, values: Array, time_s: float, *, unit: float = 1.0) -> NDArray[np.float64]:
        """The filtered values of one frame (..., components); times increase. `unit` is what the slope counts as 1."""
        values = np.asarray(values, np.float64)
        step_s = time_s - self._time_s
        if self._value is None or not 0 < step_s <= self._longest_gap_s:
            self._value, self._speed = values, np.zeros_like(values)
        else:
            raw = (values - self._value) / step_s
            self._speed = self._speed + weight(self.response.speed_cutoff_hz, step_s) * (raw - self._speed)
            speed = np.linalg.norm(self._speed, axis=-1, keepdims=True)
            cutoff_hz = self.response.cutoff_hz + self.response.slope * speed / unit
            self._value = self._value + weight(cutoff_hz, step_s) * (values - self._value)
        self._time_s = time_s
        return self._value


def weight(cutoff_hz: Array | float, step_s: float) -> Any:
    """How much of a new value counts after a step in time, for a cutoff frequency."""
    return 1 / (1 + 1 / (2 * math.pi * np.asarray(cutoff_hz) * step_s))


@dataclass(frozen=True)
class LiveResponses:
    """The filters of the parts of a face; lengths in eye distances, turns in radians."""

    head: Response = Response(cutoff_hz=2.0, slope=8.0)
    face: Response = Response(cutoff_hz=1.5, slope=8.0)  # contour, nose and brows
    mouth: Response = Response(cutoff_hz=4.0, slope=20.0)
    eyes: Response = Response(cutoff_hz=6.0, slope=40.0)  # a blink lasts 0.1 to 0.3 s

    def scaled(self, factor: float) -> LiveResponses:
        """The same with all cutoffs and slopes divided: more than 1 smooths more."""
        parts = {
            name: replace(part, cutoff_hz=part.cutoff_hz / factor, slope=part.slope / factor)
            for name, part in vars(self).items()
        }
        return LiveResponses(**parts)


class LiveSmoother:
    """Smooths the frames of one face as they come; it remembers them, `reset` forgets.

    The head and what the face does on it are filtered apart, so that a turn of the head does not drag the lids along.
    """

    def __init__(self, responses: LiveResponses | None = None) -> None:
        self._responses = responses or LiveResponses()
        self.reset()

    def reset(self) -> None:
        """Forget the face."""
        each = self._responses
        self._head = {name: OneEuroFilter(each.head) for name in ("rotation", "scale", "position", "translation")}
        parts = {"face": each.face, "right": each.eyes, "left": each.eyes, "pupils": each.eyes, "mouth": each.mouth}
        self._parts = {name: OneEuroFilter(response) for name, response in parts.items()}
        self._openness = OneEuroFilter(each.eyes)

    def __call__(self, frame: LandmarkSequence) -> LandmarkSequence:
        """One frame of the face, as a sequence of length 1; frames without it are given back as they are."""
        if len(frame) != 1:
            raise ValueError(f"one frame at a time, not {len(frame)}")
        if not frame.detected[0]:
            return frame
        time_s, motion = float(frame.timestamps_s[0]), split_motion(frame)
        head = self._smooth_head(motion.head, time_s)
        offsets = motion.offsets
        smooth = self._parts["face"](offsets, time_s).copy()
        for name, part in (("right", RIGHT_EYE), ("left", LEFT_EYE), ("pupils", PUPILS), ("mouth", MOUTH)):
            smooth[:, part] = self._parts[name](offsets[:, part], time_s)
        points = FaceMotion(head, motion.eyes, motion.mouth).with_offsets(smooth).points
        return replace(
            frame,
            points=points,
            rotation=head.rotation.astype(np.float32),
            translation=self._head["translation"](frame.translation, time_s).astype(np.float32),
            eye_openness=self._openness(frame.eye_openness[..., None], time_s)[..., 0].astype(np.float32),
        )

    def _smooth_head(self, head: HeadMotion, time_s: float) -> HeadMotion:
        """Turns as matrices, which know no jump at half a turn, and sizes as logarithms."""
        turn = self._head["rotation"](rotation_matrices(head.rotation).reshape(1, 9), time_s).reshape(1, 3, 3)
        scale = np.exp(self._head["scale"](np.log(head.scale)[:, None], time_s))[:, 0]
        position = self._head["position"](head.position, time_s, unit=float(scale[0]))
        return HeadMotion(rotation_vectors(turn), scale, position)


class StateSmoother:
    """The same for what OpenSeeFace states about one face; its features, blinks and scores stay as they are."""

    def __init__(self, responses: LiveResponses | None = None) -> None:
        self._points = LiveSmoother(responses)
        each = responses or LiveResponses()
        self._points_3d, self._place = OneEuroFilter(each.mouth), OneEuroFilter(each.head)

    def __call__(self, face: Face, time_s: float, size: tuple[int, int]) -> Face:
        """The face in a frame of (width, height) at a time in seconds."""
        seen = SequenceBuilder(size, "live").add(face.points, time_s).build()
        pose = {name: getattr(face, name)[None].astype(np.float32) for name in ("rotation", "translation")}
        frame = self._points(replace(seen, **pose))
        rotation = frame.rotation[0].astype(np.float64)
        away = float(abs(face.sent.translation[2])) or 1.0
        sent = replace(
            face.sent,
            rotation=rotation_vector(MIRRORED_DEPTH @ SWAP @ rotation_matrix(rotation)),
            translation=self._place(face.sent.translation, time_s, unit=away),
        )
        points = np.where(face.scores[:, None] > 0, frame.points[0], face.points)
        return replace(
            face,
            points=points.astype(np.float32),
            rotation=rotation,
            translation=frame.translation[0].astype(np.float64),
            points_3d=self._points_3d(face.points_3d, time_s),
            sent=sent,
        )


LIVE_RESPONSES = {"light": LiveResponses().scaled(0.5), "normal": LiveResponses(), "strong": LiveResponses().scaled(2)}
"""Responses by the names of `--smooth`."""
