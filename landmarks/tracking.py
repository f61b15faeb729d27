"""From faces frame by frame to a LandmarkSequence: what every tracker shares."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from checkpoints.errors import FaceNotFoundError, InputError
from landmarks.head_pose import face_model, rotation_matrices, solve_head_pose
from landmarks.types import LEFT_EYE, POINT_COUNT, RIGHT_EYE, LandmarkSequence


class TrackedFace(Protocol):
    """A face in one picture."""

    @property
    def points(self) -> NDArray[np.float32]:
        """(68, 2) pixels."""
        ...


@dataclass(frozen=True, eq=False)
class SeenFace:
    """A face in one picture, with scores where its tracker states any."""

    points: NDArray[np.float32]  # (68, 2), pixels
    scores: NDArray[np.float32] | None = None  # (68,), 0 to 1

    @property
    def centre(self) -> NDArray[np.float32]:
        """(2,) pixels."""
        return np.asarray(self.points.mean(axis=0))

    @property
    def width_px(self) -> float:
        return float(np.ptp(self.points[:, 0]))


class Tracker(Protocol):
    """Follows one face through the frames of a video; the only thing that remembers frames."""

    name: str

    def reset(self) -> None:
        """Forget everything seen."""
        ...

    def __call__(self, image: NDArray[np.uint8]) -> TrackedFace | None:
        """The face in the next frame, RGB uint8 (height, width, 3), or None where it is not seen."""
        ...


def track(frames: Iterable[tuple[NDArray[np.uint8], float]], tracker: Tracker) -> LandmarkSequence:
    """Landmarks of every frame of a video.

    Args:
        frames: RGB uint8 (height, width, 3) and its time in seconds, one pair a frame.
        tracker: what finds the face; it is reset first.

    Raises:
        FaceNotFoundError: no frame shows a face.
        InputError: there is no frame.
    """
    tracker.reset()
    builder: SequenceBuilder | None = None
    for image, timestamp_s in frames:
        builder = builder or SequenceBuilder((image.shape[1], image.shape[0]), tracker.name)
        face = tracker(image)
        builder.add_face(face, timestamp_s)
    if builder is None:
        raise InputError("the driver has no frames")
    return builder.build()


class SequenceBuilder:
    """Collects a LandmarkSequence frame by frame; what a tracker does not state follows from the points."""

    def __init__(self, size: tuple[int, int], tracker: str) -> None:
        self._size, self._tracker = size, tracker
        self._faces: list[SeenFace | None] = []
        self._timestamps_s: list[float] = []

    def add(self, points: NDArray[np.float32] | None, timestamp_s: float) -> SequenceBuilder:
        """Append a frame: its points (68, 2) in pixels, or None where no face was found."""
        return self.add_face(None if points is None else SeenFace(points), timestamp_s)

    def add_face(self, face: TrackedFace | None, timestamp_s: float) -> SequenceBuilder:
        """Append a frame: its face, or None where none was found. A `SeenFace` may bring scores."""
        self._timestamps_s.append(timestamp_s)
        self._faces.append(face if face is None or isinstance(face, SeenFace) else SeenFace(face.points))
        return self

    def build(self) -> LandmarkSequence:
        """The sequence; frames without a face are zero, to be filled by `landmarks.smoothing.fill_gaps`."""
        seen = [face for face in self._faces if face is not None]
        if not seen:
            raise FaceNotFoundError("no frame of the driver shows a face that the tracker can find")
        detected = np.array([face is not None for face in self._faces])
        frames = len(detected)
        points = np.zeros((frames, POINT_COUNT, 2), np.float32)
        rotation, translation = np.zeros((frames, 3)), np.zeros((frames, 3))
        points[detected] = [face.points for face in seen]
        rotation[detected], translation[detected] = solve_head_pose(points[detected], self._size)
        scores = np.where(detected[:, None], visibility(points, rotation, self._size), 0)
        for frame, face in zip(np.flatnonzero(detected), seen, strict=True):
            if face.scores is not None:
                scores[frame] = face.scores
        return LandmarkSequence(
            points=points,
            scores=scores.astype(np.float32),
            detected=detected,
            rotation=rotation.astype(np.float32),
            translation=translation.astype(np.float32),
            eye_openness=np.where(detected[:, None], eye_openness(points), 0).astype(np.float32),
            timestamps_s=np.array(self._timestamps_s, np.float64),
            size=self._size,
            tracker=self._tracker,
        )


def eye_openness(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """(frames, 2) lid gap over eye width of the right and the left eye: the eye aspect ratio (Soukupova, Cech 2016)."""
    ratios = []
    for eye in (points[:, RIGHT_EYE], points[:, LEFT_EYE]):
        gap = np.linalg.norm(eye[:, 1] - eye[:, 5], axis=1) + np.linalg.norm(eye[:, 2] - eye[:, 4], axis=1)
        ratios.append(gap / np.maximum(2 * np.linalg.norm(eye[:, 0] - eye[:, 3], axis=1), 1e-6))
    return np.stack(ratios, axis=1).astype(np.float32)


def visibility(points: NDArray[np.float32], rotation: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float64]:
    """(frames, 68) scores 0 to 1: how far the skin at each point faces the camera, 0 outside the frame.

    For trackers without scores: MediaPipe states none of its own points; the shape of the head tells which are hidden.
    """
    outward = face_model() - np.array(
        [0.0, 0.0, 0.9]
    )  # the middle of the head lies 0.9 eye distances behind the nose tip
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    facing = -np.einsum("fj,pj->fp", rotation_matrices(rotation)[:, 2], outward)
    inside = ((points >= 0) & (points < np.array(size))).all(axis=2)
    return inside * np.clip(0.75 + 0.75 * facing, 0, 1)
