"""MediaPipe's meshes of one face or several in a video."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from landmarks.face_mesh import FaceMesh
from landmarks.mediapipe_tracker import FaceChoice, MediaPipeTracker, mesh_solution, meshes


class Meshes:
    """MediaPipe's meshes of at most so many faces, the largest first; of one face the chosen."""

    def __init__(self, faces: int, face: FaceChoice) -> None:
        self._count, self._choice = faces, face
        self._one = MediaPipeTracker(face=face)
        self._several: Any = None

    def reset(self) -> None:
        self.close()  # what is not closed stays in memory, 33 MB of it
        self._one = MediaPipeTracker(face=self._choice)

    def close(self) -> None:
        self._one.close()
        if self._several is not None:
            self._several.close()
            self._several = None

    def start_at(self, pixel: tuple[float, float]) -> None:
        """Follow the face nearest to a pixel from now on; for one face."""
        self._one.close()
        self._one = MediaPipeTracker(face=pixel)

    def __call__(self, image: NDArray[np.uint8]) -> list[FaceMesh]:
        """The largest first."""
        if self._count == 1:
            mesh = self._one(image)
            return [] if mesh is None else [mesh]
        if self._several is None:
            self._several = mesh_solution(faces=self._count, static=False)
        return sorted(meshes(self._several, image), key=lambda mesh: -mesh.width_px)
