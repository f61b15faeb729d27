"""drive() as a whole: from a portrait and a driver to a finished video."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import fields
from fractions import Fraction
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from facereenact.drive import DriveResult, drive
from facereenact.errors import OutputError
from facereenact.settings import DriveSettings
from facereenact.video import VideoReader
from landmarks import LandmarkSequence
from landmarks.mediapipe_tracker import MediaPipeTracker, find_faces
from landmarks.smoothing import fill_gaps
from landmarks.storage import load_landmarks
from landmarks.tracking import track
from tests.facereenact import clips
from tests.facereenact.clips import COUNT, PORTRAIT_SIZE, TONE_S, Image, brightness_in_time, difference
from tests.facereenact.media import heard, write_clip

FIRST_S = 0.16  # enough of the driver where its length does not matter: four frames


def made(folder: Path, name: str = "out.mp4", **settings: Any) -> DriveResult:
    """The result of driving the portrait with the clip, unless told otherwise."""
    settings = {"source": clips.portrait(), "driver": clips.talk(), **settings}
    return drive(DriveSettings(output=folder / name, **settings))


def pictures(path: Path) -> list[Image]:
    return [frame.image for frame in VideoReader(path)]


def times_s(path: Path) -> list[float]:
    return [frame.timestamp_s for frame in VideoReader(path)]


def tracked(path: Path) -> LandmarkSequence:
    with MediaPipeTracker() as tracker:
        return fill_gaps(track(((frame.image, frame.timestamp_s) for frame in VideoReader(path)), tracker))


def roll_deg(sequence: LandmarkSequence) -> np.ndarray:
    """Angle of the line between the outer corners of the eyes."""
    x, y = (sequence.points[:, 45] - sequence.points[:, 36]).T
    return np.degrees(np.arctan2(y, x))


def onset_s(path: Path) -> float:
    """When the tone is first heard."""
    times, sound = heard(path)
    return float(times[np.flatnonzero(np.abs(sound) > 0.2)[0]])


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def steps() -> list[tuple[str, int, int | None]]:
    """What `progress` was told while `plain` was made."""
    return []


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int | None]]) -> DriveResult:
    settings = DriveSettings(
        clips.portrait(),
        clips.talk(),
        tmp_path_factory.mktemp("plain") / "out.mp4",
        mouth="painted",
        save_landmarks=tmp_path_factory.mktemp("track") / "talk.landmarks.safetensors",
    )
    return drive(settings, progress=lambda *step: steps.append(step))


@pytest.fixture(scope="module")
def saved_track(plain: DriveResult) -> Path:
    """The landmark file that was saved when `plain` was made."""
    sidecar = json.loads(plain.output.with_suffix(".json").read_text())
    return Path(sidecar["settings"]["save_landmarks"])


def test_the_result_has_the_frames_and_times_of_the_driver(plain: DriveResult) -> None:
    ours, theirs = VideoReader(plain.output), VideoReader(clips.talk())
    assert times_s(plain.output) == pytest.approx(times_s(clips.talk()), abs=1e-9)
    assert ours.info.rate == theirs.info.rate == plain.rate
    assert ours.info.size == plain.size == PORTRAIT_SIZE
    assert (plain.frames, plain.frames_filled, len(pictures(plain.output))) == (COUNT, 0, COUNT)
    assert ours.info.duration_s == pytest.approx(theirs.info.duration_s, abs=1e-6)


def test_the_sound_of_the_driver_is_kept_in_sync(plain: DriveResult) -> None:
    assert plain.has_audio
    assert onset_s(plain.output) == pytest.approx(onset_s(clips.talk()), abs=1e-4)
    assert onset_s(plain.output) == pytest.approx(TONE_S, abs=0.005)


def test_the_face_moves_as_the_driver_does(plain: DriveResult) -> None:
    ours, theirs = tracked(plain.output), tracked(clips.talk())
    assert ours.detected.all()
    assert np.ptp(roll_deg(theirs)) > 10
    own_roll_deg = roll_deg(theirs)[plain.neutral_frame] - roll_deg(ours)[plain.neutral_frame]
    assert np.abs(roll_deg(ours) - roll_deg(theirs) + own_roll_deg).max() < 3
    size = ours.eye_distance_px[plain.neutral_frame] / theirs.eye_distance_px[plain.neutral_frame]
    paths = [points - points[plain.neutral_frame] for points in (ours.points[:, 30], theirs.points[:, 30] * size)]
    assert np.abs(paths[0] - paths[1]).max() < 0.1 * ours.eye_distance_px[plain.neutral_frame]


def test_every_picture_differs_from_the_one_before(plain: DriveResult) -> None:
    images = pictures(plain.output)
    assert all(difference([a], [b]) > 0.3 for a, b in pairwise(images))


def test_only_the_result_and_its_sidecar_are_left(plain: DriveResult, saved_track: Path) -> None:
    assert listing(plain.output.parent) == ["out.json", "out.mp4"]
    assert listing(saved_track.parent) == [saved_track.name]


def test_the_sidecar_tells_how_the_result_was_made(plain: DriveResult) -> None:
    sidecar = json.loads(plain.output.with_suffix(".json").read_text())
    assert set(sidecar) == {"settings", "result", "tracker", "versions"}
    assert set(sidecar["settings"]) == {field.name for field in fields(DriveSettings)}
    assert sidecar["settings"]["driver"] == str(clips.talk())
    assert sidecar["settings"]["mouth"] == "painted"
    result = sidecar["result"]
    assert (result["frames"], result["rate"], result["size"]) == (COUNT, "25", list(PORTRAIT_SIZE))
    assert (result["renderer"], result["neutral_frame"]) == ("warp", plain.neutral_frame)
    assert set(result["seconds"]) == {"source", "tracking", "preparation", "rendering"}
    assert sidecar["tracker"].startswith("mediapipe")
    assert {"facereenact", "mediapipe", "av"} <= set(sidecar["versions"])


def test_progress_counts_every_frame_of_each_stage(
    plain: DriveResult, steps: list[tuple[str, int, int | None]]
) -> None:
    for stage in ("tracking", "rendering"):
        done = [step[1] for step in steps if step[0] == stage]
        assert done == sorted(done)
        assert (done[-1], {step[2] for step in steps if step[0] == stage}) == (COUNT, {COUNT})
    assert [step[0] for step in steps] == sorted((step[0] for step in steps), reverse=True)


@pytest.mark.parametrize(
    ("name", "tolerance_s"), [("a.mov", 1e-6), ("a.mkv", 6e-4), ("a.webm", 6e-4), ("a.gif", 6e-3), ("frames", 1e-6)]
)
def test_every_kind_of_output(tmp_path: Path, name: str, tolerance_s: float) -> None:
    result = made(tmp_path, name, end=FIRST_S)
    assert times_s(result.output) == pytest.approx([0, 0.04, 0.08, 0.12], abs=tolerance_s)
    assert VideoReader(result.output).info.size == PORTRAIT_SIZE
    assert result.has_audio == VideoReader(result.output).info.has_audio == (name in ("a.mov", "a.mkv", "a.webm"))
    assert listing(tmp_path) == sorted([name, f"{Path(name).stem}.json"])


def test_codecs_are_those_that_players_expect(tmp_path: Path, plain: DriveResult) -> None:
    webm = made(tmp_path, "a.webm", end=FIRST_S).output
    for path, names in ((plain.output, ["h264", "aac"]), (webm, ["vp9", "opus"])):
        with av.open(str(path)) as container:
            assert [stream.codec_context.codec.canonical_name for stream in container.streams] == names
            assert container.streams.video[0].pix_fmt == "yuv420p"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".mp4"])
def test_a_still_driver_gives_its_pose(tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture) -> None:
    result = made(tmp_path, f"out{suffix}", driver=clips.still())
    assert "--motion absolute" in caplog.text
    image = pictures(result.output)[0]
    (theirs,), (ours,) = (find_faces(picture) for picture in (clips.moving_face()[3], image))
    rolls = [np.degrees(np.arctan2(*(f.points[45] - f.points[36])[::-1])) for f in (theirs, ours)]
    assert rolls[0] == pytest.approx(rolls[1], abs=3)
    assert (result.frames, result.has_audio, result.size) == (1, False, PORTRAIT_SIZE)
    assert listing(tmp_path) == sorted(["out.json", f"out{suffix}"])


def test_asking_for_absolute_motion_needs_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made(tmp_path, "out.png", driver=clips.still(), motion="absolute")
    assert caplog.text == ""


def test_a_moving_driver_gives_no_single_picture(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="moving driver"):
        made(tmp_path, "out.png")
    assert listing(tmp_path) == []


def test_a_folder_of_images_drives_too(tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    for index, image in enumerate(clips.moving_face()[:4]):
        clips.write_picture(frames / f"{index}.png", image)
    result = made(tmp_path, driver=frames)
    assert times_s(result.output) == pytest.approx([0, 0.04, 0.08, 0.12], abs=1e-9)


def test_a_saved_track_gives_the_same_pictures_without_the_video(
    tmp_path: Path, plain: DriveResult, saved_track: Path
) -> None:
    result = made(tmp_path, driver=saved_track)
    assert not result.has_audio
    assert (result.neutral_frame, result.rate) == (plain.neutral_frame, plain.rate)
    assert times_s(result.output) == pytest.approx(times_s(plain.output), abs=1e-9)
    assert difference(pictures(result.output), pictures(plain.output)) < 0.5


def test_a_saved_track_can_be_trimmed_and_resampled(tmp_path: Path, saved_track: Path) -> None:
    chosen = {"start": 0.08, "end": 0.4, "fps": Fraction(10), "mouth": "painted", "neutral_frame": 0}
    (tmp_path / "again").mkdir()
    result = made(tmp_path, driver=saved_track, save_landmarks=tmp_path / "part.landmarks.safetensors", **chosen)
    part, whole = load_landmarks(tmp_path / "part.landmarks.safetensors"), load_landmarks(saved_track)
    assert times_s(result.output) == pytest.approx([0, 0.1, 0.2, 0.3], abs=1e-9)
    assert result.rate == 10
    assert np.array_equal(part.points, whole.points[[2, 4, 7, 9]])
    of_video = made(tmp_path / "again", **chosen)
    assert np.abs(roll_deg(tracked(result.output)) - roll_deg(tracked(of_video.output))).max() < 2


def test_a_saved_track_is_cut_where_its_video_is(tmp_path: Path, saved_track: Path) -> None:
    of_video, of_track = (
        times_s(made(tmp_path, name, driver=driver, start=0.05, end=0.17).output)
        for name, driver in (("a.mp4", clips.talk()), ("b.mp4", saved_track))
    )
    assert of_track == pytest.approx(of_video, abs=1e-4)


def test_a_saved_track_of_one_frame_keeps_the_asked_rate(tmp_path: Path, saved_track: Path) -> None:
    assert made(tmp_path, driver=saved_track, end=0.05, fps=Fraction(10)).rate == 10


def test_a_track_of_rounded_times_keeps_its_rate(tmp_path: Path) -> None:
    rounded = write_clip(
        tmp_path / "rounded.mkv", clips.moving_face()[:10], ticks=[round(k * 1000 / 30) for k in range(10)],
        time_base=Fraction(1, 1000), rate=Fraction(30),
    )  # fmt: skip
    saved = tmp_path / "a.landmarks.safetensors"
    made(tmp_path, driver=rounded, save_landmarks=saved)
    assert made(tmp_path, "again.mp4", driver=saved).rate == pytest.approx(30, abs=0.05)


def test_a_comparison_shows_source_driver_and_result(tmp_path: Path) -> None:
    result = made(tmp_path, compare=True)
    width, height = PORTRAIT_SIZE
    assert result.compare == tmp_path / "out.compare.mp4"
    assert listing(tmp_path) == ["out.compare.mp4", "out.json", "out.mp4"]
    panels = pictures(result.compare)
    assert panels[0].shape == (height, width + height + width, 3)  # the driver is square
    assert times_s(result.compare) == times_s(result.output)
    assert onset_s(result.compare) == pytest.approx(TONE_S, abs=0.005)
    assert difference([p[:, :width] for p in panels], [clips.portrait_image()] * COUNT) < 4
    enlarged = [cv2.resize(image, (height, height)) for image in clips.moving_face()]
    assert difference([p[:, width:-width] for p in panels], enlarged) < 6
    assert difference([p[:, -width:] for p in panels], pictures(result.output)) < 4


def test_a_comparison_beside_a_folder_is_a_video(tmp_path: Path) -> None:
    result = made(tmp_path, "frames", compare=True, end=FIRST_S)
    assert listing(tmp_path) == ["frames", "frames.compare.mp4", "frames.json"]
    assert result.compare is not None
    assert len(pictures(result.compare)) == 4


def test_a_track_is_compared_as_points(tmp_path: Path, saved_track: Path) -> None:
    result = made(tmp_path, driver=saved_track, compare=True, end=FIRST_S)
    assert result.compare is not None
    width, height = PORTRAIT_SIZE
    middle = pictures(result.compare)[0][:, width : width + height]
    assert np.median(middle) < 20
    assert middle[..., 1].max() > 150


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({"crop": True}, (512, 512)),
        ({"crop": True, "size": 200}, (200, 200)),
        ({"size": 200}, (170, 200)),  # 171 wide, made even
        ({"size": (200, 240)}, (200, 240)),
    ],
)
def test_sizes(tmp_path: Path, settings: dict[str, Any], size: tuple[int, int]) -> None:
    result = made(tmp_path, end=0.08, **settings)
    width, height = VideoReader(result.output).info.size
    assert (abs(width - size[0]) <= 2, height, width % 2) == (True, size[1], 0)
    assert result.size == (width, height)
    assert len(find_faces(pictures(result.output)[1])) == 1


def test_a_crop_is_about_the_face(tmp_path: Path) -> None:
    (face,) = find_faces(pictures(made(tmp_path, crop=True, end=0.08).output)[0])
    assert face.width_px > 512 / 2.5
    assert np.abs(face.centre - 256).max() < 80


def test_the_time_range_and_its_sound(tmp_path: Path, plain: DriveResult) -> None:
    result = made(tmp_path, start=0.16, end=0.4, mouth="painted")
    assert times_s(result.output) == pytest.approx([k / 25 for k in range(6)], abs=1e-9)
    assert onset_s(result.output) == pytest.approx(TONE_S - 0.16, abs=0.005)
    assert VideoReader(result.output).info.duration_s == pytest.approx(0.24, abs=1e-6)


def test_another_rate_keeps_the_length(tmp_path: Path) -> None:
    result = made(tmp_path, fps=Fraction(30000, 1001))
    assert result.rate == VideoReader(result.output).info.rate == Fraction(30000, 1001)
    assert times_s(result.output) == pytest.approx([k * 1001 / 30000 for k in range(15)], abs=1e-6)
    assert onset_s(result.output) == pytest.approx(TONE_S, abs=0.005)


def test_a_variable_rate_stays_as_it_is(tmp_path: Path) -> None:
    result = made(tmp_path, driver=clips.uneven())
    assert times_s(result.output) == pytest.approx([ms / 1000 for ms in clips.UNEVEN_MS], abs=2e-5)
    assert not result.has_audio


@pytest.mark.parametrize(("name", "size"), [("out.mp4", (256, 300)), ("frames", (255, 299))])
def test_an_odd_source_is_made_even_only_where_it_must(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    source = clips.write_picture(tmp_path / "odd.png", clips.portrait_image()[:299, :255])
    result = made(tmp_path, name, source=source, end=FIRST_S, neutral_frame=0, compare=True)
    assert VideoReader(result.output).info.size == result.size == size
    assert difference([pictures(result.output)[0][:20, :255]], [clips.portrait_image()[:20, :255]]) < 5


def test_transparency_is_the_matte_and_shows_white(tmp_path: Path) -> None:
    alpha = np.zeros(PORTRAIT_SIZE[::-1], np.uint8)
    cv2.ellipse(alpha, (128, 150), (100, 150), 0, 0, 360, 255, -1)
    source = tmp_path / "cut.png"
    PillowImage.fromarray(np.dstack([clips.portrait_image(), alpha])).save(source)
    images = pictures(made(tmp_path, "frames", source=source).output)
    assert all((image[:40, :20] > 250).all() and (image[:40, -20:] > 250).all() for image in images)
    assert brightness_in_time(images)[80:160, 80:180].mean() > 3


def test_frames_without_a_face_are_filled_and_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    result = made(tmp_path, driver=clips.with_gaps())
    assert result.frames == len(pictures(result.output)) == COUNT
    assert 3 <= result.frames_filled <= 4
    assert f"{result.frames_filled} of {COUNT} driver frames show no face" in caplog.text
    moved = [difference([a], [b]) for a, b in pairwise(pictures(result.output))]
    assert max(moved) < 4 * np.median(moved)  # no jump into or out of the gap


@pytest.mark.parametrize(("face", "moving"), [("largest", 0), (0, 0), (1, 1), ((400.0, 150.0), 1)])
def test_one_of_two_faces_is_chosen(tmp_path: Path, face: Any, moving: int, caplog: pytest.LogCaptureFixture) -> None:
    change = brightness_in_time(pictures(made(tmp_path, source=clips.two_faces(), face=face).output))
    sides = [change[60:200, 90:230].mean(), change[60:200, 350:490].mean()]
    assert sides[moving] > 5 * sides[1 - moving]
    assert ("shows 2 faces" in caplog.text) == (face == "largest")


@pytest.mark.parametrize(("face", "moves"), [("largest", True), (0, False), (1, True), ((80.0, 90.0), False)])
def test_one_of_two_drivers_is_chosen(tmp_path: Path, face: Any, moves: bool, caplog: pytest.LogCaptureFixture) -> None:
    result = made(tmp_path, driver=clips.two_drivers(), driver_face=face)
    assert (brightness_in_time(pictures(result.output))[60:200, 60:200].mean() > 5) == moves
    assert ("shows 2 faces" in caplog.text) == (face == "largest")


def test_the_neutral_frame_shows_the_source_as_it_is(tmp_path: Path) -> None:
    settings = {"end": 0.28, "smooth": "none", "mouth": "painted"}
    for index in (2, 6):
        result = made(tmp_path, f"{index}.mp4", neutral_frame=index, **settings)
        away = [difference([image], [clips.portrait_image()]) for image in pictures(result.output)]
        assert result.neutral_frame == int(np.argmin(away)) == index
        assert away[index] < 0.6 * np.median(away)


def test_absolute_motion_takes_the_drivers_pose(tmp_path: Path) -> None:
    absolute = tracked(made(tmp_path, motion="absolute").output)
    assert np.abs(roll_deg(absolute) - roll_deg(tracked(clips.talk()))).max() < 3


def test_each_smoothing_gives_another_result(tmp_path: Path) -> None:
    kinds = ("none", "light", "normal", "strong")
    images = {k: pictures(made(tmp_path, f"{k}.mp4", smooth=k, neutral_frame=0).output) for k in kinds}
    assert all(difference(images[a], images[b]) > 0.02 for a, b in combinations(kinds, 2))
    away = [difference(images["none"], images[kind]) for kind in kinds]
    assert away == sorted(away)


def test_the_mouth_of_the_driver_or_a_painted_one(tmp_path: Path, plain: DriveResult) -> None:
    borrowed, painted = pictures(made(tmp_path, neutral_frame=plain.neutral_frame).output), pictures(plain.output)
    x, y = np.round(tracked(plain.output).points[:, 58:66].mean(axis=1)).astype(int).T  # middle of the mouth
    changes = [np.abs(a.astype(int) - b.astype(int)).mean(axis=2) for a, b in zip(borrowed, painted, strict=True)]
    near = np.mean([c[v - 8 : v + 9, u - 14 : u + 15].mean() for c, u, v in zip(changes, x, y, strict=True)])
    assert near > 5 * np.mean(changes)


def test_overwriting_replaces_every_file(tmp_path: Path) -> None:
    saved = tmp_path / "a.landmarks.safetensors"
    for name in ("out.mp4", "out.compare.mp4", "out.json", saved.name):
        (tmp_path / name).write_text("old")
    result = made(tmp_path, overwrite=True, compare=True, save_landmarks=saved, end=FIRST_S)
    assert listing(tmp_path) == [saved.name, "out.compare.mp4", "out.json", "out.mp4"]
    assert result.compare is not None
    assert len(pictures(result.output)) == len(pictures(result.compare)) == len(load_landmarks(saved)) == 4
    assert json.loads((tmp_path / "out.json").read_text())["settings"]["overwrite"] is True


@pytest.mark.parametrize("stage", ["tracking", "rendering"])
def test_an_interruption_leaves_neither_files_nor_threads(tmp_path: Path, stage: str) -> None:
    def interrupt(now: str, done: int, total: int | None) -> None:
        if (now, done) == (stage, 4):
            raise KeyboardInterrupt

    settings = DriveSettings(clips.portrait(), clips.talk(), tmp_path / "out.mp4", compare=True)
    with pytest.raises(KeyboardInterrupt):
        drive(settings, progress=interrupt)
    assert listing(tmp_path) == []
    assert "frames-ahead" not in {thread.name for thread in threading.enumerate()}


def test_the_sidecar_of_a_folder_bears_its_whole_name(tmp_path: Path) -> None:
    (tmp_path / "take.2").mkdir()
    made(tmp_path, "take.2", end=0.08)
    assert listing(tmp_path) == ["take.2", "take.2.json"]


def test_the_same_run_gives_the_same_pictures(tmp_path: Path) -> None:
    first, second = (pictures(made(tmp_path, name, end=FIRST_S).output) for name in ("a", "b"))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_an_uneventful_run_logs_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made(tmp_path, end=FIRST_S)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    "settings",
    [{"start": -1}, {"start": 2, "end": 1}, {"start": float("nan")}, {"fps": Fraction(0)}, {"fps": Fraction(300)}],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="--"):
        DriveSettings(Path("a.png"), Path("b.mp4"), **settings)


def test_the_default_output_is_named_after_both() -> None:
    assert DriveSettings("in/a.png", "in/b.mp4").output_path == Path("a-b.mp4")  # type: ignore[arg-type]
    assert DriveSettings(Path("a.png"), Path("b.landmarks.safetensors")).output_path == Path("a-b.mp4")
