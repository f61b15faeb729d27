"""Files that are cut short or damaged are never read silently short."""

from __future__ import annotations

import re
from pathlib import Path

import av
import numpy as np
import pytest

from facereenact.errors import InputError
from facereenact.video import VideoReader, VideoWriter
from tests.facereenact.media import flash_and_beep, heard, write_clip


@pytest.fixture
def noise() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(50)]


def suggested_end_s(error: pytest.ExceptionInfo[InputError]) -> float:
    match = re.search(r"--end ([0-9.]+) ", str(error.value))
    assert match, str(error.value)
    return float(match[1])


def cut(path: Path, share: float) -> Path:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


def test_mp4_without_its_index_cannot_be_opened(tmp_path: Path, noise: list[np.ndarray]) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as output:  # index at the end
        stream = output.add_stream("libx264", rate=25, width=64, height=48)
        for image in noise:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        output.mux(stream.encode(None))
    with pytest.raises(InputError, match="damaged or incomplete"):
        VideoReader(cut(path, 0.6))


@pytest.mark.parametrize("share", [0.41, 0.47, 0.53, 0.59, 0.61, 0.67])
def test_cut_mp4_is_refused_at_once_unless_the_end_comes_before(
    tmp_path: Path, noise: list[np.ndarray], share: float
) -> None:
    whole = [f.image for f in VideoReader(write_clip(tmp_path / "a.mp4", noise))]
    path = cut(tmp_path / "a.mp4", share)
    with pytest.raises(InputError, match=r"is broken after \d\.\d\d s") as error:
        VideoReader(path)
    end_s = suggested_end_s(error)
    assert share * 2 - 0.3 < end_s < share * 2 + 0.1
    frames = list(VideoReader(path, end_s=end_s))
    assert len(frames) == int(np.ceil(end_s * 25 - 1e-6))
    assert all(np.array_equal(frame.image, image) for frame, image in zip(frames, whole, strict=False))


@pytest.mark.parametrize("suffix", [".mkv", ".avi"])
@pytest.mark.parametrize("share", [0.5, 0.7])
def test_cut_mkv_and_avi_fail_where_they_end(
    tmp_path: Path, noise: list[np.ndarray], suffix: str, share: float
) -> None:
    path = cut(write_clip(tmp_path / f"a{suffix}", noise, gop_size=5, max_b_frames=0), share)
    count = 0
    with pytest.raises(InputError, match="is broken after") as error:
        for _ in VideoReader(path):
            count += 1
    assert 10 < count < 45
    end_s = suggested_end_s(error)
    assert end_s > count / 25 - 0.1
    assert len(list(VideoReader(path, end_s=end_s))) == pytest.approx(end_s * 25, abs=1)


def test_damage_in_the_middle_is_reported(tmp_path: Path, noise: list[np.ndarray]) -> None:
    path = write_clip(tmp_path / "a.mp4", noise, max_b_frames=0)
    with av.open(str(path)) as container:
        entries = container.streams.video[0].index_entries
        spans = [(entry.pos, entry.size) for entry in entries][20:24]
    content = bytearray(path.read_bytes())
    for start, size in spans:
        content[start : start + size] = bytes(size)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"is broken after 0\.7\d s") as error:
        list(VideoReader(path))
    assert len(list(VideoReader(path, end_s=suggested_end_s(error)))) == 19


def test_the_good_part_of_a_cut_file_is_written_with_its_sound(tmp_path: Path, noise: list[np.ndarray]) -> None:
    _, sound = flash_and_beep(0.1, 2.0)
    path = cut(write_clip(tmp_path / "a.mp4", noise, sound=sound), 0.6)
    with pytest.raises(InputError) as error:
        VideoReader(path)
    reader = VideoReader(path, end_s=suggested_end_s(error))
    for suffix in (".mp4", ".webm"):
        with VideoWriter(tmp_path / f"out{suffix}", reader.info.size, reader.info.rate, audio_from=path) as writer:
            for frame in reader:
                writer.write(frame.image, frame.timestamp_s)
        assert heard(tmp_path / f"out{suffix}")[0][-1] > suggested_end_s(error) - 0.2
