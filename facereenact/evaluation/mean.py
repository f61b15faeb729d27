"""A mean that is taken while the values come."""

from __future__ import annotations

import math


class Mean:
    """The mean of what was added; what is None or no finite number is left out."""

    def __init__(self) -> None:
        self._sum, self.count = 0.0, 0

    def add(self, value: float | None) -> None:
        if value is not None and math.isfinite(value):
            self._sum += value
            self.count += 1

    @property
    def value(self) -> float | None:
        return self._sum / self.count if self.count else None
