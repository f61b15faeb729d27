"""The warp renderer: the source at rest, what moves when the landmarks move, and that the tracker sees it so."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facereenact.renderers.base import DriverFrame
from facereenact.renderers.warp import WarpRenderer
from landmarks import LandmarkSequence
from landmarks.face_mesh import eye_outline, mouth_outline
from landmarks.head_pose import euler_deg
from tests.faces import Face, Picture, acted, astronaut, face_in, hopper, lip_gap, mouth_box

BOTH = pytest.mark.parametrize("whose", [astronaut, hopper], ids=lambda f: f.__name__)


def rendering(face: Face, matte: NDArray[np.float32] | None = None) -> WarpRenderer:
    return WarpRenderer(face.image, face.mesh, face.landmarks, matte=matte)


@cache
def renderer(whose: Callable[[], Face]) -> WarpRenderer:
    return rendering(whose())


def changed(picture: Picture, source: Picture) -> NDArray[np.int64]:
    """(height, width) largest difference of the colours."""
    return np.abs(picture.astype(int) - source).max(axis=2)


def openings(face: Face, margin_px: int = 3) -> NDArray[np.bool_]:
    """(height, width) where eyes and mouth are."""
    mask = np.zeros(face.image.shape[:2], np.uint8)
    for outline in (eye_outline(0), eye_outline(1), mouth_outline()):
        cv2.fillPoly(mask, [np.round(face.mesh.vertices[outline, :2]).astype(np.int32)], 1)
    return cv2.dilate(mask, np.ones((2 * margin_px + 1, 2 * margin_px + 1), np.uint8)) > 0


def lively(face: Face) -> LandmarkSequence:
    return acted(
        face.landmarks,
        turn_deg=[(0, 0, 0), (10, 15, -8), (-8, -20, 5), (0, 0, 15)],
        jaw=[0, 0.2, 0.05, 0],
        lids=[(1, 1), (1, 1), (0, 1), (0, 0)],
        gaze=[(0, 0), (0.03, 0), (0, 0), (0, 0)],
        shift_px=[(0, 0), (5, -3), (0, 0), (0, 8)],
    )


@BOTH
def test_its_own_landmarks_give_the_source_back(whose: Callable[[], Face]) -> None:
    face = whose()
    difference = changed(renderer(whose).render_frame(face.landmarks), face.image)
    outside = ~openings(face)
    assert difference[outside].mean() < 0.2
    assert (difference[outside] > 8).mean() < 0.005  # of the soft rim of the matte


@BOTH
def test_eyes_and_mouth_at_rest_look_like_the_source(whose: Callable[[], Face]) -> None:
    """Also a smile that shows teeth."""
    face = whose()
    difference = changed(renderer(whose).render_frame(face.landmarks), face.image)
    for outline in (eye_outline(0), eye_outline(1), mouth_outline()):
        mask = np.zeros(face.image.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.round(face.mesh.vertices[outline, :2]).astype(np.int32)], 1)
        assert difference[mask > 0].mean() < 25


@BOTH
def test_pictures_are_like_the_source_and_the_source_is_left_alone(whose: Callable[[], Face]) -> None:
    face = whose()
    before = face.image.copy()
    pictures = list(renderer(whose).render(lively(face)))
    assert len(pictures) == 4
    for picture in pictures:
        assert picture.shape == face.image.shape and picture.dtype == np.uint8
    np.testing.assert_array_equal(face.image, before)


@BOTH
def test_the_same_landmarks_give_the_same_bytes_in_any_order(whose: Callable[[], Face]) -> None:
    motion = lively(whose())
    there = [picture.tobytes() for picture in renderer(whose).render(motion)]
    back = [picture.tobytes() for picture in renderer(whose).render(reversed(list(motion)))]
    assert there == back[::-1]
    assert len(set(there)) == len(there)
    again = rendering(whose())
    assert [again.render_frame(frame).tobytes() for frame in motion] == there


@BOTH
def test_what_is_far_from_the_head_never_changes(whose: Callable[[], Face]) -> None:
    face = whose()
    left, top, right, bottom = renderer(whose).portrait.roi_xyxy
    x, y = face.mesh.centre
    assert left < x < right and top < y < bottom and right - left <= 3 * face.mesh.width_px
    far = np.ones(face.image.shape[:2], bool)
    far[top:bottom, left:right] = False
    for picture in renderer(whose).render(lively(face)):
        assert changed(picture, face.image)[far].max(initial=0) == 0
        assert changed(picture, face.image)[~far].mean() < 60


@BOTH
def test_nothing_tears_at_the_edge_of_the_moving_part(whose: Callable[[], Face]) -> None:
    face = whose()
    left, top, right, bottom = renderer(whose).portrait.roi_xyxy
    picture = renderer(whose).render_frame(acted(face.landmarks, turn_deg=(5, 15, 5), shift_px=(6, 4)))
    rim = np.zeros(face.image.shape[:2], bool)
    rim[top:bottom, left:right] = True
    rim[top + 2 : bottom - 2, left + 2 : right - 2] = False
    height, width = rim.shape
    rim[[0, 1, height - 2, height - 1]] = False  # the border of the picture is another matter
    rim[:, [0, 1, width - 2, width - 1]] = False
    assert changed(picture, face.image)[rim].mean() < 3


@BOTH
@pytest.mark.parametrize("turn_deg", [(0, 20, 0), (0, -20, 0)])
def test_a_turn_is_seen_as_such(whose: Callable[[], Face], turn_deg: tuple[float, float, float]) -> None:
    """Yaw of 20 degrees to either side within 4 degrees."""
    face = whose()
    motion = acted(face.landmarks, turn_deg=turn_deg)
    wanted = (euler_deg(motion.rotation) - euler_deg(face.landmarks.rotation))[0, 1]
    assert abs(wanted) > 18
    seen = face_in(renderer(whose).render_frame(motion)).landmarks
    assert (euler_deg(seen.rotation) - euler_deg(face.landmarks.rotation))[0, 1] == pytest.approx(wanted, abs=4)


@BOTH
@pytest.mark.parametrize("angle_deg", [-15, 15])
def test_a_nod_and_a_tilt_are_seen_as_such(whose: Callable[[], Face], angle_deg: float) -> None:
    face = whose()
    for axis, index, tolerance in ((0, 0, 6), (2, 2, 3)):
        turn = np.zeros(3)
        turn[axis] = angle_deg
        motion = acted(face.landmarks, turn_deg=turn)
        wanted = (euler_deg(motion.rotation) - euler_deg(face.landmarks.rotation))[0, index]
        seen = face_in(renderer(whose).render_frame(motion)).landmarks
        got = (euler_deg(seen.rotation) - euler_deg(face.landmarks.rotation))[0, index]
        assert got == pytest.approx(wanted, abs=tolerance)


@BOTH
def test_the_face_is_drawn_where_the_landmarks_are(whose: Callable[[], Face]) -> None:
    face = whose()
    motion = acted(face.landmarks, shift_px=(0.15 * face.mesh.width_px, 0.1 * face.mesh.width_px), scale=1.1)
    seen = face_in(renderer(whose).render_frame(motion)).landmarks
    error = np.linalg.norm(seen.points[0] - motion.points[0], axis=1) / motion.eye_distance_px[0]
    assert error.mean() < 0.04


@BOTH
def test_closed_lids_hide_the_eyes(whose: Callable[[], Face]) -> None:
    face = whose()
    picture = renderer(whose).render_frame(acted(face.landmarks, lids=(0, 0)))
    seen = face_in(picture).landmarks.eye_openness[0]
    assert (seen < 0.75 * face.landmarks.eye_openness[0]).all()
    half = renderer(whose).render_frame(acted(face.landmarks, lids=(0.5, 0.5)))
    for side in (0, 1):
        centre = face.mesh.vertices[468 + 5 * side, :2].round().astype(int)
        around = (slice(centre[1] - 2, centre[1] + 3), slice(centre[0] - 2, centre[0] + 3))
        assert picture[around].mean() > face.image[around].mean() + 25  # skin where the pupil was
        assert changed(half, face.image)[around].mean() < changed(picture, face.image)[around].mean()


@BOTH
@pytest.mark.parametrize("side", [0, 1])
def test_a_wink_leaves_the_other_eye_as_it_was(whose: Callable[[], Face], side: int) -> None:
    face = whose()
    lids = [0.0, 1.0] if side == 0 else [1.0, 0.0]
    rest = renderer(whose).render_frame(face.landmarks)
    difference = changed(renderer(whose).render_frame(acted(face.landmarks, lids=lids)), rest)
    reach = 0.25 * float(face.landmarks.eye_distance_px[0])
    means = []
    for centre in (face.landmarks.points[0, 66], face.landmarks.points[0, 67]):
        low, high = (centre - reach).astype(int), (centre + reach).astype(int)
        means.append(difference[low[1] : high[1], low[0] : high[0]].mean())
    assert means[side] > 8 and means[1 - side] < 2


@BOTH
@pytest.mark.parametrize("way", [-0.06, 0.06])
def test_the_gaze_moves_the_pupils(whose: Callable[[], Face], way: float) -> None:
    face = whose()
    motion = acted(face.landmarks, gaze=(way, 0))
    picture = renderer(whose).render_frame(motion)
    rest = renderer(whose).render_frame(face.landmarks)
    moved = (face_in(picture).landmarks.points - face_in(rest).landmarks.points)[0, 66:68, 0]
    wanted = (motion.points - face.landmarks.points)[0, 66:68, 0]
    assert (np.sign(moved) == np.sign(way)).all()
    np.testing.assert_allclose(moved / wanted, 1, atol=0.4)
    assert changed(picture, rest)[~openings(face)].max() == 0  # and nothing else


@BOTH
def test_an_opened_mouth_is_seen_open(whose: Callable[[], Face]) -> None:
    face = whose()
    motion = acted(face.landmarks, jaw=0.2)
    picture = renderer(whose).render_frame(motion)
    seen = face_in(picture).landmarks
    assert lip_gap(seen)[0] > lip_gap(face.landmarks)[0] + 0.1
    assert lip_gap(seen)[0] == pytest.approx(lip_gap(motion)[0], abs=0.15)
    inner = motion.points[0, 58:66]
    cavity = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(cavity, [inner.round().astype(np.int32)], 1)
    cavity = cv2.erode(cavity, np.ones((3, 3), np.uint8)) > 0
    cheek = face.landmarks.points[0, [2, 14]].mean(axis=0)
    cheek = (face.landmarks.points[0, 2] * 0.6 + face.landmarks.points[0, 33] * 0.4).astype(int)
    skin = picture[cheek[1] - 3 : cheek[1] + 4, cheek[0] - 3 : cheek[0] + 4].mean()
    assert np.percentile(picture[cavity].mean(axis=1), 20) < 0.5 * skin  # dark


def test_the_inside_of_the_mouth_comes_from_the_driver_where_it_is_given() -> None:
    """A green driver's mouth shows green between the lips and nowhere else."""
    face = hopper()
    motion = acted(face.landmarks, jaw=[0.2, 0.25])
    driver = acted(astronaut().landmarks, jaw=[0.2, 0.25])
    green = astronaut().image.copy()
    green[mouth_box(astronaut(), 0.3)] = (0, 200, 0)
    painted = list(renderer(hopper).render(motion))
    borrowed = list(renderer(hopper).render(motion, [DriverFrame(green, points) for points in driver.points]))
    assert len(borrowed) == 2
    for plain, other, points in zip(painted, borrowed, motion.points, strict=True):
        inside = np.zeros(plain.shape[:2], np.uint8)
        cv2.fillPoly(inside, [points[58:66].round().astype(np.int32)], 1)
        deep = cv2.erode(inside, np.ones((7, 7), np.uint8)) > 0
        assert (other[deep][:, 1].astype(int) - other[deep][:, [0, 2]].max(axis=1)).mean() > 30
        near = cv2.dilate(inside, np.ones((25, 25), np.uint8)) > 0
        assert changed(other, plain)[~near].max() == 0


def test_a_driver_with_a_closed_mouth_changes_nothing_at_rest() -> None:
    face = hopper()
    plain = renderer(hopper).render_frame(acted(face.landmarks, turn_deg=(0, 10, 0)))
    (other,) = renderer(hopper).render(
        acted(face.landmarks, turn_deg=(0, 10, 0)), [DriverFrame(face.image, face.landmarks.points[0])]
    )
    near = np.zeros(plain.shape[:2], bool)
    near[mouth_box(face, 0.2)] = True
    assert changed(other, plain)[~near].max() == 0
    assert changed(other, plain)[near].mean() < 10


@pytest.mark.parametrize("cut", ["left", "right", "top", "bottom"])
def test_a_face_at_the_border_of_the_picture_can_be_animated(cut: str) -> None:
    """The face starts a few pixels inside; a turn away from the border leaves no stripe of the wrong colour."""
    left, top, right, bottom = (int(v) for v in hopper().mesh.box_xyxy)
    part = {
        "left": (slice(0, 599), slice(left - 4, 511)),
        "right": (slice(0, 599), slice(0, right + 5)),
        "top": (slice(top - 4, 599), slice(0, 511)),
        "bottom": (slice(0, bottom + 5), slice(0, 511)),
    }[cut]
    face = face_in(hopper().image[part])  # odd sizes too
    render = rendering(face)
    rest = changed(render.render_frame(face.landmarks), face.image)
    assert rest[~openings(face)].mean() < 0.3
    for picture in render.render(lively(face)):
        assert picture.shape == face.image.shape
    seen = face_in(picture).landmarks
    assert (euler_deg(seen.rotation) - euler_deg(face.landmarks.rotation))[0, 2] == pytest.approx(15, abs=4)


@pytest.mark.parametrize("size", [(101, 119), (257, 301), (64, 75), (1023, 1199)])
def test_any_size_of_picture_can_be_animated(size: tuple[int, int]) -> None:
    face = face_in(cv2.resize(hopper().image, size, interpolation=cv2.INTER_AREA))
    render = rendering(face)
    rest = changed(render.render_frame(face.landmarks), face.image)
    assert rest[~openings(face, 1)].mean() < 0.3
    motion = acted(face.landmarks, turn_deg=(0, 15, 0), jaw=0.1)
    picture = render.render_frame(motion)
    assert picture.shape == (size[1], size[0], 3)
    assert changed(picture, face.image).mean() > 1


def test_a_grey_source_stays_grey() -> None:
    grey = np.repeat(hopper().image.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    face = face_in(grey)
    motion = lively(face)
    driver = [
        DriverFrame(astronaut().image, points) for points in acted(astronaut().landmarks, jaw=[0, 0.2, 0.05, 0]).points
    ]
    for pictures in (rendering(face).render(motion), rendering(face).render(motion, driver)):
        for picture in pictures:
            assert np.ptp(picture.astype(int), axis=2).max() <= 2


def test_a_given_matte_says_what_moves() -> None:
    """On a striped wall, with the person cut out exactly, no stripe moves along with the head."""
    face = hopper()
    estimated = renderer(hopper)
    nobody = rendering(face, np.zeros(face.image.shape[:2], np.float32))
    everything = rendering(face, np.ones(face.image.shape[:2], np.float32))
    motion = acted(face.landmarks, shift_px=(12, 0))
    beside = (slice(150, 300), slice(int(face.mesh.box_xyxy[2]) + 30, int(face.mesh.box_xyxy[2]) + 70))
    still, own, moving = (
        changed(r.render_frame(motion), face.image)[beside].mean() for r in (nobody, estimated, everything)
    )
    assert still < 1 and own < moving
    for render in (nobody, everything):  # the face moves in any case
        seen = face_in(render.render_frame(motion)).landmarks
        assert np.linalg.norm((seen.points - motion.points)[0], axis=1).mean() < 0.05 * motion.eye_distance_px[0]


def test_frames_may_come_from_a_generator() -> None:
    face = hopper()
    motion = lively(face)
    pictures = renderer(hopper).render(frame for frame in motion)
    assert next(iter(pictures)).tobytes() == renderer(hopper).render_frame(motion[:1]).tobytes()
