"""What the face of a moving body does, and how its guides are drawn where the body carries it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from facereenact.renderers.face_guidance import FaceGuidance, face_of
from facereenact.renderers.face_in_frame import FaceInFrame
from facereenact.renderers.face_squares import FaceSquares
from landmarks import LandmarkSequence
from landmarks.guides import PublishedStyle, find_face_crop
from landmarks.motion import split_motion
from tests.facereenact.renderers.posed_face import pose_of, shrunk, still
from tests.faces import acted, hopper


def talking(frames: int, **act: Any) -> LandmarkSequence:
    jaw = [0.15 * (frame % 2) for frame in range(frames)]
    return acted(hopper().landmarks, jaw=jaw, turn_deg=[(0, 20, 0)] * frames, **act)


@pytest.mark.parametrize("head_from", ["body", "face"])
def test_the_head_stays_on_the_body_and_the_mouth_comes_from_the_face(head_from: Any) -> None:
    face = hopper().landmarks
    seen = acted(face, scale=0.4, shift_px=[(30, 40)] * 3, turn_deg=(0, -15, 0))
    motion = talking(3)
    moved = FaceGuidance(motion, face, pose_of(face), head_from=head_from).on(seen)
    found, own, driven = (split_motion(each) for each in (moved, seen, motion))
    np.testing.assert_allclose(found.head.position, own.head.position, atol=0.5)
    np.testing.assert_allclose(found.head.scale, own.head.scale, rtol=0.02)
    np.testing.assert_allclose(found.mouth.offsets, driven.mouth.offsets, atol=0.02)
    expected = own if head_from == "body" else driven
    np.testing.assert_allclose(moved.rotation, expected.head.rotation, atol=1e-5)


def test_a_pose_carries_the_head_of_the_source() -> None:
    """Where its own face goes, whatever the shape of that face: here it is another person's, a third larger."""
    face = hopper().landmarks
    other = acted(face, jaw=0.1, scale=1.3)
    way = {"shift_px": [(10, 5), (40, 20)], "turn_deg": [(0, 0, 0), (0, 15, 5)], "scale": [1.0, 0.8]}
    guidance = FaceGuidance(acted(face, jaw=[0, 0]), face, pose_of(other))
    carried = guidance.carried_by(pose_of(acted(other, **way)))
    expected = acted(face, **way)
    np.testing.assert_allclose(carried.points[0], expected.points[0], atol=1.5)
    # Its head is a third larger, so the middle of the turn and of the size lies elsewhere: the nose tip.
    np.testing.assert_allclose(carried.points[1], expected.points[1], atol=6)
    assert carried.detected.all() and carried.size == face.size


def test_the_face_of_a_body_is_read_from_its_track() -> None:
    face = still(2)
    pose = pose_of(face)
    found = face_of(pose)
    np.testing.assert_allclose(found.points[:, :66], face.points[:, :66], atol=1e-3)
    hidden = replace(pose, scores=pose.scores * np.array([[1], [0.1]], np.float32))
    assert face_of(hidden).detected.tolist() == [True, False]


def test_guides_in_a_square_that_fills_the_frame_are_the_published_ones() -> None:
    size = (512, 512)
    face = find_face_crop(hopper().landmarks).apply(hopper().landmarks, 512)
    whole = FaceSquares(np.zeros((1, 2)), np.full(1, 512.0))
    drawn = FaceInFrame(face, np.ones(1, np.float32), whole)
    expected = PublishedStyle().draw(face.points[0], size)
    assert np.array_equal(drawn.head(0), expected.head) and np.array_equal(drawn.mouth(0), expected.mouth)
    assert drawn.mask(0)[256, 256] == 1 and drawn.mask(0)[0].max() < 0.01


def test_guides_and_mask_lie_at_the_face() -> None:
    face = shrunk(0.5, shift_px=(60, -40))
    square = FaceSquares.around(face)
    (corner,), (side,) = square.corners, square.sides
    drawn = FaceInFrame(face, np.ones(1, np.float32))
    for guide in (drawn.head(0), drawn.mouth(0)):
        rows, columns = np.nonzero(guide.any(axis=2))
        assert len(rows) and guide.shape == (300, 256, 3)
        assert corner[0] < columns.min() and columns.max() < corner[0] + side
        assert corner[1] < rows.min() and rows.max() < corner[1] + side
    mask = drawn.mask(0)
    inside = np.zeros_like(mask, bool)
    inside[int(corner[1]) : int(corner[1] + side) + 1, max(int(corner[0]), 0) : int(corner[0] + side) + 1] = True
    assert not mask[~inside].any()
    x, y = face.points[0, 30].astype(int)
    assert mask[y, x] == 1
    faint = FaceInFrame(face, np.full(1, 0.25, np.float32))
    np.testing.assert_allclose(faint.mask(0), 0.25 * mask)
