"""The writer: times, sizes, colours, sound in step, and nothing left behind when it fails."""

from __future__ import annotations

import errno
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from facereenact import video_encoder
from facereenact.errors import InputError, OutputError
from facereenact.video import OUTPUT_SUFFIXES, VideoReader, VideoWriter
from tests.facereenact.media import RATE, SIZE, SOUND_HZ, flash_and_beep, heard, number, numbered, write_clip

NTSC = Fraction(30000, 1001)
COUNT = 20


def write(path: Path, rate: Fraction = RATE, times_s: list[float] | None = None, **options: object) -> Path:
    times_s = times_s or [float(k / rate) for k in range(COUNT)]
    with VideoWriter(path, SIZE, rate, **options) as writer:  # type: ignore[arg-type]
        for index, time_s in enumerate(times_s):
            writer.write(numbered(index), time_s)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".MP4"])
@pytest.mark.parametrize("rate", [Fraction(25), NTSC, Fraction(24000, 1001), Fraction(60), Fraction(15, 2)])
def test_constant_rate_comes_back_exactly(tmp_path: Path, suffix: str, rate: Fraction) -> None:
    path = write(tmp_path / f"a{suffix}", rate)
    reader = VideoReader(path)
    frames = list(reader)
    assert [number(frame.image) for frame in frames] == list(range(COUNT))
    is_exact = suffix.lower() in (".mp4", ".mov")
    tolerance_s = 1e-9 if is_exact else 0.0006
    assert [f.timestamp_s for f in frames] == pytest.approx([float(k / rate) for k in range(COUNT)], abs=tolerance_s)
    assert reader.info.rate == rate
    assert reader.info.duration_s == pytest.approx(float(COUNT / rate), abs=tolerance_s * 2)
    with av.open(str(path)) as container:
        assert container.duration == pytest.approx(float(COUNT / rate) * 1e6, abs=1001)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(("suffix", "tolerance_s"), [(".mp4", 1e-5), (".mkv", 6e-4), (".webm", 6e-4), (".gif", 6e-3)])
def test_variable_rate_comes_back(tmp_path: Path, suffix: str, tolerance_s: float) -> None:
    times_s = [0.0, 0.033, 0.1501, 0.4, 0.45, 1.2]
    reader = VideoReader(write(tmp_path / f"a{suffix}", times_s=times_s))
    assert [frame.timestamp_s for frame in reader] == pytest.approx(times_s, abs=tolerance_s)
    assert reader.info.duration_s == pytest.approx(1.24, abs=tolerance_s)


def test_gif_has_a_frame_each_20_ms_at_most(tmp_path: Path) -> None:
    reader = VideoReader(write(tmp_path / "a.gif", Fraction(100)))
    assert [number(frame.image) for frame in reader] == list(range(0, COUNT, 2))
    path = write(tmp_path / "b.gif")
    assert [number(frame.image) for frame in VideoReader(path)] == list(range(COUNT))
    assert VideoReader(path).info.duration_s == pytest.approx(COUNT / 25)


def test_folder_of_png_is_lossless(tmp_path: Path) -> None:
    path = write(tmp_path / "frames")
    assert sorted(p.name for p in path.iterdir()) == [f"{k:06d}.png" for k in range(COUNT)]
    assert [frame.image[0, 0, 0] for frame in VideoReader(path)] == [20 + 7 * k for k in range(COUNT)]
    with pytest.raises(OutputError, match="exists; use --overwrite"):
        VideoWriter(path, SIZE, RATE)
    write(path, times_s=[0.0], overwrite=True)
    assert [p.name for p in path.iterdir()] == ["000000.png"]
    (path / "mine.txt").touch()
    with pytest.raises(OutputError, match="other files"):
        VideoWriter(path, SIZE, RATE, overwrite=True)
    (tmp_path / "v1.2").mkdir()
    assert (write(tmp_path / "v1.2") / "000000.png").exists()


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 120, 90), (255, 255, 255), (0, 0, 0)])
@pytest.mark.parametrize("suffix", OUTPUT_SUFFIXES)
def test_colours_survive(tmp_path: Path, suffix: str, colour: tuple[int, int, int]) -> None:
    image = np.full((48, 64, 3), colour, np.uint8)
    with VideoWriter(tmp_path / f"a{suffix}", SIZE, RATE) as writer:
        for index in range(3):
            writer.write(image, index / 25)
    with av.open(str(tmp_path / f"a{suffix}")) as container:
        context = container.streams.video[0].codec_context
        assert suffix == ".gif" or (context.colorspace, context.color_range) == (1, 1)
    for frame in VideoReader(tmp_path / f"a{suffix}"):
        assert np.abs(frame.image.astype(int) - image).max() <= 6


@pytest.mark.parametrize(("suffix", "size"), [(".mp4", (64, 48)), (".webm", (64, 48)), (".gif", (63, 47))])
def test_odd_sizes(tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    image = np.zeros((47, 63, 3), np.uint8)
    image[:, -2:] = 255
    with VideoWriter(tmp_path / f"a{suffix}", (63, 47), RATE) as writer:
        writer.write(image, 0.0)
    reader = VideoReader(tmp_path / f"a{suffix}")
    assert reader.info.size == size
    assert next(iter(reader)).image[:, -1].min() > 200


def sync_error_s(path: Path, at_s: float) -> tuple[float, float]:
    """How far flash and beep are from where they belong."""
    flash_s = next(f.timestamp_s for f in VideoReader(path) if f.image.mean() > 128)
    times_s, sound = heard(path)
    beep_s = times_s[np.argmax(np.abs(sound) > 0.2)]
    return flash_s - at_s, float(beep_s) - at_s


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize("source", ["a.mp4", "a.webm", "a.avi"])
@pytest.mark.parametrize(("start_s", "end_s"), [(0.0, None), (0.52, None), (0.31, 1.7), (7.2, 9.4)])
def test_flash_and_beep_stay_together(
    tmp_path: Path, source: str, suffix: str, start_s: float, end_s: float | None
) -> None:
    codecs = {"a.mp4": ("libx264", "aac"), "a.webm": ("libvpx", "libopus"), "a.avi": ("mpeg4", "mp3")}[source]
    at_s = 8.0 if start_s > 5 else 1.0
    frames, sound = flash_and_beep(at_s, at_s + 1.0)
    clip = write_clip(tmp_path / source, frames, sound=sound, codecs=codecs)
    reader = VideoReader(clip, start_s=start_s, end_s=end_s)
    sound_range = {"audio_start_s": start_s, "audio_end_s": end_s}
    with VideoWriter(tmp_path / f"out{suffix}", SIZE, reader.info.rate, audio_from=clip, **sound_range) as writer:
        for frame in reader:
            writer.write(frame.image, frame.timestamp_s)
    flash_error_s, beep_error_s = sync_error_s(tmp_path / f"out{suffix}", at_s - start_s)
    assert abs(flash_error_s) < 0.001 + 1 / 25 * (start_s in (0.31, 0.52)), flash_error_s
    # The clip made for the test may itself be late by the delay of its encoder (MP3 in AVI: 23 ms).
    assert abs(beep_error_s) < 0.03, beep_error_s
    assert abs(flash_error_s - beep_error_s) < 1 / 25
    assert heard(tmp_path / f"out{suffix}")[0][-1] < (end_s or at_s + 1.0) - start_s + 0.05


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_sound_keeps_step_with_a_late_video_track(tmp_path: Path, suffix: str) -> None:
    frames, sound = flash_and_beep(1.0, 2.0)
    clip = write_clip(tmp_path / "late.mp4", frames[10:], ticks=range(10, 50), sound=sound)
    reader = VideoReader(clip)
    with VideoWriter(tmp_path / f"out{suffix}", SIZE, RATE, audio_from=clip) as writer:
        for frame in reader:
            writer.write(frame.image, frame.timestamp_s)
    flash_error_s, beep_error_s = sync_error_s(tmp_path / f"out{suffix}", 0.6)
    assert abs(flash_error_s) < 0.001
    assert abs(beep_error_s) < 0.023


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "aac"), (".mkv", "aac"), (".webm", "opus")])
def test_sound_is_copied_where_the_container_allows(tmp_path: Path, suffix: str, codec: str) -> None:
    frames, sound = flash_and_beep(0.5, 1.0)
    clip = write_clip(tmp_path / "a.mp4", frames, sound=sound)
    path = write(tmp_path / f"out{suffix}", times_s=[k / 25 for k in range(25)], audio_from=clip)

    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            assert container.streams.audio[0].codec_context.codec.canonical_name in ("aac", codec)
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]

    assert (packets(path)[2:40] == packets(clip)[3:41] or packets(path)[2:40] == packets(clip)[2:40]) == (
        codec == "aac"
    )


def test_sound_ends_with_the_video(tmp_path: Path) -> None:
    frames, sound = flash_and_beep(0.1, 3.0)
    clip = write_clip(tmp_path / "a.mp4", frames, sound=sound)
    for suffix in (".mp4", ".mkv", ".webm"):
        path = write(tmp_path / f"out{suffix}", audio_from=clip)
        with av.open(str(path)) as container:
            assert container.duration == pytest.approx(COUNT / 25 * 1e6, abs=25_000)


def test_gaps_in_the_sound_stay_gaps(tmp_path: Path) -> None:
    """Sound that starts late and pauses; encoded anew for webm."""
    with av.open(str(tmp_path / "gap.mkv"), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=SOUND_HZ, layout="mono")
        tone = (20000 * np.sin(np.arange(4800) / 8)).astype(np.int16)[None]
        for start_s in (0.2, 0.6):
            frame = av.AudioFrame.from_ndarray(tone, "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = SOUND_HZ, int(start_s * SOUND_HZ), Fraction(1, SOUND_HZ)
            output.mux(stream.encode(frame))
    path = write(tmp_path / "out.webm", audio_from=tmp_path / "gap.mkv")
    times_s, sound = heard(path)
    loud_s = times_s[np.abs(sound) > 0.2]
    assert loud_s[0] - loud_s[-1] == pytest.approx(-0.5, abs=0.03)


@pytest.mark.parametrize("name", ["out.gif", "frames", "out.mp4"])
def test_no_sound_where_there_is_none(tmp_path: Path, name: str) -> None:
    silent = write_clip(tmp_path / "silent.mp4", [numbered(k) for k in range(5)])
    assert not VideoReader(write(tmp_path / name, audio_from=silent)).info.has_audio


def test_sound_of_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        write(tmp_path / "out.mp4", audio_from=tmp_path / "none.mp4")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["out.mp4", "out.webm", "out.gif", "frames"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, None])
def test_an_interruption_leaves_nothing(tmp_path: Path, name: str, error: type[BaseException] | None) -> None:
    with pytest.raises(error or OutputError), VideoWriter(tmp_path / name, SIZE, RATE) as writer:
        if error is not None:
            for index in range(10):
                writer.write(numbered(index), index / 25)
            assert [p.name.startswith(".") for p in tmp_path.iterdir()] == [True]
            raise error
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_keeps_the_older_result(tmp_path: Path) -> None:
    path = write(tmp_path / "out.mp4")
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists; use --overwrite"):
        VideoWriter(path, SIZE, RATE)
    with pytest.raises(KeyboardInterrupt), VideoWriter(path, SIZE, RATE, overwrite=True) as writer:
        writer.write(numbered(1), 0.0)
        raise KeyboardInterrupt
    assert path.read_bytes() == before
    write(path, NTSC, overwrite=True)
    assert path.read_bytes() != before


FULL_DISK = """
import resource, sys
from fractions import Fraction
import numpy as np
from facereenact.errors import OutputError
from facereenact.video import VideoWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
rng = np.random.default_rng(0)
try:
    with VideoWriter(sys.argv[1], (128, 128), Fraction(25), crf=1) as writer:
        for index in range(200):
            writer.write(rng.integers(0, 255, (128, 128, 3), np.uint8), index / 25)
except OutputError as error:
    print(error)
"""


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.gif", "frames"])
def test_disk_full(tmp_path: Path, name: str) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / name)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.startswith(str(tmp_path / name))
    assert result.stdout.endswith(" was not written: disk full; free some space first\n")
    assert result.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_disk_full_while_completing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(video_encoder.ContainerEncoder, "close", full)
    with pytest.raises(OutputError, match="disk full"):
        write(tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


def test_impossible_outputs_are_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"unknown suffix; end in \.mp4, \.mov, \.mkv, \.webm, \.gif"):
        VideoWriter(tmp_path / "a.wmv", SIZE, RATE)
    with pytest.raises(OutputError, match="does not exist"):
        VideoWriter(tmp_path / "none" / "a.mp4", SIZE, RATE)
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        VideoWriter(tmp_path / "folder.mp4", SIZE, RATE)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file"):
        VideoWriter(tmp_path / "file", SIZE, RATE)
    with pytest.raises(OutputError, match="does not exist"):
        VideoWriter(tmp_path / "file" / "a.mp4", SIZE, RATE)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.mp4"]


def test_wrong_images_and_times_are_refused(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", SIZE, RATE) as writer:
        writer.write(numbered(0), 0.5)
        for image, time_s in ((numbered(1), 0.5), (numbered(1), 0.4), (numbered(1, (66, 48)), 0.6)):
            with pytest.raises(ValueError, match=r"timestamp|expected"):
                writer.write(image, time_s)
    with pytest.raises(ValueError, match="inside the with block"):
        writer.write(numbered(1), 1.0)
