"""One face from two trackers: OpenSeeFace's geometry, with the lids and pupils of MediaPipe's mesh.

OpenSeeFace's landmark model 0 hardly sees a blink; MediaPipe's mesh follows lids and irises well, but its contour and
mouth less. Where only one of them finds the face its points are taken as they are, with lower scores.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from landmarks.face_mesh import FaceMesh
from landmarks.head_pose import solve_head_pose
from landmarks.tracking import SeenFace, visibility
from landmarks.types import LEFT_EYE, LEFT_PUPIL, RIGHT_EYE, RIGHT_PUPIL

EYES = ((36, 39, RIGHT_EYE, RIGHT_PUPIL), (42, 45, LEFT_EYE, LEFT_PUPIL))
"""First and second corner, lids and pupil of the right and the left eye."""

SAME_FACE = 0.5  # of the width of the face: how far the two centres of one face may lie apart
SCALES = (0.5, 2.0)  # of an eye between the trackers; beyond, one of them sees it from the side, as a mere line
ALONE = 0.5  # factor of the scores of what one tracker alone states


def combined(geometry: SeenFace, mesh: FaceMesh) -> SeenFace:
    """OpenSeeFace's face with the eyes of the mesh: its corners keep their place, between them lie MediaPipe's lids.

    The similarity that takes the mesh's eye corners to OpenSeeFace's moves lids and pupil. It keeps the eye aspect
    ratio, so a blink is as deep as in the mesh.
    """
    points, seen = geometry.points.copy(), mesh.points
    scores = _scores(geometry)
    for first, second, lids, pupil in EYES:
        factor = _eye_factor(points, seen, first, second)
        if factor is None:
            scores[lids] *= ALONE
            scores[pupil] *= ALONE
            continue
        moved = [*range(lids.start, lids.stop), pupil]
        placed = _complex(points[first]) + factor * (_complex(seen[moved]) - _complex(seen[first]))
        points[moved] = np.stack([placed.real, placed.imag], axis=1)
        scores[pupil] = scores[lids].mean()
    return SeenFace(points, scores)


def keeps_pupil(geometry: SeenFace, mesh: FaceMesh | None) -> bool:
    """Whether a pupil of OpenSeeFace stays: there is no mesh, or `combined` does not take both of its eyes."""
    if mesh is None:
        return True
    return any(_eye_factor(geometry.points, mesh.points, first, second) is None for first, second, _, _ in EYES)


def without_mesh(geometry: SeenFace) -> SeenFace:
    """OpenSeeFace's face alone: its lids and pupils count half."""
    scores = _scores(geometry)
    for _, _, lids, pupil in EYES:
        scores[lids] *= ALONE
        scores[pupil] *= ALONE
    return SeenFace(geometry.points, scores)


def without_geometry(mesh: FaceMesh, size: tuple[int, int]) -> SeenFace:
    """The mesh alone, in a frame of (width, height) pixels: every point counts half."""
    points = mesh.points[None]
    scores = ALONE * visibility(points, solve_head_pose(points, size)[0], size)
    return SeenFace(points[0], scores[0].astype(np.float32))


def paired(faces: list[SeenFace], meshes: list[FaceMesh]) -> list[tuple[SeenFace | None, FaceMesh | None]]:
    """Which mesh shows which face: nearest pairs first, then what only one tracker found."""
    distances = [
        (float(np.linalg.norm(face.centre - mesh.points.mean(axis=0))) / max(face.width_px, 1.0), i, k)
        for i, face in enumerate(faces)
        for k, mesh in enumerate(meshes)
    ]
    mesh_of: dict[int, int] = {}
    for distance, i, k in sorted(distances):
        if distance < SAME_FACE and i not in mesh_of and k not in mesh_of.values():
            mesh_of[i] = k
    both: list[tuple[SeenFace | None, FaceMesh | None]] = [
        (face, meshes[mesh_of[i]] if i in mesh_of else None) for i, face in enumerate(faces)
    ]
    return both + [(None, mesh) for k, mesh in enumerate(meshes) if k not in mesh_of.values()]


def _scores(face: SeenFace) -> NDArray[np.float32]:
    return np.ones(len(face.points), np.float32) if face.scores is None else face.scores.copy()


def _eye_factor(points: NDArray[np.float32], seen: NDArray[np.float32], first: int, second: int) -> complex | None:
    """Turn and scale from an eye as the mesh sees it to that of the points, given its corners; None where they differ.

    As complex numbers, a turn and a scale are one factor.
    """
    own, other = (complex(*(each[second] - each[first]).tolist()) for each in (points, seen))
    factor = own / other if other else 0
    return factor if SCALES[0] < abs(factor) < SCALES[1] else None


def _complex(points: NDArray[np.float32]) -> NDArray[np.complex128]:
    return np.asarray(points[..., 0] + 1j * points[..., 1], np.complex128)
