"""Finding, following and giving up faces, with networks that know where the faces are."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from checkpoints.errors import InputError
from landmarks.openseeface import PRESETS, OpenSeeFaceTracker, Preset
from landmarks.openseeface import tracker as module
from landmarks.openseeface.boxes import Crop
from landmarks.openseeface.pupils import Pupils
from landmarks.openseeface.regression import Regression
from landmarks.openseeface.slots import Find, best_finds
from landmarks.openseeface.tracker import GROUP
from tests.landmarks.openseeface.fabricated import regression

IMAGE = np.zeros((480, 640, 3), np.uint8)


class Scene:
    """Where faces are (x, y of the middle, 100 pixels wide), and how often it was looked for them."""

    def __init__(self) -> None:
        self.faces: list[tuple[float, float]] = []
        self.detections = 0
        self.groups: list[int] = []  # for how many faces at once pupils were looked for

    def pupils(self, eyes: list[NDArray[np.float32]]) -> list[Pupils]:
        self.groups.append(len(eyes))
        return [(each, np.ones(2, np.float32)) for each in eyes]

    def detect(self, image: NDArray[np.uint8], *, count: int) -> list[NDArray[np.float32]]:
        self.detections += 1
        if image.shape != IMAGE.shape:
            return []
        return [np.array([x - 50, y - 50, 100, 100], np.float32) for x, y in self.faces][:count]

    def regress(self, image: NDArray[np.uint8], crop: Crop) -> Regression:
        inside = [(x, y) for x, y in self.faces if crop.left < x < crop.right and crop.top < y < crop.bottom]
        if image.shape != IMAGE.shape or not inside:
            return regression(crop.left, crop.top, confidence=0.2)
        return regression(*inside[0])


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene = Scene()

    def fake(value: Any) -> Any:
        return lambda *_, **__: value

    for name, value in (
        ("LandmarkRegressor", scene.regress),
        ("FaceDetector", scene.detect),
        ("PupilFinder", scene.pupils),
    ):
        monkeypatch.setattr(module, name, fake(value))
    monkeypatch.setattr(module, "cut_eyes", lambda image, face: face.points[[37, 43]])
    return scene


def tracker(preset: str | Preset) -> OpenSeeFaceTracker:
    return OpenSeeFaceTracker(Path("nowhere"), preset=preset)


@pytest.mark.parametrize("preset", ["compat", "corrected"])
def test_a_face_is_followed_without_the_detector(scene: Scene, preset: str) -> None:
    track = tracker(preset)
    scene.faces = [(200, 200)]
    for step in range(10):
        scene.faces = [(200 + 10 * step, 200)]
        (face,) = track(IMAGE)
        assert face.points[:66].mean(axis=0)[0] == pytest.approx(
            regression(*scene.faces[0]).points[:, 0].mean(), abs=0.1
        )
        assert face.points.shape == (68, 2)
        assert face.points.dtype == np.float32
    assert scene.detections == 1


def test_compat_looks_again_only_once_the_place_is_given_up(scene: Scene) -> None:
    track = tracker("compat")
    scene.faces = [(150, 150)]
    track(IMAGE)
    scene.faces = [(450, 300)]
    found = [bool(track(IMAGE)) for _ in range(13)]
    assert found.index(True) == PRESETS["compat"].discard_after + 1
    assert scene.detections == 2


def test_corrected_finds_a_face_that_jumps_in_the_same_frame(scene: Scene) -> None:
    track = tracker("corrected")
    for scene.faces in ([(150, 150)], [(450, 300)], [(100, 400)]):
        assert len(track(IMAGE)) == 1


def test_corrected_finds_a_face_that_comes_back_at_once(scene: Scene) -> None:
    track = tracker("corrected")
    for away in (1, 5, 30):
        scene.faces = [(150, 150)]
        assert track(IMAGE)
        scene.faces = []
        assert not any(track(IMAGE) for _ in range(away))
        scene.faces = [(450, 300)]
        assert track(IMAGE)


def test_a_long_absence_is_not_searched_thoroughly_in_every_frame(scene: Scene) -> None:
    track = tracker("corrected")
    for _ in range(20):
        track(IMAGE)
    looks = []
    for _ in range(5):
        before = scene.detections
        track(IMAGE)
        looks.append(scene.detections - before)
    assert sorted(looks)[:4] == [1] * 4
    assert max(looks) > 5


def test_several_faces_keep_their_numbers(scene: Scene) -> None:
    track = tracker(replace(PRESETS["corrected"], max_faces=2))
    scene.faces = [(150, 150), (450, 150)]
    first = {face.number: face.points[30, 0] for face in track(IMAGE)}
    assert len(first) == 2
    for step in range(1, 15):
        scene.faces = [(450 - 5 * step, 300), (150 + 5 * step, 150)]
        faces = track(IMAGE)
    assert {face.number for face in faces} == {0, 1}
    left = min(faces, key=lambda face: float(face.points[30, 0]))
    assert left.number == min(first, key=lambda number: first[number])


def test_a_second_face_is_found_by_the_scan(scene: Scene) -> None:
    track = tracker(replace(PRESETS["compat"], max_faces=2))
    scene.faces = [(150, 150)]
    assert len(track(IMAGE)) == 1
    scene.faces = [(150, 150), (450, 150)]
    counts = [len(track(IMAGE)) for _ in range(4)]
    assert counts == [1, 1, 2, 2]


def moving(scene: Scene, places: list[list[tuple[float, float]]]) -> Iterator[NDArray[np.uint8]]:
    """Frames in which the faces are at the places, counted as they are asked for."""
    for scene.faces in places:
        yield IMAGE


@pytest.mark.parametrize("preset", ["compat", "corrected"])
def test_frames_that_are_followed_show_what_each_shows(scene: Scene, preset: str) -> None:
    places: list[list[tuple[float, float]]] = [[(150 + 5 * step, 150), (450, 150 + 5 * step)] for step in range(30)]
    places[3:6] = [[]] * 3
    places[10] = places[10][:1]
    track = tracker(replace(PRESETS[preset], max_faces=2))
    expected = [track.points(image) for image in moving(scene, places)]
    track.reset()
    scene.groups.clear()
    found = list(track.follow(moving(scene, places)))
    assert [[face.number for face in faces] for faces in found] == [[face.number for face in each] for each in expected]
    for faces, each in zip(found, expected, strict=True):
        for face, other in zip(faces, each, strict=True):
            np.testing.assert_array_equal(face.points, other.points)
            np.testing.assert_array_equal(face.scores, other.scores)
    assert scene.groups == [sum(map(len, expected[:GROUP])), sum(map(len, expected[GROUP:]))]


def test_following_looks_a_group_ahead_and_no_further(scene: Scene) -> None:
    asked = []
    scene.faces = [(200, 200)]
    following = tracker("corrected").follow(asked.append(number) or IMAGE for number in range(3 * GROUP))
    for _ in range(GROUP):
        assert len(next(following)) == 1 and len(asked) == GROUP
    next(following)
    assert len(asked) == 2 * GROUP


def test_a_video_without_frames_has_no_faces(scene: Scene) -> None:
    assert list(tracker("corrected").follow([])) == []


def test_faces_are_sighted_without_pupils(scene: Scene) -> None:
    track = tracker("corrected")
    scene.faces = [(200, 200)]
    (face,) = track.sighted(IMAGE)
    assert not face.points[66:].any() and not face.scores[66:].any() and not scene.groups
    (whole,) = track.with_pupils(IMAGE)
    np.testing.assert_array_equal(whole.points[66:], face.points[[37, 43]])
    np.testing.assert_array_equal(whole.points[:66], face.points[:66])
    assert (whole.scores[66:] == 1).all()


def test_finds_of_one_face_are_one() -> None:
    same = [Find(regression(100, 100), False), Find(regression(104, 100, confidence=0.75), True)]
    other = Find(regression(300, 100, confidence=0.7), False)
    best = best_finds([*same, other], 3)
    assert [round(face.confidence, 2) for face in best] == [0.75, 0.7]  # what is followed goes before what is new
    assert len(best_finds([*same, other], 1)) == 1


def test_reset_forgets(scene: Scene) -> None:
    track = tracker("corrected")
    scene.faces = [(150, 150)]
    before = track(IMAGE)[0]
    scene.faces = [(170, 150)]
    track(IMAGE)
    track.reset()
    scene.faces = [(150, 150)]
    after = track(IMAGE)[0]
    np.testing.assert_array_equal(before.points, after.points)
    np.testing.assert_array_equal(before.rotation, after.rotation)
    assert scene.detections == 2


def test_points_alone_are_those_of_the_whole_face(scene: Scene) -> None:
    whole, bare = tracker("corrected"), tracker("corrected")
    assert bare.faces() == []
    for step in range(5):
        scene.faces = [(150 + 10 * step, 150 + 5 * step)]
        (expected,), (found,) = whole(IMAGE), bare.points(IMAGE)
        np.testing.assert_array_equal(found.points, expected.points)
        np.testing.assert_array_equal(found.scores, expected.scores)


def test_pose_and_expression_are_stated_once_a_frame(scene: Scene) -> None:
    once, often = tracker("corrected"), tracker("corrected")
    for step in range(5):
        scene.faces = [(150 + 10 * step, 150 + 5 * step)]
        (expected,) = once(IMAGE)
        often.points(IMAGE)
        for face in (*often.faces(), *often.faces()):
            np.testing.assert_array_equal(face.rotation, expected.rotation)
            np.testing.assert_array_equal(face.features, expected.features)


def test_an_unknown_preset_is_named() -> None:
    with pytest.raises(InputError, match="corrected or compat"):
        tracker("fast")
