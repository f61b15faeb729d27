"""Two videos in step, frame by frame, with what the trackers say about each frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facereenact.errors import InputError
from facereenact.evaluation.observers import OBSERVERS, ObserverName
from facereenact.evaluation.readings import Reading
from facereenact.streams import ahead
from facereenact.video import VideoReader

Image = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class View:
    """A frame, and the face in it as each tracker sees it."""

    image: Image
    time_s: float
    readings: dict[ObserverName, Reading | None]


def views(
    path: Path, observers: Sequence[ObserverName], *, end_s: float | None = None, size: tuple[int, int] | None = None
) -> Iterator[View]:
    """The frames of a video, brought to a size (width, height) where one is given."""
    with ExitStack() as stack:
        watching = {name: stack.enter_context(closing(OBSERVERS[name]())) for name in observers}
        for frame in VideoReader(path, end_s=end_s):
            image = frame.image if size is None else fitted(frame.image, size)
            yield View(image, frame.timestamp_s, {name: look(image) for name, look in watching.items()})


def in_step(driver: Iterator[View], result: Iterator[View]) -> Iterator[tuple[View, View]]:
    """The frames of both by index, each video read and tracked in a thread of its own.

    Raises:
        InputError: one has more frames.
    """
    with ExitStack() as stack:
        one, other = (stack.enter_context(closing(ahead(each))) for each in (driver, result))
        count = 0
        for view in one:
            match = next(other, None)
            if match is None:
                raise InputError(f"the driver has more frames than the result, which ends after {count}")
            yield view, match
            count += 1
        if next(other, None) is not None:
            raise InputError(f"the result has more frames than the driver, which ends after {count}")


def fitted(image: Image, size: tuple[int, int]) -> Image:
    """The picture in a size (width, height); a row or column that made an odd size even is cut off."""
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    if (width - size[0], height - size[1]) in ((0, 1), (1, 0), (1, 1)):
        return np.ascontiguousarray(image[: size[1], : size[0]])
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
