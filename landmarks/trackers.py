"""The trackers by name, for one face or several: hybrid, OpenSeeFace, MediaPipe; and who is who from frame to frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from checkpoints import is_installed, locate
from checkpoints.errors import InputError
from landmarks.face_mesh import FaceMesh
from landmarks.hybrid import EYES, combined, paired, without_geometry, without_mesh
from landmarks.mediapipe_tracker import TRACKER_NAME, MediaPipeTracker, mesh_solution, meshes
from landmarks.openseeface import PRESETS, Face, OpenSeeFaceTracker
from landmarks.tracking import SeenFace

Image = NDArray[np.uint8]
TrackerName = Literal["hybrid", "openseeface", "mediapipe"]

OPENSEEFACE = "openseeface"  # the checkpoint
NEW_FACE = 1.5  # widths of a face: farther from where a lost one was appears somebody new, while places are free
RETRY_EVERY = 15  # frames, while MediaPipe looks at somebody else than OpenSeeFace


class FacesTracker(Protocol):
    """Follows faces through the frames of a video; the only thing that remembers frames."""

    name: str

    def reset(self) -> None:
        """Forget everything seen."""

    def close(self) -> None:
        """Give back what it holds; `reset` makes it usable again."""

    def __call__(self, image: Image) -> list[SeenFace | None]:
        """The faces in the next frame, RGB uint8 (height, width, 3): the same person always at the same index."""
        ...


def choose_tracker(wanted: str = "auto") -> tuple[TrackerName, str]:
    """The tracker to use and why.

    Raises:
        InputError: there is no such tracker.
    """
    if wanted == "auto":
        if is_installed(OPENSEEFACE):
            return "hybrid", "auto: the networks of OpenSeeFace are installed"
        return (
            "mediapipe",
            f"auto: the networks of OpenSeeFace are not installed (facereenact checkpoints pull {OPENSEEFACE})",
        )
    for name in TRACKERS:
        if wanted == name:
            return name, "asked for"
    raise InputError(f"there is no tracker {wanted!r}: choose auto, {', '.join(TRACKERS)}")


def open_tracker(name: TrackerName, *, faces: int = 1, preset: str = "corrected") -> FacesTracker:
    """A tracker of at most so many faces; `preset` is OpenSeeFace's.

    Raises:
        NotInstalledError: the networks of OpenSeeFace are missing; the message names the command that brings them.
        InputError: they are damaged, or the preset is unknown.
    """
    return TRACKERS[name](faces, preset)


class OneFace:
    """A tracker of faces as a `landmarks.tracking.Tracker` of the first of them."""

    def __init__(self, tracker: FacesTracker) -> None:
        self._tracker = tracker
        self.name = tracker.name

    def reset(self) -> None:
        self._tracker.reset()

    def close(self) -> None:
        self._tracker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, image: Image) -> SeenFace | None:
        return self._tracker(image)[0]


class OpenSeeFaceFaces:
    """OpenSeeFace; `states` keeps what it said about the last frame, for packets and logs."""

    def __init__(self, faces: int, preset: str) -> None:
        chosen = PRESETS.get(preset)
        if chosen is None:
            raise InputError(f"there is no preset {preset!r} of the OpenSeeFace tracker: choose {' or '.join(PRESETS)}")
        self._tracker = OpenSeeFaceTracker(models_folder(), preset=replace(chosen, max_faces=faces))
        self._is_compatible = preset == "compat"
        self.name = self._tracker.name + ("-compat" if self._is_compatible else "")
        self._count = faces
        self.reset()

    def reset(self) -> None:
        self._tracker.reset()
        self._identities = Identities(self._count)
        self.states: list[Face] = []

    def close(self) -> None:
        self._tracker.close()

    def __call__(self, image: Image) -> list[SeenFace | None]:
        states = self._tracker(image)
        seen = [seen_face(face, with_pose=not self._is_compatible) for face in states]
        placed = self._identities.placed(seen)
        numbers = {id(face): number for number, face in enumerate(placed) if face is not None}
        named = [replace(state, number=numbers[id(face)]) for state, face in zip(states, seen, strict=True)]
        self.states = states if self._is_compatible else sorted(named, key=lambda face: face.number)
        return placed


class MediaPipeFaces:
    """MediaPipe's mesh; `preset` means nothing to it."""

    name = TRACKER_NAME

    def __init__(self, faces: int, preset: str) -> None:
        self.meshes = Meshes(faces)
        self._count = faces
        self.reset()

    def reset(self) -> None:
        self.meshes.reset()
        self._identities = Identities(self._count)

    def close(self) -> None:
        self.meshes.close()

    def __call__(self, image: Image) -> list[SeenFace | None]:
        return self._identities.placed([SeenFace(mesh.points) for mesh in self.meshes(image)])


class HybridFaces:
    """OpenSeeFace's geometry with the eyes of MediaPipe's mesh (see `landmarks.hybrid`)."""

    def __init__(self, faces: int, preset: str) -> None:
        self.geometry = OpenSeeFaceFaces(faces, preset)
        self.meshes = Meshes(faces)
        self._count = faces
        self.name = f"hybrid({self.geometry.name}, {TRACKER_NAME})"
        self.reset()

    def reset(self) -> None:
        self.geometry.reset()
        self.meshes.reset()
        self._identities = Identities(self._count)
        self._patience = 0

    def close(self) -> None:
        self.geometry.close()
        self.meshes.close()

    def __call__(self, image: Image) -> list[SeenFace | None]:
        size = (image.shape[1], image.shape[0])
        faces = [face for face in self.geometry(image) if face is not None]
        pairs = paired(faces, self.meshes(image))
        if self._looks_elsewhere(pairs):
            x, y = faces[0].centre.tolist()
            self.meshes.start_at((x, y))
            pairs = paired(faces, self.meshes(image))
        seen = []
        for face, mesh in pairs:
            if face is not None:
                seen.append(without_mesh(face) if mesh is None else combined(face, mesh))
            elif mesh is not None:
                seen.append(without_geometry(mesh, size))
        return self._identities.placed(seen)

    def _looks_elsewhere(self, pairs: list[tuple[SeenFace | None, Any]]) -> bool:
        """Whether the one face of each tracker is another's, and it is time to point MediaPipe at OpenSeeFace's."""
        if self._count > 1 or len(pairs) < 2:
            self._patience = 0
            return False
        self._patience += 1
        return self._patience % RETRY_EVERY == 1


class Meshes:
    """MediaPipe's meshes of at most so many faces, the largest first."""

    def __init__(self, faces: int) -> None:
        self._count = faces
        self.reset()

    def reset(self) -> None:
        self._one = MediaPipeTracker()
        self._several: Any = None

    def close(self) -> None:
        self._one.close()
        if self._several is not None:
            self._several.close()
            self._several = None

    def start_at(self, pixel: tuple[float, float]) -> None:
        """Follow the face nearest to a pixel from now on; for one face."""
        self._one.close()
        self._one = MediaPipeTracker(face=pixel)

    def __call__(self, image: Image) -> list[FaceMesh]:
        """The largest first."""
        if self._count == 1:
            mesh = self._one(image)
            return [] if mesh is None else [mesh]
        if self._several is None:
            self._several = mesh_solution(faces=self._count, static=False)
        return sorted(meshes(self._several, image), key=lambda mesh: -mesh.width_px)


class Identities:
    """Remembers where each face was last, and puts the faces of a frame in the places of the same persons."""

    def __init__(self, count: int) -> None:
        self._last: list[SeenFace | None] = [None] * count

    def placed(self, faces: list[SeenFace]) -> list[SeenFace | None]:
        """The faces by person, None for who is not seen; what finds no place is dropped."""
        of_place: dict[int, SeenFace] = {}
        left = list(range(len(faces)))
        for far, place, index in self._pairs(faces):
            if far <= NEW_FACE and place not in of_place and index in left:
                of_place[place] = faces[index]
                left.remove(index)
        free = [place for place, last in enumerate(self._last) if last is None]
        for index, place in zip(list(left), free, strict=False):
            of_place[place] = faces[index]
            left.remove(index)
        for _, place, index in self._pairs(faces):
            if place not in of_place and index in left:
                of_place[place] = faces[index]
                left.remove(index)
        for place, face in of_place.items():
            self._last[place] = face
        return [of_place.get(place) for place in range(len(self._last))]

    def _pairs(self, faces: list[SeenFace]) -> list[tuple[float, int, int]]:
        """Distance in widths of the face, place and index of the face, the nearest first."""
        return sorted(
            (distance(last, face), place, index)
            for place, last in enumerate(self._last)
            if last is not None
            for index, face in enumerate(faces)
        )


def distance(one: SeenFace, other: SeenFace) -> float:
    """How far two faces lie apart, in widths of the wider one."""
    width_px = max(one.width_px, other.width_px, 1.0)
    return float(np.linalg.norm(one.centre - other.centre)) / width_px


def seen_face(face: Face, *, with_pose: bool = True) -> SeenFace:
    """What OpenSeeFace states; a pupil that it did not see lies in the middle of its eye, with score 0.

    The pose of the "compat" preset is of another camera: it is left to be solved from the points.
    """
    points = face.points.copy()
    for _, _, lids, pupil in EYES:
        if face.scores[pupil] <= 0:
            points[pupil] = points[lids].mean(axis=0)
    pose = np.concatenate([face.rotation, face.translation]) if with_pose else None
    return SeenFace(points, np.clip(face.scores, 0, 1).astype(np.float32), pose)


def models_folder() -> Path:
    """Where the networks of OpenSeeFace are installed.

    Raises:
        NotInstalledError: they are not.
    """
    return locate(OPENSEEFACE)


TRACKERS: dict[TrackerName, Callable[[int, str], FacesTracker]] = {
    "hybrid": HybridFaces,
    "openseeface": OpenSeeFaceFaces,
    "mediapipe": MediaPipeFaces,
}
