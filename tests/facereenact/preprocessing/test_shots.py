"""Hard cuts are found, and nothing else is taken for one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facereenact.preprocessing.shots import thumbnail, with_cuts
from facereenact.video import Frame, VideoReader
from tests.facereenact.preprocessing.plain import scene

Image = NDArray[np.uint8]


def cuts(images: Sequence[Image]) -> list[int]:
    frames = [Frame(image, index / 25) for index, image in enumerate(images)]
    marked = list(with_cuts(frames))
    assert [frame for frame, _ in marked] == frames
    return [index for index, (_, is_cut) in enumerate(marked) if is_cut]


def shots(*lengths: int) -> list[Image]:
    return [scene(number, index) for number, length in enumerate(lengths) for index in range(length)]


def test_cuts_between_shots_are_found() -> None:
    assert cuts(shots(10, 3, 20, 5, 4)) == [0, 10, 13, 33, 38]


def test_the_first_frame_begins_a_shot_and_no_frame_begins_none() -> None:
    assert cuts(shots(1)) == [0]
    assert cuts([]) == []


@pytest.mark.parametrize("length", [1, 2])
def test_a_flash_is_no_cut(length: int) -> None:
    images = shots(20)
    for index in range(10, 10 + length):
        images[index] = np.full_like(images[0], 255)
    assert cuts(images) == [0]


def test_a_pan_is_no_cut() -> None:
    assert cuts([np.roll(image, 19 * index, axis=1) for index, image in enumerate(shots(30))]) == [0]


def test_a_fade_is_no_cut() -> None:
    images = [(image * abs(index - 20) / 20).astype(np.uint8) for index, image in enumerate(shots(40))]
    assert cuts(images) == [0]


def test_grain_is_no_cut() -> None:
    random = np.random.default_rng(0)
    noisy = [np.clip(image + random.normal(0, 40, image.shape), 0, 255).astype(np.uint8) for image in shots(20)]
    assert cuts(noisy) == [0]


def test_a_cut_in_a_repeated_rate_is_found() -> None:
    """Every frame twice, as when 12 frames a second became 24."""
    images = [image for image in shots(8, 8) for _ in range(2)]
    assert cuts(images) == [0, 16]


@pytest.mark.parametrize("size", [(16, 8), (64, 64), (100, 180), (1920, 1080), (1081, 1919)])
def test_a_thumbnail_is_the_mean_of_its_blocks(size: tuple[int, int]) -> None:
    width, height = size
    ramp = np.linspace(0, 255, width)[None, :, None].repeat(height, 0).repeat(3, 2).astype(np.uint8)
    small = thumbnail(ramp)
    assert max(small.shape[:2]) <= 128
    assert np.abs(small[0, :, 0] - np.linspace(small[0, 0, 0], small[0, -1, 0], small.shape[1])).max() < 3


def test_cuts_between_real_clips_are_found(shared_media: Path) -> None:
    paths = sorted((shared_media / "driving").glob("*.mp4"))[:5]
    parts = [
        [cv2.resize(frame.image, (320, 240)) for frame, _ in zip(VideoReader(path), range(15), strict=False)]
        for path in paths
    ]
    assert cuts([image for part in parts for image in part]) == [0, 15, 30, 45, 60]  # type: ignore[misc]


def test_real_clips_of_one_shot_stay_whole(shared_media: Path) -> None:
    for path in (shared_media / "driving").glob("d[0139]*.mp4"):
        assert cuts([frame.image for frame in VideoReader(path)]) == [0], path.name
