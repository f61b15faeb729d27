"""The hybrid face: OpenSeeFace's place and shape, MediaPipe's lids; and that no blink is lost on real clips."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from landmarks.face_mesh import FaceMesh, point_weights
from landmarks.hybrid import ALONE, EYES, combined, keeps_pupil, paired, without_geometry, without_mesh
from landmarks.trackers import Following, HybridFaces, MediaPipeFaces, OpenSeeFaceFaces
from landmarks.tracking import SeenFace, eye_openness
from landmarks.types import LEFT_EYE, RIGHT_EYE
from tests.faces import acted, hopper
from tests.landmarks.openseeface.conftest import clip
from tests.landmarks.test_trackers import install_models

CLIPS = ("d0", "d3", "d9", "d11", "d13", "d18", "m1", "m3")
DEEP = 0.6  # of the running median: an eye below it is shut
MEDIAN_FRAMES = 61
SHORTEST = 2  # frames
OTHERS = [i for i in range(68) if not (36 <= i < 48 or i >= 66)]


def mesh_of(points: NDArray[np.float32]) -> FaceMesh:
    """A mesh whose 68 points are the given ones."""
    weights = point_weights().astype(np.float64)
    return FaceMesh(np.pad(np.linalg.pinv(weights) @ points, ((0, 0), (0, 1))).astype(np.float32))


def geometry(points: NDArray[np.float32], score: float = 0.8) -> SeenFace:
    return SeenFace(points, np.full(68, score, np.float32))


def moved(points: NDArray[np.float32], *, turn: float = 0.1, scale: float = 1.1) -> NDArray[np.float32]:
    placed = (points[:, 0] + 1j * points[:, 1]) * scale * np.exp(1j * turn) + (5 - 8j)
    return np.stack([placed.real, placed.imag], axis=1).astype(np.float32)


def test_the_lids_are_as_shut_as_in_the_mesh_and_all_else_stays() -> None:
    seen = acted(hopper().landmarks, lids=(0.3, 0.9)).points[0]
    own = moved(hopper().landmarks.points[0])
    face = combined(geometry(own), mesh_of(seen))
    np.testing.assert_allclose(eye_openness(face.points[None]), eye_openness(seen[None]), atol=1e-4)
    np.testing.assert_array_equal(face.points[OTHERS], own[OTHERS])
    for first, second, _, _ in EYES:
        np.testing.assert_allclose(face.points[[first, second]], own[[first, second]], atol=1e-3)


def test_the_pupils_follow_the_mesh() -> None:
    points = hopper().landmarks.points[0]
    looking = acted(hopper().landmarks, gaze=(0.02, 0)).points[0]
    face = combined(geometry(moved(points)), mesh_of(looking))
    np.testing.assert_allclose(face.points[66:], moved(looking)[66:], atol=0.3)


@pytest.mark.parametrize("width", [0.0, 0.2, 1.0, 3.0])
@pytest.mark.parametrize("eye", [RIGHT_EYE, LEFT_EYE])
def test_a_pupil_is_kept_where_an_eye_is_not_taken_over(width: float, eye: slice) -> None:
    points = hopper().landmarks.points[0]
    seen = points.copy()
    seen[eye] = points[eye.start] + width * (points[eye] - points[eye.start])
    assert keeps_pupil(geometry(points), mesh_of(seen)) == (width != 1)
    assert keeps_pupil(geometry(points), None)


@pytest.mark.parametrize("width", [0.0, 0.2, 3.0])
def test_an_eye_seen_from_the_side_is_not_taken_over(width: float) -> None:
    points = hopper().landmarks.points[0]
    seen = points.copy()
    seen[RIGHT_EYE] = points[39] + width * (points[RIGHT_EYE] - points[39])
    face = combined(geometry(points), mesh_of(seen))
    np.testing.assert_array_equal(face.points[RIGHT_EYE], points[RIGHT_EYE])
    assert face.scores is not None
    assert (face.scores[RIGHT_EYE] == np.float32(0.8 * ALONE)).all() and (
        face.scores[LEFT_EYE] == np.float32(0.8)
    ).all()


def test_one_tracker_alone_counts_less() -> None:
    points, size = hopper().landmarks.points[0], hopper().size
    alone = without_mesh(geometry(points))
    assert alone.scores is not None
    assert (alone.scores[:36] == np.float32(0.8)).all() and (alone.scores[36:48] == np.float32(0.8 * ALONE)).all()
    seen = without_geometry(hopper().mesh, size)
    assert seen.scores is not None
    np.testing.assert_allclose(seen.scores, ALONE * hopper().landmarks.scores[0], atol=1e-5)


def test_faces_and_meshes_are_paired_by_place() -> None:
    points = hopper().landmarks.points[0]
    far = (points + np.array([400, 0])).astype(np.float32)
    left, right = geometry(points), geometry(far)
    here, there = mesh_of(points + 3), mesh_of(far - 3)
    assert paired([left, right], [there, here]) == [(left, here), (right, there)]
    assert paired([left], [there]) == [(left, None), (None, there)]
    assert paired([], [here]) == [(None, here)]
    assert paired([left, geometry(points + 1)], [here])[0][1] in (here, None)


def blinks(openness: NDArray[np.float32]) -> list[tuple[int, int]]:
    """First frame and the one after the last of every stretch in which an eye is shut; openness (frames,)."""
    reach = MEDIAN_FRAMES // 2
    usual = [np.median(openness[max(0, i - reach) : i + reach + 1]) for i in range(len(openness))]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], openness < DEEP * np.array(usual), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2) if b - a >= SHORTEST]


def shared(some: list[tuple[int, int]], others: list[tuple[int, int]]) -> int:
    """How many of the stretches overlap one of the others."""
    return sum(any(a < d and c < b for c, d in others) for a, b in some)


@pytest.mark.slow
@pytest.mark.long
def test_the_blinks_of_the_mesh_are_kept(
    tmp_path: Path, shared_media: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Printed per clip and eye: blinks in the mesh, of these in the hybrid and in OpenSeeFace alone; then winks."""
    install_models(tmp_path, monkeypatch)
    hybrid, mesh, alone = (kind(Following()) for kind in (HybridFaces, MediaPipeFaces, OpenSeeFaceFaces))
    rows, total, kept = [], 0, 0
    for name in CLIPS:
        for tracker in (hybrid, mesh, alone):
            tracker.reset()
        start = time.perf_counter()
        tracks: dict[str, list[NDArray[np.float32]]] = {"mesh": [], "hybrid": [], "alone": []}
        for image in clip(shared_media, name):
            row = {"mesh": mesh(image)[0], "hybrid": hybrid(image)[0], "alone": alone(image)[0]}
            if all(row.values()):
                for key, face in row.items():
                    assert face is not None
                    tracks[key].append(eye_openness(face.points[None])[0])
        openness = {key: np.array(values) for key, values in tracks.items()}
        found = {key: [blinks(values[:, eye]) for eye in (0, 1)] for key, values in openness.items()}
        cells = [f"{name:<5}{len(openness['mesh']):6}"]
        for eye in (0, 1):
            of_mesh = found["mesh"][eye]
            counts = [shared(of_mesh, found[key][eye]) for key in ("hybrid", "alone")]
            total, kept = total + len(of_mesh), kept + counts[0]
            cells.append(f"{len(of_mesh):8}{counts[0]:8}{counts[1]:8}")
        winks = [
            len(found[key][eye]) - shared(found[key][eye], found[key][1 - eye])
            for key in ("mesh", "hybrid")
            for eye in (0, 1)
        ]
        rows.append(
            "".join(cells) + f"{winks[0] + winks[1]:8}{winks[2] + winks[3]:8}{time.perf_counter() - start:8.1f} s"
        )
    hybrid.close()
    mesh.close()
    with capsys.disabled():
        head = "".join(
            f"{title:>8}" for title in ("mesh R", "hybrid", "alone", "mesh L", "hybrid", "alone", "winks", "hybrid")
        )
        print("", f"clip frames{head}", *rows, f"kept {kept} of {total}", sep="\n")
    assert total >= 10
    assert kept >= 0.9 * total
