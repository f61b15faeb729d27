"""The body guide: the published one pixel by pixel, and what must not be drawn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from body.guides import COLOURS, draw_guide, draw_guides
from body.types import BODY, FACE, LEFT_HAND, POINT_COUNT, RIGHT_HAND
from tests.body.figures import changed, figure

SIZE = (160, 120)


def drawn(points: dict[int, tuple[float, float]], scores: dict[int, float] | None = None) -> NDArray[np.uint8]:
    at, seen = np.zeros((POINT_COUNT, 2)), np.zeros(POINT_COUNT)
    for index, point in points.items():
        at[index], seen[index] = point, (scores or {}).get(index, 1.0)
    return draw_guide(at, seen, SIZE)


@pytest.mark.parametrize("index", range(4))
def test_guides_are_the_published_ones_pixel_by_pixel(index: int, golden: Path) -> None:
    given = load_file(golden / "guides.safetensors")
    width, height = (int(side) for side in given[f"{index}.size_wh"])
    points, scores = np.zeros((POINT_COUNT, 2)), np.zeros(POINT_COUNT)
    parts = ((BODY, "body"), (FACE, "face"), (LEFT_HAND, "left_hand"), (RIGHT_HAND, "right_hand"))
    for part, name in parts:
        own = given[f"{index}.{name}"]
        points[part], scores[part] = own * (width, height), (own != -1).all(axis=1)
    scores[BODY] = given[f"{index}.body_scores"]
    expected = cv2.imread(str(golden / f"guide_{index}.png"))
    assert expected is not None
    np.testing.assert_array_equal(draw_guide(points, scores, (width, height)), expected[..., ::-1])


def test_a_limb_needs_both_joints_and_has_the_colour_of_its_number_dimmed() -> None:
    both = drawn({1: (40, 60), 2: (120, 60)})
    assert tuple(both[60, 80]) == tuple(int(0.6 * value) for value in COLOURS[0])
    assert tuple(both[60, 40]) == COLOURS[1] and tuple(both[60, 120]) == COLOURS[2]
    assert not drawn({1: (40, 60), 2: (120, 60)}, {2: 0.29})[60, 80].any()
    assert drawn({1: (40, 60), 2: (120, 60)}, {2: 0.3})[60, 80].any()


def test_left_and_right_differ() -> None:
    right, left = drawn({3: (40, 60), 4: (120, 60)}), drawn({6: (40, 60), 7: (120, 60)})
    assert tuple(right[60, 80]) != tuple(left[60, 80])


def test_hands_and_face_in_the_first_row_or_column_are_not_drawn() -> None:
    assert not drawn({LEFT_HAND.start: (0.9, 50), FACE.start: (50, 0.9), RIGHT_HAND.start: (-3, -3)}).any()
    assert tuple(drawn({FACE.start: (1, 1)})[1, 1]) == (255, 255, 255)


@pytest.mark.parametrize("far", [-1e9, 1e5, 3e38])
def test_points_far_outside_do_no_harm(far: float) -> None:
    image = drawn({0: (far, far), 1: (80, 60), 2: (far, 60), 92: (far, 50), 93: (40, 40), 30: (far, far)})
    assert image.shape == (120, 160, 3) and image.any()


def test_guides_of_a_sequence_are_scaled_to_the_canvas() -> None:
    sequence = figure(3)
    doubled = list(draw_guides(sequence, (800, 1000)))
    large = list(draw_guides(changed(sequence, points=2 * sequence.points, size=(800, 1000))))
    assert len(doubled) == 3
    np.testing.assert_array_equal(doubled, large)
    assert next(draw_guides(sequence)).shape == (500, 400, 3)
