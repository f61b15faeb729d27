"""MediaPipe as an estimator: the right points at the right places, several people, hands, nobody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage
from skimage import data

from body.mediapipe.estimator import (
    ARMS,
    MESH_OF_FACE,
    MediaPipeEstimator,
    _Arm,
    _assigned,
)
from body.mediapipe.hands import Hand, region_of, square
from body.mediapipe.people import PeopleDetector
from body.tracking import track
from body.types import (
    FACE,
    LEFT_ANKLE,
    LEFT_EAR,
    LEFT_EYE,
    LEFT_HAND,
    LEFT_SHOULDER,
    LEFT_WRIST,
    NECK,
    NOSE,
    POINT_COUNT,
    RIGHT_EAR,
    RIGHT_EYE,
    RIGHT_HAND,
    RIGHT_KNEE,
    RIGHT_SHOULDER,
    RIGHT_WRIST,
)

Image = NDArray[np.uint8]

# Of the astronaut's picture, by eye.
SEEN_AT = {
    NOSE: (224, 125),
    RIGHT_EYE: (203, 103),
    LEFT_EYE: (247, 104),
    RIGHT_SHOULDER: (105, 255),
    LEFT_SHOULDER: (305, 250),
    RIGHT_EAR: (180, 118),
    LEFT_EAR: (270, 125),
    NECK: (205, 252),
    FACE.start + 8: (221, 178),  # chin
    FACE.start + 48: (202, 139),  # corners of the mouth
    FACE.start + 54: (246, 141),
}
NEAR_PX = 14
SIDES = ((RIGHT_SHOULDER, LEFT_SHOULDER), (RIGHT_EYE, LEFT_EYE), (RIGHT_EAR, LEFT_EAR))


@pytest.fixture(scope="module")
def estimator() -> Iterator[MediaPipeEstimator]:
    estimator = MediaPipeEstimator()
    yield estimator
    estimator.close()


@pytest.fixture(autouse=True)
def nothing_seen(estimator: MediaPipeEstimator) -> None:
    estimator.reset()


def astronaut() -> Image:
    """512x512, head to waist, the left hand hidden."""
    return np.asarray(data.astronaut(), np.uint8)


def pair() -> Image:
    """Two people side by side, 1024x512."""
    return np.hstack([astronaut()[:, ::-1], astronaut()])


def shifted(image: Image, x: int) -> Image:
    return np.asarray(np.roll(image, x, axis=1), np.uint8)


def test_points_lie_where_they_belong(estimator: MediaPipeEstimator) -> None:
    (person,) = estimator(astronaut())
    assert person.points.shape == (POINT_COUNT, 2) and person.points.dtype == np.float32
    for point, place in SEEN_AT.items():
        assert person.scores[point] > 0.9
        assert np.linalg.norm(person.points[point] - place) < NEAR_PX, point
    assert not person.visible[[RIGHT_KNEE, LEFT_ANKLE]].any()


def test_in_a_mirror_left_is_right(estimator: MediaPipeEstimator) -> None:
    (person,) = estimator(astronaut())
    estimator.reset()
    (mirrored,) = estimator(np.ascontiguousarray(astronaut()[:, ::-1]))
    for right, left in SIDES:
        for one, other in ((right, left), (left, right)):
            expected = np.array([511, 0]) + person.points[one] * (-1, 1)
            assert np.linalg.norm(mirrored.points[other] - expected) < 2 * NEAR_PX


def test_each_face_point_has_a_vertex_of_its_own() -> None:
    assert len(MESH_OF_FACE) == len(set(MESH_OF_FACE)) == 68 and max(MESH_OF_FACE) < 468


def test_a_person_who_moves_is_followed(estimator: MediaPipeEstimator) -> None:
    frames = ((shifted(astronaut(), 6 * index), index / 25) for index in range(6))
    sequence = track(frames, estimator)
    assert sequence.detected.all() and sequence.estimator.startswith("mediapipe-0.10.21")
    np.testing.assert_allclose(np.diff(sequence.points[:, NOSE, 0]), 6, atol=3)


def test_a_video_is_tracked_as_picture_by_picture(estimator: MediaPipeEstimator) -> None:
    """Though the hands of one frame are looked for while the next is looked at."""
    frames = [np.roll(astronaut(), 4 * index, axis=1) for index in range(8)]
    single = np.stack([estimator(frame)[0].points for frame in frames])
    sequence = track([(frame, index / 25) for index, frame in enumerate(frames)], estimator)
    np.testing.assert_array_equal(sequence.points, single)


def test_two_people_are_told_apart(estimator: MediaPipeEstimator) -> None:
    for index, low, high in ((0, 0, 512), (1, 512, 1024)):
        frames = [(shifted(pair(), 4 * step), step / 25) for step in range(4)]
        sequence = track(frames, estimator, person=index)
        assert sequence.detected.all()
        assert ((sequence.points[:, NOSE, 0] > low) & (sequence.points[:, NOSE, 0] < high)).all()


def test_somebody_who_comes_in_later_is_found(estimator: MediaPipeEstimator) -> None:
    alone = pair()
    alone[:, 512:] = 128
    counts = [len(estimator(alone)) for _ in range(3)] + [len(estimator(pair())) for _ in range(12)]
    assert counts[:3] == [1, 1, 1] and counts[-1] == 2


def test_somebody_who_leaves_is_forgotten(estimator: MediaPipeEstimator) -> None:
    assert len(estimator(astronaut())) == 1
    empty = np.full((512, 512, 3), 128, np.uint8)
    assert [len(estimator(empty)) for _ in range(3)] == [0, 0, 0]
    assert len(estimator(astronaut())) == 1


def test_resetting_forgets_everything(estimator: MediaPipeEstimator) -> None:
    first = estimator(astronaut())[0].points
    estimator(shifted(astronaut(), 40))
    estimator.reset()
    np.testing.assert_array_equal(estimator(astronaut())[0].points, first)


def test_the_detector_asks_for_confidence() -> None:
    for confidence, count in ((0.3, 1), (0.999, 0)):
        detector = PeopleDetector(confidence=confidence)
        assert len(detector(astronaut())) == count
        detector.close()


def test_a_drawing_is_found_where_there_is_nobody_else(shared_media: Path, estimator: MediaPipeEstimator) -> None:
    drawing = np.array(PillowImage.open(shared_media / "people" / "anyone-1.png").convert("RGB"))
    detector = PeopleDetector()
    assert detector(drawing) == [] and len(estimator(drawing)) == 1
    detector.close()


def hand_at(x: float, y: float, *, is_left: bool) -> Hand:
    points = np.stack([np.full(21, x), y + np.linspace(0, 40, 21)], axis=1)
    return Hand(points.astype(np.float32), is_left, 0.9)


def test_hands_go_to_the_nearest_wrist_of_their_side() -> None:
    points = np.zeros((POINT_COUNT, 2), np.float32)
    points[LEFT_WRIST], points[RIGHT_WRIST] = (300, 100), (260, 100)
    left, right = hand_at(296, 100, is_left=True), hand_at(264, 100, is_left=False)
    assert _assigned([right, left, right], points, [100, 100]) == [left, right]
    assert _assigned([left], points, [100, 100]) == [left, None]
    crossed = [hand_at(270, 100, is_left=True), hand_at(290, 100, is_left=False)]  # each nearer to the other's wrist
    assert _assigned(crossed, points, [100, 100]) == crossed
    assert _assigned([hand_at(500, 100, is_left=True)], points, [100, 100]) == [None, None]


def test_one_hand_in_two_squares_is_one_hand() -> None:
    points = np.zeros((POINT_COUNT, 2), np.float32)
    points[LEFT_WRIST], points[RIGHT_WRIST] = (300, 100), (280, 100)
    twice = [hand_at(299, 100, is_left=True), hand_at(300, 101, is_left=True)]
    assert _assigned(twice, points, [100, 100])[1] is None


def test_the_wrist_glides_between_the_hands_place_and_the_poses() -> None:
    arm, wrist = _Arm(), np.array([100, 100], np.float32)
    arm.hand = hand_at(110, 100, is_left=True)
    assert arm.wrist(wrist).tolist() == [110, 100]  # in the first frame at once
    arm.hand = None
    glides = [float(arm.wrist(wrist)[0]) for _ in range(6)]
    np.testing.assert_allclose(glides, [108, 106, 104, 102, 100, 100], atol=1e-4)
    arm.hand = hand_at(110, 100, is_left=True)
    np.testing.assert_allclose([arm.wrist(wrist)[0] for _ in range(6)], [102, 104, 106, 108, 110, 110], atol=1e-4)


@pytest.mark.parametrize("turn_deg", [0, 60, 180, -100])
def test_the_region_of_a_hand_turns_with_it(turn_deg: float) -> None:
    upright = np.zeros((21, 2), np.float32)
    for finger in range(5):
        joints = slice(1 + 4 * finger, 5 + 4 * finger)
        upright[joints, 0], upright[joints, 1] = 12 * (finger - 2), -np.array([40, 60, 75, 85])
    turn = np.radians(turn_deg)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    whole = region_of(upright)
    turned = region_of((upright @ matrix.T + (300, 200)).astype(np.float32))
    assert turned.side_px == pytest.approx(whole.side_px, rel=1e-3)
    assert np.cos(turned.turn - whole.turn - turn) == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(turned.centre, matrix @ whole.centre + (300, 200), atol=0.01)
    assert abs(upright[:, 1] - whole.centre[1]).max() < whole.side_px / 2


@pytest.mark.parametrize("centre", [(32, 24), (0, 0), (63, 47), (-50, 20), (20, 200)])
def test_a_square_beyond_the_border_is_black_there(centre: tuple[float, float]) -> None:
    image = np.full((48, 64, 3), 200, np.uint8)
    part, corner = square(image, np.array(centre, np.float32), 30)
    assert part.shape == (30, 30, 3)
    x, y = np.meshgrid(np.arange(30) + corner[0], np.arange(30) + corner[1])
    np.testing.assert_array_equal(part[..., 0] == 200, (x >= 0) & (x < 64) & (y >= 0) & (y < 48))


@pytest.mark.parametrize(
    ("name", "hands", "legs"),
    [("woman-0077", True, False), ("man-0001", True, False), ("museref", True, True), ("anyone-2", False, True)],
)
def test_real_people_show_hands_and_legs(
    name: str, hands: bool, legs: bool, shared_media: Path, estimator: MediaPipeEstimator
) -> None:
    image = np.array(PillowImage.open(shared_media / "people" / f"{name}.png").convert("RGB"))
    (person,) = estimator(image)
    assert bool(person.visible[[10, 13]].all()) == legs
    for part, _, wrist in ARMS:
        assert person.visible[part].all() == hands
        if hands:  # an arm ends where its hand begins
            assert np.linalg.norm(person.points[part][0] - person.points[wrist]) < 1
    if hands:  # facing the camera, the left hand is on the picture's right
        assert person.points[LEFT_HAND, 0].mean() > person.points[RIGHT_HAND, 0].mean()
