"""Parts of several drivers on one face: each moves its own part, as strongly as asked, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from landmarks import LandmarkSequence, mixing
from landmarks.head_pose import face_model
from landmarks.mixing import PARTS, Mixer, Part, Take, amplify, mix, resample
from landmarks.motion import EYE_POINTS, MOUTH_CORNERS, MOUTH_POINTS, FaceMotion, split_motion
from landmarks.retargeting import CLOSED_LIPS, Retargeter, across_mouth, lid_openness, lip_gaps
from landmarks.types import ARRAYS
from tests.faces import acted, angle_deg, astronaut, hopper

FRAMES = 30
TIMES_S = np.arange(FRAMES) / 25


def nodding(face: LandmarkSequence, times_s: NDArray[np.float64] = TIMES_S) -> LandmarkSequence:
    """A head that turns, nods, comes nearer and drifts, from the face as it is."""
    wave = np.sin(5 * times_s)
    turns = np.stack([10 * wave, 20 * np.sin(3 * times_s), 8 * wave], axis=1)
    shifts = np.stack([20 * wave, 10 * times_s], axis=1)
    return acted(face, turn_deg=turns, scale=1 + 0.2 * wave, shift_px=shifts, timestamps_s=times_s)


def speaking(face: LandmarkSequence, times_s: NDArray[np.float64] = TIMES_S) -> LandmarkSequence:
    return acted(face, jaw=0.15 * np.sin(8 * times_s) ** 2, timestamps_s=times_s)


def blinking(face: LandmarkSequence, times_s: NDArray[np.float64] = TIMES_S) -> LandmarkSequence:
    lids = 1 - np.exp(-0.5 * ((times_s - 0.6) / 0.05) ** 2)
    gaze = np.stack([0.04 * np.sin(5 * times_s), 0 * times_s], axis=1)
    return acted(face, lids=np.stack([lids, lids], axis=1), gaze=gaze, timestamps_s=times_s)


def everything(face: LandmarkSequence) -> LandmarkSequence:
    """Turns and speech at once."""
    wave = np.sin(5 * TIMES_S)
    return acted(face, turn_deg=np.stack([5 * wave, 15 * wave, 0 * wave], axis=1), jaw=0.1 * wave**2, lids=(0.7, 0.7))


def take(driver: LandmarkSequence, source: LandmarkSequence) -> Take:
    return Take(driver, Retargeter(driver, source, neutral_frame=0))


def parts_of(driver: LandmarkSequence, source: LandmarkSequence, *parts: Part) -> dict[Part, Take]:
    """One take for all the parts."""
    return dict.fromkeys(parts, take(driver, source))


def offsets(sequence: LandmarkSequence, points: NDArray[np.int_]) -> NDArray[np.float64]:
    return np.asarray(split_motion(sequence).offsets[:, points])


def test_mouth_alone_leaves_head_and_eyes_exactly_as_in_the_source() -> None:
    source, driver = hopper().landmarks, everything(astronaut().landmarks)
    result = Mixer(source, parts_of(driver, source, "mouth"))(TIMES_S)
    for name in ("rotation", "translation"):
        np.testing.assert_array_equal(getattr(result, name), np.repeat(getattr(source, name), FRAMES, axis=0))
    still = split_motion(source)
    expected = FaceMotion(still.head, still.eyes, still.mouth).points
    np.testing.assert_array_equal(result.points[:, EYE_POINTS], np.repeat(expected[:, EYE_POINTS], FRAMES, axis=0))
    assert np.ptp(result.points[:, 54:58, 1], axis=0).min() > 10


def test_eyes_alone_move_neither_head_nor_mouth() -> None:
    source, driver = hopper().landmarks, everything(astronaut().landmarks)
    result = Mixer(source, parts_of(driver, source, "eyes"))(TIMES_S)
    expected = split_motion(source).points[:, MOUTH_POINTS]
    np.testing.assert_array_equal(result.points[:, MOUTH_POINTS], np.repeat(expected, FRAMES, axis=0))
    np.testing.assert_array_equal(result.rotation, np.repeat(source.rotation, FRAMES, axis=0))


def test_head_alone_moves_no_offsets() -> None:
    source, driver = hopper().landmarks, everything(astronaut().landmarks)
    only_head = parts_of(driver, source, "head")
    result = Mixer(source, only_head)(TIMES_S)
    own = split_motion(source)
    head = only_head["head"].retargeter.motion(split_motion(driver)).head
    expected = FaceMotion(head, own.eyes, own.mouth).with_offsets(np.repeat(own.offsets, FRAMES, axis=0))
    np.testing.assert_array_equal(result.points, expected.points)
    assert np.ptp(angle_deg(result.rotation, np.repeat(source.rotation, FRAMES, axis=0))) > 10


@pytest.mark.parametrize("motion", ["relative", "absolute"])
def test_all_parts_of_one_driver_are_the_driver_to_the_bit(motion: str) -> None:
    source, driver = hopper().landmarks, everything(astronaut().landmarks)
    retargeter = Retargeter(driver, source, motion=motion)  # type: ignore[arg-type]
    own = [Take(driver, retargeter) for _ in PARTS]
    expected = retargeter(driver)
    for takes in ([own[0]] * 3, own):
        result = Mixer(source, dict(zip(PARTS, takes, strict=True)))(driver.timestamps_s)
        for name in ARRAYS:
            np.testing.assert_array_equal(getattr(result, name), getattr(expected, name))
        assert (result.size, result.tracker) == (expected.size, expected.tracker)


def test_each_part_follows_its_own_driver() -> None:
    source = hopper().landmarks
    drivers = {"head": nodding(astronaut().landmarks), "eyes": blinking(source), "mouth": speaking(source)}
    takes: dict[Part, Take] = {part: take(drivers[part], source) for part in PARTS}
    result = Mixer(source, takes)(TIMES_S)
    alone: dict[Part, LandmarkSequence] = {p: takes[p].retargeter(takes[p].track) for p in PARTS}
    np.testing.assert_array_equal(result.rotation, alone["head"].rotation)
    np.testing.assert_array_equal(result.translation, alone["head"].translation)
    np.testing.assert_array_equal(result.eye_openness, alone["eyes"].eye_openness)
    motions = {part: takes[part].retargeter.motion(split_motion(takes[part].track)) for part in PARTS}
    expected = mix(motions["head"].head, motions["eyes"].eyes, motions["mouth"].mouth)
    np.testing.assert_array_equal(result.points, expected.points)


def test_the_order_of_frames_and_chunks_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    source = hopper().landmarks
    takes: dict[Part, Take] = {
        "head": take(nodding(astronaut().landmarks), source),
        "mouth": take(speaking(source, np.arange(37) / 30), source),
    }
    mixer = Mixer(source, takes, {"mouth": 1.5})
    whole = mixer(TIMES_S)
    monkeypatch.setattr(mixing, "CHUNK", 7)
    frames = list(mixer.frames(TIMES_S))
    assert [len(frame) for frame in frames] == [1] * FRAMES
    for name in ARRAYS:
        joined = np.concatenate([getattr(frame, name) for frame in frames])
        np.testing.assert_allclose(joined, getattr(whole, name), atol=1e-4)


def test_a_shorter_take_holds_its_last_frame() -> None:
    source = hopper().landmarks
    nod, speech = nodding(astronaut().landmarks), speaking(source)[:10]
    result = Mixer(source, {"head": take(nod, source), "mouth": take(speech, source)})(TIMES_S)
    held = Mixer(source, {"mouth": take(speech, source)})(TIMES_S)
    assert len(result) == FRAMES
    np.testing.assert_array_equal(held.points[9:], np.repeat(held.points[9:10], FRAMES - 9, axis=0))
    np.testing.assert_array_equal(result.rotation, take(nod, source).retargeter(nod).rotation)


def test_scores_and_seen_frames_come_from_every_track() -> None:
    source = hopper().landmarks
    nod, speech = nodding(astronaut().landmarks), speaking(source)
    nod = replace(nod, scores=np.full_like(nod.scores, 0.5), detected=TIMES_S > 0.1)
    speech = replace(speech, scores=np.full_like(speech.scores, 0.25), detected=TIMES_S < 0.9)
    result = Mixer(source, {"head": take(nod, source), "mouth": take(speech, source)})(TIMES_S)
    assert set(result.scores[0, MOUTH_POINTS]) == {0.25} and set(result.scores[0, EYE_POINTS]) == {0.5}
    np.testing.assert_array_equal(result.detected, (TIMES_S > 0.1) & (TIMES_S < 0.9))


def test_resampling_is_by_time() -> None:
    fine, coarse = (nodding(hopper().landmarks, np.arange(count) / rate) for count, rate in ((60, 50), (30, 25)))
    own = resample(coarse, coarse.timestamps_s)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(own, name), getattr(coarse, name))
    between = resample(coarse, fine.timestamps_s[:59])
    assert np.abs(between.points - fine.points[:59]).max() < 0.01 * coarse.eye_distance_px[0]
    ends = resample(coarse, np.array([-1.0, 0.0, 5.0]))
    np.testing.assert_array_equal(ends.points, coarse.points[[0, 0, -1]])


def test_parts_of_different_lengths_are_not_joined() -> None:
    long, short = split_motion(nodding(hopper().landmarks)), split_motion(hopper().landmarks)
    with pytest.raises(ValueError, match="head, eyes and mouth have 30, 1 and 30 frames: resample first"):
        mix(long.head, short.eyes, long.mouth)


def amplified(gain: float) -> tuple[FaceMotion, FaceMotion, FaceMotion]:
    """The motion amplified in all parts, as it was, and the source's own."""
    source, driver = hopper().landmarks, everything(astronaut().landmarks)
    motion = take(driver, source).retargeter.motion(split_motion(driver))
    own = split_motion(source)
    return amplify(motion, own, dict.fromkeys(PARTS, gain)), motion, own


def test_gain_1_changes_nothing() -> None:
    result, motion, _ = amplified(1)
    assert (result.head, result.eyes, result.mouth) == (motion.head, motion.eyes, motion.mouth)


def test_gain_0_keeps_still() -> None:
    result, _, own = amplified(0)
    np.testing.assert_allclose(result.offsets, np.repeat(own.offsets, FRAMES, axis=0), atol=1e-12)
    for name in ("rotation", "scale", "position"):
        np.testing.assert_allclose(getattr(result.head, name) - getattr(own.head, name), 0, atol=1e-9)


@pytest.mark.parametrize("gain", [0.5, 2])
def test_a_gain_scales_about_the_source(gain: float) -> None:
    result, motion, own = amplified(gain)
    rest = np.repeat(own.head.rotation, FRAMES, axis=0)
    np.testing.assert_allclose(
        angle_deg(result.head.rotation, rest), gain * angle_deg(motion.head.rotation, rest), atol=1e-6
    )
    way, once = (m.head.position - own.head.position for m in (result, motion))
    np.testing.assert_allclose(way, gain * once, atol=1e-9)
    larger, once = (np.log(m.head.scale / own.head.scale) for m in (result, motion))
    np.testing.assert_allclose(larger, gain * once, atol=1e-12)
    opened = [lip_gaps(face_model() + m.offsets).mean(axis=1) for m in (result, motion)]
    rest_gap = lip_gaps(face_model() + own.offsets).mean()
    free = opened[0] > CLOSED_LIPS + 0.005
    np.testing.assert_allclose(opened[0][free] - rest_gap, gain * (opened[1][free] - rest_gap), atol=0.02)


@pytest.mark.parametrize("part", PARTS)
def test_a_gain_acts_on_its_part_alone(part: Part) -> None:
    source, driver = hopper().landmarks, everything(astronaut().landmarks)
    motion = take(driver, source).retargeter.motion(split_motion(driver))
    result = amplify(motion, split_motion(source), {part: 2.0})
    changed = {name for name in PARTS if getattr(result, name) is not getattr(motion, name)}
    assert changed == {part}


@pytest.mark.parametrize("gain", [1, 1.5, 2, 3])
def test_lids_and_lips_never_pass_each_other(gain: float) -> None:
    """An open-mouthed source whose driver shuts eyes and mouth and purses the lips."""
    source = astronaut().landmarks
    driver = acted(hopper().landmarks, lids=[(1, 1), (0.5, 0.2), (0, 0)], jaw=[0.1, 0.05, 0])
    pursed = driver.points.copy()
    middle = pursed[:, 48:66].mean(axis=1, keepdims=True)
    pursed[1:, 48:66, 0] = (middle + 0.6 * (pursed[:, 48:66] - middle))[1:, :, 0]
    driver = replace(driver, points=pursed)
    own = split_motion(source)
    motion = take(driver, source).retargeter.motion(split_motion(driver))
    face = face_model() + amplify(motion, own, {"eyes": gain, "mouth": gain}).offsets
    assert lid_openness(face).min() > -1e-9
    down = np.repeat(across_mouth(face_model() + own.offsets), len(face), axis=0)
    assert lip_gaps(face, down).min() > 0
    right, left = MOUTH_CORNERS
    widths = face[:, left, 0] - face[:, right, 0]
    assert widths.min() > 0.4 * widths[0]


@pytest.mark.parametrize("whose", [astronaut, hopper], ids=lambda f: f.__name__)
def test_opening_the_mouth_leaves_head_and_eyes_alone(whose: Callable[[], object]) -> None:
    source = hopper().landmarks
    driver = speaking(whose().landmarks)  # type: ignore[attr-defined]
    result = Mixer(source, parts_of(driver, source, *PARTS))(TIMES_S)
    np.testing.assert_allclose(result.rotation - source.rotation, 0, atol=1e-5)
    still = offsets(source, EYE_POINTS)
    assert np.linalg.norm(offsets(result, EYE_POINTS) - still, axis=2).max() < 0.005
    assert np.ptp(lip_gaps(face_model() + split_motion(result).offsets).mean(axis=1)) > 0.1


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("angle", [-30, -15, 15, 30])
def test_turning_and_moving_the_head_leaves_eyes_and_mouth_alone(axis: int, angle: float) -> None:
    """Within two percent of the eye distance on average: depth off the face model is not seen from the front."""
    source, face = astronaut().landmarks, hopper().landmarks
    turns = np.zeros((2, 3))
    turns[1, axis] = angle
    driver = acted(face, turn_deg=turns, scale=[1, 1.3], shift_px=[(0, 0), (40, -20)])
    motion = take(driver, source).retargeter.motion(split_motion(driver))
    for part in (motion.eyes, motion.mouth):
        assert np.linalg.norm(part.offsets[1] - part.offsets[0], axis=1).mean() < 0.02
    assert np.abs(np.diff(lid_openness(face_model() + motion.offsets), axis=0)).max() < 0.02
    assert np.abs(np.diff(lip_gaps(face_model() + motion.offsets), axis=0)).max() < 0.02
