"""The tracker: finds faces of all sizes, tells them apart, follows one, and gives the same twice."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
import pytest

from checkpoints.errors import FaceNotFoundError, InputError
from landmarks.face_mesh import FaceMesh
from landmarks.head_pose import euler_deg
from landmarks.mediapipe_tracker import FaceChoice, MediaPipeTracker, choose_face, find_faces
from landmarks.tracking import SequenceBuilder, eye_openness, track, visibility
from tests.faces import Face, Picture, astronaut, face_in, hopper, on_canvas

BLANK = np.full((512, 1024, 3), 128, np.uint8)


@cache
def couple() -> Picture:
    """Two faces of one size side by side: the astronaut, then Hopper, a little larger."""
    enlarged = cv2.resize(astronaut().image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    return np.hstack([enlarged[:512, 200:712], hopper().image[:512]])


ASTRONAUT_X, HOPPER_X = 249, 778  # middles of the faces in `couple`


def apart(face: FaceMesh | None, x: float) -> float:
    assert face is not None
    return abs(float(face.centre[0]) - x)


@pytest.mark.parametrize("whose", [astronaut, hopper], ids=lambda f: f.__name__)
def test_one_face_is_found_where_it_is(whose: Callable[[], Face]) -> None:
    faces = find_faces(whose().image)
    assert len(faces) == 1
    x, y = faces[0].centre
    if whose is astronaut:
        assert 190 < x < 250 and 90 < y < 160
    else:
        assert 230 < x < 300 and 190 < y < 280
    left, top, right, bottom = faces[0].box_xyxy
    assert left < x < right and top < y < bottom
    assert faces[0].width_px == pytest.approx(right - left)


def test_the_same_picture_gives_the_same_twice() -> None:
    for image in (astronaut().image, couple()):
        for first, second in zip(find_faces(image), find_faces(image), strict=True):
            np.testing.assert_array_equal(first.vertices, second.vertices)


def test_a_small_face_in_a_large_picture_is_found() -> None:
    small = cv2.resize(hopper().image, None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA)
    large = np.full((900, 1200, 3), 128, np.uint8)
    large[300:420, 800 : 800 + small.shape[1]] = small
    faces = find_faces(large)
    assert len(faces) == 1
    points = (face_in(large).landmarks.points[0] - (800, 300)) / 0.2
    error = np.linalg.norm(points - hopper().landmarks.points[0], axis=1)
    assert error.mean() < 0.05 * hopper().landmarks.eye_distance_px[0]


@pytest.mark.parametrize("margins", [{"left": 300, "right": 300}, {"top": 250}, {"left": 100, "bottom": 500}])
def test_room_around_the_picture_moves_the_points_along(margins: dict[str, int]) -> None:
    face = face_in(on_canvas(hopper().image, **margins))
    own = hopper().landmarks
    moved = face.landmarks.points[0] - (margins.get("left", 0), margins.get("top", 0))
    assert np.linalg.norm(moved - own.points[0], axis=1).mean() < 0.015 * own.eye_distance_px[0]


@pytest.mark.parametrize("size", [(512, 600), (900, 600), (512, 900)])
@pytest.mark.parametrize("roll_deg", [-25, 25])
def test_a_tilted_picture_shows_in_the_roll_alone(size: tuple[int, int], roll_deg: float) -> None:
    matrix = cv2.getRotationMatrix2D((266, 240), -roll_deg, 1)
    matrix[:, 2] += (np.array(size) - (512, 600)) / 2
    tilted = cv2.warpAffine(hopper().image, matrix, size, borderValue=(128, 128, 128))
    upright = on_canvas(
        hopper().image,
        left=(size[0] - 512) // 2,
        right=(size[0] - 512) // 2,
        top=(size[1] - 600) // 2,
        bottom=(size[1] - 600) // 2,
    )
    pitch, yaw, roll = (euler_deg(face_in(tilted).landmarks.rotation) - euler_deg(face_in(upright).landmarks.rotation))[
        0
    ]
    assert roll == pytest.approx(roll_deg, abs=2)
    assert abs(pitch) < 3 and abs(yaw) < 3


def test_two_faces_come_from_left_to_right() -> None:
    faces = find_faces(couple())
    assert [apart(face, x) < 10 for face, x in zip(faces, (ASTRONAUT_X, HOPPER_X), strict=True)] == [True, True]
    mirrored = find_faces(np.ascontiguousarray(couple()[:, ::-1]))
    assert [apart(face, 1024 - x) < 10 for face, x in zip(mirrored, (HOPPER_X, ASTRONAUT_X), strict=True)] == [
        True,
        True,
    ]


def test_a_large_face_does_not_hide_a_small_one() -> None:
    """93 and 183 pixels wide, side by side."""
    faces = find_faces(np.hstack([hopper().image[:512], astronaut().image]))
    assert len(faces) == 2


@pytest.mark.parametrize(
    ("choice", "x"),
    [
        (0, ASTRONAUT_X),
        (1, HOPPER_X),
        ("largest", HOPPER_X),
        ((ASTRONAUT_X + 60.0, 200.0), ASTRONAUT_X),
        ((HOPPER_X - 60.0, 300.0), HOPPER_X),
    ],
)
def test_a_face_is_chosen(choice: FaceChoice, x: float) -> None:
    assert apart(choose_face(find_faces(couple()), choice), x) < 10


@pytest.mark.parametrize("index", [2, -1])
def test_a_face_that_is_not_there_cannot_be_chosen(index: int) -> None:
    with pytest.raises(InputError, match=f"no face {index}: 2 found"):
        choose_face(find_faces(couple()), index)


def test_no_face_and_no_choice_are_errors() -> None:
    with pytest.raises(FaceNotFoundError):
        choose_face([])
    with pytest.raises(InputError, match="'smallest'"):
        choose_face([hopper().mesh], "smallest")


def test_a_picture_of_nothing_has_no_face() -> None:
    assert find_faces(np.full((240, 320, 3), 120, np.uint8)) == []
    assert find_faces(np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)) == []


@pytest.mark.parametrize(
    ("choice", "x"), [("largest", HOPPER_X), (0, ASTRONAUT_X), ((ASTRONAUT_X, 200.0), ASTRONAUT_X)]
)
def test_the_tracker_follows_the_chosen_face(choice: FaceChoice, x: float) -> None:
    with MediaPipeTracker(face=choice) as tracker:
        for index in range(8):
            assert apart(tracker(np.roll(couple(), 4 * index, axis=1)), x + 4 * index) < 6
        assert tracker.faces_seen == 2


def test_reset_forgets_the_face() -> None:
    """After the faces change places, the tracker stays at the place; one that was reset starts over with the larger."""
    swapped = np.hstack([couple()[:, 512:], couple()[:, :512]])
    with MediaPipeTracker() as tracker:
        assert apart(tracker(couple()), HOPPER_X) < 6
        assert apart(tracker(swapped), ASTRONAUT_X + 512) < 6
        tracker.reset()
        assert tracker.faces_seen == 0
        assert apart(tracker(swapped), HOPPER_X - 512) < 6


def test_the_tracker_waits_for_a_face_and_finds_it_again() -> None:
    with MediaPipeTracker() as tracker:
        frames = [BLANK, couple(), couple(), BLANK, BLANK, couple()]
        found = [tracker(frame) for frame in frames]
    assert [face is not None for face in found] == [False, True, True, False, False, True]
    assert apart(found[-1], HOPPER_X) < 6


def test_a_tracked_video_is_the_same_twice_with_one_tracker() -> None:
    frames = [(np.roll(hopper().image, 3 * index, axis=1), index / 25) for index in range(6)]
    with MediaPipeTracker() as tracker:
        first, second = track(frames, tracker), track(frames, tracker)
    np.testing.assert_array_equal(first.points, second.points)
    np.testing.assert_array_equal(first.rotation, second.rotation)


def test_a_track_tells_which_frames_show_the_face() -> None:
    frames = [hopper().image, np.zeros_like(hopper().image), hopper().image]
    with MediaPipeTracker() as tracker:
        sequence = track(((frame, 0.5 * index) for index, frame in enumerate(frames)), tracker)
    assert list(sequence.detected) == [True, False, True]
    assert list(sequence.timestamps_s) == [0, 0.5, 1]
    assert sequence.size == (512, 600) and sequence.tracker == MediaPipeTracker.name
    assert not sequence.points[1].any() and not sequence.scores[1].any()
    error = np.linalg.norm(sequence.points[[0, 2]] - hopper().landmarks.points, axis=2)
    assert error.mean() < 0.02 * hopper().landmarks.eye_distance_px[0]


def test_a_video_without_a_face_or_frames_is_an_error() -> None:
    with MediaPipeTracker() as tracker:
        with pytest.raises(FaceNotFoundError):
            track([(BLANK, 0.0), (BLANK, 0.1)], tracker)
        with pytest.raises(InputError, match="no frames"):
            track([], tracker)


def test_a_still_head_stays_still_in_the_built_sequence() -> None:
    builder = SequenceBuilder((512, 600), "test")
    for index in range(4):
        builder.add(hopper().landmarks.points[0], index / 25)
    sequence = builder.build()
    np.testing.assert_allclose(sequence.rotation, np.repeat(hopper().landmarks.rotation, 4, axis=0), atol=1e-3)


def test_eye_openness_is_gap_over_width() -> None:
    points = np.zeros((1, 68, 2), np.float32)
    points[0, 36:42] = [(0, 0), (2, -1), (4, -1), (6, 0), (4, 2), (2, 2)]
    points[0, 42:48] = [(10, 0), (12, 0), (14, 0), (16, 0), (14, 0), (12, 0)]
    np.testing.assert_allclose(eye_openness(points), [[0.5, 0]])


def test_the_scores_fall_on_the_far_side_and_outside() -> None:
    points = hopper().landmarks.points
    size = hopper().size
    frontal = visibility(points, np.zeros((1, 3)), size)[0]
    assert ((frontal >= 0) & (frontal <= 1)).all()
    turned = visibility(points, np.radians([[0, -50, 0]]), size)[0]  # the nose to the image's right
    assert turned[14] < frontal[14] and turned[14] < turned[2]
    outside = points.copy()
    outside[0, 5] = (-1, 10)
    assert visibility(outside, np.zeros((1, 3)), size)[0, 5] == 0
