"""A folder of images, or one image, as a video of constant rate."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facereenact.errors import InputError
from facereenact.images import IMAGE_SUFFIXES, read_image
from facereenact.video_decoder import Picture, reduced_size


class ImageSequence:
    """Pictures from image files of one size. Raises InputError when there is none or one differs in size."""

    def __init__(self, paths: list[Path], rate: Fraction, longest_px: int | None = None) -> None:
        self._paths = paths
        self.rate = rate
        self.tick_s = float(1 / rate)
        self.frame_count: int | None = len(paths)
        self.duration_s: float | None = float(len(paths) / rate)
        self.has_audio = False
        self.broken_s: float | None = None
        height, width = read_image(paths[0])[0].shape[:2]
        self._stored_size = (width, height)
        self.size = reduced_size(self._stored_size, longest_px)

    @classmethod
    def from_folder(cls, folder: Path, rate: Fraction, longest_px: int | None = None) -> ImageSequence:
        paths = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.name[0] != "."]
        if not paths:
            raise InputError(f"the folder {folder} holds no images; give a video or a folder of numbered images")
        return cls(sorted(paths, key=_natural_order), rate, longest_px)

    def pictures(self, start_s: float, end_s: float) -> Iterator[Picture]:
        """All pictures; the files outside the range are listed but never read."""
        for index, path in enumerate(self._paths):
            yield Picture(float(index / self.rate), self.tick_s, partial(self._read, path))

    def _read(self, path: Path) -> NDArray[np.uint8]:
        image = read_image(path)[0]
        height, width = image.shape[:2]
        if (width, height) != self._stored_size:
            first = "{}x{}".format(*self._stored_size)
            raise InputError(f"{path} is {width}x{height} but the first image is {first}; make them all of one size")
        if self.size == self._stored_size:
            return image
        return np.asarray(cv2.resize(image, self.size, interpolation=cv2.INTER_AREA), np.uint8)


def _natural_order(path: Path) -> list[tuple[int, str]]:
    """Sort key that puts frame 10 after frame 9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]
