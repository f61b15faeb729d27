"""Upper lids: nothing while the eye is open, skin instead of what was stretched once it is shut."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from facereenact.renderers.head import Head
from facereenact.renderers.lids import UpperLid
from facereenact.renderers.portrait import Portrait
from landmarks.face_mesh import UPPER_LIDS
from tests.faces import Face, acted, astronaut, hopper

BOTH = pytest.mark.parametrize("whose", [astronaut, hopper], ids=lambda f: f.__name__)
ORIGIN = np.zeros(2)
DARK = 40


def portrait(face: Face) -> Portrait:
    return Portrait(face.mesh, face.landmarks, face.image.shape[1::-1], np.zeros((0, 2)))


@BOTH
def test_an_open_eye_is_left_as_it_is(whose: Callable[[], Face]) -> None:
    face = whose()
    mesh = portrait(face)
    canvas = face.image.copy()
    for share in (1, 0.75):
        pose = mesh.pose(acted(face.landmarks, lids=(share, share)))
        for side in (0, 1):
            UpperLid(face.image, mesh, side).draw(canvas, pose, ORIGIN)
    np.testing.assert_array_equal(canvas, face.image)


@BOTH
@pytest.mark.parametrize("turn_deg", [(0, 0, 0), (10, 15, 20)])
@pytest.mark.parametrize("side", [0, 1])
def test_a_shut_eye_shows_skin_where_all_was_dark(
    whose: Callable[[], Face], turn_deg: tuple[int, int, int], side: int
) -> None:
    """And nothing changes farther off than an eye's width, or on the other eye."""
    face = whose()
    mesh = portrait(face)
    pose = mesh.pose(acted(face.landmarks, lids=(0, 0), turn_deg=turn_deg))
    lid = UpperLid(face.image, mesh, side)
    canvas = np.full_like(face.image, DARK)
    lid.draw(canvas, pose, ORIGIN)
    changed = (canvas != DARK).any(axis=2)
    ys, xs = np.nonzero(changed)
    edge = pose.vertices[list(UPPER_LIDS[side])]
    away = np.linalg.norm(np.stack([xs, ys], axis=1)[:, None] - edge, axis=2).min(axis=1)
    assert 0 < away.max() < 0.6 * face.landmarks.eye_distance_px[0]
    other = pose.vertices[list(UPPER_LIDS[1 - side])].mean(axis=0).astype(int)
    assert not changed[other[1], other[0]]
    assert canvas[changed].astype(float).mean() > 1.5 * DARK


@BOTH
def test_the_skin_comes_in_gradually(whose: Callable[[], Face]) -> None:
    face = whose()
    mesh = portrait(face)
    lid = UpperLid(face.image, mesh, 0)
    change = []
    for share in np.linspace(1, 0, 21):
        canvas = np.full_like(face.image, DARK)
        lid.draw(canvas, mesh.pose(acted(face.landmarks, lids=(share, share))), ORIGIN)
        change.append(float(np.abs(canvas.astype(float) - DARK).sum()))
    assert change[0] == 0 < change[-1]
    assert (np.diff(change) >= 0).all()
    assert max(np.diff(change)) < 0.35 * change[-1]


@BOTH
def test_a_shut_eye_is_no_darker_than_the_skin_around(whose: Callable[[], Face]) -> None:
    """Between the fold and the lashes; the picture alone, bent, is darker there."""
    face = whose()
    mesh = portrait(face)
    shut = acted(face.landmarks, lids=(0, 0))
    head = Head(face.image, np.full(face.image.shape[:2], 255, np.uint8), mesh)
    drawn, _ = head.draw(shut)
    head._lids = []
    bent, _ = head.draw(shut)
    assert lightness(drawn, mesh, face) > lightness(bent, mesh, face)


def lightness(picture: NDArray[np.uint8], mesh: Portrait, face: Face) -> float:
    """Of the middle of both upper lids, a twelfth of an eye distance above the edge."""
    pose = mesh.pose(acted(face.landmarks, lids=(0, 0)))
    above = np.array([0, face.landmarks.eye_distance_px[0] / 12])
    places = [pose.vertices[lid[3]] - above - mesh.roi_xyxy[:2] for lid in UPPER_LIDS]
    return float(np.mean([picture[int(y), int(x)].mean() for x, y in places]))
