"""A figure's way is damped or moved just as far as the picture asks for."""

from __future__ import annotations

import numpy as np
import pytest

from body.framing import TOLERATED, Extents, Fit, fit_axis

WAY = np.linspace(0, 100, 11)


def moving(low: float, high: float, way: np.ndarray = WAY) -> object:
    def extents(gain: float) -> Extents:
        return low + gain * way, high + gain * way

    return extents


def test_a_way_inside_the_picture_is_left_alone() -> None:
    assert fit_axis(moving(10, 60), side_px=200, may_shift=True) == Fit(1, 0)  # type: ignore[arg-type]
    assert fit_axis(moving(10, 60), side_px=200, may_shift=False) == Fit(1, 0)  # type: ignore[arg-type]


def test_a_way_out_of_the_picture_is_damped_as_far_as_needed() -> None:
    fit = fit_axis(moving(10, 150), side_px=200, may_shift=False)  # type: ignore[arg-type]
    assert fit.gain == pytest.approx((50 + TOLERATED * 200) / 100, abs=1e-3) and fit.shift_px == 0


def test_a_shift_comes_before_damping() -> None:
    fit = fit_axis(moving(40, 150), side_px=200, may_shift=True)  # type: ignore[arg-type]
    assert fit.gain == pytest.approx((200 + 2 * TOLERATED * 200 - 110) / 100, abs=1e-3)
    assert fit.shift_px == pytest.approx(-40 - TOLERATED * 200, abs=0.1)
    assert fit_axis(moving(40, 130), side_px=200, may_shift=True) == Fit(1, -30)  # type: ignore[arg-type]


def test_what_leaves_the_picture_anyway_is_not_held_against_the_way() -> None:
    fit = fit_axis(moving(-30, 60), side_px=200, may_shift=False)  # type: ignore[arg-type]
    assert fit == Fit(1, 0)


def test_frames_that_do_not_matter_are_ignored() -> None:
    def extents(gain: float) -> Extents:
        nowhere = np.where(WAY > 50, np.inf, 0)
        return 10 + gain * WAY + nowhere, 120 + gain * WAY - nowhere

    assert fit_axis(extents, side_px=172, may_shift=False) == Fit(1, 0)
