"""The tracker that needs no download: MediaPipe's 478-point face mesh, mapped to the 68 points of OpenSeeFace."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from checkpoints.errors import FaceNotFoundError, InputError
from landmarks.face_mesh import FaceMesh
from landmarks.head_pose import face_model, rotation_matrices, solve_head_pose
from landmarks.types import LEFT_EYE, POINT_COUNT, RIGHT_EYE, LandmarkSequence

os.environ.setdefault("GLOG_minloglevel", "3")  # MediaPipe's C++ notices are not for users

TRACKER_NAME = "mediapipe-0.10.21/face-mesh"
MAX_FACES = 5

FaceChoice = int | tuple[float, float] | str
"""Which face: an index from left to right, the pixel (x, y) nearest to it, or "largest"."""


def _mesh_solution(*, faces: int, static: bool, confidence: float = 0.5) -> Any:
    from mediapipe.python.solutions.face_mesh import FaceMesh as Solution

    return Solution(
        static_image_mode=static,
        max_num_faces=faces,
        refine_landmarks=True,
        min_detection_confidence=confidence,
        min_tracking_confidence=0.5,
    )


def _meshes(solution: Any, image: NDArray[np.uint8]) -> list[FaceMesh]:
    found = solution.process(np.ascontiguousarray(image)).multi_face_landmarks or []
    height, width = image.shape[:2]
    scale = np.array([width, height, width], np.float32)
    return [FaceMesh(np.array([(p.x, p.y, p.z) for p in face.landmark], np.float32) * scale) for face in found]


def find_faces(image: NDArray[np.uint8]) -> list[FaceMesh]:
    """Every face of a still picture, from left to right.

    Small faces are found by looking again at enlarged parts, faint ones (paintings, drawings) at a lower threshold.
    """
    height, width = image.shape[:2]
    whole = (0, 0, width, height)
    with closing(_mesh_solution(faces=MAX_FACES, static=True)) as solution:
        faces = _refined(solution, image, _look(solution, image, whole))
        if not faces:
            faces = _refined(
                solution, image, [f for region in _regions(width, height) for f in _look(solution, image, region)]
            )
    for confidence in (0.3, 0.15):
        if not faces:
            with closing(_mesh_solution(faces=MAX_FACES, static=True, confidence=confidence)) as solution:
                regions = [whole, *_regions(width, height)]
                faces = _refined(solution, image, [f for region in regions for f in _look(solution, image, region)])
    return sorted(faces, key=lambda face: float(face.centre[0]))


def _regions(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    """Overlapping squares of two sizes, xyxy: a face is found when it fills a fair part of what is looked at."""
    for share in (0.6, 0.35):
        side = max(int(share * min(width, height)), 32)
        xs = np.linspace(0, width - side, int(np.ceil(2 * (width - side) / side)) + 1).astype(int)
        ys = np.linspace(0, height - side, int(np.ceil(2 * (height - side) / side)) + 1).astype(int)
        yield from ((x, y, x + side, y + side) for y in ys for x in xs)


def _look(solution: Any, image: NDArray[np.uint8], region: tuple[int, int, int, int]) -> list[FaceMesh]:
    left, top, right, bottom = region
    part = image[top:bottom, left:right]
    zoom = max(1.0, 256 / min(part.shape[:2]))
    if zoom > 1:
        part = np.asarray(cv2.resize(part, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC), np.uint8)
    offset = np.array([left, top, 0], np.float32)
    return [FaceMesh(face.vertices / zoom + offset) for face in _meshes(solution, part)]


def _refined(solution: Any, image: NDArray[np.uint8], faces: list[FaceMesh]) -> list[FaceMesh]:
    """Small faces again, from a close look; without duplicates."""
    kept: list[FaceMesh] = []
    height, width = image.shape[:2]
    for face in sorted(faces, key=lambda f: -f.width_px):
        if face.width_px < 0.25 * max(width, height):
            close = _look(solution, image, _around(face, width, height))
            face = min(close, key=lambda f: float(np.linalg.norm(f.centre - face.centre)), default=face)
        if all(np.linalg.norm(face.centre - other.centre) > 0.5 * other.width_px for other in kept):
            kept.append(face)
    return kept


def choose_face(faces: list[FaceMesh], choice: FaceChoice = "largest") -> FaceMesh:
    """One face of several.

    Raises:
        FaceNotFoundError: there is none.
        InputError: the index is out of range, or the choice is of no known form.
    """
    if not faces:
        raise FaceNotFoundError("no face found")
    if choice == "largest":
        return max(faces, key=lambda face: face.width_px)
    if isinstance(choice, tuple):
        return min(faces, key=lambda face: float(np.linalg.norm(face.centre - np.array(choice))))
    if isinstance(choice, int):
        if not 0 <= choice < len(faces):
            raise InputError(f"there is no face {choice}: {len(faces)} found, counted from 0 at the left")
        return faces[choice]
    raise InputError(f"cannot choose a face by {choice!r}: give an index, 'largest', or x,y in pixels")


def settle(image: NDArray[np.uint8], face: FaceMesh) -> FaceMesh:
    """The same face seen as the tracker sees it in a video, where each frame's crop follows from the frame before.

    A still picture's crop comes from the detector and shifts the points by about one percent of the eye distance; the
    source and the driver must be measured alike.
    """
    height, width = image.shape[:2]
    region = (0, 0, width, height)
    if face.width_px < 0.25 * max(width, height):
        region = _around(face, width, height)
    with closing(_mesh_solution(faces=1, static=False, confidence=0.15)) as solution:
        for _ in range(3):
            found = _look(solution, image, region)
    if not found or np.linalg.norm(found[0].centre - face.centre) > 0.2 * face.width_px:
        return face
    return found[0]


def _around(face: FaceMesh, width: int, height: int) -> tuple[int, int, int, int]:
    """A square about a face, 2.6 times as wide, clipped to the picture, xyxy."""
    x, y, reach = *face.centre, max(1.3 * face.width_px, 8)
    return int(max(x - reach, 0)), int(max(y - reach, 0)), int(min(x + reach, width)), int(min(y + reach, height))


class MediaPipeTracker:
    """Follows one face through the frames of a video.

    It remembers where the face was (that is what makes it fast); `reset` forgets. Use it as a context manager or
    call `close`. The largest face of the first frame that shows one is followed, or the one that `face` names.
    """

    name = TRACKER_NAME

    def __init__(self, *, face: FaceChoice = "largest") -> None:
        self._choice = face
        self._solution: Any = None
        self.reset()

    def reset(self) -> None:
        """Forget the face and everything seen."""
        self.close()
        self._last: FaceMesh | None = None
        self.faces_seen = 0

    def close(self) -> None:
        if self._solution is not None:
            self._solution.close()
        self._solution = None

    def __enter__(self) -> MediaPipeTracker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, image: NDArray[np.uint8]) -> FaceMesh | None:
        """The face in the next frame, RGB uint8 (height, width, 3), or None where it is not seen."""
        if self._last is None:
            return self._start(image)
        faces = _meshes(self._solution, image)
        near = min(faces, key=self._distance, default=None)
        if near is None or (len(faces) > 1 and self._distance(near) > self._last.width_px):
            return None
        self._last = near
        return near

    def _start(self, image: NDArray[np.uint8]) -> FaceMesh | None:
        if self._solution is None:
            self._solution = _mesh_solution(faces=1, static=False)
        if not _meshes(self._solution, image):
            return None
        with closing(_mesh_solution(faces=MAX_FACES, static=True)) as still:
            faces = sorted(_meshes(still, image), key=lambda face: float(face.centre[0]))
        if not faces:
            return None
        self.faces_seen = len(faces)
        self._last = choose_face(faces, self._choice)
        if len(faces) > 1:
            self._solution.close()
            self._solution = _mesh_solution(faces=MAX_FACES, static=False)
        return min(_meshes(self._solution, image), key=self._distance, default=self._last)

    def _distance(self, face: FaceMesh) -> float:
        assert self._last is not None
        return float(np.linalg.norm(face.centre - self._last.centre))


def landmarks_of_image(face: FaceMesh, size: tuple[int, int]) -> LandmarkSequence:
    """The landmarks of one face in a still picture, as a sequence of one frame."""
    return SequenceBuilder(size, TRACKER_NAME).add(face.points, 0.0).build()


def track(frames: Iterable[tuple[NDArray[np.uint8], float]], tracker: MediaPipeTracker) -> LandmarkSequence:
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
        builder.add(None if face is None else face.points, timestamp_s)
    if builder is None:
        raise InputError("the driver has no frames")
    return builder.build()


class SequenceBuilder:
    """Collects a LandmarkSequence frame by frame; head pose, eye openness and scores follow from the points."""

    def __init__(self, size: tuple[int, int], tracker: str) -> None:
        self._size, self._tracker = size, tracker
        self._points: list[NDArray[np.float32] | None] = []
        self._timestamps_s: list[float] = []
        self._poses: list[NDArray[np.float64]] = []
        self._guess: tuple[Any, Any] | None = None

    def add(self, points: NDArray[np.float32] | None, timestamp_s: float) -> SequenceBuilder:
        """Append a frame: its points (68, 2) in pixels, or None where no face was found."""
        self._points.append(points)
        self._timestamps_s.append(timestamp_s)
        if points is not None:
            self._guess = solve_head_pose(points, self._size, self._guess)
            self._poses.append(np.concatenate(self._guess))
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

    MediaPipe states no confidence of its own points; the face as seen from the middle of the head tells which are hidden.
    """
    outward = face_model() - np.array(
        [0.0, 0.0, 0.9]
    )  # the middle of the head lies 0.9 eye distances behind the nose tip
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    facing = -np.einsum("fj,pj->fp", rotation_matrices(rotation)[:, 2], outward)
    inside = ((points >= 0) & (points < np.array(size))).all(axis=2)
    return inside * np.clip(0.75 + 0.75 * facing, 0, 1)
