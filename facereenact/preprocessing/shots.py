"""Hard cuts, found while frames pass by: no second decode."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from facereenact.video import Frame

THUMBNAIL_PX = 64  # of the longer side: details, grain and small motions vanish
LOOK_AHEAD = 2  # frames: a flash that ends within them is no cut
RATIO = 2.5  # how far the change at a cut stands out from the changes around it
LEAST_CHANGE = 12.0  # grey levels: below it two shots would look the same anyway
ROWS = 4  # of a block of pixels that are averaged
BINS = 8  # a colour channel


def with_cuts(frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
    """The same frames, each with whether a new shot begins there; the first frame counts as a cut.

    A cut is a change that stands out from the changes between the two frames before and the two frames after it: a
    fast pan, a shaking camera, grain and flashes change much from frame to frame, a cut does once. Dissolves and fades
    are no hard cuts, and shots of two frames or fewer stay part of their neighbour.
    """
    changes = Changes()
    waiting: deque[tuple[Frame, float]] = deque()
    before: deque[float] = deque(maxlen=LOOK_AHEAD)
    is_first = True

    def next_frame() -> tuple[Frame, bool]:
        nonlocal is_first
        frame, change = waiting.popleft()
        around = [*before, *(later for _, later in waiting)]
        is_cut = is_first or (change > LEAST_CHANGE and change > RATIO * max(around, default=0.0))
        before.append(0.0 if is_cut else change)
        is_first = False
        return frame, is_cut

    for frame in frames:
        waiting.append((frame, changes(frame.image)))
        if len(waiting) > LOOK_AHEAD:
            yield next_frame()
    while waiting:
        yield next_frame()


class Changes:
    """How much each frame differs from the one before; remembers a thumbnail."""

    def __init__(self) -> None:
        self._last: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    def __call__(self, image: NDArray[np.uint8]) -> float:
        """Grey levels: the geometric mean of what moved (pixels) and what is new (colours); 0 for the first frame.

        Motion within a shot changes pixels and keeps the colours, a change of light the other way round.
        """
        small = thumbnail(image)
        colours = histogram(small)
        last, self._last = self._last, (small.astype(np.float32), colours)
        if last is None:
            return 0.0
        moved = float(np.abs(self._last[0] - last[0]).mean())
        new = 255 * float(np.abs(colours - last[1]).sum()) / 2
        return float(np.sqrt(moved * new))


def thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB, the longer side from `THUMBNAIL_PX` to twice that; less where the image is smaller."""
    height, width = image.shape[:2]
    block = max(1, max(height, width) // THUMBNAIL_PX)
    size = max(1, width // block), max(1, height // block)
    # Whole blocks of pixels are averaged several times as fast as fractions of them, and of large ones a few rows do.
    every = max(1, block // ROWS)
    rows = image[::every][: size[1] * (block // every), : size[0] * block]
    return np.asarray(cv2.resize(rows, size, interpolation=cv2.INTER_AREA), np.uint8)


def histogram(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(BINS, BINS, BINS) shares of the colours, blurred so that a value near the border of a bin counts in both."""
    counts = cv2.calcHist([image], [0, 1, 2], None, [BINS] * 3, [0, 256] * 3)
    for axis in range(3):
        counts = np.moveaxis(counts, axis, 0)
        counts = (np.roll(counts, 1, 0) + 2 * counts + np.roll(counts, -1, 0)) / 4
        counts = np.moveaxis(counts, 0, axis)
    return np.asarray(counts / counts.sum(), np.float32)
