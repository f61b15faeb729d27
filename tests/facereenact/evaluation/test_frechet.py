"""The distance of two sets of features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import sqrtm

from facereenact.evaluation.frechet import CHUNK, Gaussian, distance_of_files, frechet_distance

RNG = np.random.default_rng(3)


def gaussian(samples: np.ndarray) -> Gaussian:
    found = Gaussian(samples.shape[1])
    found.add(samples)
    return found


def test_the_same_set_has_no_distance() -> None:
    samples = RNG.normal(size=(400, 6))
    assert frechet_distance(gaussian(samples), gaussian(samples)) == pytest.approx(0, abs=1e-5)


def test_a_shift_counts_by_its_square() -> None:
    samples = RNG.normal(size=(400, 6))
    way = np.array([3, 0, 0, 4, 0, 0])
    assert frechet_distance(gaussian(samples), gaussian(samples + way)) == pytest.approx(25, abs=1e-6)


def test_the_formula_as_it_is_written() -> None:
    one, other = RNG.normal(size=(300, 5)) @ RNG.normal(size=(5, 5)), RNG.normal(size=(200, 5)) + 0.3
    a, b = np.cov(one.T), np.cov(other.T)
    difference = one.mean(axis=0) - other.mean(axis=0)
    expected = difference @ difference + np.trace(a + b - 2 * np.real(sqrtm(a @ b)))
    assert frechet_distance(gaussian(one), gaussian(other)) == pytest.approx(expected, rel=1e-9)


def test_fewer_samples_than_features_are_fine_and_one_sample_is_not() -> None:
    samples = RNG.normal(size=(4, 20))
    assert frechet_distance(gaussian(samples), gaussian(samples)) == pytest.approx(0, abs=1e-5)
    assert frechet_distance(gaussian(samples), gaussian(samples[:1])) is None


def test_features_in_files_are_read_in_pieces(tmp_path: Path) -> None:
    one, other = (RNG.normal(size=(count, 7)).astype(np.float32) for count in (2 * CHUNK + 5, CHUNK))
    (tmp_path / "a").write_bytes(one[: CHUNK + 3].tobytes())
    (tmp_path / "b").write_bytes(one[CHUNK + 3 :].tobytes())
    (tmp_path / "c").write_bytes(other.tobytes())
    found = distance_of_files([tmp_path / "a", tmp_path / "b"], [tmp_path / "c"], 7)
    expected = frechet_distance(gaussian(one.astype(np.float64)), gaussian(other.astype(np.float64)))
    assert found == pytest.approx(expected, rel=1e-9)
