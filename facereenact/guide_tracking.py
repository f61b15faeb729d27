"""Whose points the guides of the diffusion renderer are drawn from, in source and driver alike.

OpenSeeFace's code is imported where it is used: the warp renderer begins a fifth of a second earlier without it.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from facereenact.errors import InputError
from facereenact.renderer_choice import RendererName
from landmarks import LandmarkSequence
from landmarks.face_mesh import FaceMesh
from landmarks.hybrid import combined, paired, without_geometry
from landmarks.mediapipe_tracker import TRACKER_NAME, FaceChoice, MediaPipeTracker, faces_in_frame, landmarks_of_image
from landmarks.tracking import SeenFace, SequenceBuilder

if TYPE_CHECKING:
    from landmarks.trackers import TrackerName

Image = NDArray[np.uint8]

LOOKS = 3  # at a still picture, each around the points of the one before, as in a video

log = logging.getLogger(__name__)


def guide_tracker(renderer: RendererName) -> TrackerName:
    """The tracker of source and driver.

    The warp renderer needs MediaPipe's mesh. The published guiders were trained on OpenSeeFace's points: these are
    taken where its networks are installed.
    """
    if renderer == "warp":
        return "mediapipe"
    from landmarks.trackers import choose_tracker

    name, _ = choose_tracker()
    if name == "mediapipe":
        log.warning(
            "guides are drawn from MediaPipe's points; the networks know OpenSeeFace's better: "
            "facereenact checkpoints pull openseeface"
        )
    return name


def open_guide_tracker(name: TrackerName, face: FaceChoice = "largest") -> MediaPipeTracker | CountingTracker:
    """What follows the face of a driver."""
    return MediaPipeTracker(face=face) if name == "mediapipe" else CountingTracker(name, face)


class CountingTracker:
    """A tracker of one face that counts, as MediaPipe's does, among how many it has chosen."""

    def __init__(self, name: TrackerName, face: FaceChoice) -> None:
        from landmarks.trackers import Following, open_tracker

        self._tracker = open_tracker(name, Following(face=face))
        self.name = self._tracker.name
        self.faces_seen = 0

    def reset(self) -> None:
        self._tracker.reset()
        self.faces_seen = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tracker.close()

    def __call__(self, image: Image) -> SeenFace | None:
        try:
            (seen,) = self._tracker(image)
        except InputError:
            self.faces_seen = len(faces_in_frame(image))
            raise
        if seen is not None and not self.faces_seen:
            self.faces_seen = max(1, len(faces_in_frame(image)))
        return seen


def landmarks_of_still(image: Image, mesh: FaceMesh, name: TrackerName) -> LandmarkSequence:
    """The points of a face that MediaPipe has found in a still picture, as a tracker would give them; one frame."""
    size = (image.shape[1], image.shape[0])
    if name == "mediapipe":
        return landmarks_of_image(mesh, size)
    from landmarks.openseeface import PRESETS, OpenSeeFaceTracker
    from landmarks.trackers import models_folder, seen_face

    tracker = OpenSeeFaceTracker(models_folder(), preset=replace(PRESETS["corrected"], max_faces=1))
    tracker.start_at(mesh.points)
    for _ in range(LOOKS):
        faces = [seen_face(face) for face in tracker.points(image)]
    same = [face for face, seen in paired(faces, [mesh]) if face is not None and seen is not None]
    face = combined(same[0], mesh) if same else without_geometry(mesh, size)
    return SequenceBuilder(size, f"hybrid({tracker.name}, {TRACKER_NAME})").add_face(face, 0.0).build()
