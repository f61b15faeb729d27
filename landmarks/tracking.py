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
    """A face in one picture with what its tracker states beyond the points; None where they must tell it."""

    points: NDArray[np.float32]  # (68, 2), pixels
    scores: NDArray[np.float32] | None = None  # (68,), 0 to 1
    pose: NDArray[np.float64] | None = None  # (6,), Rodrigues vector and translation, as in LandmarkSequence

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
        self._points: list[NDArray[np.float32] | None] = []
        self._timestamps_s: list[float] = []
        self._poses: list[NDArray[np.float64]] = []
        self._scores: list[NDArray[np.float32] | None] = []
        self._guess: tuple[Any, Any] | None = None

    def add(self, points: NDArray[np.float32] | None, timestamp_s: float) -> SequenceBuilder:
        """Append a frame: its points (68, 2) in pixels, or None where no face was found."""
        return self.add_face(None if points is None else SeenFace(points), timestamp_s)

    def add_face(self, face: TrackedFace | None, timestamp_s: float) -> SequenceBuilder:
        """Append a frame: its face, or None where none was found. A `SeenFace` may bring scores and a pose."""
        self._timestamps_s.append(timestamp_s)
        self._points.append(None if face is None else face.points)
        if face is None:
            return self
        stated = face if isinstance(face, SeenFace) else SeenFace(face.points)
        if stated.pose is None:
            self._guess = solve_head_pose(stated.points, self._size, self._guess)
            self._poses.append(np.concatenate(self._guess))
        else:
            self._guess = stated.pose[:3], stated.pose[3:]
            self._poses.append(stated.pose)
        self._scores.append(stated.scores)
        return self

    def build(self) -> LandmarkSequence:
        """The sequence; frames without a face are zero, to be filled by `landmarks.smoothing.fill_gaps`."""
        detected = np.array([points is not None for points in self._points])
        if not detected.any():
            raise FaceNotFoundError("no frame of the driver shows a face that the tracker can find")
        frames = len(detected)
        points, poses = np.zeros((frames, POINT_COUNT, 2), np.float32), np.zeros((frames, 6))
        points[detected] = [p for p in self._points if p is not None]
        poses[detected] = self._poses
        scores = np.where(detected[:, None], visibility(points, poses[:, :3], self._size), 0)
        for frame, stated in zip(np.flatnonzero(detected), self._scores, strict=True):
            if stated is not None:
                scores[frame] = stated
        return LandmarkSequence(
            points=points,
            scores=scores.astype(np.float32),
            detected=detected,
            rotation=poses[:, :3].astype(np.float32),
            translation=poses[:, 3:].astype(np.float32),
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
