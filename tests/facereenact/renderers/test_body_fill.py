"""What the border of the picture cuts off goes on beyond it."""

from __future__ import annotations

import numpy as np
import pytest

from facereenact.renderers.body_fill import continue_beyond


def shoulder(slope: float) -> np.ndarray:
    """(100, 80) covered below a line that falls by `slope` rows a column, to row 60 at the right border."""
    rows, columns = np.mgrid[:100, :80]
    return (rows + 0.5 > 60 - slope * (79 - columns)).astype(np.float32)


@pytest.mark.parametrize("slope", [0.5, 1.0, 2.0])
def test_a_shoulder_goes_on_falling(slope: float) -> None:
    wide = continue_beyond(shoulder(slope), 15)
    assert wide.shape == (130, 110)
    for away in (1, 5, 10):
        covered = wide[15:115, 94 + away].sum()
        assert covered == pytest.approx(40 - slope * away, abs=1 + 0.35 * slope * away)


def test_it_falls_to_the_left_as_to_the_right() -> None:
    right = continue_beyond(shoulder(1.0), 15)
    np.testing.assert_array_equal(continue_beyond(np.ascontiguousarray(shoulder(1.0)[:, ::-1]), 15), right[:, ::-1])


def test_what_widens_goes_straight_on() -> None:
    wide = continue_beyond(shoulder(-1.0), 15)
    np.testing.assert_array_equal(wide[15:115, 95:], np.repeat(wide[15:115, 94:95], 15, axis=1))


def test_the_lower_end_goes_on_and_the_picture_stays() -> None:
    part = shoulder(1.0)
    wide = continue_beyond(part, 15)
    np.testing.assert_array_equal(wide[15:115, 15:95], part)
    np.testing.assert_array_equal(wide[115:], np.repeat(wide[114:115], 15, axis=0))


def test_nothing_at_the_border_goes_on_nowhere() -> None:
    part = np.zeros((40, 40), np.float32)
    part[10:30, 10:30] = 1
    assert continue_beyond(part, 5).sum() == part.sum()
