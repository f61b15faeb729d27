"""Retargeting: the driver's motion on the source's face, whatever the size, place and proportions of either."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from landmarks import LandmarkSequence, retargeting
from landmarks.motion import FaceMotion, HeadMotion, split_motion
from landmarks.retargeting import Retargeter, find_neutral_frame
from tests.faces import LIDS, Face, acted, angle_deg, astronaut, hopper, lip_gap, with_points

FRAMES = 40
TIMES_S = np.arange(FRAMES) / 25
LIPS_AND_CHIN = [*range(6, 11), *range(48, 66)]  # what the gap between the lips moves
LID_POINTS = [37, 38, 43, 44]


def talking(face: LandmarkSequence) -> LandmarkSequence:
    """Turns, nods, comes nearer, walks, speaks, looks about and blinks; its first frame is the face as it is."""
    wave = np.sin(5 * TIMES_S)
    blink = 1 - np.exp(-0.5 * ((TIMES_S - 0.8) / 0.05) ** 2)
    return acted(
        face,
        turn_deg=np.stack([8 * wave, 20 * np.sin(3 * TIMES_S), 8 * np.sin(2 * TIMES_S)], axis=1),
        scale=1 + 0.2 * np.sin(2 * TIMES_S),
        shift_px=np.stack([30 * wave, 10 * TIMES_S], axis=1),
        lids=np.stack([blink, blink], axis=1),
        jaw=0.15 * np.sin(8 * TIMES_S) ** 2,
        gaze=np.stack([0.04 * wave, 0 * wave], axis=1),
    )


def magnified(face: LandmarkSequence, factor: float, shift_px: tuple[float, float] = (0, 0)) -> LandmarkSequence:
    """The same seen larger and elsewhere in the picture; the pose is kept."""
    points = factor * face.points + np.array(shift_px)
    size = (round(factor * face.size[0]), round(factor * face.size[1]))
    return replace(face, points=points.astype(np.float32), size=size)


def as_it_is(source: LandmarkSequence, head: HeadMotion) -> NDArray[np.float32]:
    """(frames, 68, 2) the source with its own face, its head moved."""
    own, frames = split_motion(source), len(head.scale)
    return FaceMotion(head, own.eyes, own.mouth).with_offsets(np.repeat(own.offsets, frames, axis=0)).points


def lid_gaps(face: LandmarkSequence) -> NDArray[np.float64]:
    """(frames, 2) how far the lids are apart across the line of the eye corners, over its length."""
    sides = []
    for (outer, inner), pairs in zip(((36, 39), (42, 45)), LIDS, strict=True):
        along = face.points[:, inner] - face.points[:, outer]
        across = np.stack([-along[:, 1], along[:, 0]], axis=1)
        gaps = [np.sum((face.points[:, lower] - face.points[:, upper]) * across, axis=1) for upper, lower in pairs]
        sides.append(np.mean(gaps, axis=0) / np.sum(along**2, axis=1))
    return np.stack(sides, axis=1)


@pytest.mark.parametrize("whose", [astronaut, hopper], ids=lambda f: f.__name__)
def test_a_driver_on_its_own_neutral_frame_gives_itself(whose: Callable[[], Face]) -> None:
    """Of a face of 500 pixels, to a tenth of a pixel but for what apertures set: lids, lips and the chin with them."""
    face = magnified(whose().landmarks, 500 / whose().mesh.width_px)
    driver = talking(face)
    result = Retargeter(driver, driver[:1], neutral_frame=0)(driver)
    error = np.linalg.norm(result.points - driver.points, axis=2)
    assert error.mean() < 1
    assert np.delete(error, [*LID_POINTS, *LIPS_AND_CHIN], axis=1).max() < 0.1
    assert error.max() < 0.011 * driver.eye_distance_px.max()
    assert angle_deg(result.rotation, driver.rotation).max() < 0.01
    assert (result.size, len(result)) == (driver.size, FRAMES)


@pytest.mark.parametrize("whose", [astronaut, hopper], ids=lambda f: f.__name__)
def test_the_neutral_frame_gives_the_source_as_it_is(whose: Callable[[], Face]) -> None:
    source = whose().landmarks
    driver = talking((hopper if whose is astronaut else astronaut)().landmarks)
    for index in (0, 7):
        result = Retargeter(driver, source, neutral_frame=index)(driver[index : index + 1])
        error = np.linalg.norm(result.points - source.points, axis=2)[0]
        assert np.delete(error, LIPS_AND_CHIN).max() < 0.01 * source.eye_distance_px[0]
        assert angle_deg(result.rotation, source.rotation) < 0.01


def test_a_mouth_that_is_closed_in_both_stays_closed() -> None:
    source = hopper().landmarks
    assert lip_gap(source)[0] < 0.02
    assert lip_gap(Retargeter(source, source)(source))[0] < lip_gap(source)[0] + 0.003


def test_size_and_place_of_the_driver_do_not_matter() -> None:
    source, driver = hopper().landmarks, talking(astronaut().landmarks)
    expected = Retargeter(driver, source)(driver)
    larger = magnified(driver, 2, (77, -31))
    result = Retargeter(larger, source)(larger)
    np.testing.assert_allclose(result.points, expected.points, atol=0.01)
    np.testing.assert_allclose(result.rotation, expected.rotation, atol=1e-5)
    np.testing.assert_allclose(result.eye_openness, expected.eye_openness, atol=1e-4)


def test_a_larger_source_elsewhere_moves_alike() -> None:
    source, driver = hopper().landmarks, talking(astronaut().landmarks)
    expected = Retargeter(driver, source)(driver)
    larger = magnified(source, 2, (77, -31))
    result = Retargeter(driver, larger)(driver)
    np.testing.assert_allclose(result.points, 2 * expected.points + (77, -31), atol=0.02)
    np.testing.assert_allclose(result.rotation, expected.rotation, atol=1e-5)
    assert result.size == larger.size


def test_a_head_that_only_moves_keeps_the_face_of_the_source() -> None:
    """Within four percent of the eye distance: a face that is not the model's is deeper or flatter than it."""
    source = hopper().landmarks
    wave = np.sin(5 * TIMES_S)
    turns = np.stack([10 * wave, 25 * np.sin(3 * TIMES_S), 10 * wave], axis=1)
    driver = acted(astronaut().landmarks, turn_deg=turns, scale=1 + 0.2 * wave, shift_px=np.stack([wave, wave], axis=1))
    result = Retargeter(driver, source, neutral_frame=0)(driver)
    expected = as_it_is(source, split_motion(result).head)
    error = np.linalg.norm(result.points - expected, axis=2) / source.eye_distance_px[0]
    assert np.delete(error, LIPS_AND_CHIN, axis=1).max() < 0.04


@pytest.mark.parametrize("turn_deg", [(12, 0, 0), (0, -20, 0), (0, 0, 25)])
def test_the_source_turns_as_far_as_the_driver(turn_deg: tuple[float, float, float]) -> None:
    source = hopper().landmarks
    driver = acted(astronaut().landmarks, turn_deg=[(0, 0, 0), turn_deg], scale=[1, 1.3], shift_px=[(0, 0), (9, -4)])
    result = Retargeter(driver, source, neutral_frame=0)(driver)
    assert angle_deg(result.rotation[1:], result.rotation[:1]) == pytest.approx(max(map(abs, turn_deg)), abs=0.05)
    assert angle_deg(result.rotation[:1], source.rotation) < 0.01
    own, head = split_motion(source).head, split_motion(result).head
    assert head.scale[1] / own.scale[0] == pytest.approx(1.3, rel=0.02)
    ratio = own.scale[0] / split_motion(driver[:1]).head.scale[0]
    np.testing.assert_allclose(head.position[1] - own.position[0], ratio * np.array([9, -4]), atol=0.02 * own.scale[0])


def narrow_eyed(face: LandmarkSequence, share: float) -> LandmarkSequence:
    return acted(face, lids=(share, share))


@pytest.mark.parametrize("proportion", [0.5, 1, 1.5])
def test_closed_lids_close_those_of_the_source_whatever_the_proportions(proportion: float) -> None:
    source = narrow_eyed(hopper().landmarks, proportion)
    driver = acted(astronaut().landmarks, lids=[(1, 1), (0.5, 0.5), (0.05, 0.05), (0, 0)])
    result = Retargeter(driver, source, neutral_frame=0)(driver)
    opened = lid_gaps(result)
    np.testing.assert_allclose(opened[0], lid_gaps(source)[0], atol=0.002)
    np.testing.assert_allclose(opened[1] / opened[0], 0.5, atol=0.06)
    np.testing.assert_allclose(result.eye_openness, opened, atol=0.015)
    assert opened[2:].max() < 0.01


def test_each_eye_closes_on_its_own() -> None:
    source = hopper().landmarks
    driver = acted(astronaut().landmarks, lids=[(1, 1), (0, 1), (1, 0)])
    share = lid_gaps(Retargeter(driver, source, neutral_frame=0)(driver)) / lid_gaps(source)
    np.testing.assert_allclose(share, [(1, 1), (0, 1), (1, 0)], atol=0.05)


def test_a_driver_whose_blinks_are_seen_half_closes_the_eyes_of_the_source() -> None:
    """Lashes and long exposures leave a gap in the track; a look down is no blink and closes nothing."""
    source = hopper().landmarks
    blinks, looks_down = ([(1, 1)] * 8 + [(least, least)] for least in (0.2, 0.55))
    for lids, expected in ((blinks, 0), (looks_down, 0.55)):
        driver = acted(astronaut().landmarks, lids=lids)
        share = lid_gaps(Retargeter(driver, source, neutral_frame=0)(driver)) / lid_gaps(source)
        np.testing.assert_allclose(share[0], 1, atol=0.05)
        np.testing.assert_allclose(share[-1], expected, atol=0.06)


def test_eyes_closed_in_the_neutral_frame_still_open() -> None:
    """Counted from the driver's usual opening, not from the blink that was taken as neutral."""
    source = hopper().landmarks
    driver = acted(astronaut().landmarks, lids=[(0.1, 0.1), *[(1, 1)] * 9])
    opened = lid_gaps(Retargeter(driver, source, neutral_frame=0)(driver)) / lid_gaps(source)
    assert opened[0].max() < 0.2
    assert opened[1:].min() > 0.8 and opened.max() < 2


def test_closed_lips_close_those_of_the_source() -> None:
    """An open smile as the source, a driver that closes its mouth."""
    source = astronaut().landmarks
    assert lip_gap(source)[0] > 0.1
    driver = acted(hopper().landmarks, jaw=[0, 0.1, 0.3])
    gaps = lip_gap(Retargeter(driver, source, neutral_frame=1)(driver))
    assert gaps[0] < 0.035
    assert gaps[1] > gaps[0] + 0.05 and gaps[2] > gaps[1] + 0.1
    own = lip_gap(Retargeter(driver, hopper().landmarks, neutral_frame=0)(driver))
    assert own[0] < 0.035
    np.testing.assert_allclose(np.diff(own), (0.1, 0.2), atol=0.03)


def test_the_gaze_is_carried_over() -> None:
    source = hopper().landmarks
    driver = acted(astronaut().landmarks, gaze=[(0, 0), (0.05, 0), (-0.05, 0.01)])
    result = Retargeter(driver, source, neutral_frame=0)(driver)
    eye_width = np.linalg.norm(source.points[0, [36, 42]] - source.points[0, [39, 45]], axis=1).mean()
    driver_width = np.linalg.norm(driver.points[0, [36, 42]] - driver.points[0, [39, 45]], axis=1).mean()
    way = (result.points - source.points)[:, 66:68, 0] / eye_width
    expected = (driver.points - driver.points[:1])[:, 66:68, 0] / driver_width
    np.testing.assert_allclose(way, expected, atol=0.02)


def test_the_neutral_frame_of_a_face_driven_by_itself_is_the_first() -> None:
    for face in (astronaut().landmarks, hopper().landmarks):
        assert find_neutral_frame(talking(face), face) == 0


def test_the_neutral_frame_is_no_blink_no_shout_and_no_turn() -> None:
    source = hopper().landmarks
    acts = {"turn": 0, "blink": 1, "shout": 2, "wink": 3, "still": 4}
    driver = acted(
        astronaut().landmarks,
        turn_deg=[(0, 25, 0), *[(0, 0, 0)] * 19],
        lids=[(1, 1), (0, 0), (1, 1), (0.1, 1), *[(1, 1)] * 16],
        jaw=[0, 0, 0.3, 0, *[0] * 16],
    )
    assert find_neutral_frame(driver, source) == acts["still"]


def test_the_neutral_frame_was_seen() -> None:
    face = hopper().landmarks
    driver = acted(face, turn_deg=[(0, 0, 0), (0, 5, 0), (0, 20, 0)])
    assert find_neutral_frame(replace(driver, detected=np.array([False, True, True])), face) == 1


@pytest.mark.parametrize("index", [-1, FRAMES, 1000])
def test_a_neutral_frame_that_is_not_there_is_an_error(index: int) -> None:
    driver = talking(hopper().landmarks)
    with pytest.raises(ValueError, match=f"no frame {index}: the driver has {FRAMES} frames"):
        Retargeter(driver, hopper().landmarks, neutral_frame=index)


def test_frame_by_frame_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    source, driver = hopper().landmarks, talking(astronaut().landmarks)
    retarget = Retargeter(driver, source)
    monkeypatch.setattr(retargeting, "CHUNK", 7)
    whole, frames = retarget(driver), list(retarget.frames(driver))
    assert [len(frame) for frame in frames] == [1] * FRAMES
    for name in ("points", "rotation", "translation", "eye_openness", "timestamps_s"):
        joined = np.concatenate([getattr(frame, name) for frame in frames])
        np.testing.assert_allclose(joined, getattr(whole, name), atol=1e-4)
    assert Retargeter(driver, source).neutral_frame == retarget.neutral_frame


def test_absolute_motion_takes_over_a_single_picture() -> None:
    source, driver = hopper().landmarks, acted(astronaut().landmarks, turn_deg=(5, -20, 10), jaw=0.2, lids=(0, 0))
    result = Retargeter(driver, source, motion="absolute")(driver)
    assert angle_deg(result.rotation, driver.rotation) < 0.01
    own, head = split_motion(source).head, split_motion(result).head
    np.testing.assert_allclose(head.scale, own.scale, rtol=0.03)
    np.testing.assert_allclose(head.position, own.position, atol=0.03 * own.scale[0])
    assert lip_gap(result)[0] > lip_gap(source)[0] + 0.15
    # The source's own shape of contour and brows, but for the chin, which the jaw carries along.
    shape = as_it_is(source, HeadMotion(driver.rotation, own.scale, own.position))
    error = np.linalg.norm(result.points - shape, axis=2)[0] / source.eye_distance_px[0]
    assert error[[*range(6), *range(11, 27)]].max() < 0.001


def test_relative_motion_of_a_single_picture_is_none() -> None:
    source, driver = hopper().landmarks, acted(astronaut().landmarks, turn_deg=(5, -20, 10), jaw=0.2)
    result = Retargeter(driver, source)(driver)
    error = np.linalg.norm(result.points - source.points, axis=2)[0]
    assert np.delete(error, LIPS_AND_CHIN).max() < 0.01 * source.eye_distance_px[0]
    assert angle_deg(result.rotation, source.rotation) < 0.01


def test_a_driver_that_keeps_still_keeps_the_source_still() -> None:
    driver = with_points(hopper().landmarks, np.repeat(hopper().landmarks.points, 3, axis=0))
    result = Retargeter(driver, astronaut().landmarks)(driver)
    assert np.abs(np.diff(result.points, axis=0)).max() < 1e-3
    for name in ("timestamps_s", "scores", "detected"):
        np.testing.assert_array_equal(getattr(result, name), getattr(driver, name))
