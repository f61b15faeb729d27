"""Lengths are compared over a sequence, whatever distance, zoom and foreshortening do in single frames."""

from __future__ import annotations

import numpy as np
import pytest

from body.proportions import measure, ratios
from body.skeleton import KINDS, rebuilt, with_pelvis
from body.types import LEFT_HAND, RIGHT_HAND
from tests.body.figures import LENGTHS, changed, figure, without

DRIVER = figure(60)


def found(source: object, driver: object = DRIVER) -> dict[str, float]:
    return ratios(measure(source), measure(driver), driver_size=1.0)[0]  # type: ignore[arg-type]


def test_the_same_figure_has_ratios_of_about_one() -> None:
    # The knees bend: thighs and shins of the driver usually look a little shorter than in its first frame.
    assert found(DRIVER[:1]) == pytest.approx(dict.fromkeys(KINDS, 1.0), rel=0.05)


def test_every_kind_of_segment_is_measured_on_its_own() -> None:
    longer = {
        "torso": 1.1,
        "shoulders": 1.2,
        "forearm": 0.9,
        "upper_arm": 0.95,
        "shin": 1.15,
        "thigh": 1.05,
        "head": 1.2,
    }
    own = {kind: factor * LENGTHS[kind.replace("_", " ")] for kind, factor in longer.items()}
    result = found(figure(1, **own))
    for kind, factor in longer.items():
        assert result[kind.replace("_", " ")] == pytest.approx(factor, rel=0.06), kind


def test_a_larger_picture_multiplies_every_ratio() -> None:
    source = figure(1, torso=130, forearm=60)
    small, large = found(source), found(source.resized((1200, 1500)))
    assert large == pytest.approx({kind: 3 * ratio for kind, ratio in small.items()})


def test_a_foreshortened_limb_of_the_source_keeps_about_its_length() -> None:
    result = found(figure(1, forearms=0.4))
    assert result["forearm"] > 0.78 and result["upper arm"] == pytest.approx(1, rel=0.05)


def test_limbs_that_the_driver_points_at_the_camera_do_not_grow_long() -> None:
    result = found(figure(1), figure(60, forearms=0.4))
    assert result["forearm"] < 1.3


def test_the_longer_of_two_sides_counts() -> None:
    source = figure(1)
    points = source.points.copy()
    points[0, 7] = 0.5 * (points[0, 6] + points[0, 7])  # the left forearm points at the camera
    assert found(changed(source, points=points)) == pytest.approx(found(source))


def test_parts_that_are_not_seen_follow_their_neighbours() -> None:
    result = found(without(figure(1, forearm=60, upper_arm=66), LEFT_HAND, RIGHT_HAND, (9, 10, 12, 13)))
    assert result["hand"] == result["forearm"]
    assert result["thigh"] == pytest.approx(1, rel=0.1) and result["foot"] == result["thigh"] == result["shin"]


def test_zoom_is_told_from_proportions() -> None:
    build = measure(figure(200, zoom=1.5))
    assert build.size[0] == pytest.approx(1) and build.size[-1] == pytest.approx(1.5, rel=0.06)
    still = measure(figure(200)).usual_px
    for kind, usual_px in build.usual_px.items():
        np.testing.assert_allclose(usual_px, still[kind], rtol=0.06, err_msg=kind)


def test_rebuilding_with_ones_changes_nothing_but_the_place() -> None:
    points = with_pelvis(DRIVER.points)
    same = rebuilt(points, dict.fromkeys(KINDS, 1.0))
    np.testing.assert_allclose(same - same[:, :1], points - points[:, :1], atol=1e-4)


def test_rebuilding_lengthens_one_kind_and_carries_what_hangs_on_it() -> None:
    points = with_pelvis(DRIVER.points)
    longer = rebuilt(points, dict.fromkeys(KINDS, 1.0) | {"forearm": 2.0})
    np.testing.assert_allclose(longer[:, 4] - longer[:, 3], 2 * (points[:, 4] - points[:, 3]), atol=1e-4)
    np.testing.assert_allclose(
        longer[:, RIGHT_HAND] - longer[:, [4]], points[:, RIGHT_HAND] - points[:, [4]], atol=1e-4
    )
    np.testing.assert_allclose(longer[:, 3] - longer[:, 1], points[:, 3] - points[:, 1], atol=1e-4)
