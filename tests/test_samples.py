"""The samples are what their README says, and the script that makes them does the same each time."""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from fractions import Fraction
from importlib import import_module
from pathlib import Path

import av
import numpy as np
import pytest

from body.storage import load_pose
from body.types import (
    ARRAYS,
    RIGHT_ANKLE,
    RIGHT_ELBOW,
    RIGHT_HIP,
    RIGHT_KNEE,
    RIGHT_SHOULDER,
    RIGHT_WRIST,
)
from facereenact.images import read_image
from facereenact.video import VideoReader
from landmarks.head_pose import euler_deg, face_model
from landmarks.mediapipe_tracker import MediaPipeTracker, choose_face, find_faces, landmarks_of_image, settle
from landmarks.motion import split_motion
from landmarks.retargeting import lid_openness, lip_gaps
from landmarks.tracking import track

SAMPLES = Path(__file__).parents[1] / "samples"
FRAME_S = 0.04


@pytest.fixture(scope="module")
def scripts():
    """The modules beside the samples, importable only where the script runs."""
    sys.path.insert(0, str(SAMPLES))
    yield import_module("speech"), import_module("motion")
    sys.path.remove(str(SAMPLES))


@pytest.fixture(scope="module")
def speech(scripts):
    return scripts[0].synthesise_speech()


@pytest.fixture(scope="module")
def cues(scripts, speech):
    return scripts[1].cues_of(speech)


@pytest.fixture(scope="module")
def tracked():
    frames = ((frame.image, frame.timestamp_s) for frame in VideoReader(SAMPLES / "talk.mp4"))
    with MediaPipeTracker() as tracker:
        return track(frames, tracker)


@pytest.fixture(scope="module")
def aperture(tracked):
    """(frames,) gap of the inner lips, face model units."""
    return lip_gaps(face_model() + split_motion(tracked).offsets)[:, 1]


@pytest.fixture(scope="module")
def hopper():
    image, _ = read_image(SAMPLES / "face.png")
    return landmarks_of_image(settle(image, choose_face(find_faces(image))), (512, 512))


def loudness(samples, sample_rate_hz, frames, frame_rate_hz):
    """(frames,) root mean square around the middle of each frame's time."""
    part = round(sample_rate_hz / frame_rate_hz)
    return np.sqrt((np.resize(samples, frames * part).reshape(frames, part) ** 2).mean(axis=1))


def correlation(one, other):
    return float(np.corrcoef(one, other)[0, 1])


def test_the_samples_are_small():
    names = ("face.png", "talk.mp4", "person.jpg", "sway.pose.safetensors")
    assert sum((SAMPLES / name).stat().st_size for name in names) < 3_000_000


def test_the_portrait_shows_exactly_one_face():
    image, alpha = read_image(SAMPLES / "face.png")
    assert image.shape == (512, 512, 3)
    assert alpha is None
    assert len(find_faces(image)) == 1


def test_the_clip_is_what_the_readme_says():
    info = VideoReader(SAMPLES / "talk.mp4").info
    assert (info.size, info.rate, info.frame_count, info.has_audio) == ((384, 384), Fraction(25), 180, True)
    with av.open(str(SAMPLES / "talk.mp4")) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]


def test_the_body_clip_is_what_the_script_makes_and_begins_and_ends_at_rest(scripts):
    made, kept = import_module("body_motion").body_clip(), load_pose(SAMPLES / "sway.pose.safetensors")
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(made, name), getattr(kept, name))
    assert (len(kept), kept.timestamps_s[1], kept.detected.all()) == (90, 0.08, True)
    moves = np.linalg.norm(np.diff(kept.points[:, :18], axis=0), axis=2).max(axis=1)
    assert moves[[0, -1]].max() < 2 < 20 < moves.max() < 60
    lifted = kept.points[:, RIGHT_SHOULDER, 1] - kept.points[:, RIGHT_WRIST, 1]
    assert lifted.max() > -20 and lifted[[0, -1]].max() < -150
    limbs = kept.points[:, [RIGHT_SHOULDER, RIGHT_ELBOW, RIGHT_HIP, RIGHT_KNEE]]
    lengths = np.linalg.norm(kept.points[:, [RIGHT_ELBOW, RIGHT_WRIST, RIGHT_KNEE, RIGHT_ANKLE]] - limbs, axis=2)
    assert np.ptp(lengths, axis=0).max() < 0.01


def test_every_frame_shows_the_face(tracked):
    assert len(tracked) == 180
    assert tracked.detected.all()


def test_voice_and_lips_are_in_sync(aperture):
    with av.open(str(SAMPLES / "talk.mp4")) as container:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
        rate_hz = container.streams.audio[0].rate
    heard = loudness(sound, rate_hz, len(aperture), 25)
    by_lag = {lag: correlation(np.roll(heard, lag), aperture) for lag in range(-5, 6)}
    assert by_lag[0] > 0.75
    assert abs(max(by_lag, key=lambda lag: by_lag[lag])) <= 1
    assert np.abs(sound).max() < 0.8


def test_the_tracker_sees_the_scripted_mouth(aperture, cues):
    assert correlation(aperture, cues.opening) > 0.9
    assert aperture[cues.opening < 0.01].max() < 0.06  # closed, though the picture smiles with its teeth
    assert aperture.max() > 0.18


def test_the_tracker_sees_the_scripted_blinks(tracked, cues, scripts):
    usual = np.median(tracked.eye_openness, axis=0)
    for middle_s, _ in scripts[1].BLINKS_S:
        shut = tracked.eye_openness[round(middle_s * 25)]
        assert (shut < 0.55 * usual).all(), middle_s
    for eye in range(2):
        assert correlation(tracked.eye_openness[:, eye], -cues.blink) > 0.85


def test_the_tracker_sees_the_head_turn(tracked, cues):
    pitch, yaw, roll = euler_deg(tracked.rotation).T
    assert yaw.min() < -6 and yaw.max() > 6
    for seen, scripted, least in ((pitch, cues.pitch_deg, 0.7), (yaw, cues.yaw_deg, 0.95), (roll, cues.roll_deg, 0.95)):
        assert correlation(seen, scripted) > least


def test_speech_is_deterministic(scripts, speech):
    again = scripts[0].synthesise_speech()
    for field in fields(speech):
        np.testing.assert_array_equal(getattr(speech, field.name), getattr(again, field.name))
    assert not np.array_equal(speech.samples, scripts[0].synthesise_speech(seed=1).samples)


def test_speech_is_loud_enough_and_does_not_clip(scripts, speech):
    assert 0.6 < np.abs(speech.samples).max() < 0.75
    heard = loudness(speech.samples, scripts[0].SAMPLE_RATE_HZ, 180, 25)
    assert heard[heard > 0.02].mean() > 0.08
    for start_s, end_s in ((0.0, 0.6), (1.25, 1.55), (3.8, 4.4), (6.3, 7.2)):
        assert heard[round(start_s * 25) : round(end_s * 25)].max() < 0.01


@pytest.mark.parametrize("middle_s", [0.95, 2.2, 3.35, 4.6])
def test_vowels_are_voiced_at_the_scripted_pitch(scripts, speech, middle_s):
    rate_hz, pitch_hz = scripts[0].SAMPLE_RATE_HZ, np.interp(middle_s, *np.array(scripts[0].PITCH_HZ).T)
    around = round(middle_s * rate_hz)
    part = speech.samples[around - 600 : around + 600]
    echoes = np.correlate(part, part, "full")[len(part) - 1 :]
    shortest = round(rate_hz / 400)
    period = shortest + int(np.argmax(echoes[shortest : round(rate_hz / 90)]))
    assert echoes[period] > 0.5 * echoes[0]
    assert rate_hz / period == pytest.approx(pitch_hz, rel=0.06)


def test_the_script_moves_any_face(scripts, cues, hopper):
    motion = scripts[1]
    acted = motion.act(hopper, cues)
    face = face_model() + split_motion(acted).offsets
    assert len(acted) == len(cues.time_s)
    np.testing.assert_allclose(np.diff(acted.timestamps_s), FRAME_S)
    gaps = np.linalg.norm(acted.points[:, 64] - acted.points[:, 60], axis=1) / acted.eye_distance_px
    assert correlation(gaps, cues.opening) > 0.98
    assert gaps[cues.opening == 0].max() < 0.005
    shut = acted.eye_openness[cues.blink == 1]
    assert len(shut) >= 6 and shut.max() < 0.01
    chin = face[:, 8, 1] - face_model()[8, 1]
    assert correlation(chin, cues.opening) > 0.95
    np.testing.assert_array_equal(acted.points, motion.act(hopper, cues).points)


def test_a_script_of_nothing_leaves_the_head_alone(scripts, cues, hopper):
    still = {field.name: np.zeros_like(cues.time_s) for field in fields(cues)}
    still |= {"time_s": cues.time_s, "size": np.ones_like(cues.time_s)}
    acted = scripts[1].act(hopper, replace(cues, **still))
    above_the_mouth = slice(17, 48)
    apart = acted.points[:, above_the_mouth] - hopper.points[:, above_the_mouth]
    assert np.abs(apart).max() < 0.01
    assert lid_openness(face_model() + split_motion(acted).offsets) == pytest.approx(
        np.repeat(hopper.eye_openness, len(acted), axis=0), abs=0.06
    )
