from pathlib import Path

import numpy as np
import pytest

from landmarks.openseeface.boxes import Crop, crop_around
from landmarks.openseeface.regression import LandmarkRegressor, regression


def test_crop_has_a_margin_and_starts_a_row_lower() -> None:
    box = np.array([142.811, 208.613, 228.344, 231.587], np.float32)
    assert crop_around(box, (512, 512)) == Crop(120, 181, 393, 469)


@pytest.mark.parametrize("box", [(-50, -40, 90, 80), (600, 300, 100, 200), (-10, -10, 2000, 2000), (700, 500, 50, 50)])
def test_a_crop_stays_in_the_frame(box: tuple[int, int, int, int]) -> None:
    crop = crop_around(np.array(box, np.float32), (640, 360))
    assert 0 <= crop.left <= crop.right <= 640
    assert 0 <= crop.top <= crop.bottom <= 360


def test_points_lie_in_the_crop() -> None:
    heat = np.full(66, 0.8, np.float32)
    places = np.stack([np.linspace(0, 224, 66), np.full(66, 112)]).astype(np.float32)
    found = regression(heat, places, crop=Crop(100, 50, 324, 498), side_px=224)
    np.testing.assert_allclose(found.points[[0, -1]], [(100, 274), (324, 274)], atol=1e-3)
    np.testing.assert_allclose(found.box_xywh, [100, 274, 224, 0], atol=1e-3)
    np.testing.assert_allclose(found.centre, [212, 274], atol=1e-3)
    assert found.confidence == pytest.approx(0.8)


def test_a_crop_of_another_size_is_seen_alike(models_dir: Path) -> None:
    """The buffers of a large crop are used for a small one and again for the large one."""
    image = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    regressor = LandmarkRegressor(models_dir)
    large, small = Crop(0, 0, 400, 300), Crop(30, 20, 90, 100)
    first = [regressor(image, crop).points for crop in (large, small)]
    np.testing.assert_array_equal(regressor(image, large).points, first[0])
    np.testing.assert_array_equal(LandmarkRegressor(models_dir)(image, small).points, first[1])
