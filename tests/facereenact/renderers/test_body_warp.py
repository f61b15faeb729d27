"""The body renderer: the source at rest, what moves with the points, what is held, and the face on the moving body."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from body.mediapipe.estimator import MediaPipeEstimator
from body.tracking import track
from body.types import LEFT_ELBOW, LEFT_SHOULDER, LEFT_WRIST, NECK, RIGHT_ELBOW, RIGHT_SHOULDER, RIGHT_WRIST
from facereenact.errors import InputError
from facereenact.images import read_image
from facereenact.renderers.body_head import BodyHead, in_place
from facereenact.renderers.body_skeleton import HEAD_POINTS
from facereenact.renderers.body_warp import BodyWarp, HeadPicture
from landmarks.motion import split_motion
from tests.facereenact.renderers.drawn_person import SHIRT, SKIN, TROUSERS, Drawn, person, psnr_db, turned
from tests.faces import acted, astronaut, hopper

EVERYTHING = list(range(134))


@cache
def drawn(height: int = 400) -> Drawn:
    return person(height=height)


@cache
def renderer(height: int = 400) -> BodyWarp:
    of = drawn(height)
    return BodyWarp(of.image, of.points, of.scores, matte=of.matte)


def rendered(body: BodyWarp, points: np.ndarray, scores: np.ndarray, *, head: HeadPicture | None = None) -> np.ndarray:
    return body.draw(body.place(points, scores), head=head)


def far_from(mask: np.ndarray, distance_px: int) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * distance_px + 1,) * 2)) == 0


def test_its_own_points_give_the_source_back() -> None:
    result = rendered(renderer(), drawn().points, drawn().scores)
    assert psnr_db(result, drawn().image, drawn().matte > 0.5) > 45
    np.testing.assert_array_equal(result[far_from(drawn().matte > 0, 4)], drawn().image[far_from(drawn().matte > 0, 4)])
    assert np.abs(result.astype(int) - drawn().image)[drawn().matte == 0].mean() < 1


def test_a_shift_of_all_points_moves_the_person_by_it() -> None:
    result = rendered(renderer(), np.add(drawn().points, (17, -9)), drawn().scores)
    moved = person(shift=(17, -9))
    core = cv2.erode(drawn().matte, np.ones((7, 7))) > 0
    core = np.roll(core, (-9, 17), axis=(0, 1))
    expected = np.roll(drawn().image, (-9, 17), axis=(0, 1))
    assert psnr_db(result, expected, core) > 40
    left_behind = (drawn().matte > 0) & far_from(moved.matte > 0, 4)
    wall = np.broadcast_to(drawn().image[5], drawn().image.shape)
    assert np.abs(result.astype(int) - wall)[left_behind].max() < 20


def test_a_raised_arm_leaves_no_ghost_and_tears_no_hole() -> None:
    points = turned(drawn().points, RIGHT_SHOULDER, [RIGHT_ELBOW, RIGHT_WRIST], 60)
    result = rendered(renderer(), points, drawn().scores)
    wall = np.broadcast_to(drawn().image[5], drawn().image.shape).astype(int)
    ghost = drawn().arms & (np.arange(288) < 105)
    assert np.abs(result.astype(int) - wall)[ghost].max() < 25
    for point, colour in ((RIGHT_WRIST, SKIN), (RIGHT_ELBOW, SKIN)):
        x, y = np.round(points[point]).astype(int)
        np.testing.assert_allclose(result[y - 1 : y + 2, x - 1 : x + 2].mean(axis=(0, 1)), colour, atol=25)
    along = [
        points[RIGHT_SHOULDER] + t * (points[RIGHT_ELBOW] - points[RIGHT_SHOULDER]) for t in np.linspace(0, 0.8, 9)
    ]
    for x, y in np.round(along).astype(int):
        np.testing.assert_allclose(result[y, x], SHIRT, atol=30)
    untouched = far_from(np.abs(result.astype(int) - drawn().image).max(axis=2) > 30, 1)
    assert untouched[120:220, 150:170].all()  # the other half of the chest


def test_feet_stay_where_they_stand_while_the_hips_shift() -> None:
    points = drawn().points.copy()
    points[points[:, 1] < 230] += (8, 0)
    points[(points[:, 1] > 230) & (points[:, 1] < 300)] += (4, 0)
    result = rendered(renderer(), points, drawn().scores)
    feet = np.zeros(drawn().matte.shape, bool)
    feet[352:368] = True
    assert psnr_db(result, drawn().image, feet) > 30
    np.testing.assert_allclose(result[160, 146:158].mean(axis=0), SHIRT, atol=20)


def test_limbs_out_of_sight_stay_on_their_parent() -> None:
    scores = drawn().scores.copy()
    scores[[RIGHT_ELBOW, RIGHT_WRIST, LEFT_WRIST, LEFT_ELBOW]] = 0
    points = np.add(drawn().points, (12, 0))
    points[[RIGHT_ELBOW, LEFT_WRIST]] = 0
    whole = rendered(renderer(), np.add(drawn().points, (12, 0)), drawn().scores)
    np.testing.assert_array_equal(rendered(renderer(), points, scores), whole)


def test_going_beyond_the_range_is_told() -> None:
    of = drawn(300)
    body = BodyWarp(of.image, of.points, of.scores, matte=of.matte)
    moderate = turned(of.points, RIGHT_SHOULDER, [RIGHT_ELBOW, RIGHT_WRIST], 55)
    assert not body.place(turned(moderate, LEFT_SHOULDER, [LEFT_ELBOW, LEFT_WRIST], -40), of.scores).clamped
    for degrees in (170, 180):
        assert body.place(turned(of.points, RIGHT_SHOULDER, [RIGHT_ELBOW, RIGHT_WRIST], degrees), of.scores).clamped
    assert body.place(np.add(of.points, (0, -300)), of.scores).clamped


@pytest.mark.parametrize("seed", range(4))
def test_wild_points_tear_nothing(seed: int) -> None:
    points = np.random.default_rng(seed).normal(200, 150, (134, 2))
    result = rendered(renderer(), points, np.ones(134))
    assert result.shape == drawn().image.shape
    assert result.dtype == np.uint8


def test_the_lower_end_of_a_cut_off_person_stays_below_the_picture() -> None:
    of = drawn(210)
    lifted = rendered(renderer(210), np.add(of.points, (0, -40)), of.scores)
    np.testing.assert_allclose(lifted[-1, 130:158].mean(axis=0), SHIRT, atol=20)
    far = rendered(renderer(210), np.add(of.points, (0, -300)), of.scores)
    np.testing.assert_allclose(far[-1, 130:158].mean(axis=0), SHIRT, atol=20)
    free = rendered(renderer(), np.add(drawn().points, (0, -250)), drawn().scores)  # nothing cuts this one off
    assert np.abs(free[200:].astype(int) - TROUSERS).max(axis=2).min() > 60


def test_the_head_is_carried_as_its_placement_says() -> None:
    points = turned(drawn().points, NECK, EVERYTHING, 8) * 1.1 + (-10, -20)
    placement = renderer().place(points, drawn().scores).head
    head = list(HEAD_POINTS)
    np.testing.assert_allclose(drawn().points[head] @ placement[:, :2].T + placement[:, 2], points[head], atol=0.01)
    x, y = np.round(placement @ (144, 78, 1)).astype(int)
    result = rendered(renderer(), points, drawn().scores)
    np.testing.assert_allclose(result[y - 8 : y + 8, x - 8 : x + 8].mean(axis=(0, 1)), SKIN, atol=12)


def test_another_head_is_drawn_in_place_of_the_own_and_moves_with_the_body() -> None:
    patch = renderer().person[45:85, 128:160].copy()
    own = rendered(renderer(), drawn().points, drawn().scores)
    same = rendered(renderer(), drawn().points, drawn().scores, head=HeadPicture(patch, (128, 45)))
    assert np.abs(same.astype(int) - own).max() <= 1
    patch[..., :3] = (250, 0, 250)
    points = np.add(drawn().points, (20, 10))
    result = rendered(renderer(), points, drawn().scores, head=HeadPicture(patch, (128, 45)))
    np.testing.assert_allclose(result[60:90, 152:176], np.broadcast_to((250, 0, 250), (30, 24, 3)), atol=2)
    assert (result == (250, 0, 250)).all(axis=2).sum() < 40 * 32 + 1


@pytest.mark.parametrize("degrees", [-20, 0, 15])
def test_the_roll_of_the_head_can_be_given(degrees: float) -> None:
    points = turned(drawn().points, NECK, list(HEAD_POINTS), -10)
    placement = renderer().place(points, drawn().scores, head_roll=np.radians(degrees))
    assert np.degrees(np.arctan2(placement.head[1, 0], placement.head[0, 0])) == pytest.approx(degrees, abs=0.01)
    moved = placement.head[:, :2] @ (144, 95) + placement.head[:, 2]
    assert np.abs(moved - (144, 95)).max() < 4  # the chin stays over the neck


def test_a_head_beyond_the_border_of_the_picture_is_cut_off() -> None:
    patch = np.full((40, 40, 4), 255, np.uint8)
    for origin in ((-1000, 0), (-20, -20), (280, 390)):
        result = rendered(renderer(), drawn().points, drawn().scores, head=HeadPicture(patch, origin))
        assert result.shape == drawn().image.shape


def test_nobody_to_cut_out_is_an_error() -> None:
    with pytest.raises(InputError, match="plainer"):
        BodyWarp(drawn().image, drawn().points, drawn().scores, matte=np.zeros_like(drawn().matte))


def test_a_person_without_known_arms_moves_as_one() -> None:
    scores = drawn().scores.copy()
    scores[[RIGHT_ELBOW, RIGHT_WRIST, LEFT_ELBOW, LEFT_WRIST]] = 0
    body = BodyWarp(drawn().image, drawn().points, scores, matte=drawn().matte)
    result = rendered(body, np.add(drawn().points, (10, 0)), scores)
    core = np.roll(cv2.erode(drawn().matte, np.ones((7, 7))) > 0, 10, axis=1)
    assert psnr_db(result, np.roll(drawn().image, 10, axis=1), core) > 40


def test_an_arm_that_the_border_cuts_off_above_the_elbow_stays_with_the_trunk() -> None:
    elbow = int(drawn().points[[RIGHT_ELBOW, LEFT_ELBOW], 1].min())
    for height, moves in ((elbow - 10, False), (400, True)):
        of = drawn(height)
        swung = turned(of.points, RIGHT_SHOULDER, [RIGHT_ELBOW, RIGHT_WRIST], 40)
        results = [rendered(renderer(height), points, of.scores) for points in (of.points, swung)]
        assert (results[0] != results[1]).any() == moves


def test_an_arm_whose_elbow_alone_is_beyond_the_border_moves() -> None:
    of = person(right_wrist=(100, 205))
    left = int(of.points[RIGHT_ELBOW, 0]) + 5
    points = np.subtract(of.points, (left, 0))
    body = BodyWarp(of.image[:, left:], points, of.scores, matte=of.matte[:, left:])
    swung = turned(points, RIGHT_SHOULDER, [RIGHT_ELBOW, RIGHT_WRIST], 40)
    results = [rendered(body, each, of.scores) for each in (points, swung)]
    assert (results[0] != results[1]).any()


def test_landmarks_in_place_keep_turn_and_expression_alone() -> None:
    face = hopper().landmarks
    still = acted(face, turn_deg=(6, -14, 0), jaw=0.1, lids=(0.4, 1))
    moved = acted(face, turn_deg=(6, -14, 0), jaw=0.1, lids=(0.4, 1), scale=1.2, shift_px=(40, -25))
    np.testing.assert_allclose(in_place(moved, face).points, in_place(still, face).points, atol=0.05)
    np.testing.assert_allclose(in_place(still, face).points, still.points, atol=2.5)  # a turn has a little roll in it
    rolled = in_place(acted(face, turn_deg=(0, 0, 25), scale=0.8), face)
    np.testing.assert_allclose(rolled.points, face.points, atol=0.1)
    assert split_motion(rolled).head.scale == pytest.approx(split_motion(face).head.scale, rel=1e-3)
    turn = Rotation.from_rotvec(in_place(still, face).rotation) * Rotation.from_rotvec(face.rotation).inv()
    assert turn.as_quat()[0, 2] == pytest.approx(0, abs=1e-5)


@cache
def astronaut_head() -> tuple[np.ndarray, BodyHead]:
    face = astronaut()
    matte = np.zeros(face.image.shape[:2], np.uint8)
    cv2.ellipse(matte, (222, 110), (90, 110), 0, 0, 360, (255,), -1)
    cv2.rectangle(matte, (90, 210), (350, 512), (255,), -1)
    cut = np.dstack([face.image, matte])
    return cut, BodyHead(cut, face.mesh, face.landmarks)


def test_the_own_expression_gives_the_cut_out_head_back() -> None:
    cut, head = astronaut_head()
    picture = head.picture(acted(astronaut().landmarks, turn_deg=(0, 0, 12), shift_px=(30, 8)))  # what the body does
    height, width = picture.rgba.shape[:2]
    own = cut[picture.origin[1] : picture.origin[1] + height, picture.origin[0] : picture.origin[0] + width]
    np.testing.assert_array_equal(picture.rgba[..., 3] > 128, own[..., 3] > 128)
    assert psnr_db(picture.rgba[..., :3], own[..., :3], own[..., 3] > 0) > 28


def test_roll_is_left_to_the_body_and_told() -> None:
    _, head = astronaut_head()
    for degrees in (-12, 20):
        picture = head.picture(acted(astronaut().landmarks, turn_deg=(0, 0, degrees)))
        assert np.degrees(picture.roll_rad) == pytest.approx(degrees, abs=0.1)


def test_part_of_an_expression_lies_between_it_and_the_own_head() -> None:
    cut, head = astronaut_head()
    motion = acted(astronaut().landmarks, jaw=0.3, turn_deg=(0, 0, 10))
    whole, half = head.picture(motion), head.picture(motion, share=0.5)
    height, width = whole.rgba.shape[:2]
    own = cut[whole.origin[1] : whole.origin[1] + height, whole.origin[0] : whole.origin[0] + width]
    np.testing.assert_allclose(half.rgba, (whole.rgba.astype(float) + own) / 2, atol=1)
    assert half.roll_rad == pytest.approx(whole.roll_rad / 2)


def test_a_turned_head_takes_its_outline_along() -> None:
    cut, head = astronaut_head()
    picture = head.picture(acted(astronaut().landmarks, turn_deg=(0, -15, 0)))
    height, width = picture.rgba.shape[:2]
    own = cut[picture.origin[1] : picture.origin[1] + height, picture.origin[0] : picture.origin[0] + width]
    changed = (picture.rgba[..., 3] > 128) != (own[..., 3] > 128)
    assert changed.sum() > 50
    assert picture.rgba[..., 3].max() == 255


@pytest.mark.slow
@pytest.mark.parametrize("name", ["woman-0077", "man-0001", "anyone-5"])
def test_real_people_are_given_back_and_moved(shared_media: Path, name: str) -> None:
    path = shared_media / "people" / f"{name}.png"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    image = read_image(path)[0]
    image = cv2.resize(image, (round(image.shape[1] * 512 / image.shape[0]), 512), interpolation=cv2.INTER_AREA)
    sequence = track([(image, 0.0)], MediaPipeEstimator())
    points, scores = sequence.points[0].astype(np.float64), sequence.scores[0]
    body = BodyWarp(image, points, scores)
    matte = body.person[..., 3] / 255
    same = rendered(body, points, scores)
    assert psnr_db(same, image, matte > 0.5) > 34
    np.testing.assert_array_equal(same[far_from(matte > 0, 8)], image[far_from(matte > 0, 8)])
    raised = turned(points, RIGHT_SHOULDER, [RIGHT_ELBOW, RIGHT_WRIST, *range(113, 134)], 40)
    moved = rendered(body, raised, scores)
    if name == "anyone-5":  # her right hand is behind the hip, where it cannot be taken from
        assert body.place(raised, scores).clamped
        np.testing.assert_array_equal(moved, same)
        return
    trunk = far_from(matte < 0.5, 0)
    trunk[:, : int(points[NECK, 0])] = False
    trunk[int(points[NECK, 1]) :] = False  # the half of the head away from the arm
    assert psnr_db(moved, same, trunk) > 40
    assert np.abs(moved.astype(int) - same).max(axis=2)[:, : int(points[NECK, 0])].max() > 60
