"""Faces that move, written once and shared by the tests of the whole program. Each function gives the path of a file.

The driver is a photograph moved about in its frame; a tone begins in the middle of it.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from matplotlib.cbook import get_sample_data
from numpy.typing import NDArray
from PIL import Image as PillowImage
from skimage import data

from tests.facereenact.media import RATE, SOUND_HZ, write_clip

Image = NDArray[np.uint8]

COUNT = 12  # frames of the driver
SIDE = 192  # of the driver, pixels
TONE_S = 0.24  # when the sound of the driver begins
PORTRAIT_SIZE = (256, 300)


@cache
def media() -> Path:
    """Where the files lie until the tests end."""
    folder = Path(tempfile.mkdtemp(prefix="facereenact-clips-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def portrait_image() -> Image:
    """Grace Hopper, frontal, 256x300."""
    with get_sample_data("grace_hopper.jpg") as file:
        return np.array(PillowImage.open(file).convert("RGB").resize(PORTRAIT_SIZE))


@cache
def portrait() -> Path:
    return write_picture(media() / "portrait.png", portrait_image())


@cache
def talk() -> Path:
    """The face rolls, comes nearer and drifts; 12 frames at 25 per second, 192x192, with a tone from 0.24 s on."""
    return write_clip(media() / "talk.mp4", moving_face(), sound=tone())


@cache
def still() -> Path:
    """One picture of the driver."""
    return write_picture(media() / "still.png", moving_face()[3])


@cache
def uneven() -> Path:
    """The same at a variable rate: ticks of a millisecond."""
    return write_clip(media() / "uneven.mp4", moving_face()[:6], ticks=UNEVEN_MS, time_base=Fraction(1, 1000))


UNEVEN_MS = (0, 33, 150, 190, 260, 400)


@cache
def with_gaps() -> Path:
    """The middle three frames show no face."""
    images = moving_face()
    return write_clip(media() / "gaps.mp4", [*images[:5], *[blank()] * 3, *images[8:]])


@cache
def two_faces() -> Path:
    """A picture of two: the astronaut, who is larger, at the left, Grace Hopper at the right."""
    return write_picture(media() / "two.png", np.hstack([cv2.resize(astronaut(), (300, 300)), portrait_image()]))


@cache
def two_drivers() -> Path:
    """A clip of two: Grace Hopper keeps still at the left, the larger astronaut moves at the right."""
    resting = cv2.resize(portrait_image(), (164, 192))
    return write_clip(media() / "duo.mp4", [np.hstack([resting, image]) for image in moving_face()])


@cache
def nobody() -> Path:
    """A clip without a face."""
    return write_clip(media() / "nobody.mp4", [blank()] * 5)


@cache
def astronaut() -> Image:
    """Head and shoulders, 256x256."""
    return np.ascontiguousarray(data.astronaut()[:256, 96:352])


@cache
def moving_face(count: int = COUNT) -> list[Image]:
    return [_moved(astronaut(), index) for index in range(count)]


def blank() -> Image:
    return np.full((SIDE, SIDE, 3), 90, np.uint8)


def tone(length_s: float = COUNT / float(RATE)) -> NDArray[np.float32]:
    times_s = np.arange(int(length_s * SOUND_HZ)) / SOUND_HZ
    return np.where(times_s >= TONE_S, 0.6 * np.sin(2 * np.pi * 1000 * times_s), 0).astype(np.float32)


def write_picture(path: Path, image: Image) -> Path:
    PillowImage.fromarray(image).save(path)
    return path


def brightness_in_time(images: Sequence[Image]) -> NDArray[np.float64]:
    """(height, width) how much each pixel changes over time."""
    return np.asarray(np.stack(images).astype(np.float64).mean(axis=3).std(axis=0))


def difference(images: Sequence[Image], others: Sequence[Image]) -> float:
    """Mean absolute difference, 0 to 255."""
    return float(np.mean([np.abs(a.astype(int) - b.astype(int)).mean() for a, b in zip(images, others, strict=True)]))


def _moved(image: Image, index: int) -> Image:
    """Frame `index`: rolled by up to 8 degrees, up to 8 % larger or smaller, drifting by a few pixels."""
    middle = image.shape[1] / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), 8 * np.sin(index / 2), 0.75 + 0.06 * np.sin(index / 3))
    matrix[:, 2] += (SIDE / 2 - middle + 6 * np.sin(index / 2.5), SIDE / 2 - middle + 0.5 * index)
    return np.asarray(cv2.warpAffine(image, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE), np.uint8)
