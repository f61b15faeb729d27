"""The face on a body: followed where it is, and pasted without a trace of its surroundings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facereenact.renderers.face_squares import FADE, FaceSquares, presence
from facereenact.renderers.head_pasting import HeadPaste, face_region, head_region
from facereenact.renderers.head_tracking import head_views, track_head
from facereenact.renderers.pasting import cut_square, lay_square
from landmarks.guides import find_face_crop
from landmarks.mediapipe_tracker import MediaPipeTracker
from tests.facereenact.renderers.posed_face import pose_of, shrunk, still
from tests.faces import Picture, acted, hopper


def test_a_still_face_has_the_square_of_the_published_crop() -> None:
    face = still(5)
    crop, squares = find_face_crop(face), FaceSquares.around(face)
    np.testing.assert_allclose(squares.corners, [[crop.left_px, crop.top_px]] * 5, atol=1)
    np.testing.assert_allclose(squares.sides, crop.side_px, atol=1)
    np.testing.assert_allclose(squares.inside(face.points, 512), crop.apply(face, 512).points, atol=3)


def test_squares_follow_a_face() -> None:
    way = [(7.0 * frame, -3.0 * frame) for frame in range(40)]
    squares = FaceSquares.around(acted(hopper().landmarks, shift_px=way))
    middle = slice(15, 25)
    np.testing.assert_allclose(np.diff(squares.corners[middle], axis=0), [(7, -3)] * 9, atol=0.1)
    assert np.ptp(squares.sides[middle]) < 0.1


def test_faces_too_small_turned_away_or_not_found_are_absent_and_come_softly() -> None:
    face = still(21)
    assert (presence(face) == 1).all()
    assert (presence(shrunk(0.1, 3)) == 0).all()
    turned = acted(hopper().landmarks, turn_deg=[(0, 0, 0), (0, 75, 0), (0, 30, 0)])
    assert (presence(turned) == 0).tolist() == [False, True, False]
    seen = np.ones(21, bool)
    seen[10] = False
    weights = presence(replace(face, detected=seen))
    assert weights[10] == 0 and (np.delete(weights, 10) > 0).all()
    assert (np.diff(weights[10 : 10 + FADE + 2]) > 0).all() and weights[0] == weights[20] == 1


def smooth_picture() -> Picture:
    noise = np.random.default_rng(0).random((60, 90, 3)).astype(np.float32)
    return np.asarray(255 * cv2.GaussianBlur(noise, (0, 0), 4) * 3 - 250, np.float32).clip(0, 255).astype(np.uint8)


def test_a_square_at_whole_pixels_is_cut_as_it_is() -> None:
    image = smooth_picture()
    assert np.array_equal(cut_square(image, np.array([11.0, 7.0]), 32.0, 32), image[7:39, 11:43])
    beyond = cut_square(image, np.array([80.0, 50.0]), 32.0, 32)
    assert (beyond[15:, 15:] == image[-1, -1]).all()


@pytest.mark.parametrize(("corner", "side"), [((11.3, 7.8), 32.0), ((5.5, 3.25), 41.7), ((-6.4, 20.1), 50.0)])
@pytest.mark.parametrize("side_px", [24, 40, 128])
def test_a_square_lies_where_it_was_cut(corner: tuple[float, float], side: float, side_px: int) -> None:
    image, place = smooth_picture(), np.array(corner)
    square = cut_square(image, place, side, side_px)
    result = lay_square(image, square, np.ones((side_px, side_px), np.float32), place, side).astype(int)
    error = np.abs(result - image)
    assert error[4:-4, 4:-4].mean() < (3 if side_px < side else 1)
    beside = np.ones(image.shape[:2], bool)
    left, top = np.floor(place).astype(int)
    right, bottom = np.ceil(place + side).astype(int)
    beside[max(top, 0) : bottom, max(left, 0) : right] = False
    assert not error[beside].any()
    shifted = np.roll(result, 1, axis=1)[4:-4, 4:-4] - image[4:-4, 4:-4]
    assert np.abs(shifted).mean() > 1.5 * error[4:-4, 4:-4].mean()


def test_nothing_is_laid_beside_the_picture() -> None:
    image = smooth_picture()
    square, alpha = np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), np.float32)
    assert np.array_equal(lay_square(image, square, alpha, np.array([200.0, 5.0]), 20.0), image)


def test_the_region_of_the_head_takes_hair_and_chin_and_leaves_the_neck() -> None:
    face = still()
    points = FaceSquares.around(face).inside(face.points, 256)[0]
    head = head_region(points, 256)

    def at(place: Any) -> float:
        x, y = np.rint(place).astype(int)
        return float(head[y, x])

    chin, between_eyes = points[8], points[27]
    up = between_eyes - chin
    assert all(at(points[index]) > 0.9 for index in (17, 26, 30, 57)) and at(chin) > 0.7
    assert at(chin + 0.55 * -up / 2) < 0.05  # neck
    assert at(between_eyes + 0.6 * up) > 0.9  # hair above the brows
    assert at(points[0] - (12, 0)) > 0.9 and at(points[16] + (12, 0)) > 0.9  # ears
    edges = np.concatenate([head[0], head[-1], head[:, 0], head[:, -1]])
    assert edges.max() < 0.01
    assert face_region(points, 256)[int(points[30, 1]), int(points[30, 0])] and not face_region(points, 256)[0].any()


@pytest.fixture(scope="module")
def hopper_square() -> tuple[FaceSquares, NDArray[np.float32], Picture]:
    face = still()
    squares = FaceSquares.around(face)
    square = cut_square(hopper().image, squares.corners[0], float(squares.sides[0]), 512)
    return squares, squares.inside(face.points, 512), square


def test_a_head_pasted_onto_itself_changes_nothing(
    hopper_square: tuple[FaceSquares, NDArray[np.float32], Picture],
) -> None:
    squares, points, square = hopper_square
    result = HeadPaste(squares, points, np.ones(1, np.float32))(hopper().image, square, 0)
    assert np.abs(result.astype(int) - hopper().image).mean() < 0.6


def test_a_pasted_head_has_the_colours_of_the_frame_and_not_its_own_surroundings(
    hopper_square: tuple[FaceSquares, NDArray[np.float32], Picture],
) -> None:
    squares, points, square = hopper_square
    image = hopper().image
    tinted = np.clip(square * np.array([0.85, 0.95, 1.0]) + (20, 5, 0), 0, 255).astype(np.uint8)
    one = np.ones(1, np.float32)
    matched = HeadPaste(squares, points, one)(image, tinted, 0)
    laid = lay_square(image, tinted, head_region(points[0], 512), squares.corners[0], float(squares.sides[0]))
    assert np.abs(matched.astype(int) - image).mean() < 0.4 * np.abs(laid.astype(int) - image).mean()
    left, top = np.rint(squares.corners[0]).astype(int)
    wall = image.copy()
    outside = head_region(points[0], 512) < 0.001
    assert outside[-40:].all()
    plain = np.where(np.indices((512, 512))[0][..., None] > 20, square, np.uint8(255))
    kept = HeadPaste(squares, points, one)(image, plain.astype(np.uint8), 0)
    assert np.abs(kept[top : top + 10, left : left + 60].astype(int) - wall[top : top + 10, left : left + 60]).max() < 3


def test_an_absent_face_leaves_the_frame_as_it_is(
    hopper_square: tuple[FaceSquares, NDArray[np.float32], Picture],
) -> None:
    squares, points, square = hopper_square
    image = hopper().image
    flipped = np.ascontiguousarray(square[::-1])
    results = [
        HeadPaste(squares, points, np.full(1, shown, np.float32), keep_background=False)(image, flipped, 0)
        for shown in (0.0, 0.5, 1.0)
    ]
    none, half, whole = (np.abs(result.astype(int) - image).mean() for result in results)
    assert none == 0 and 0.4 * whole < half < 0.6 * whole


def test_a_hand_stays_before_the_face(hopper_square: tuple[FaceSquares, NDArray[np.float32], Picture]) -> None:
    squares, points, square = hopper_square
    image, flipped = hopper().image, np.ascontiguousarray(square[::-1])
    middle = points[0, 30]
    fingers = np.stack(np.meshgrid(np.linspace(-40, 40, 3), np.linspace(-50, 50, 7)), axis=-1).reshape(-1, 2)
    hands = np.full((1, 2, 21, 2), np.nan, np.float32)
    one = np.ones(1, np.float32)
    without = HeadPaste(squares, points, one, hands=hands, keep_background=False)(image, flipped, 0)
    assert np.array_equal(without, HeadPaste(squares, points, one, keep_background=False)(image, flipped, 0))
    hands[0, 1] = middle + fingers
    result = HeadPaste(squares, points, one, hands=hands, keep_background=False)(image, flipped, 0)
    zoom = squares.sides[0] / 512
    x, y = np.rint(middle * zoom + squares.corners[0]).astype(int)
    reach_x, reach_y = int(38 * zoom), int(48 * zoom)
    hand = (slice(y - reach_y, y + reach_y), slice(x - reach_x, x + reach_x))
    assert np.array_equal(result[hand], image[hand]) and not np.array_equal(without[hand], image[hand])
    brow = tuple(np.rint(points[0, 17] * zoom + squares.corners[0]).astype(int)[::-1])
    assert np.array_equal(result[brow], without[brow])
    far = HeadPaste(squares, points, one, hands=hands + 5000, keep_background=False)(image, flipped, 0)
    assert np.array_equal(far, without)


def test_a_small_face_is_found_where_the_body_has_its_head() -> None:
    """A face of 27 pixels in a wide picture, which moves."""
    factor, frames = 0.15, 6
    size = (480, 360)
    small = cv2.resize(hopper().image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    face = shrunk(factor)
    pictures, moved = [], []
    for frame in range(frames):
        place = np.array([180 + 9 * frame, 90 + 4 * frame])
        picture = np.full((size[1], size[0], 3), 120, np.uint8)
        picture[place[1] : place[1] + small.shape[0], place[0] : place[0] + small.shape[1]] = small
        pictures.append(picture)
        moved.append(face.points[0] + place)
    there = still(frames)
    there = replace(there, points=np.array(moved, np.float32), size=size)
    told: list[int] = []
    with MediaPipeTracker() as tracker:
        found = track_head(pictures, pose_of(there), tracker, on_frame=told.append)
    assert found.detected.all() and told == [1, 2, 3, 4, 5, 6]
    error_px = np.linalg.norm(found.points - there.points, axis=2).mean(axis=1)
    assert (error_px < 0.06 * there.eye_distance_px).all()


def test_views_hold_the_head_even_where_points_are_missing() -> None:
    face = hopper().landmarks
    pose = pose_of(face)
    corners, sides = head_views(pose)
    box = face.points[0].min(axis=0), face.points[0].max(axis=0)
    assert (corners[0] < box[0]).all() and (corners[0] + sides[0] > box[1]).all()
    assert 2 < sides[0] / np.ptp(face.points[0, :17, 0]) < 5
    blind = replace(pose, scores=np.where(np.arange(134) > 7, 0, pose.scores).astype(np.float32))
    corners, sides = head_views(blind)
    assert (corners[0] < box[0]).all() and (corners[0] + sides[0] > box[1]).all()
