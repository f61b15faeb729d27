"""The trackers by name, for one face or several: hybrid, OpenSeeFace, MediaPipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from checkpoints import is_installed, locate
from checkpoints.errors import InputError
from landmarks.hybrid import EYES, SAME_FACE, combined, keeps_pupil, paired, without_geometry, without_mesh
from landmarks.identities import Identities, distance
from landmarks.mediapipe_tracker import TRACKER_NAME, FaceChoice, choose_face, faces_in_frame
from landmarks.meshes import Meshes
from landmarks.openseeface import PRESETS, Face, FacePoints, OpenSeeFaceTracker
from landmarks.openseeface.presets import OWN, Detector
from landmarks.tracking import SeenFace

Image = NDArray[np.uint8]
TrackerName = Literal["hybrid", "openseeface", "mediapipe"]

OPENSEEFACE = "openseeface"  # the checkpoint
RETRY_EVERY = 15  # frames, while MediaPipe looks at somebody else than OpenSeeFace


class FacesTracker(Protocol):
    """Follows faces through the frames of a video; the only thing that remembers frames."""

    name: str

    def reset(self) -> None:
        """Forget everything seen, and give back what was held for it."""

    def close(self) -> None:
        """Give back what it holds; `reset` makes it usable again."""

    def __call__(self, image: Image) -> list[SeenFace | None]:
        """The faces in the next frame, RGB uint8 (height, width, 3): the same person always at the same index."""
        ...

    def follow(self, images: Iterable[Image]) -> Iterator[list[SeenFace | None]]:
        """The faces in each of the next frames, which may take some of them ahead: for a video, and sooner there.

        It is not called or reset in between; who stops early resets it.
        """
        return map(self, images)


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
            "auto: the networks of OpenSeeFace are not installed, or damaged "
            f"(facereenact checkpoints pull {OPENSEEFACE})",
        )
    for name in TRACKERS:
        if wanted == name:
            return name, "asked for"
    raise InputError(f"there is no tracker {wanted!r}: choose auto, {', '.join(TRACKERS)}")


@dataclass(frozen=True)
class Following:
    """What a tracker is to follow, and how OpenSeeFace's part is to work."""

    faces: int = 1  # at most
    face: FaceChoice = "largest"  # where one is followed, which of the first frame that shows any
    preset: str = "corrected"  # "compat" takes the face of which it is surest, unless another than the largest is named
    detector: Detector = OWN
    landmark_model: int = 0


def open_tracker(name: TrackerName, following: Following = Following()) -> FacesTracker:
    """A tracker.

    Raises:
        NotInstalledError: the networks of OpenSeeFace are missing; the message names the command that brings them.
        InputError: they are damaged, or the preset or the landmark model is unknown.
    """
    return TRACKERS[name](following)


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


class OpenSeeFaceFaces(FacesTracker):
    """OpenSeeFace; `states` is what it says about the last frame, for packets and logs."""

    def __init__(self, following: Following) -> None:
        chosen = PRESETS.get(following.preset)
        if chosen is None:
            raise InputError(
                f"there is no preset {following.preset!r} of the OpenSeeFace tracker: choose {' or '.join(PRESETS)}"
            )
        preset = replace(
            chosen,
            max_faces=following.faces,
            detector=following.detector,
            landmark_model=following.landmark_model,
        )
        self._tracker = OpenSeeFaceTracker(models_folder(), preset=preset)
        self._is_compatible = following.preset == "compat"
        self.name = self._tracker.name + ("-compat" if self._is_compatible else "")
        self._count, self._choice = following.faces, following.face
        self.reset()

    def reset(self) -> None:
        self._tracker.reset()
        self._identities = Identities(self._count)
        self._is_settled = self._count > 1 or (self._is_compatible and self._choice == "largest")
        self._numbers: list[int] = []

    def close(self) -> None:
        self._tracker.close()

    def __call__(self, image: Image) -> list[SeenFace | None]:
        self._sighted(image)
        seen = self.with_pupils(image)
        placed = self._identities.placed(seen)
        numbers = {id(face): number for number, face in enumerate(placed) if face is not None}
        self._numbers = [numbers[id(face)] for face in seen]
        return placed

    def follow(self, images: Iterable[Image]) -> Iterator[list[SeenFace | None]]:
        coming = iter(images)
        for image in coming:  # one by one until it is settled whom to follow
            yield self(image)
            if self._is_settled:
                break
        self._numbers = []
        for faces in self._tracker.follow(coming):
            yield self._identities.placed([seen_face(face) for face in faces])

    def sighted(self, image: Image) -> list[SeenFace]:
        """The faces in the next frame, in any order, with pupils in the middle of the eyes, score 0."""
        return [seen_face(face) for face in self._sighted(image)]

    def with_pupils(self, image: Image) -> list[SeenFace]:
        """The same with their pupils; the frame is given once more."""
        return [seen_face(face) for face in self._tracker.with_pupils(image)]

    @property
    def states(self) -> list[Face]:
        """What it states about the frame it was called with last; poses and expressions know the frames asked for."""
        faces = self._tracker.faces() if self._numbers else []
        if self._is_compatible:
            return faces
        named = [replace(face, number=number) for face, number in zip(faces, self._numbers, strict=True)]
        return sorted(named, key=lambda face: face.number)

    def _sighted(self, image: Image) -> list[FacePoints]:
        self._numbers = []
        faces = self._tracker.sighted(image)
        return faces if self._is_settled or not faces else self._chosen(image, faces)

    def _chosen(self, image: Image, faces: list[FacePoints]) -> list[FacePoints]:
        """The chosen one of the faces that MediaPipe sees, so that a choice means the same to every tracker.

        MediaPipe takes half a second to open, and is not asked where there is but one face to choose.
        """
        self._is_settled = True
        if not self._tracker.sees_several(image) and self._choice == "largest":
            return faces
        found = faces_in_frame(image)
        wanted = SeenFace(choose_face(found, self._choice).points) if found else seen_face(faces[0])
        if distance(wanted, seen_face(faces[0])) < SAME_FACE:
            return faces
        self._tracker.reset()
        self._tracker.start_at(wanted.points)
        return self._tracker.sighted(image)


class MediaPipeFaces(FacesTracker):
    """MediaPipe's mesh; what is said of OpenSeeFace means nothing to it."""

    name = TRACKER_NAME

    def __init__(self, following: Following) -> None:
        self.meshes = Meshes(following.faces, following.face)
        self._count = following.faces
        self.reset()

    def reset(self) -> None:
        self.meshes.reset()
        self._identities = Identities(self._count)

    def close(self) -> None:
        self.meshes.close()

    def __call__(self, image: Image) -> list[SeenFace | None]:
        return self._identities.placed([SeenFace(mesh.points) for mesh in self.meshes(image)])


class HybridFaces(FacesTracker):
    """OpenSeeFace's geometry with the eyes of MediaPipe's mesh (see `landmarks.hybrid`)."""

    def __init__(self, following: Following) -> None:
        self.geometry = OpenSeeFaceFaces(following)
        self.meshes = Meshes(following.faces, following.face)
        self._count = following.faces
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
        faces, meshes = self.geometry.sighted(image), self.meshes(image)
        pairs = paired(faces, meshes)
        if self._looks_elsewhere(pairs):
            x, y = faces[0].centre.tolist()
            self.meshes.start_at((x, y))
            meshes = self.meshes(image)
            pairs = paired(faces, meshes)
        if any(face is not None and keeps_pupil(face, mesh) for face, mesh in pairs):
            whole = dict(zip(map(id, faces), self.geometry.with_pupils(image), strict=True))
            pairs = [(None if face is None else whole[id(face)], mesh) for face, mesh in pairs]
        seen = []
        for face, mesh in pairs:
            if face is not None:
                seen.append(without_mesh(face) if mesh is None else combined(face, mesh))
            elif mesh is not None:
                seen.append(without_geometry(mesh, (image.shape[1], image.shape[0])))
        return self._identities.placed(seen)

    def _looks_elsewhere(self, pairs: list[tuple[SeenFace | None, Any]]) -> bool:
        """Whether the one face of each tracker is another's, and it is time to point MediaPipe at OpenSeeFace's."""
        if self._count > 1 or len(pairs) < 2:
            self._patience = 0
            return False
        self._patience += 1
        return self._patience % RETRY_EVERY == 1


def seen_face(face: FacePoints) -> SeenFace:
    """What OpenSeeFace states; a pupil that it did not see lies in the middle of its eye, with score 0.

    Its pose is of its own face model, seen by another camera: a track's own is solved from the points.
    """
    points = face.points.copy()
    for _, _, lids, pupil in EYES:
        if face.scores[pupil] <= 0:
            points[pupil] = points[lids].mean(axis=0)
    return SeenFace(points, np.clip(face.scores, 0, 1).astype(np.float32))


def models_folder() -> Path:
    """Where the networks of OpenSeeFace are installed.

    Raises:
        NotInstalledError: they are not.
    """
    return locate(OPENSEEFACE)


TRACKERS: dict[TrackerName, Callable[[Following], FacesTracker]] = {
    "hybrid": HybridFaces,
    "openseeface": OpenSeeFaceFaces,
    "mediapipe": MediaPipeFaces,
}
