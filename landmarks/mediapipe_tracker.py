"""The tracker that needs no download: MediaPipe's 478-point face mesh, mapped to the 68 points of OpenSeeFace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from checkpoints.errors import FaceNotFoundError, InputError
from landmarks.face_mesh import FaceMesh
from landmarks.tracking import SequenceBuilder
from landmarks.types import LandmarkSequence

TRACKER_NAME = "mediapipe-0.10.21/face-mesh"
MAX_FACES = 5
SMALL = 0.25  # of the picture's longer side: a face below it is looked at again from close by
BEYOND_DOUBT = 0.8  # confidence asked of a further face that only an enlarged part of the picture shows
SMALLEST_PX = 24  # a second face narrower than this is not worth the mistakes

FaceChoice = int | tuple[float, float] | str
"""Which face: an index from left to right, the pixel (x, y) nearest to it, or "largest"."""


def mesh_solution(*, faces: int, static: bool, confidence: float = 0.5) -> Any:
    from mediapipe.python.solutions.face_mesh import FaceMesh as Solution

    return Solution(
        static_image_mode=static,
        max_num_faces=faces,
        refine_landmarks=True,
        min_detection_confidence=confidence,
        min_tracking_confidence=0.5,
    )


def meshes(solution: Any, image: NDArray[np.uint8]) -> list[FaceMesh]:
    found = solution.process(np.ascontiguousarray(image)).multi_face_landmarks or []
    height, width = image.shape[:2]
    scale = np.array([width, height, width], np.float32)
    return [FaceMesh(np.array([(p.x, p.y, p.z) for p in face.landmark], np.float32) * scale) for face in found]


def faces_in_frame(image: NDArray[np.uint8]) -> list[FaceMesh]:
    """The faces of one frame of a video that show at first sight, from left to right."""
    with closing(mesh_solution(faces=MAX_FACES, static=True)) as solution:
        return sorted(meshes(solution, image), key=lambda face: float(face.centre[0]))


def find_faces(image: NDArray[np.uint8]) -> list[FaceMesh]:
    """Every face of a still picture, from left to right.

    Small faces are found by looking again at enlarged parts, faint ones (paintings, drawings) at a lower threshold.
    """
    height, width = image.shape[:2]
    for confidence in (0.5, 0.3, 0.15):
        with closing(mesh_solution(faces=MAX_FACES, static=True, confidence=confidence)) as solution:
            found = _refined(solution, image, _look(solution, image, (0, 0, width, height)))
            parts = [face for region in _regions(width, height) for face in _look(solution, image, region)]
            if not found:
                found = _refined(solution, image, parts)
                parts = []
        if found:
            small = [face for face in parts if SMALLEST_PX < face.width_px < SMALL * max(width, height)]
            with closing(mesh_solution(faces=MAX_FACES, static=True, confidence=BEYOND_DOUBT)) as solution:
                found = _refined(solution, image, small, known=found)
            return sorted(found, key=lambda face: float(face.centre[0]))
    return []


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
    return [FaceMesh(face.vertices / zoom + offset) for face in meshes(solution, part)]


def _refined(
    solution: Any, image: NDArray[np.uint8], faces: list[FaceMesh], known: Sequence[FaceMesh] = ()
) -> list[FaceMesh]:
    """Known faces and new ones; small ones only where a close look confirms them, and as that look shows them."""
    kept = list(known)
    height, width = image.shape[:2]
    for face in sorted(faces, key=lambda f: -f.width_px):
        if face.width_px < SMALL * max(width, height):
            close = _look(solution, image, _around(face, width, height))
            same = [f for f in close if np.linalg.norm(f.centre - face.centre) < 0.3 * face.width_px]
            if not same:
                continue
            face = min(same, key=lambda f: float(np.linalg.norm(f.centre - face.centre)))
        if _is_plausible(face, width, height) and not any(_holds(other.box_xyxy, face.centre) for other in kept):
            kept.append(face)
    return kept


def _is_plausible(face: FaceMesh, width: int, height: int) -> bool:
    """Whether a find has the size and shape of a face, and most of it lies in the picture."""
    left, top, right, bottom = face.box_xyxy
    inside = (face.vertices[:, :2] >= 0).all(axis=1) & (face.vertices[:, :2] < (width, height)).all(axis=1)
    return bool(right - left > 12 and 0.5 < (bottom - top) / (right - left) < 3 and inside.mean() > 0.6)


def _holds(box_xyxy: NDArray[np.float32], point: NDArray[np.float32]) -> bool:
    return bool((box_xyxy[:2] < point).all() and (point < box_xyxy[2:]).all())


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
    if face.width_px < SMALL * max(width, height):
        region = _around(face, width, height)
    with closing(mesh_solution(faces=1, static=False, confidence=0.15)) as solution:
        for _ in range(3):
            found = _look(solution, image, region)
    far = not found or np.linalg.norm(found[0].centre - face.centre) > 0.2 * face.width_px
    if far or not _is_plausible(found[0], width, height):
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
        faces = meshes(self._solution, image)
        near = min(faces, key=self._distance, default=None)
        if near is None or (len(faces) > 1 and self._distance(near) > self._last.width_px):
            return None
        self._last = near
        return near

    def _start(self, image: NDArray[np.uint8]) -> FaceMesh | None:
        if self._solution is None:
            self._solution = mesh_solution(faces=1, static=False)
        if not meshes(self._solution, image):
            return None
        faces = faces_in_frame(image)
        if not faces:
            return None
        self.faces_seen = len(faces)
        self._last = choose_face(faces, self._choice)
        if len(faces) > 1:
            self._solution.close()
            self._solution = mesh_solution(faces=MAX_FACES, static=False)
        return min(meshes(self._solution, image), key=self._distance, default=self._last)

    def _distance(self, face: FaceMesh) -> float:
        assert self._last is not None
        return float(np.linalg.norm(face.centre - self._last.centre))


def landmarks_of_image(face: FaceMesh, size: tuple[int, int]) -> LandmarkSequence:
    """The landmarks of one face in a still picture, as a sequence of one frame."""
    return SequenceBuilder(size, TRACKER_NAME).add(face.points, 0.0).build()
