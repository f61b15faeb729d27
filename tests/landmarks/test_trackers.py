"""Trackers by name, identities of several faces, and the adapters around the two trackers."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from checkpoints import NotInstalledError, import_files
from checkpoints.errors import InputError
from landmarks.identities import Identities
from landmarks.mediapipe_tracker import FaceChoice
from landmarks.openseeface import OpenSeeFaceTracker
from landmarks.trackers import (
    Following,
    HybridFaces,
    MediaPipeFaces,
    OneFace,
    OpenSeeFaceFaces,
    choose_tracker,
    models_folder,
    open_tracker,
    seen_face,
)
from landmarks.tracking import SeenFace, SequenceBuilder, track
from tests.faces import astronaut, hopper
from tests.landmarks.openseeface.fabricated import face

SHARED = Path(__file__).resolve().parents[3] / "shared"
BLANK = np.full((600, 1024, 3), 90, np.uint8)


def install_models(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a folder the place of checkpoints, with OpenSeeFace's networks; FACEREENACT_MODELS names where they lie."""
    folder = Path(os.environ.get("FACEREENACT_MODELS") or SHARED / "checkpoints") / "openseeface"
    if not (folder / "lm_model0_opt.onnx").is_file():
        pytest.skip(f"needs OpenSeeFace's networks in {folder}; name your checkpoints in FACEREENACT_MODELS")
    monkeypatch.setenv("FACEREENACT_CHECKPOINTS", str(root))
    import_files("openseeface", [folder])


def couple() -> NDArray[np.uint8]:
    """1024x600: the astronaut at the left, Grace Hopper at the right."""
    left = cv2.resize(astronaut().image[:300, 100:356], (512, 600))
    return np.hstack([left, hopper().image])


def seen(x: float, width: float = 100) -> SeenFace:
    points = hopper().landmarks.points[0]
    points = (points - points.mean(axis=0)) * width / np.ptp(points[:, 0]) + (x, 200)
    return SeenFace(points.astype(np.float32))


def places(row: list[SeenFace | None]) -> list[int | None]:
    return [None if each is None else round(float(each.centre[0])) for each in row]


def test_persons_keep_their_places() -> None:
    who = Identities(2)
    assert places(who.placed([seen(100), seen(400)])) == [100, 400]
    assert places(who.placed([seen(390), seen(110)])) == [110, 390]
    assert places(who.placed([seen(380)])) == [None, 380]
    assert places(who.placed([])) == [None, None]
    assert places(who.placed([seen(370), seen(120)])) == [120, 370]


def test_somebody_new_gets_a_free_place_and_then_that_of_who_is_gone() -> None:
    who = Identities(2)
    assert places(who.placed([seen(100)])) == [100, None]
    assert places(who.placed([seen(700)])) == [None, 700]
    assert places(who.placed([seen(110), seen(1500)])) == [110, 1500]
    assert places(who.placed([seen(110), seen(1500), seen(800)])) == [110, 1500]


def test_one_face_is_followed_wherever_it_goes() -> None:
    who = Identities(1)
    assert [places(who.placed([seen(x)])) for x in (100, 900, 100)] == [[100], [900], [100]]
    assert places(who.placed([seen(800), seen(120)])) == [120]


def test_auto_takes_hybrid_where_the_networks_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEREENACT_CHECKPOINTS", str(tmp_path))
    assert choose_tracker() == (
        "mediapipe",
        "auto: the networks of OpenSeeFace are not installed, or damaged (facereenact checkpoints pull openseeface)",
    )
    assert choose_tracker("hybrid") == ("hybrid", "asked for")
    for name in ("hybrid", "openseeface"):
        with pytest.raises(NotInstalledError, match="facereenact checkpoints pull openseeface"):
            open_tracker(choose_tracker(name)[0])
    with pytest.raises(InputError, match="no tracker 'dlib'"):
        choose_tracker("dlib")
    install_models(tmp_path, monkeypatch)
    assert choose_tracker()[0] == "hybrid"


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(InputError, match="corrected or compat"):
        OpenSeeFaceFaces(Following(preset="fast"))


def test_an_unseen_pupil_lies_in_its_eye() -> None:
    stated = face(number=0)
    stated.points[66], stated.scores[66] = 0, 0
    shown = seen_face(stated)
    np.testing.assert_allclose(shown.points[66], stated.points[36:42].mean(axis=0))


def test_a_builder_takes_what_a_tracker_states() -> None:
    points = hopper().landmarks.points[0]
    scores = np.linspace(0, 1, 68).astype(np.float32)
    builder = SequenceBuilder(hopper().size, "test").add_face(SeenFace(points, scores), 0.0)
    sequence = builder.add_face(None, 0.1).add(points, 0.2).build()
    np.testing.assert_array_equal(sequence.scores[0], scores)
    np.testing.assert_allclose(sequence.rotation[[0, 2]], np.repeat(hopper().landmarks.rotation, 2, axis=0), atol=1e-6)
    np.testing.assert_allclose(sequence.scores[2], hopper().landmarks.scores[0], atol=2e-2)
    assert not sequence.scores[1].any()


@pytest.mark.parametrize("name", ["hybrid", "openseeface", "mediapipe"])
def test_two_faces_are_followed_each_in_its_place(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name != "mediapipe":
        install_models(tmp_path, monkeypatch)
    tracker = open_tracker(choose_tracker(name)[0], Following(2))
    frames = [np.roll(couple(), 3 * index, axis=1) for index in range(8)]
    rows = [tracker(frame) for frame in [*frames, BLANK, *frames]]
    tracker.close()
    settled = [row for index, row in enumerate(rows) if 4 <= index < 8 or index > 12]
    centres = np.array([[each.centre[0] if each else np.nan for each in row] for row in settled])
    assert (np.ptp(centres, axis=0) < 40).all()
    assert abs(centres[0, 0] - centres[0, 1]) > 300


@pytest.mark.parametrize("kind", [HybridFaces, OpenSeeFaceFaces, MediaPipeFaces])
def test_a_tracked_face_lies_where_the_picture_shows_it(
    kind: type[HybridFaces | OpenSeeFaceFaces | MediaPipeFaces], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind is not MediaPipeFaces:
        install_models(tmp_path, monkeypatch)
    frames = [(hopper().image, index / 25) for index in range(5)]
    with OneFace(kind(Following())) as tracker:
        first, second = track(frames, tracker), track(frames, tracker)
    np.testing.assert_array_equal(first.points, second.points)
    error = (
        np.linalg.norm(first.points[-1] - hopper().landmarks.points[0], axis=1) / hopper().landmarks.eye_distance_px[0]
    )
    assert error.mean() < (0.02 if kind is MediaPipeFaces else 0.08)
    assert first.tracker == tracker.name and first.detected.all()


@pytest.mark.parametrize(("choice", "x"), [("largest", 780), (0, 250), (1, 780), ((200.0, 250.0), 250)])
@pytest.mark.parametrize("name", ["hybrid", "openseeface", "mediapipe"])
def test_every_tracker_follows_the_chosen_face(
    name: str, choice: FaceChoice, x: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name != "mediapipe":
        install_models(tmp_path, monkeypatch)
    with OneFace(open_tracker(choose_tracker(name)[0], Following(face=choice))) as tracker:
        for _ in range(2):
            tracker.reset()
            rows = [tracker(image) for image in [BLANK, *[np.roll(couple(), 3 * index, axis=1) for index in range(6)]]]
            assert rows[0] is None
            centres = [row.centre[0] for row in rows[1:] if row is not None]
            np.testing.assert_allclose(centres, x + 3 * np.arange(6), atol=60)


@pytest.mark.parametrize("name", ["hybrid", "openseeface", "mediapipe"])
def test_a_face_that_is_not_there_cannot_be_chosen(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name != "mediapipe":
        install_models(tmp_path, monkeypatch)
    with OneFace(open_tracker(choose_tracker(name)[0], Following(face=2))) as tracker:
        assert tracker(BLANK) is None
        with pytest.raises(InputError, match="there is no face 2: 2 found, counted from 0 at the left"):
            tracker(couple())


def test_the_original_starts_with_the_face_it_is_surest_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_models(tmp_path, monkeypatch)
    with (
        OneFace(OpenSeeFaceFaces(Following(preset="compat"))) as tracker,
        OneFace(OpenSeeFaceFaces(Following(preset="compat", face=0))) as told,
    ):
        surest, chosen = tracker(couple()), told(couple())
    with OpenSeeFaceTracker(models_folder(), preset="compat") as original:
        (expected,) = original(couple())
    assert surest is not None and chosen is not None
    np.testing.assert_array_equal(surest.points[:66], expected.points[:66])
    assert abs(chosen.centre[0] - 250) < 60


def test_the_hybrid_points_mediapipe_at_the_face_of_openseeface(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MediaPipe begins with somebody else: after one look at both, the two agree."""
    install_models(tmp_path, monkeypatch)
    tracker = HybridFaces(Following())
    alone = tracker.geometry(couple())[0]
    assert alone is not None
    other = 250.0 if alone.centre[0] > 512 else 780.0
    tracker.meshes.start_at((other, 300.0))
    shown = tracker(couple())[0]
    tracker.close()
    assert shown is not None and abs(shown.centre[0] - alone.centre[0]) < 20
    assert shown.scores is not None and shown.scores[36:48].mean() > 0.5


@pytest.mark.parametrize(("faces", "choice"), [(1, "largest"), (1, 0), (2, "largest")])
def test_frames_that_are_followed_show_what_each_shows(
    faces: int, choice: FaceChoice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of them than are looked at together; other trackers than OpenSeeFace take them one by one."""
    install_models(tmp_path, monkeypatch)
    frames = [BLANK, *[np.roll(couple(), 3 * index, axis=1) for index in range(25)], BLANK, *[couple()] * 9]
    tracker = OpenSeeFaceFaces(Following(faces, choice))
    expected = [tracker(image) for image in frames]
    assert len(tracker.states) == faces
    tracker.reset()
    found = []
    for row in tracker.follow(iter(frames)):
        found.append(row)
        assert len(tracker.states) == (faces if len(found) == 2 and faces == 1 else 0)  # the first face is called for
    assert len(found) == len(frames)
    for row, other in zip(found, expected, strict=True):
        for own, seen in zip(row, other, strict=True):
            assert (own is None) == (seen is None)
            if own is not None and seen is not None:
                assert own.scores is not None and seen.scores is not None
                np.testing.assert_allclose(own.points, seen.points, atol=1e-2)
                np.testing.assert_allclose(own.scores, seen.scores, atol=1e-5)


def test_the_hybrid_looks_for_pupils_only_where_no_mesh_shows_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_models(tmp_path, monkeypatch)
    tracker, looks = HybridFaces(Following()), []
    look = tracker.geometry.with_pupils
    monkeypatch.setattr(tracker.geometry, "with_pupils", lambda image: looks.append(1) or look(image))
    whole = tracker(hopper().image)[0]
    assert whole is not None and whole.scores is not None and whole.scores[66:].all() and not looks
    monkeypatch.setattr(tracker, "meshes", lambda image: [])
    alone = tracker(hopper().image)[0]
    tracker.geometry.close()
    assert len(looks) == 1 and alone is not None and alone.scores is not None and alone.scores[66:].all()
    assert np.linalg.norm(alone.points[66:] - whole.points[66:], axis=1).max() < 5


def test_the_hybrid_uses_the_mesh_where_openseeface_sees_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_models(tmp_path, monkeypatch)
    tracker = HybridFaces(Following())
    both = tracker(hopper().image)[0]
    tracker.geometry.reset()
    monkeypatch.setattr(OpenSeeFaceFaces, "sighted", lambda self, image: [])
    alone = tracker(hopper().image)[0]
    tracker.close()
    assert both is not None and alone is not None and both.scores is not None and alone.scores is not None
    assert alone.scores.mean() < 0.7 * both.scores.mean()
