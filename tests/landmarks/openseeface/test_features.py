import numpy as np
import pytest

from landmarks.openseeface.features import FEATURE_NAMES, Features, Remedian, SelfCalibratingScale, raw_features
from landmarks.openseeface.pose import normalised, osf_model


def test_the_median_of_few_values_is_exact() -> None:
    remedian = Remedian()
    for count, value in enumerate(np.random.default_rng(0).normal(size=63), start=1):
        remedian.add(float(value))
        expected = np.median(np.random.default_rng(0).normal(size=63)[:count])
        assert remedian.value == pytest.approx(expected)


def test_the_median_of_many_values_is_near_in_little_memory() -> None:
    remedian = Remedian()
    for value in np.random.default_rng(0).normal(5, 1, 20000):
        remedian.add(float(value))
    assert remedian.value == pytest.approx(5, abs=0.2)
    assert sum(map(len, remedian._levels)) < 3 * 64


def test_a_scale_states_nothing_until_it_saw_both_extremes() -> None:
    scale = SelfCalibratingScale(0.15)
    assert [scale.update(1.0) for _ in range(10)] == [0.0] * 10
    assert scale.update(0.5) == pytest.approx(-0.8)  # the smallest yet: -1, of which a fifth is held back
    assert scale.update(1.5) == pytest.approx(0.2 * -0.8 + 0.8)
    for _ in range(4):
        scale.update(1.0)
    assert scale.update(1.25) == pytest.approx(0.4, abs=0.01)  # halfway to the largest


def test_outputs_stay_in_range() -> None:
    scale = SelfCalibratingScale(0.15)
    outputs = [scale.update(float(value)) for value in np.random.default_rng(0).uniform(1, 3, 2000)]
    assert max(map(abs, outputs)) <= 1


def test_an_open_mouth_is_seen() -> None:
    closed = normalised(osf_model())
    opened = closed.copy()
    opened[59:62, 1] += 0.1
    opened[63:66, 1] -= 0.1
    assert raw_features(opened)["mouth_open"] > raw_features(closed)["mouth_open"] + 1
    assert tuple(sorted(raw_features(closed))) == tuple(sorted(FEATURE_NAMES))


def test_blink_follows_the_eye_features() -> None:
    features = Features()
    features.values = np.array([-0.75, -0.25, *[0.0] * 12])
    np.testing.assert_allclose(features.eye_blink, [0.75, 0.25])
    features.update(normalised(osf_model()))
    np.testing.assert_allclose(features.eye_blink, [1, 1])
