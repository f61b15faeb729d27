"""The border between an arm and the trunk."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facereenact.renderers.body_borders import settle_border

CLOTH, SHADE = (20.0, 0.0, 0.0), (50.0, 0.0, 0.0)
EVERYWHERE = np.ones((60, 60), bool)


def sides(border: NDArray[np.int64] | int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """An arm left of a column that may differ from row to row, a trunk right of it."""
    arm = np.arange(60)[None, :] < np.broadcast_to(border, 60)[:, None]
    return arm, ~arm


def settled(border: NDArray[np.int64] | int, *, edge: int | None = None, reach: float = 8) -> NDArray[np.int64]:
    """The border's column in each row after it is settled."""
    colours = np.full((60, 60, 3), CLOTH, np.float32)
    if edge is not None:
        colours[:, edge:] = SHADE
    arm, trunk = settle_border(*sides(border), colours, reach_px=reach, where=EVERYWHERE)
    assert (arm ^ trunk).all()
    return arm.sum(axis=1)


def test_a_spike_along_the_trunk_goes_where_nothing_shows_a_border() -> None:
    spiked = np.full(60, 30)
    spiked[20:26] = 36
    np.testing.assert_array_equal(settled(spiked), 30)


def test_a_border_moves_to_an_edge_within_reach_and_no_farther() -> None:
    np.testing.assert_array_equal(settled(30, edge=35), 35)
    np.testing.assert_array_equal(settled(30, edge=45), 30)


def test_a_border_stays_outside_where_it_may_move() -> None:
    spiked = np.full(60, 30)
    spiked[20:26] = 36
    colours = np.full((60, 60, 3), CLOTH, np.float32)
    arm, trunk = sides(spiked)
    again = settle_border(arm, trunk, colours, reach_px=8, where=~EVERYWHERE)
    np.testing.assert_array_equal(again[0], arm)
    np.testing.assert_array_equal(again[1], trunk)


def test_what_belongs_to_neither_stays_so() -> None:
    arm, trunk = sides(30)
    arm[:, :10] = trunk[:, 50:] = False
    colours = np.random.default_rng(0).uniform(0, 60, (60, 60, 3)).astype(np.float32)
    again = settle_border(arm, trunk, colours, reach_px=8, where=EVERYWHERE)
    np.testing.assert_array_equal(again[0] | again[1], arm | trunk)
    assert not (again[0] & again[1]).any()


def test_one_side_alone_has_no_border() -> None:
    arm, trunk = sides(0)
    colours = np.zeros((60, 60, 3), np.float32)
    assert not settle_border(arm, trunk, colours, reach_px=8, where=EVERYWHERE)[0].any()
