"""What the tools for landmark files measure."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from facereenact.landmark_tools.measures import find_blinks, measure, printable, summarise
from landmarks import LandmarkSequence
from tests.facereenact.tracks import turning, with_gaps
from tests.faces import acted, hopper


def lid_track(share: list[float], rate: float = 25) -> LandmarkSequence:
    return acted(hopper().landmarks, lids=[(s, s) for s in share], timestamps_s=np.arange(len(share)) / rate)


def test_a_summary_tells_length_gaps_and_turns() -> None:
    summary = summarise(with_gaps(turning(), 0, 10, 11, 39))
    assert (summary.frames, summary.duration_s, summary.rate, summary.rate_varies) == (40, 1.6, "25", False)
    assert (summary.detected_frames, summary.detected_share) == (36, 0.9)
    assert [(gap.first_frame, gap.last_frame) for gap in summary.gaps] == [(0, 0), (10, 11), (39, 39)]
    assert [(gap.start_s, gap.end_s) for gap in summary.gaps] == [(0.0, 0.04), (0.4, 0.48), (1.56, 1.6)]
    assert summary.yaw_deg is not None
    assert summary.yaw_deg.max - summary.yaw_deg.min == pytest.approx(30 * 37 / 39, abs=1)
    assert summary.mouth_opening is not None
    assert summary.mouth_opening.max < 0.1
    assert summary.blinks == 0
    json.dumps(summary.__dict__, default=lambda value: value.__dict__)


def test_what_nobody_showed_has_no_range() -> None:
    track = turning(5)
    summary = summarise(replace(track, detected=np.zeros(5, bool)))
    assert (summary.detected_share, summary.yaw_deg, summary.mouth_opening, summary.blinks) == (0, None, None, 0)


def test_rates_are_exact_and_varying_ones_are_told() -> None:
    ntsc = summarise(turning(30, timestamps_s=np.arange(30) * 1001 / 30000))
    assert (ntsc.rate, ntsc.rate_varies) == ("30000/1001", False)
    rounded = summarise(turning(30, timestamps_s=np.round(np.arange(30) / 30, 3)))  # as mkv does
    assert not rounded.rate_varies
    assert summarise(turning(4, timestamps_s=[0, 0.04, 0.2, 0.24])).rate_varies
    assert summarise(turning(1)).rate == "25"


def test_an_open_mouth_is_measured() -> None:
    lips = measure(acted(hopper().landmarks, jaw=[0, 0.1, 0.2])).lips
    assert np.diff(lips) == pytest.approx([0.1, 0.1], abs=0.02)


@pytest.mark.parametrize(
    ("share", "count"),
    [
        ([1] * 20 + [0.1] * 4 + [1] * 30 + [0.2] * 3 + [1] * 20, 2),
        ([1] * 20 + [0.8] * 5 + [1] * 20, 0),  # eyes narrowed
        ([1] * 20 + [0.05] * 40 + [1] * 20, 0),  # eyes closed for long
        ([1] * 20 + [0.1, 0.6, 0.1, 0.6, 0.1] + [1] * 20, 1),  # one, with jitter
        ([1] * 20 + [0.1] * 5, 0),  # not open again
        ([1, 0.1], 0),
    ],
)
def test_blinks_are_counted(share: list[float], count: int) -> None:
    assert len(find_blinks(measure(lid_track(share)))) == count


def test_frames_without_a_face_are_no_blinks() -> None:
    track = lid_track([1] * 20 + [0.1] * 4 + [1] * 20)
    assert find_blinks(measure(track)) == pytest.approx([0.8])
    assert find_blinks(measure(with_gaps(track, *range(19, 25)))) == []


def test_texts_from_files_cannot_move_the_cursor() -> None:
    assert printable("a\x1b[2Jb\n") == "a [2Jb "
