"""What was prepared is read again: sequence by sequence, and by `drive` for a video it knows."""

from __future__ import annotations

import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
from numpy.typing import NDArray

from facereenact import DriveSettings, drive
from facereenact.errors import InputError
from facereenact.preprocessing.manifest import NAME
from facereenact.preprocessing.reading import sequences, track_of
from facereenact.video import VideoReader
from tests.facereenact import clips
from tests.facereenact.clips import COUNT, blank, moving_face, nobody, portrait, talk, two_drivers
from tests.facereenact.media import write_clip
from tests.facereenact.preprocessing.plain import SETTINGS, run


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output for a talk and a clip of nobody."""
    folder = tmp_path_factory.mktemp("prepared")
    run([talk(), nobody()], folder / "out")
    return folder / "out"


def test_every_sequence_comes_with_its_row(prepared: Path) -> None:
    ((row, track),) = sequences(prepared)
    assert (row["path"], row["person"], row["frames"]) == (str(talk()), 0, len(track))


def test_sequences_are_ordered(tmp_path: Path) -> None:
    run([talk(), two_drivers()], tmp_path / "out", replace(SETTINGS, faces=2))
    found = [(row["path"], row["person"], len(track)) for row, track in sequences(tmp_path / "out")]
    assert found == sorted(found) and len(found) == 3
    assert track_of(tmp_path / "out", two_drivers()) is None
    assert track_of(tmp_path / "out", talk()) is not None


def test_rows_can_be_chosen(prepared: Path) -> None:
    (only,) = {row["path"] for row, _ in sequences(prepared / NAME, pc.field("path") == str(talk()))}
    assert only == str(talk())
    assert list(sequences(prepared, pc.field("frames") > 10_000)) == []


def test_a_folder_without_a_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no manifest\.parquet"):
        next(sequences(tmp_path))
    with pytest.raises(InputError, match=r"holds no manifest\.parquet"):
        drive(DriveSettings(source=portrait(), driver=talk(), output=tmp_path / "o.mp4", prepared=tmp_path))


def test_a_video_is_known_by_its_content(prepared: Path, tmp_path: Path) -> None:
    renamed = Path(shutil.copy(talk(), tmp_path / "renamed.mp4"))
    track = track_of(prepared, renamed)
    assert track is not None and len(track) == COUNT
    assert track_of(prepared, nobody()) is None
    assert track_of(prepared, clips.uneven()) is None


def test_the_shots_of_a_video_are_one_track(tmp_path: Path) -> None:
    images = [*moving_face(20), *(image // 3 for image in moving_face(20))]
    video = write_clip(tmp_path / "cut.mp4", images)
    run([video], tmp_path / "out")
    rows = [row for row, _ in sequences(tmp_path / "out")]
    assert [row["frames"] for row in rows] == [20, 20]
    track = track_of(tmp_path / "out", video)
    assert track is not None
    np.testing.assert_allclose(track.timestamps_s, np.arange(40) / 25, atol=1e-6)


def test_a_shot_of_nobody_makes_no_whole_track(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "gone.mp4", [*moving_face(20), *[blank()] * 20])
    run([video], tmp_path / "out")
    assert track_of(tmp_path / "out", video) is None


def test_drive_makes_the_same_video_without_tracking(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = DriveSettings(source=portrait(), driver=talk(), output=tmp_path / "usual.mp4", size=192)
    drive(settings)
    monkeypatch.setattr("facereenact.driver.track", None)
    drive(replace(settings, output=tmp_path / "prepared.mp4", prepared=prepared))
    assert clips.difference(images(tmp_path / "usual.mp4"), images(tmp_path / "prepared.mp4")) < 1.5


@pytest.mark.parametrize("span", [{}, {"start": 0.2, "end": 0.6}, {"fps": Fraction(25, 2)}])
def test_a_part_of_a_prepared_video_is_that_part_of_its_track(
    prepared: Path, tmp_path: Path, span: dict[str, Any]
) -> None:
    ((row, _),) = sequences(prepared)
    settings = DriveSettings(
        source=portrait(),
        driver=talk(),
        output=tmp_path / "video.mp4",
        size=192,
        mouth="painted",
        prepared=prepared,
        **span,
    )
    drive(settings)
    drive(replace(settings, driver=prepared / row["landmarks"], output=tmp_path / "track.mp4"))
    video, track = images(tmp_path / "video.mp4"), images(tmp_path / "track.mp4")
    assert len(video) == len(track)
    assert clips.difference(video, track) == 0


def images(path: Path) -> list[NDArray[np.uint8]]:
    return [frame.image for frame in VideoReader(path)]


def test_an_unknown_video_is_tracked_anew(prepared: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = DriveSettings(
        source=portrait(), driver=clips.uneven(), output=tmp_path / "o.mp4", size=192, end=0.2, prepared=prepared
    )
    assert drive(settings).frames > 0
    assert "has no whole track" in caplog.text
