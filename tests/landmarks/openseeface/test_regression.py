import numpy as np
import pytest

from landmarks.openseeface.boxes import Crop, crop_around
from landmarks.openseeface.regression import decode, logit


def test_crop_has_a_margin_and_starts_a_row_lower() -> None:
    box = np.array([142.811, 208.613, 228.344, 231.587], np.float32)
    assert crop_around(box, (512, 512)) == Crop(120, 181, 393, 469)


@pytest.mark.parametrize("box", [(-50, -40, 90, 80), (600, 300, 100, 200), (-10, -10, 2000, 2000), (700, 500, 50, 50)])
def test_a_crop_stays_in_the_frame(box: tuple[int, int, int, int]) -> None:
    crop = crop_around(np.array(box, np.float32), (640, 360))
    assert 0 <= crop.left <= crop.right <= 640
    assert 0 <= crop.top <= crop.bottom <= 360


def test_points_follow_from_cells_and_offsets() -> None:
    heat = np.full(66, 0.8, np.float32)
    cells = np.tile([[9, 18]], (66, 1))
    offsets = np.full((2, 66), 0.5, np.float32)
    offsets[1, 1] = 1 / (1 + np.exp(-1.6))  # a tenth of the crop
    found = decode(heat, cells, offsets, crop=Crop(100, 50, 324, 274), side_px=224)
    np.testing.assert_allclose(found.points[0], [100 + 223 * 18 / 27, 50 + 223 * 9 / 27], atol=1e-3)
    np.testing.assert_allclose(found.points[1] - found.points[0], [22.3, 0], atol=1e-3)
    assert found.confidence == pytest.approx(0.8)
    np.testing.assert_allclose(found.box_xywh, [*found.points[0], 22.3, 0], atol=1e-3)


def test_a_wider_crop_stretches_the_points() -> None:
    cells = np.stack([np.zeros(66, int), np.arange(66) % 28], axis=1)
    offsets = np.full((2, 66), 0.5, np.float32)
    narrow, wide = (
        decode(np.ones(66, np.float32), cells, offsets, crop=Crop(0, 0, width, 224), side_px=224).points
        for width in (224, 448)
    )
    np.testing.assert_allclose(wide, narrow * (2, 1), atol=1e-3)


def test_logit_is_bounded() -> None:
    np.testing.assert_allclose(logit(np.array([-1, 0.5, 6], np.float32)), [-16.1, 0, 15.9], atol=0.1)
