"""The Frechet distance of two sets of features: FID and FVD. Features are kept on disk, never all in memory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

CHUNK = 256  # samples read at a time
FEW = 2  # samples below which there is no covariance


class Gaussian:
    """Mean and covariance, taken while the samples come."""

    def __init__(self, width: int) -> None:
        self._width = width
        self.count = 0
        self._sum = np.zeros(width)
        self._products = np.zeros((width, width))

    def add(self, samples: Float) -> None:
        """(n, width) more samples."""
        self.count += len(samples)
        self._sum += samples.sum(axis=0)
        self._products += samples.T @ samples

    def add_file(self, path: Path) -> None:
        """The samples of a file of float32."""
        step = 4 * self._width * CHUNK
        with path.open("rb") as file:
            while block := file.read(step):
                self.add(np.frombuffer(block, np.float32).reshape(-1, self._width).astype(np.float64))

    @property
    def mean(self) -> Float:
        return self._sum / self.count

    @property
    def covariance(self) -> Float:
        return (self._products - self.count * np.outer(self.mean, self.mean)) / (self.count - 1)


def frechet_distance(one: Gaussian, other: Gaussian) -> float | None:
    """|difference of means|^2 + tr(A + B - 2 (A B)^1/2) (Heusel et al. 2017); None where one has too few samples."""
    if min(one.count, other.count) < FEW:
        return None
    a, b = one.covariance, other.covariance
    values, vectors = np.linalg.eigh(a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    # (A B) and A^1/2 B A^1/2 have the same eigenvalues; the second is symmetric.
    mixed = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b @ root), 0)).sum()
    difference = one.mean - other.mean
    return max(float(difference @ difference + np.trace(a) + np.trace(b) - 2 * mixed), 0.0)  # rounding goes below


def distance_of_files(drivers: Iterable[Path], results: Iterable[Path], width: int) -> float | None:
    """Of the features in the files of drivers and those of results."""
    sides = Gaussian(width), Gaussian(width)
    for side, paths in zip(sides, (drivers, results), strict=True):
        for path in paths:
            side.add_file(path)
    return frechet_distance(*sides)
