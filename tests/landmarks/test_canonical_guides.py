"""The canonical guides: what moves them and what does not."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import ArrayLike

from landmarks import LandmarkSequence
from landmarks.guides import (
    PRESETS,
    draw_guides,
    find_face_crop,
)
from landmarks.motion import split_motion
from landmarks.tracking import SequenceBuilder
from landmarks.types import MOUTH
from tests.faces import Face, acted, astronaut, hopper, with_points
from tests.landmarks.guide_pictures import CANONICAL, SIZE, cropped, farthest_px, only

MOUTH_TOLERANCE = 0.025  # outer eye distances, turns to 20 degrees: the unseen depth of lips off the mean face's
NEAR_PX = 2.5  # between the lines of two guides: their width (a resampled line shrinks or grows), bilinear resampling


def mouth_change(own: LandmarkSequence, other: LandmarkSequence) -> float:
    """The farthest that a lip point moves in the canonical mouth guide, outer eye distances."""
    points = [CANONICAL.mouth_points(sequence, SIZE)[:, MOUTH] for sequence in (own, other)]
    return float(np.linalg.norm(points[1] - points[0], axis=2).max() * CANONICAL.mouth_span / min(SIZE))


MOVES: list[dict[str, Any]] = [
    {"shift_px": (41, -23)},
    {"scale": 1.7},
    {"turn_deg": (0, 0, 35)},
    {"turn_deg": (0, 0, -20), "scale": 0.6, "shift_px": (20, 30)},
]


@pytest.mark.parametrize("face", [astronaut, hopper], ids=lambda f: f.__name__)
@pytest.mark.parametrize("move", MOVES, ids=str)
def test_a_face_moved_in_the_picture_keeps_its_canonical_mouth_guide(face: Any, move: dict[str, Any]) -> None:
    own, moved = acted(face().landmarks, jaw=0.1), acted(face().landmarks, jaw=0.1, **move)
    assert mouth_change(own, moved) < 1e-4
    difference = only(own).mouth.astype(int) - only(moved).mouth
    assert np.abs(difference).max() <= 32  # points may land on the next sixteenth of a pixel


@pytest.mark.parametrize("face", [astronaut, hopper], ids=lambda f: f.__name__)
@pytest.mark.parametrize("turn_deg", [(20, 0, 0), (-20, 0, 0), (0, 20, 0), (0, -20, 0), (12, -12, 12)], ids=str)
def test_a_turned_head_keeps_its_canonical_mouth_guide(face: Any, turn_deg: ArrayLike) -> None:
    own, turned = acted(face().landmarks), acted(face().landmarks, turn_deg=turn_deg)
    assert mouth_change(own, turned) < MOUTH_TOLERANCE
    found = SequenceBuilder(own.size, "test").add(turned.points[0], 0.0).build()  # pose found anew
    assert mouth_change(own, found) < MOUTH_TOLERANCE
    reach_px = MOUTH_TOLERANCE * SIZE[0] / CANONICAL.mouth_span
    guides = [next(draw_guides(cropped(sequence), style=CANONICAL)).mouth for sequence in (own, found)]
    assert farthest_px(*guides) < reach_px + NEAR_PX


def placed(face: Face) -> LandmarkSequence:
    """The face in the middle of a canvas on which it can be turned and enlarged."""
    seen = find_face_crop(face.landmarks, margin=1.0).apply(face.landmarks, SIZE[0])
    return acted(seen)


@pytest.mark.parametrize("face", [astronaut, hopper], ids=lambda f: f.__name__)
@pytest.mark.parametrize("move", MOVES, ids=str)
def test_a_face_moved_in_the_picture_moves_its_canonical_head_guide(face: Any, move: dict[str, Any]) -> None:
    own = placed(face())
    moved = acted(own, **move)
    centre, scale = split_motion(own).head.position[0], float(move.get("scale", 1))
    matrix = cv2.getRotationMatrix2D(tuple(centre), -move.get("turn_deg", (0, 0, 0))[2], scale)
    matrix[:, 2] += move.get("shift_px", (0, 0))
    expected = np.asarray(cv2.warpAffine(only(own).head, matrix, SIZE), np.uint8)
    assert farthest_px(only(moved).head, expected) < NEAR_PX * max(1, scale)


def test_whole_pixels_move_the_canonical_head_guide_exactly() -> None:
    own = placed(hopper())
    points = np.round(own.points * 16) / 16
    own, moved = with_points(own, points), with_points(own, np.add(points, (25, -14)))
    expected = np.roll(only(own).head, (-14, 25), axis=(0, 1)).astype(int)
    assert np.abs(only(moved).head - expected).max() <= 32


@pytest.mark.parametrize("turn_deg", [(20, 0, 0), (0, -20, 0), (12, 12, -12)], ids=str)
def test_a_turned_head_turns_its_canonical_head_guide(turn_deg: ArrayLike) -> None:
    """The mean face of contour and nose turned, and the eyes where they are in the picture."""
    turned = acted(placed(hopper()), turn_deg=turn_deg)
    points = CANONICAL.head_points(turned)[0]
    np.testing.assert_allclose(points[17:27], turned.points[0, 17:27], atol=1e-3)
    np.testing.assert_allclose(points[36:48], turned.points[0, 36:48], atol=1e-3)
    mean_face = with_points(turned, points[None], rotation=turned.rotation)
    assert np.abs(split_motion(mean_face).mouth.offsets).max() < 0.02
    assert farthest_px(only(mean_face).head, only(turned).head) < NEAR_PX


@pytest.mark.parametrize("face", [astronaut, hopper], ids=lambda f: f.__name__)
def test_speech_shows_in_the_canonical_mouth_guide_alone(face: Any) -> None:
    still, speech = (cropped(acted(face().landmarks, jaw=(0, 0.2), turn_deg=(5, 10, 0)))[i : i + 1] for i in (0, 1))
    np.testing.assert_array_equal(only(speech).head, only(still).head)
    assert mouth_change(still, speech) == pytest.approx(0.2, rel=0.1)


def test_eyes_show_in_the_canonical_head_guide_alone() -> None:
    clip = cropped(acted(hopper().landmarks, lids=[(1, 1), (0, 1)], gaze=[(0, 0), (0.03, 0)]))
    still, blink = draw_guides(clip, style=CANONICAL)
    assert mouth_change(clip[:1], clip[1:]) < 0.005  # the corners of the eyes carry the pose, and do not move
    assert farthest_px(still.head, blink.head) > 3


def test_a_wide_mouth_fits_into_the_canonical_mouth_guide() -> None:
    guide = only(acted(hopper().landmarks, jaw=0.5)).mouth
    assert guide.any() and not guide[[0, -1]].any() and not guide[:, [0, -1]].any()


@pytest.mark.parametrize("style", PRESETS.values(), ids=PRESETS)
def test_points_far_outside_leave_the_canvas_black(style: Any) -> None:
    away = hopper().landmarks
    away = with_points(away, away.points + 1e7)
    assert not only(away, style).head.any()
