"""Which pixel belongs to which part of a person, the sheets cut from them, and what is filled in behind."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest

from body.types import (
    LEFT_ELBOW,
    LEFT_SHOULDER,
    LEFT_WRIST,
    NECK,
    RIGHT_ELBOW,
    RIGHT_HAND,
    RIGHT_HIP,
    RIGHT_KNEE,
    RIGHT_SHOULDER,
    RIGHT_WRIST,
)
from facereenact.renderers.body_fill import fill_across
from facereenact.renderers.body_layers import Sheet, cut_sheets, hands_hidden
from facereenact.renderers.body_limbs import FOREARM_PARTS, TRUNK, UPPER_ARM_PARTS, Limbs
from facereenact.renderers.body_mesh import BodyMesh
from facereenact.renderers.body_parts import label_parts
from facereenact.renderers.body_pose import pose_bones
from facereenact.renderers.body_skeleton import CHEST, FOREARMS, HEAD, PELVIS, SHINS, UPPER_ARMS, Skeleton
from tests.facereenact.renderers.drawn_person import SHIRT, SIZE, SKIN, WALL, Drawn, person, turned

SHADED = (150, 110, 85)  # skin in the shade of the trunk


@cache
def drawn(*, trunk_over_left_arm: bool = False) -> Drawn:
    return person(trunk_over_left_arm=trunk_over_left_arm)


def limbs(of: Drawn) -> Limbs:
    return Limbs(Skeleton(of.points, of.scores), of.matte)


@cache
def sheets(*, trunk_over_left_arm: bool = False) -> list[Sheet]:
    of = drawn(trunk_over_left_arm=trunk_over_left_arm)
    return cut_sheets(of.image, of.matte, limbs(of))


def test_every_pixel_goes_to_the_part_whose_bone_it_is_near() -> None:
    labels, covered = label_parts(drawn().image, drawn().matte, limbs(drawn()))
    scale = np.array(labels.shape[::-1]) / drawn().image.shape[1::-1]

    def at(x: float, y: float) -> int:
        column, row = np.round(np.array([x, y]) * scale).astype(int)
        return int(labels[row, column])

    points = drawn().points
    for side, (elbow, wrist) in enumerate(((RIGHT_ELBOW, RIGHT_WRIST), (LEFT_ELBOW, LEFT_WRIST))):
        assert at(*(points[elbow] + points[wrist]) / 2) == FOREARM_PARTS[side]
        assert at(*(0.6 * points[elbow] + 0.4 * points[NECK + 1 + 3 * side])) == UPPER_ARM_PARTS[side]
    for place in ((144, 160), (144, 70), *points[[RIGHT_HIP, RIGHT_KNEE]]):
        assert at(*place) == TRUNK
    assert covered == (False, False)


def test_an_arm_behind_the_trunk_is_recognised_and_drawn_first() -> None:
    of = drawn(trunk_over_left_arm=True)
    assert label_parts(of.image, of.matte, limbs(of))[1] == (False, True)
    assert [sheet.part for sheet in sheets(trunk_over_left_arm=True)] == [2, TRUNK, 1, 3, 4]
    assert [sheet.part for sheet in sheets()] == [TRUNK, 1, 2, 3, 4]


def test_a_covered_arm_goes_on_below_the_trunk_with_its_own_colour() -> None:
    sheet = next(sheet for sheet in sheets(trunk_over_left_arm=True) if sheet.part == UPPER_ARM_PARTS[1])
    row, column = np.array([142, 184]) - sheet.origin[::-1]
    assert sheet.rgba[row, column, 3] == 255
    np.testing.assert_allclose(sheet.rgba[row, column, :3], SKIN, atol=25)


def test_an_arm_of_which_little_shows_goes_on_as_the_forearm_does_and_ends_round() -> None:
    of = drawn(trunk_over_left_arm=True)
    image, matte, points = of.image.copy(), of.matte.copy(), of.points.copy()
    points[LEFT_ELBOW], points[LEFT_WRIST] = (194, 186), (240, 180)
    elbow, shoulder = points[LEFT_ELBOW], points[LEFT_SHOULDER]
    forearm = of.arms & (np.arange(SIZE[0]) > SIZE[0] / 2) & (np.arange(SIZE[1])[:, None] > 140)
    image[forearm], matte[forearm] = WALL, 0
    arm = np.zeros(matte.shape, np.uint8)
    cv2.fillConvexPoly(arm, np.array([(188, 146), (199, 146), (205, 186), (180, 186)]), (1,))
    image[(arm > 0) & (matte == 0)] = SHADED
    matte[arm > 0] = 1
    cv2.line(image, (194, 186), (240, 180), SKIN, 19)
    cv2.line(matte, (194, 186), (240, 180), (1,), 19)
    cut = cut_sheets(image, matte, Limbs(Skeleton(points, of.scores), matte))
    sheet = next(sheet for sheet in cut if sheet.part == UPPER_ARM_PARTS[1])
    for share in (0.6, 0.7, 0.8, 0.9, 1.0):
        column, row = np.round(shoulder + share * (elbow - shoulder)).astype(int) - sheet.origin
        assert sheet.rgba[row, column, 3] > 250
        np.testing.assert_allclose(sheet.rgba[row, column, :3], SKIN, atol=25)
    rows, columns = np.nonzero(sheet.rgba[..., 3] > 127)
    away = np.column_stack([columns, rows]) + sheet.origin - elbow
    assert np.hypot(*away[away @ (elbow - shoulder) > 0].T).max() < 14


def test_what_lies_beside_a_hand_is_not_the_hand_s_where_its_colour_is_another() -> None:
    of = person(right_wrist=(109, 182), forearm_px=20)
    image = of.image.copy()
    for x in range(126, 138, 4):
        cv2.line(image, (x, 150), (x, 226), (230, 230, 250), 2)
    pale = np.zeros(image.shape[:2], bool)
    pale[170:205, 112:124] = np.abs(image[170:205, 112:124].astype(int) - SHIRT).max(axis=2) < 9
    image[pale] = (180, 175, 140)
    labels = label_parts(image, of.matte, limbs(of))[0]
    beside = pale & (cv2.dilate(of.arms.astype(np.uint8), np.ones((7, 7))) == 0)
    found = cv2.resize(labels.astype(np.uint8), SIZE, interpolation=cv2.INTER_NEAREST)[beside]
    assert (found == TRUNK).mean() > 0.95


def test_sheets_show_the_picture_as_it_is_and_together_all_of_the_person() -> None:
    together = np.zeros(drawn().matte.shape)
    for sheet in sheets():
        rows, columns = np.nonzero(sheet.shown & (sheet.rgba[..., 3] == 255))
        y, x = rows + sheet.origin[1], columns + sheet.origin[0]
        inside = (y >= 0) & (x >= 0) & (y < together.shape[0]) & (x < together.shape[1])
        rows, columns, y, x = rows[inside], columns[inside], y[inside], x[inside]
        np.testing.assert_array_equal(sheet.rgba[rows, columns, :3], drawn().image[y, x])
        together[y, x] = 1
    core = cv2.erode(drawn().matte, np.ones((3, 3))) > 0
    assert together[core].mean() > 0.98


def test_the_trunk_goes_on_below_a_hand() -> None:
    of = person()
    points = of.points.copy()
    points[RIGHT_ELBOW], points[RIGHT_WRIST] = (96, 176), (140, 170)
    image = of.image.copy()
    cv2.line(image, (96, 176), (140, 170), SKIN, 13)
    matte = np.maximum(of.matte, (image != of.image).any(axis=2)).astype(np.float32)
    trunk = next(
        sheet for sheet in cut_sheets(image, matte, Limbs(Skeleton(points, of.scores), matte)) if sheet.part == TRUNK
    )
    row, column = np.array([171, 132]) - trunk.origin[::-1]
    assert not trunk.shown[row, column]
    assert trunk.rgba[row, column, 3] > 250
    np.testing.assert_allclose(trunk.rgba[row, column, :3], SHIRT, atol=25)


def test_a_sleeve_goes_on_below_a_folded_forearm() -> None:
    of = person(right_wrist=(95, 124), forearm_px=8)
    sheets = cut_sheets(of.image, of.matte, limbs(of))
    upper = next(sheet for sheet in sheets if sheet.part == UPPER_ARM_PARTS[0])
    column, row = np.array([94, 140]) - upper.origin
    assert not upper.shown[row, column]
    assert upper.rgba[row, column, 3] > 250
    np.testing.assert_allclose(upper.rgba[row, column, :3], SHIRT, atol=25)
    np.testing.assert_allclose(of.image[140, 94], SKIN, atol=25)


@pytest.mark.parametrize(("wrist", "is_hidden"), [((76, 205), False), ((111, 184), True)])
def test_an_unknown_hand_is_hidden_where_the_trunk_shows_in_its_place(wrist: tuple[int, int], is_hidden: bool) -> None:
    of = person(right_wrist=wrist)
    sheets = cut_sheets(of.image, of.matte, limbs(of))
    assert hands_hidden(sheets, limbs(of), SIZE) == (is_hidden, False)


def test_a_hand_on_a_hidden_one_stays_with_it() -> None:
    of = person(right_wrist=(186, 184))
    assert hands_hidden(cut_sheets(of.image, of.matte, limbs(of)), limbs(of), SIZE) == (True, True)


def test_a_torso_goes_on_below_a_hand_that_the_border_cuts_off() -> None:
    of = person(right_wrist=(128, 190), height=204)
    angle = np.linspace(0, 2 * np.pi, 21)
    of.points[RIGHT_HAND] = np.column_stack([144 + 16 * np.cos(angle), 192 + 16 * np.sin(angle)])
    of.scores[RIGHT_HAND] = 1
    cv2.circle(of.image, (144, 192), 20, SKIN, -1)
    trunk = next(sheet for sheet in cut_sheets(of.image, of.matte, limbs(of)) if sheet.part == TRUNK)
    column, row = np.array([144, 196]) - trunk.origin
    assert trunk.rgba[row, column, 3] > 250
    np.testing.assert_allclose(trunk.rgba[row, column, :3], SHIRT, atol=25)


def test_a_hand_beyond_the_border_of_the_picture_is_not_hidden() -> None:
    of = person(right_wrist=(111, 184), height=190)
    assert hands_hidden(cut_sheets(of.image, of.matte, limbs(of)), limbs(of), (SIZE[0], 190)) == (False, False)


def test_the_person_goes_on_below_the_picture() -> None:
    of = person(height=190)
    trunk = cut_sheets(of.image, of.matte, limbs(of))[0]
    below = trunk.rgba[190 + 20 - trunk.origin[1], 144 - trunk.origin[0]]
    assert below[3] == 255
    np.testing.assert_allclose(below[:3], SHIRT, atol=25)


def test_weights_are_shares_and_limbs_do_not_drag_what_is_beside_them() -> None:
    mesh = BodyMesh(sheets(), limbs(drawn()), step_px=5)
    assert mesh.weights.min() > -1e-6
    assert mesh.weights.sum(axis=1) == pytest.approx(1)
    trunk = mesh.points[mesh.meshes[0].vertices], mesh.weights[mesh.meshes[0].vertices]

    def nearest(x: float, y: float) -> np.ndarray:
        return np.asarray(trunk[1][np.linalg.norm(trunk[0] - (x, y), axis=1).argmin()])

    assert nearest(144, 60)[HEAD] == pytest.approx(1, abs=0.01)
    assert nearest(144, 115)[CHEST] == pytest.approx(1, abs=0.02)
    assert nearest(144, 216)[PELVIS] == pytest.approx(1, abs=0.02)
    assert nearest(121, 320)[SHINS[0]] == pytest.approx(1, abs=0.02)
    assert nearest(166, 320)[SHINS[0]] < 0.05  # the other leg
    hand_beside_hip = nearest(114, 200)
    assert hand_beside_hip[[FOREARMS[0], UPPER_ARMS[0]]].max() < 0.02


def test_bending_keeps_the_thickness_of_an_arm_and_turns_no_triangle_over() -> None:
    own = limbs(drawn())
    mesh = BodyMesh(sheets(), own, step_px=5)
    points = turned(drawn().points, RIGHT_SHOULDER, [RIGHT_ELBOW, RIGHT_WRIST], 55)
    points = turned(points, RIGHT_ELBOW, [RIGHT_WRIST], 60)
    vertices = mesh.deform(pose_bones(own, points, drawn().scores))
    for part in mesh.meshes:
        if part.sheet.part in (1, 3):
            source, target = (of[part.vertices][part.triangles] for of in (mesh.points, vertices))
            before, after = (np.cross(of[:, 1] - of[:, 0], of[:, 2] - of[:, 0]) for of in (source, target))
            assert (after / before > 0).mean() > 0.99
            assert np.median(after / before) == pytest.approx(1, abs=0.05)


def test_a_hem_goes_on_across_a_limb() -> None:
    image = np.full((120, 80, 3), 200, np.uint8)
    image[:60] = SHIRT
    known = np.zeros((120, 80), bool)
    known[:, :40] = True
    torn = np.where(known[..., None], image, 0).astype(np.uint8)
    filled = fill_across(torn, known, ~known, np.array([0.0, 30.0]))
    np.testing.assert_array_equal(filled[known], image[known])
    np.testing.assert_allclose(filled[:52], image[:52], atol=3)
    np.testing.assert_allclose(filled[68:], image[68:], atol=3)
    np.testing.assert_array_equal(fill_across(image, known, np.zeros_like(known), np.array([0.0, 30.0])), image)


def test_outlines_do_not_darken_what_is_filled() -> None:
    image = np.full((120, 100, 3), 200, np.uint8)
    image[:, 10:50:8] = 20
    known = np.zeros((120, 100), bool)
    known[:, :50] = True
    filled = fill_across(image, known, ~known, np.array([0.0, 30.0]))
    np.testing.assert_allclose(filled[:, 80:], 200, atol=2)


def test_a_dark_edge_fades_into_what_is_filled() -> None:
    image = np.full((120, 100, 3), 200, np.uint8)
    image[:, 48:50] = 90
    known = np.zeros((120, 100), bool)
    known[:, :50] = True
    row = fill_across(image, known, ~known, np.array([0.0, 30.0]))[60, 50:, 0].astype(int)
    assert row[0] < row[20:].min() - 15
    assert np.diff(row[:10]).min() >= -1
