"""Shimmer, seams and drift of videos made for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from facereenact.evaluation.readings import Reading
from facereenact.evaluation.stability import SHORTEST_DRIFT, Drift, Flicker, Seams, drift
from tests.facereenact.evaluation.fabricated import mesh_at

Image = NDArray[np.uint8]

SIZE = 240
COUNT = 40


def scene(index: int = 0, levels: float = 0.0) -> Image:
    """A grey gradient, brighter by so many levels."""
    ramp = np.linspace(60, 160, SIZE)[None, :, None]
    return np.broadcast_to(np.round(ramp + levels), (SIZE, SIZE, 3)).astype(np.uint8)


def flicker(result: Callable[[int], Image], driver: Callable[[int], Image] = scene, *, in_place: bool = True) -> dict:
    meter = Flicker(in_place=in_place)
    for index in range(COUNT):
        face = mesh_at(120, 110, width_px=40)
        meter.add(driver(index), result(index), (face, face))
    return meter.result()


@pytest.mark.parametrize("in_place", [True, False])
def test_a_still_background_does_not_flicker(in_place: bool) -> None:
    assert flicker(scene, in_place=in_place) == {"driver_flicker": 0, "flicker": 0}


def test_light_that_goes_to_and_fro_is_measured() -> None:
    assert flicker(lambda index: scene(index, 4 * (-1) ** index))["flicker"] == pytest.approx(8)


def test_a_steady_fade_is_no_flicker() -> None:
    assert flicker(lambda index: scene(index, index))["flicker"] == pytest.approx(0)


def test_the_face_and_what_moves_in_the_driver_do_not_count() -> None:
    def blinking_face(index: int) -> Image:
        image = scene().copy()
        image[95:125, 105:135] = 255 * (index % 2)
        return image

    def blinking_lamp(index: int) -> Image:
        image = scene().copy()
        image[:, :40] = 255 * (index % 2)
        return image

    assert flicker(blinking_face)["flicker"] == 0
    assert flicker(blinking_lamp, blinking_lamp)["flicker"] == 0
    assert flicker(blinking_lamp)["flicker"] > 10


def test_without_a_face_nothing_is_known_to_be_still() -> None:
    meter = Flicker(in_place=True)
    for index in range(4):
        meter.add(scene(), scene(index, 4 * (-1) ** index), (None, None))
    assert meter.result() == {"driver_flicker": None, "flicker": None}


def seam(jumps: int) -> float | None:
    """Of a video that brightens or darkens by 2 levels a frame, and by 6 at each window of 8; its driver by 1."""
    meter, level = Seams(), 0.0
    for index in range(COUNT):
        level += (6 if jumps and index % jumps == 0 else 2) * (1 if level < 30 else -1)
        meter.add(scene(index, index), scene(index, level))
    return meter.result(8)["seam"]


def test_a_jump_at_each_window_is_a_seam() -> None:
    assert seam(8) == pytest.approx(3)
    assert seam(0) == pytest.approx(1)


def test_seams_need_windows() -> None:
    meter = Seams()
    for index in range(6):
        meter.add(scene(index, index), scene(index, index))
    assert meter.result(None) == {}
    assert meter.result(8) == {"seam": None}


def test_drift_is_the_end_less_the_beginning() -> None:
    assert drift([0.1] * 10 + [0.5] * 80 + [0.4] * 10) == pytest.approx(0.3)
    assert drift([0.1] * (SHORTEST_DRIFT - 1)) is None


def drifting(image: Callable[[int], Image], mesh: Callable[[int], Reading]) -> dict[str, float | None]:
    meter = Drift()
    for index in range(COUNT):
        meter.add(image(index), mesh(index))
    return meter.result()


def test_a_face_that_stays_does_not_drift() -> None:
    def moving(index: int) -> Reading:
        turn = Rotation.from_euler("yx", [index, index / 2], degrees=True)
        return mesh_at(120 + index / 4, 110, width_px=60 + index / 2, turn=turn)

    found = drifting(scene, moving)
    assert found["drift.shape"] == pytest.approx(0, abs=1e-6)


def test_changing_colours_and_proportions_drift() -> None:
    found = drifting(lambda index: scene(index, index), lambda index: mesh_at(120, 110, width_px=60))
    assert found["drift.colour"] == pytest.approx(36, abs=0.6)
    assert found["drift.shape"] == pytest.approx(0, abs=1e-6)
    longer = drifting(scene, lambda index: mesh_at(120, 110, width_px=60, stretch=1 + index / 100))
    assert longer["drift.shape"] is not None and longer["drift.shape"] > 0.05
