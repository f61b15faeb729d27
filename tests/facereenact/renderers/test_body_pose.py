"""The bones: what points make of them, and where they are held."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from body.types import (
    LEFT_ANKLE,
    LEFT_ELBOW,
    LEFT_FOOT,
    LEFT_HIP,
    LEFT_KNEE,
    LEFT_SHOULDER,
    LEFT_WRIST,
    NECK,
    RIGHT_ANKLE,
    RIGHT_ELBOW,
    RIGHT_FOOT,
    RIGHT_HIP,
    RIGHT_KNEE,
    RIGHT_SHOULDER,
    RIGHT_WRIST,
)
from facereenact.errors import InputError
from facereenact.renderers.body_limbs import FOREARM_PARTS, Limbs
from facereenact.renderers.body_pose import ROLL_DEG, BonePose, pose_bones
from facereenact.renderers.body_skeleton import (
    CHEST,
    ENDS,
    FEET,
    FOREARMS,
    HEAD,
    HEAD_POINTS,
    PELVIS,
    SHINS,
    THIGHS,
    UPPER_ARMS,
    Skeleton,
    wrapped,
)
from tests.facereenact.renderers.drawn_person import ARMS, LEGS, Drawn, person, turned

Points = NDArray[np.float64]
EVERYTHING = list(range(134))


@cache
def drawn() -> Drawn:
    return person()


@cache
def limbs() -> Limbs:
    return Limbs(Skeleton(drawn().points, drawn().scores), drawn().matte)


def carried(pose: BonePose, bone: int, point: int) -> Points:
    """Where a bone takes a point of the source."""
    matrix = pose.matrices()[bone]
    return np.asarray(matrix[:, :2] @ drawn().points[point] + matrix[:, 2])


def unseen(*points: int) -> Points:
    scores = drawn().scores.copy()
    scores[list(points)] = 0
    return scores


def test_its_own_points_leave_every_bone_where_it_is() -> None:
    pose = pose_bones(limbs(), drawn().points, drawn().scores)
    np.testing.assert_allclose(pose.matrices()[..., :2], np.tile(np.eye(2), (15, 1, 1)), atol=1e-9)
    np.testing.assert_allclose(pose.matrices()[..., 2], 0, atol=1e-6)
    assert not pose.clamped


@pytest.mark.parametrize("degrees", [0, 12, -20])
@pytest.mark.parametrize("size", [1.0, 0.8, 1.25])
def test_a_similarity_of_all_points_is_followed_by_every_bone(degrees: float, size: float) -> None:
    points = size * turned(drawn().points, NECK, EVERYTHING, degrees) + (30, -12)
    pose = pose_bones(limbs(), points, drawn().scores)
    for bone, (_, end) in ENDS.items():
        if bone not in FEET and drawn().scores[end]:  # feet stay flat
            np.testing.assert_allclose(carried(pose, bone, end), points[end], atol=0.01)
    assert not pose.clamped


def test_limbs_within_the_range_reach_their_points() -> None:
    points = turned(drawn().points, RIGHT_SHOULDER, [RIGHT_ELBOW, RIGHT_WRIST], 50)
    points = turned(points, LEFT_ELBOW, [LEFT_WRIST], -80)
    points = turned(points, LEFT_HIP, [LEFT_KNEE, LEFT_ANKLE, LEFT_FOOT.start], -15)
    pose = pose_bones(limbs(), points, drawn().scores)
    for side, end in ((0, RIGHT_WRIST), (1, LEFT_WRIST)):
        np.testing.assert_allclose(carried(pose, FOREARMS[side], end), points[end], atol=4)  # of a centred shoulder
    np.testing.assert_allclose(carried(pose, SHINS[1], LEFT_ANKLE), points[LEFT_ANKLE], atol=0.01)
    assert not pose.clamped


@pytest.mark.parametrize("side", [0, 1])
def test_an_arm_goes_no_higher_than_a_sleeve_bears(side: int) -> None:
    joints = ARMS[side]
    outwards = (1, -1)[side]
    turns = []
    for degrees in (60, 150, 200):
        points = turned(drawn().points, joints[0], list(joints[1:]), outwards * degrees)
        pose = pose_bones(limbs(), points, drawn().scores)
        assert pose.clamped == (degrees > 100)
        turns.append(outwards * np.degrees(pose.angles[UPPER_ARMS[side]]))
    assert turns[0] == pytest.approx(60, abs=0.1)
    assert 60 < turns[1] < 100
    assert turns[2] == pytest.approx(turns[1])  # beyond the head it still counts as raised outwards


def test_a_length_out_of_range_is_held() -> None:
    points = drawn().points.copy()
    points[RIGHT_WRIST] += 4 * (points[RIGHT_WRIST] - points[RIGHT_ELBOW])
    pose = pose_bones(limbs(), points, drawn().scores)
    own = np.linalg.norm(drawn().points[RIGHT_WRIST] - drawn().points[RIGHT_ELBOW])
    length = np.linalg.norm(carried(pose, FOREARMS[0], RIGHT_WRIST) - carried(pose, FOREARMS[0], RIGHT_ELBOW))
    assert pose.clamped
    assert own < length < 1.6 * own


def test_a_turned_torso_gets_narrower_but_not_thin() -> None:
    points = drawn().points.copy()
    middle = points[NECK, 0]
    points[:, 0] = middle + 0.5 * (points[:, 0] - middle)
    pose = pose_bones(limbs(), points, drawn().scores)
    width = np.linalg.norm(pose.stretches[CHEST] @ (1, 0))
    assert pose.clamped
    assert 0.85 < width < 0.9


def test_an_arm_told_to_stay_goes_with_the_chest_and_that_is_told() -> None:
    points = drawn().points
    for joints, degrees in zip(ARMS.values(), (50, -50), strict=True):
        points = turned(points, joints[0], list(joints[1:]), degrees)
    pose = pose_bones(limbs(), points, drawn().scores, still_arms=(True, False))
    turns = np.degrees(pose.angles[[UPPER_ARMS[0], FOREARMS[0], UPPER_ARMS[1]]])
    assert turns == pytest.approx([0, 0, -50], abs=0.1)
    assert pose.clamped
    assert not pose_bones(limbs(), drawn().points, drawn().scores, still_arms=(True, True)).clamped


def test_a_foot_stays_about_flat_without_a_word() -> None:
    points = turned(drawn().points, RIGHT_ANKLE, [RIGHT_FOOT.start], 70)
    pose = pose_bones(limbs(), points, drawn().scores)
    assert np.degrees(pose.angles[FEET[0]]) == pytest.approx(20)
    assert not pose.clamped


def test_a_limb_out_of_sight_keeps_its_angle_to_what_it_hangs_on() -> None:
    points = turned(drawn().points, RIGHT_SHOULDER, [RIGHT_ELBOW], 40)
    points[RIGHT_WRIST] = (-500, 900)
    pose = pose_bones(limbs(), points, unseen(RIGHT_WRIST))
    assert np.degrees(pose.angles[[UPPER_ARMS[0], FOREARMS[0]]]) == pytest.approx([40, 40], abs=0.1)
    pose = pose_bones(limbs(), np.add(points, (20, 0)), unseen(RIGHT_ELBOW, RIGHT_WRIST))
    assert np.degrees(pose.angles[UPPER_ARMS[0]]) == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(carried(pose, FOREARMS[0], RIGHT_WRIST), drawn().points[RIGHT_WRIST] + (20, 0), atol=0.1)


def test_legs_out_of_sight_stand_while_the_body_sways() -> None:
    points = np.add(drawn().points, (14, 0))
    pose = pose_bones(limbs(), points, unseen(*LEGS))
    for shin, ankle in ((SHINS[0], RIGHT_ANKLE), (SHINS[1], LEFT_ANKLE)):
        np.testing.assert_allclose(carried(pose, shin, ankle), drawn().points[ankle], atol=0.5)
    np.testing.assert_allclose(carried(pose, THIGHS[0], RIGHT_HIP), points[RIGHT_HIP], atol=0.01)


def test_a_planted_foot_stays_while_the_hips_shift() -> None:
    points = drawn().points.copy()
    upper = [i for i in EVERYTHING if i not in LEGS]
    points[upper] += (10, 3)
    points[[RIGHT_KNEE, LEFT_KNEE]] += (5, 2)
    pose = pose_bones(limbs(), points, drawn().scores)
    np.testing.assert_allclose(carried(pose, SHINS[0], RIGHT_ANKLE), points[RIGHT_ANKLE], atol=0.01)
    np.testing.assert_allclose(carried(pose, FEET[0], RIGHT_FOOT.start), points[RIGHT_FOOT.start], atol=0.01)


def test_without_hips_the_pelvis_goes_with_the_shoulders() -> None:
    points = turned(drawn().points, NECK, EVERYTHING, 9)
    pose = pose_bones(limbs(), points, unseen(RIGHT_HIP, LEFT_HIP, *LEGS))
    np.testing.assert_allclose(carried(pose, PELVIS, RIGHT_HIP), points[RIGHT_HIP], atol=0.01)


def test_the_head_rolls_and_shifts_with_its_points_within_a_range() -> None:
    head = list(HEAD_POINTS)
    for degrees, clamped in ((15, False), (60, True)):
        points = turned(drawn().points, NECK, head, degrees / 2)  # aside a little, too
        middle = points[head].mean(axis=0)
        points[head] = middle + (turned(points, head[-1], head, degrees / 2)[head] - points[head[-1]])
        pose = pose_bones(limbs(), points, drawn().scores)
        assert pose.clamped == clamped
        roll = np.degrees(pose.angles[HEAD])
        assert roll == pytest.approx(min(degrees, ROLL_DEG), abs=0.01)


@pytest.mark.parametrize(("asked", "given"), [((0, 4), (0, 4)), ((3, 11), (3, 6.4)), ((3, -11), (3, -11))])
def test_a_bowed_head_sinks_no_deeper_than_the_neck_bears(
    asked: tuple[float, float], given: tuple[float, float]
) -> None:
    points = drawn().points.copy()
    points[list(HEAD_POINTS)] += asked
    pose = pose_bones(limbs(), points, drawn().scores)
    np.testing.assert_allclose(carried(pose, HEAD, HEAD_POINTS[0]), drawn().points[HEAD_POINTS[0]] + given, atol=0.01)
    assert not pose.clamped


def test_without_shoulders_nothing_moves() -> None:
    pose = pose_bones(limbs(), drawn().points + 50, unseen(RIGHT_SHOULDER))
    assert np.abs(pose.matrices() - np.eye(2, 3)).max() < 1e-9


@pytest.mark.parametrize("seed", range(20))
def test_any_points_give_finite_bones(seed: int) -> None:
    random = np.random.default_rng(seed)
    points = random.normal(200, 10.0 ** random.integers(0, 4), (134, 2))
    if seed == 0:
        points[:] = 7  # all in one place
    pose = pose_bones(limbs(), points, random.random(134) + (seed % 2))
    assert np.isfinite(pose.matrices()).all()
    assert np.abs(np.diff(pose.angles[list(UPPER_ARMS)])).max() < 2 * np.pi


def test_somebody_seen_from_the_side_is_moved_without_being_torn() -> None:
    points = drawn().points.copy()
    points[:, 0] = 144 + 0.02 * (points[:, 0] - 144)
    own = Limbs(Skeleton(points, drawn().scores), drawn().matte)
    pose = pose_bones(own, turned(points, NECK, EVERYTHING, 5), drawn().scores)
    assert np.linalg.svd(pose.stretches[[CHEST, PELVIS]], compute_uv=False) == pytest.approx(1, abs=0.05)


def test_both_shoulders_are_required() -> None:
    with pytest.raises(InputError, match="both shoulders"):
        Skeleton(drawn().points, unseen(LEFT_SHOULDER))


def test_lines_of_the_torso_stay_inside_a_waist() -> None:
    skeleton = Skeleton(drawn().points, drawn().scores)
    at_waist = [line.mean(axis=0)[0] for line in skeleton.lines()[2:4]]
    straight = [drawn().points[pair, 0].mean() for pair in ([RIGHT_SHOULDER, RIGHT_HIP], [LEFT_SHOULDER, LEFT_HIP])]
    assert np.ptp(at_waist) < 0.7 * np.ptp(straight)


def test_unknown_hips_are_taken_to_be_below_the_shoulders() -> None:
    skeleton = Skeleton(drawn().points, unseen(RIGHT_HIP, LEFT_HIP, *LEGS))
    for hip in (RIGHT_HIP, LEFT_HIP):
        assert np.linalg.norm(skeleton.points[hip] - drawn().points[hip]) < 15
    assert not skeleton.present[[*THIGHS, *SHINS, *FEET]].any()


def test_a_forearm_that_points_at_the_camera_has_no_direction_to_turn_from() -> None:
    points = drawn().points.copy()
    points[RIGHT_WRIST] = points[RIGHT_ELBOW] + (3, 0)
    own = Limbs(Skeleton(points, drawn().scores), drawn().matte)
    assert own.skeleton.trust(0) == 0
    assert own.skeleton.trust(1) == 1
    driven = turned(points, RIGHT_SHOULDER, [RIGHT_ELBOW, RIGHT_WRIST], 20)
    angles = []
    for wrist in ((40, 0), (-40, 5), (0, -40)):
        driven[RIGHT_WRIST] = driven[RIGHT_ELBOW] + wrist
        angles.append(np.degrees(pose_bones(own, driven, drawn().scores).angles[FOREARMS[0]]))
    assert angles == pytest.approx([20, 20, 20], abs=0.1)


def test_an_arm_whose_forearm_points_at_the_camera_is_raised_less() -> None:
    points = drawn().points.copy()
    points[RIGHT_WRIST] = points[RIGHT_ELBOW] + (3, 0)
    facing = Limbs(Skeleton(points, drawn().scores), drawn().matte)
    raised = []
    for own, start in ((limbs(), drawn().points), (facing, points)):
        pose = pose_bones(own, turned(start, RIGHT_SHOULDER, [RIGHT_ELBOW, RIGHT_WRIST], 100), drawn().scores)
        assert pose.clamped
        raised.append(np.degrees(pose.angles[UPPER_ARMS[0]]))
    assert raised[0] - raised[1] == pytest.approx(40, abs=0.1)


def test_forearm_and_upper_arm_lie_end_to_end_or_on_each_other() -> None:
    assert limbs().skeleton.straightness(0) == 1
    folded = drawn().points.copy()
    folded[RIGHT_WRIST] = folded[RIGHT_SHOULDER] + (-6, 2)
    assert Skeleton(folded, drawn().scores).straightness(0) == 0


def test_limbs_are_as_thick_as_they_are_drawn() -> None:
    for part in FOREARM_PARTS:
        assert limbs().radius_px[part] == pytest.approx(7, abs=2)


def test_angles_are_wrapped_into_one_turn() -> None:
    assert wrapped(3 * np.pi / 2) == pytest.approx(-np.pi / 2)
    assert wrapped(-np.pi / 2, 0) == pytest.approx(3 * np.pi / 2)
