"""The reader: times, ranges, orientation, colours, and a clear error for what cannot be read."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from facereenact.errors import InputError
from facereenact.video import Frame, VideoReader
from facereenact.video_decoder import VideoFile
from tests.facereenact.media import RATE, flash_and_beep, number, numbered, write_clip

NTSC = Fraction(30000, 1001)


def numbers(frames: list[Frame]) -> list[int]:
    return [number(frame.image) for frame in frames]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", [numbered(k) for k in range(25)])


@pytest.fixture
def long_clip(tmp_path: Path) -> Path:
    """16 s at 2 frames per second, keyframes every 4 s, with reordered frames."""
    images = [numbered(k) for k in range(32)]
    return write_clip(tmp_path / "long.mp4", images, time_base=Fraction(1, 2), rate=Fraction(2), gop_size=8)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi"])
def test_reads_every_frame_in_order_at_its_time(tmp_path: Path, suffix: str) -> None:
    path = write_clip(tmp_path / f"clip{suffix}", [numbered(k) for k in range(12)])
    with VideoReader(path) as reader:
        frames = list(reader)
        again = list(reader)
    assert numbers(frames) == numbers(again) == list(range(12))
    assert [frame.timestamp_s for frame in frames] == pytest.approx([k / 25 for k in range(12)], abs=1e-9)
    assert frames[0].image.shape == (48, 64, 3) and frames[0].image.dtype == np.uint8
    assert (reader.info.size, reader.info.rate, reader.info.has_audio) == ((64, 48), RATE, False)
    assert reader.info.frame_count == 12
    assert reader.info.duration_s == pytest.approx(12 / 25, abs=1e-3)


def test_timestamps_of_29_97_are_exact(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "ntsc.mp4", [numbered(k) for k in range(20)], time_base=1 / NTSC, rate=NTSC)
    reader = VideoReader(path)
    assert reader.info.rate == NTSC
    assert [frame.timestamp_s for frame in reader] == [float(Fraction(k * 1001, 30000)) for k in range(20)]


def test_variable_rate_keeps_its_times_and_resamples_by_them(tmp_path: Path) -> None:
    ticks = [0, 40, 300, 310, 700]
    path = write_clip(tmp_path / "vfr.mp4", [numbered(k) for k in range(5)], ticks=ticks, time_base=Fraction(1, 1000))
    assert [frame.timestamp_s for frame in VideoReader(path)] == pytest.approx([t / 1000 for t in ticks], abs=1e-9)
    resampled = list(VideoReader(path, fps=Fraction(10)))
    assert [frame.timestamp_s for frame in resampled] == [k / 10 for k in range(len(resampled))]
    assert numbers(resampled)[:8] == [0, 1, 1, 2, 3, 3, 3, 4]


@pytest.mark.parametrize(
    ("fps", "expected"),
    [
        (Fraction(25), list(range(25))),
        (Fraction(5), [0, 5, 10, 15, 20]),
        (Fraction(50), [k // 2 for k in range(50)]),
        (Fraction(10), [0, 2, 5, 7, 10, 12, 15, 17, 20, 22]),
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_resampling_shows_what_the_video_shows_then(
    tmp_path: Path, fps: Fraction, expected: list[int], suffix: str
) -> None:
    reader = VideoReader(write_clip(tmp_path / f"clip{suffix}", [numbered(k) for k in range(25)]), fps=fps)
    frames = list(reader)
    assert numbers(frames) == expected
    assert [frame.timestamp_s for frame in frames] == [float(k / fps) for k in range(len(expected))]
    assert (reader.info.rate, reader.info.frame_count) == (fps, len(expected))


def test_milliseconds_of_mkv_do_not_repeat_a_frame(tmp_path: Path) -> None:
    images = [numbered(k) for k in range(30)]
    path = write_clip(tmp_path / "c.mkv", images, time_base=Fraction(1, 30), rate=Fraction(30))
    assert numbers(list(VideoReader(path, fps=Fraction(30)))) == list(range(30))


def test_range_starts_with_the_first_frame_at_or_after_it(clip: Path) -> None:
    frames = list(VideoReader(clip, start_s=0.2, end_s=0.4))
    assert numbers(frames) == [5, 6, 7, 8, 9]
    assert [frame.timestamp_s for frame in frames] == pytest.approx([k / 25 for k in range(5)], abs=1e-9)
    between = VideoReader(clip, start_s=0.21, end_s=0.4)
    assert [frame.timestamp_s for frame in between] == pytest.approx([0.03, 0.07, 0.11, 0.15], abs=1e-9)
    assert between.info.duration_s == pytest.approx(0.19)


@pytest.mark.parametrize("start_s", [6.0, 7.5, 7.9, 8.0, 11.5, 15.5])
def test_far_start_gives_the_same_frames_as_skipping(long_clip: Path, start_s: float) -> None:
    expected = [frame for frame in VideoReader(long_clip) if frame.timestamp_s >= start_s]
    frames = list(VideoReader(long_clip, start_s=start_s))
    assert numbers(frames) == numbers(expected)
    assert [f.timestamp_s + start_s for f in frames] == pytest.approx([f.timestamp_s for f in expected])


def test_far_start_seeks(long_clip: Path) -> None:
    first = next(VideoFile(long_clip).pictures(13.0, 16.0))
    assert first.time_s == 12.0


def test_a_seek_that_lands_too_late_is_made_good(long_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facereenact.video_decoder._SEEK_MARGIN_S", -4.0)
    assert numbers(list(VideoReader(long_clip, start_s=9.0))) == list(range(18, 32))


def test_late_video_track_starts_at_0(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "late.mkv", [numbered(k) for k in range(5)], ticks=[50, 51, 52, 53, 54])
    assert [f.timestamp_s for f in VideoReader(path)] == pytest.approx([k / 25 for k in range(5)], abs=1e-9)


class FakeFrame:
    def __init__(self, pts: int | None) -> None:
        self.pts, self.duration = pts, 0


@pytest.mark.parametrize(
    ("pts", "expected_s"),
    [
        ([None, None, None], [0.0, 0.04, 0.08]),
        ([0, None, 1024], [0.0, 0.04, 0.08]),
        ([0, 512, 512, 1024], [0.0, 0.04, 0.04 + 1 / 12800, 0.08]),
        ([0, 512, 500, 1024], [0.0, 0.04, 0.04 + 1 / 12800, 0.08]),
        ([12800, 13312, 0, 512], [1.0, 1.04, 1.08, 1.12]),
    ],
)
def test_times_increase_whatever_the_file_says(clip: Path, pts: list[int | None], expected_s: list[float]) -> None:
    pictures = VideoFile(clip)._clocked(FakeFrame(p) for p in pts)  # type: ignore[misc,arg-type]
    assert [picture.time_s for picture in pictures] == pytest.approx(expected_s)


@pytest.mark.parametrize(("angle_deg", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_rotation_is_applied(tmp_path: Path, angle_deg: int, turns: int) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:24, :32] = 255  # top left
    reader = VideoReader(write_clip(tmp_path / "turned.mp4", [image] * 3, rotation_deg=angle_deg))
    expected = np.rot90(image, turns)
    shown = next(iter(reader)).image
    assert reader.info.size == expected.shape[1::-1]
    assert shown.shape == expected.shape
    assert np.abs(shown.astype(int) - expected).mean() < 4


def test_pixels_are_square(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "wide.mp4", [numbered(3)] * 3, sample_aspect_ratio=Fraction(4, 3))
    reader = VideoReader(path)
    assert reader.info.size == (85, 48)
    assert next(iter(reader)).image.shape == (48, 85, 3)


def test_gif_has_its_times_and_white_where_it_is_transparent(tmp_path: Path) -> None:
    first = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    first.paste((255, 0, 0, 255), (0, 0, 20, 40))
    first.save(
        tmp_path / "a.gif", save_all=True, append_images=[Image.new("RGBA", (40, 40), "blue")], duration=[120, 40]
    )
    frames = list(VideoReader(tmp_path / "a.gif"))
    assert [frame.timestamp_s for frame in frames] == pytest.approx([0, 0.12])
    assert frames[0].image[20, 5].tolist() == [255, 0, 0]
    assert frames[0].image[20, 35].tolist() == [255, 255, 255]
    assert frames[1].image[20, 35].tolist() == [0, 0, 255]


def test_folder_of_images_plays_in_natural_order(tmp_path: Path) -> None:
    for index in (0, 1, 2, 9, 10, 11):
        Image.fromarray(numbered(index)).save(tmp_path / f"frame{index}.png")
    (tmp_path / "notes.txt").write_text("no image")
    reader = VideoReader(tmp_path, sequence_rate=Fraction(10), start_s=0.1, end_s=0.5)
    assert numbers(list(reader)) == [1, 2, 9, 10]
    assert (reader.info.rate, reader.info.frame_count, reader.info.has_audio) == (10, 4, False)
    Image.fromarray(numbered(12, (66, 48))).save(tmp_path / "frame12.png")
    with pytest.raises(InputError, match=r"frame12\.png is 66x48"):
        list(VideoReader(tmp_path))


def test_still_image_is_one_frame(tmp_path: Path) -> None:
    Image.fromarray(numbered(7)).save(tmp_path / "still.jpg")
    frames = list(VideoReader(tmp_path / "still.jpg"))
    assert numbers(frames) == [7] and frames[0].timestamp_s == 0


def test_sound_is_reported(tmp_path: Path) -> None:
    frames, sound = flash_and_beep(0.1, 0.2)
    assert VideoReader(write_clip(tmp_path / "a.mp4", frames, sound=sound)).info.has_audio


def test_a_colon_in_a_name_is_no_protocol(tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "take:2.mp4").write_bytes(clip.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert len(list(VideoReader("take:2.mp4"))) == 25


@pytest.mark.parametrize(
    "address",
    ["http://host/a.mp4", "https://host/a", "rtsp://host/1", "concat:a.mp4|b.mp4", "file:a.mp4", "pipe:0", "data:x,y"],
)
@pytest.mark.parametrize("kind", [str, Path])
def test_only_local_files_are_opened(address: str, kind: type) -> None:
    with pytest.raises(InputError, match="only local video files are opened"):
        VideoReader(kind(address))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.m3u8", "anything"),
        ("a.mp4", "#EXTM3U\n#EXTINF:1,\n{target}\n"),
        ("a.mp4", "\ufeffffconcat version 1.0\nfile '{target}'\n"),
        ("a.txt", "file '{target}'\n"),
        ("a.mov", "<?xml version='1.0'?>\n<MPD><BaseURL>{target}</BaseURL></MPD>"),
        ("a.pls", "[playlist]\nFile1={target}\n"),
    ],
)
def test_playlists_are_refused(tmp_path: Path, clip: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text.format(target=clip))
    with pytest.raises(InputError, match="only local video files are opened"):
        VideoReader(tmp_path / name)


def test_only_listed_formats_are_opened(tmp_path: Path) -> None:
    """The list is what keeps FFmpeg from following a manifest that the look at the first bytes missed."""
    with av.open(str(tmp_path / "a.mp4"), "w", format="yuv4mpegpipe") as output:
        stream = output.add_stream("wrapped_avframe", rate=25, width=64, height=48)
        output.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(1), "rgb24").reformat(format="yuv420p")))
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.format.name == "yuv4mpegpipe"
    with pytest.raises(InputError, match="not a video"):
        VideoReader(tmp_path / "a.mp4")


def test_a_playlist_behind_blank_lines_is_no_video(tmp_path: Path, clip: Path) -> None:
    (tmp_path / "a.mp4").write_text("\n" * 5000 + f"#EXTM3U\n#EXTINF:1,\n{clip}\n")
    with pytest.raises(InputError, match="not a video"):
        VideoReader(tmp_path / "a.mp4")


def test_missing_empty_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        VideoReader(tmp_path / "none.mp4")
    with pytest.raises(InputError, match="holds no images"):
        VideoReader(tmp_path)
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(InputError, match="is empty"):
        VideoReader(tmp_path / "empty.mp4")
    (tmp_path / "text.mp4").write_text("hello " * 500)
    with pytest.raises(InputError, match="not a video"):
        VideoReader(tmp_path / "text.mp4")
    _, sound = flash_and_beep(0.1, 0.2)
    with av.open(str(tmp_path / "sound.wav"), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray((sound[None] * 30000).astype(np.int16), "s16", "mono")
        frame.sample_rate = 48000
        output.mux(stream.encode(frame))
    with pytest.raises(InputError, match="no video track"):
        VideoReader(tmp_path / "sound.wav")


def test_the_cover_picture_of_a_song_is_no_video(tmp_path: Path) -> None:
    Image.fromarray(numbered(1)).save(tmp_path / "cover.png")
    with av.open(str(tmp_path / "song.mp4"), "w") as output:
        audio = output.add_stream("aac", rate=48000, layout="mono")
        cover = output.add_mux_stream("png", width=64, height=48)
        cover.disposition = av.stream.Disposition.attached_pic
        packet = av.Packet((tmp_path / "cover.png").read_bytes())
        packet.stream, packet.pts, packet.dts, packet.is_keyframe = cover, 0, 0, True
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        output.mux([packet, *audio.encode(frame), *audio.encode(None)])
    with pytest.raises(InputError, match="no video track"):
        VideoReader(tmp_path / "song.mp4")


def test_large_pictures_are_reduced_on_request(tmp_path: Path, clip: Path) -> None:
    (tmp_path / "images").mkdir()
    for k in range(2):
        Image.fromarray(numbered(k)).save(tmp_path / "images" / f"{k}.png")
    upright = write_clip(tmp_path / "upright.mp4", [numbered(k) for k in range(2)], rotation_deg=90)
    for path, size in ((clip, (32, 24)), (tmp_path / "images", (32, 24)), (upright, (24, 32))):
        reader = VideoReader(path, longest_px=32)
        first = next(iter(reader)).image
        assert reader.info.size == (first.shape[1], first.shape[0]) == size
        whole = np.asarray(next(iter(VideoReader(path, longest_px=64))).image)
        assert whole.shape[0] == 2 * size[1]
        averaged = whole.reshape(size[1], 2, size[0], 2, 3).mean(axis=(1, 3))
        assert np.abs(averaged - first).mean() < 3


@pytest.mark.parametrize(("start_s", "end_s"), [(-1.0, None), (1.0, 1.0), (2.0, 1.0)])
def test_impossible_ranges(clip: Path, start_s: float, end_s: float | None) -> None:
    with pytest.raises(InputError, match="start"):
        VideoReader(clip, start_s=start_s, end_s=end_s)


def test_range_without_frames_says_how_long_the_video_is(clip: Path) -> None:
    with pytest.raises(InputError, match=r"no frame from 5 s .* it lasts 1\.00 s"):
        list(VideoReader(clip, start_s=5.0))
