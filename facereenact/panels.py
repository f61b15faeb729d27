"""Pictures side by side, for comparing."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

PANEL_PX = 512  # most of a panel's height


class Panels:
    """Source, drivers and result side by side, of one height."""

    def __init__(self, source: Image, driver_sizes: Sequence[tuple[int, int]]) -> None:
        self._height = min(PANEL_PX, source.shape[0]) // 2 * 2
        self._source = self._fitted(source)
        widths = [self._width(*size) for size in driver_sizes]
        self.size = (2 * self._source.shape[1] + sum(widths), self._height)

    def join(self, drivers: Sequence[Image], result: Image) -> Image:
        return np.hstack([self._source, *map(self._fitted, drivers), self._fitted(result)])

    def _width(self, width: int, height: int) -> int:
        return max(2, round(width * self._height / height / 2) * 2)

    def _fitted(self, image: Image) -> Image:
        size = (self._width(image.shape[1], image.shape[0]), self._height)
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
