"""The inside of the mouth comes from frames that show the face."""

from __future__ import annotations

import numpy as np
import pytest

from facereenact.mixing import while_seen
from facereenact.renderers.base import DriverFrame


@pytest.mark.parametrize(
    ("detected", "borrowed"),
    [([1, 1, 1], [0, 1, 2]), ([1, 0, 0, 1], [0, 0, 0, 3]), ([0, 0, 1, 0], [2, 2, 2, 2]), ([0, 1], [1, 1])],
)
def test_frames_without_a_face_are_replaced(detected: list[int], borrowed: list[int]) -> None:
    frames = [
        DriverFrame(np.full((2, 2, 3), index, np.uint8), np.full((68, 2), index, np.float32))
        for index in range(len(detected))
    ]
    found = list(while_seen(frames, np.array(detected, bool)))
    assert [int(frame.image[0, 0, 0]) for frame in found] == borrowed
    assert [int(frame.points[0, 0]) for frame in found] == borrowed
