"""The frames of a clip that are off most, kept as small pictures while the clip goes by."""

from __future__ import annotations

import base64
import heapq
import math
from dataclasses import asdict, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

KEPT = 3
APART = 12  # frames: of neighbours only the worst is shown
HEIGHT_PX = 240
QUALITY = 82  # of JPEG


@dataclass(frozen=True, order=True)
class WorstFrame:
    """Driver and result side by side where the result is off most."""

    error: float
    frame: int
    time_s: float
    jpeg: str  # base64


class WorstFrames:
    """Keeps the worst frame of each stretch, and of these the worst."""

    def __init__(self) -> None:
        self._kept: list[WorstFrame] = []
        self._candidate: WorstFrame | None = None
        self._stretch = 0

    def add(self, error: float, frame: int, time_s: float, driver: Image, result: Image) -> None:
        """Take in a frame; its error is infinite where the result has lost the face, NaN where nobody can tell."""
        if frame // APART != self._stretch:
            self._settle()
            self._stretch = frame // APART
        least = self._kept[0].error if len(self._kept) == KEPT else -math.inf
        if error > max(least, self._candidate.error if self._candidate else -math.inf):
            self._candidate = WorstFrame(error, frame, time_s, _jpeg(driver, result))

    def _settle(self) -> None:
        if self._candidate is not None:
            heapq.heappush(self._kept, self._candidate)
            if len(self._kept) > KEPT:
                heapq.heappop(self._kept)
        self._candidate = None

    def result(self) -> list[dict[str, object]]:
        """The worst first."""
        self._settle()
        return [asdict(each) for each in sorted(self._kept, reverse=True)]


def _jpeg(driver: Image, result: Image) -> str:
    """Both in one height, side by side."""
    panels = []
    for image in (driver, result):
        width = max(1, round(image.shape[1] * HEIGHT_PX / image.shape[0]))
        panels.append(cv2.resize(image, (width, HEIGHT_PX), interpolation=cv2.INTER_AREA))
    _, code = cv2.imencode(
        ".jpg", cv2.cvtColor(np.hstack(panels), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    )
    return base64.b64encode(code.tobytes()).decode()
