"""Guides as published, pixel by pixel, and the crop they are drawn in."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from landmarks.guides import (
    CHUNK,
    MARGIN,
    PRESETS,
    CanonicalStyle,
    FaceCrop,
    Picture,
    PublishedStyle,
    draw_dots,
    draw_guides,
    find_face_crop,
)
from landmarks.motion import split_motion
from landmarks.tracking import SequenceBuilder
from landmarks.types import MOUTH, NOSE
from tests.faces import acted, astronaut, hopper, with_points
from tests.landmarks.guide_pictures import SIZE, cropped, farthest_px, only

ROOT = Path(__file__).resolve().parent.parent.parent
GREEN, YELLOW = (0, 255, 0), (255, 255, 0)
WHOLE = PublishedStyle(cut=1)


@pytest.fixture(scope="module")
def golden() -> Path:
    """Landmarks and the published code's pictures of them; FACEREENACT_PARITY names the folder above."""
    folder = Path(os.environ.get("FACEREENACT_PARITY") or ROOT.parent / "shared" / "parity") / "guides"
    if not folder.is_dir():
        pytest.skip(f"needs the folder {folder} of golden pictures; name the one above in FACEREENACT_PARITY")
    return folder


def read(path: Path) -> Picture:
    image = cv2.imread(str(path))
    assert image is not None, path
    return np.asarray(image[..., ::-1], np.uint8)


def lit(image: Picture) -> set[tuple[int, int]]:
    """(x, y) of the pixels that are not black."""
    return {(int(x), int(y)) for y, x in np.argwhere(image.any(axis=2))}


def plus(x: int, y: int) -> set[tuple[int, int]]:
    return {(x, y), (x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)}


def test_published_guides_are_those_of_the_published_code(golden: Path) -> None:
    from safetensors.numpy import load_file

    landmarks = load_file(golden / "landmarks.safetensors")
    items = json.loads((golden / "guides.json").read_text("utf-8"))["items"]
    assert len(items) == 10
    for item in items:
        size = (item["width"], item["height"])
        exact = landmarks[f"landmarks.{item['index']:02d}"][:, 1::-1]  # (row, column, confidence) there
        for points in (exact, exact.astype(np.float32)):
            published = PublishedStyle(centring="swapped")
            drawn = {
                "face": WHOLE.draw(points, size).head,
                "up_0.55": published.draw(points, size).head,
                "up_0.6": PublishedStyle(cut=0.6).draw(points, size).head,
                "mouth": published.draw(points, size).mouth,
                "nose": draw_dots(published.centred(points.astype(np.float64), size)[NOSE], size),
            }
            assert drawn.keys() == item["files"].keys()
            for kind, picture in drawn.items():
                np.testing.assert_array_equal(picture, read(golden / item["files"][kind]["file"]), f"{item} {kind}")
        if size[0] == size[1]:
            right = PublishedStyle().draw(exact, size).mouth
            np.testing.assert_array_equal(right, read(golden / item["files"]["mouth"]["file"]))


@pytest.mark.parametrize(("index", "size"), [(0, (256, 256)), (1, (320, 180))])
def test_a_face_of_one_pixel_is_drawn_as_by_the_published_code(golden: Path, index: int, size: tuple[int, int]) -> None:
    from safetensors.numpy import load_file

    points = load_file(golden / "landmarks.safetensors")[f"adjust.{index}.returned"][0, :, ::-1]
    drawn = PublishedStyle(cut=1, centring="swapped").draw(points, size)
    np.testing.assert_array_equal(drawn.head, read(golden / f"adjust{index}_frame0_face.png"))
    np.testing.assert_array_equal(drawn.mouth, read(golden / f"adjust{index}_frame0_mouth.png"))


@pytest.mark.parametrize(
    ("x", "y", "centre"),
    [
        (10.0, 20.0, (10, 20)),
        (10.49, 20.5, (10, 21)),
        (-0.7, 5.0, (0, 5)),  # int() truncates toward zero
        (-1.5, 5.0, (-1, 5)),  # one arm of the dot shows
        (39.4, 29.4, (39, 29)),
        (40.2, 29.6, (40, 30)),
        (-900.0, 1e9, None),
    ],
)
def test_a_dot_is_a_plus_at_the_rounded_point(x: float, y: float, centre: tuple[int, int] | None) -> None:
    expected = {(px, py) for px, py in plus(*centre) if 0 <= px < 40 and 0 <= py < 30} if centre else set()
    drawn = draw_dots(np.array([[x, y]]), (40, 30))
    assert drawn.shape == (30, 40, 3) and drawn.dtype == np.uint8
    assert lit(drawn) == expected
    assert all(tuple(drawn[py, px]) == GREEN for px, py in expected)


def test_pupils_are_yellow_and_lie_on_top() -> None:
    points = np.full((68, 2), 8.0)
    points[66:] = (9, 8)
    drawn = draw_dots(points, (16, 16))
    assert lit(drawn) == plus(8, 8) | plus(9, 8)
    assert {(x, y) for x, y in lit(drawn) if tuple(drawn[y, x]) == YELLOW} == plus(9, 8)


@pytest.mark.parametrize(("cut", "first_blank"), [(0.55, 99), (0.6, 108), (1, 180)])
def test_the_head_guide_is_blank_from_the_cut(cut: float, first_blank: int) -> None:
    points = np.stack([np.linspace(5, 300, 68), np.linspace(0, 179, 68)], axis=1)
    head = PublishedStyle(cut=cut).draw(points, (320, 180)).head
    np.testing.assert_array_equal(head[:first_blank], WHOLE.draw(points, (320, 180)).head[:first_blank])
    assert not head[first_blank:].any() and head[first_blank - 1].any()


def spread_points() -> NDArray[np.float64]:
    """(68, 2) with mean (50, 20); all lips lie on (52, 23)."""
    points = np.full((68, 2), (50.0, 20.0))
    points[MOUTH] = (52, 23)
    points[:18] = (48, 17)
    return points


@pytest.mark.parametrize(
    ("centring", "size", "centre"),
    [
        ("middle", (320, 180), (162, 93)),
        ("swapped", (320, 180), (92, 163)),
        ("middle", (201, 361), (102, 183)),
        ("middle", (64, 64), (34, 35)),
        ("swapped", (64, 64), (34, 35)),
    ],
)
def test_the_mouth_guide_moves_the_mean_to_the_middle(centring: Any, size: Any, centre: tuple[int, int]) -> None:
    assert lit(PublishedStyle(centring=centring).draw(spread_points(), size).mouth) == plus(*centre)


def test_moving_the_face_moves_the_published_head_guide_and_keeps_the_mouth_guide() -> None:
    points = np.round(hopper().landmarks.points[0].astype(np.float64) * 8) / 8  # sums without rounding errors
    points += (0, 0.01)  # off the ties of rounding
    own, moved = (WHOLE.draw(points + shift, (512, 600)) for shift in ((0, 0), (-40, 31)))
    np.testing.assert_array_equal(moved.head, np.roll(own.head, (31, -40), axis=(0, 1)))
    np.testing.assert_array_equal(moved.mouth, own.mouth)


def test_float32_moves_a_dot_only_at_a_tie() -> None:
    exact = np.array([[63.49999999, 20.0]])
    assert lit(draw_dots(exact, (99, 99))) == plus(63, 20)
    points = np.repeat(exact, 68, axis=0)
    assert lit(WHOLE.draw(points.astype(np.float32), (99, 99)).head) == plus(64, 20)


@pytest.mark.parametrize("face", [astronaut, hopper], ids=lambda f: f.__name__)
@pytest.mark.parametrize("turn_deg", [(0, 0, 0), (10, 0, 0), (-10, 0, 0), (0, 20, 0)])
def test_the_cut_of_a_cropped_face_falls_between_nose_and_lips(face: Any, turn_deg: ArrayLike) -> None:
    talking = acted(face().landmarks, turn_deg=turn_deg, jaw=np.linspace(0, 0.15, 20))
    rows = cropped(talking).points[..., 1] / SIZE[1]
    assert rows[:, NOSE].max() < PublishedStyle.cut < rows[:, MOUTH].min()


def test_one_crop_holds_the_whole_clip_with_its_margin() -> None:
    steps = np.linspace(-1, 1, 80)[:, None]
    clip = acted(hopper().landmarks, shift_px=steps * (90, 30), turn_deg=steps * (5, 15, 10))
    crop = find_face_crop(clip)
    seen = crop.apply(clip, 256)
    extent = float(np.ptp(clip.points.reshape(-1, 2), axis=0).max())
    assert seen.size == (256, 256)
    assert crop.side_px == pytest.approx((1 + 2 * MARGIN) * extent, rel=0.05)
    assert seen.points.min() > 256 * 0.08 and seen.points.max() < 256 * 0.92
    back = seen.points * (crop.side_px / 256) + (crop.left_px, crop.top_px)
    np.testing.assert_allclose(back, clip.points, atol=1e-3)


def test_stray_and_unseen_frames_do_not_move_the_crop() -> None:
    clip = acted(hopper().landmarks, shift_px=np.random.default_rng(0).normal(0, 3, (100, 2)))
    points, detected = clip.points.copy(), clip.detected.copy()
    points[3] += 400
    points[50:60], detected[50:60] = 0, False
    crop, spoiled = find_face_crop(clip), find_face_crop(replace(clip, points=points, detected=detected))
    np.testing.assert_allclose(spoiled.xyxy, crop.xyxy, atol=0.03 * crop.side_px)


def test_the_crop_keeps_the_motion_of_the_face() -> None:
    clip = acted(hopper().landmarks, turn_deg=[(0, 10, 5), (8, -9, 0)], jaw=[0, 0.1])
    crop = find_face_crop(clip)
    own, seen = split_motion(clip), split_motion(crop.apply(clip, 256))
    np.testing.assert_allclose(seen.offsets, own.offsets, atol=1e-5)
    np.testing.assert_allclose(seen.head.scale, own.head.scale * 256 / crop.side_px, rtol=1e-5)


def test_the_crop_moves_the_head_before_the_camera() -> None:
    """A crop about the middle is a longer lens: twice the face at the same distance is half the distance."""
    clip = replace(hopper().landmarks, size=(600, 600))
    own, seen = clip.translation, FaceCrop(150, 150, 300).apply(clip, 600).translation
    np.testing.assert_allclose(seen[:, 2], own[:, 2] / 2, rtol=1e-5)
    np.testing.assert_allclose(seen[:, :2], own[:, :2], atol=1e-5)
    np.testing.assert_allclose(FaceCrop(0, 0, 600).apply(clip, 600).translation, own, atol=1e-5)


@pytest.mark.parametrize("style", PRESETS.values(), ids=PRESETS)
def test_guides_come_frame_by_frame_and_any_part_gives_its_own(style: Any) -> None:
    count = CHUNK + 3
    clip = acted(hopper().landmarks, turn_deg=np.linspace(0, 10, count)[:, None] * (0, 1, 0))
    clip = find_face_crop(clip).apply(clip, 64)
    guides = draw_guides(clip, style=style)
    first = next(guides)
    assert first.head.shape == first.mouth.shape == (64, 64, 3) and first.head.dtype == np.uint8
    whole = [first, *guides]
    assert len(whole) == count
    for start in (0, 100, CHUNK - 1):
        for own, part in zip(whole[start:], islice(draw_guides(clip[start:], style=style), 3), strict=False):
            np.testing.assert_array_equal(part.head, own.head)
            np.testing.assert_array_equal(part.mouth, own.mouth)


@pytest.mark.parametrize("style", PRESETS.values(), ids=PRESETS)
def test_points_are_scaled_to_the_size_of_the_guides(style: Any) -> None:
    large = hopper().landmarks
    small = with_points(replace(large, size=(256, 300)), large.points / 2, rotation=large.rotation)
    guides, expected = next(draw_guides(small, (512, 600), style=style)), only(large, style)
    assert guides.head.shape == (600, 512, 3)
    assert farthest_px(guides.head, expected.head) <= 1
    assert farthest_px(guides.mouth, expected.mouth) <= 1


def test_the_default_is_the_published_style() -> None:
    clip = cropped(hopper().landmarks)
    for own, published in zip(next(draw_guides(clip)), only(clip, PublishedStyle(cut=0.55)), strict=True):
        np.testing.assert_array_equal(own, published)


def test_what_cannot_be_drawn_is_refused_at_once() -> None:
    face = hopper().landmarks
    with pytest.raises(ValueError, match="find_face_crop"):
        draw_guides(face, (512, 512))
    with pytest.raises(ValueError, match="fill_gaps"):
        draw_guides(SequenceBuilder((64, 64), "test").add(face.points[0], 0).add(None, 1).build())
    with pytest.raises(ValueError, match="nothing to crop"):
        find_face_crop(replace(face, detected=np.zeros(1, bool)))
    with pytest.raises(ValueError, match="negative"):
        find_face_crop(face, margin=-0.1)
    for cut in (0, -1, 1.2, float("nan")):
        with pytest.raises(ValueError, match="share of the height"):
            PublishedStyle(cut=cut)
    with pytest.raises(ValueError, match="'swapped'"):
        PublishedStyle(centring="left")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="positive"):
        CanonicalStyle(mouth_span=0)
