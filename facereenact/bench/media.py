"""Videos to measure with."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facereenact.video import VideoReader, VideoWriter

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def resized(source: Path, target: Path, *, side_px: int) -> Path:
    """The video as a square, written to `target`."""
    with VideoReader(source) as reader, VideoWriter(target, (side_px, side_px), reader.info.rate) as writer:
        for frame in reader:
            writer.write(np.asarray(cv2.resize(frame.image, (side_px, side_px)), np.uint8), frame.timestamp_s)
    return target


def repeated(source: Path, target: Path, *, frames: int, rate: Fraction = Fraction(25)) -> Path:
    """The video again and again, so many frames in all, written to `target`."""
    with VideoReader(source) as reader, VideoWriter(target, reader.info.size, rate) as writer:
        for index, image in zip(range(frames), _forever(reader), strict=False):
            writer.write(image, float(index / rate))
    return target


def _forever(reader: VideoReader) -> Iterator[NDArray[np.uint8]]:
    while True:
        yield from (frame.image for frame in reader)
