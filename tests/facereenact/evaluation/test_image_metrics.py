"""Pictures compared: identities, and values computed by other programs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics import functional

from facereenact.evaluation.image_metrics import Blurred, ImageComparison, grey, l1, ms_ssim, psnr, ssim
from facereenact.evaluation.published import published_l1, published_psnr, published_ssim, resized

Image = NDArray[np.uint8]


def picture() -> Image:
    return np.ascontiguousarray(data.astronaut()[:300, 100:400])


def shifted() -> Image:
    """By one pixel."""
    return np.roll(picture(), 1, axis=1)


def brightened(levels: int = 12) -> Image:
    return np.clip(picture().astype(int) // 2 + 40 + levels, 0, 255).astype(np.uint8)


def similarity(one: Image, other: Image) -> float:
    return ssim(Blurred.of(grey(one)), Blurred.of(grey(other)))


def multi_scale(one: Image, other: Image) -> float | None:
    return ms_ssim(Blurred.of(grey(one)), Blurred.of(grey(other)))


def test_a_picture_is_like_itself() -> None:
    image = picture()
    assert psnr(image, image) > 300
    assert l1(image, image) == 0
    assert similarity(image, image) == pytest.approx(1, abs=1e-6)
    assert multi_scale(image, image) == pytest.approx(1, abs=1e-6)


def test_a_known_brightening() -> None:
    one, other = brightened(0), brightened(12)
    assert psnr(one, other) == pytest.approx(20 * math.log10(255 / 12), abs=1e-6)
    assert l1(one, other) == pytest.approx(12 / 255, abs=1e-9)


@pytest.mark.parametrize("other", [shifted(), brightened()], ids=["shifted", "brightened"])
def test_values_of_scikit_image(other: Image) -> None:
    one = picture()
    assert psnr(one, other) == pytest.approx(peak_signal_noise_ratio(one, other), abs=1e-6)
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    _, everywhere = structural_similarity(grey(one), grey(other), full=True, **settings)
    assert similarity(one, other) == pytest.approx(everywhere.mean(), abs=5e-4)  # the two mirror borders otherwise


@pytest.mark.parametrize("other", [shifted(), brightened()], ids=["shifted", "brightened"])
def test_ms_ssim_is_that_of_torchmetrics(other: Image) -> None:
    planes = [torch.from_numpy(grey(image))[None, None].double() for image in (picture(), other)]
    expected = functional.image.multiscale_structural_similarity_index_measure(*planes, data_range=255.0)
    # torchmetrics lets the mirrored border count, at the coarsest scale alone.
    assert multi_scale(picture(), other) == pytest.approx(float(expected), abs=1e-3)


def test_ms_ssim_needs_five_scales() -> None:
    assert multi_scale(picture()[:150], shifted()[:150]) is None
    assert multi_scale(picture()[:176, :176], shifted()[:176, :176]) is not None


def test_the_means_of_a_video_and_of_its_still() -> None:
    meter = ImageComparison(picture())
    for result in (picture(), shifted()):
        meter.add(brightened(), result)
    measured = meter.result()
    assert measured["psnr"] == pytest.approx(
        (psnr(brightened(), picture()) + psnr(brightened(), shifted())) / 2, abs=1e-6
    )
    assert measured["copy_psnr"] == pytest.approx(psnr(picture(), brightened()), abs=1e-6)
    assert measured["copy_ssim"] == pytest.approx(similarity(picture(), brightened()), abs=1e-6)


def test_values_as_published() -> None:
    one, other = resized(picture()), resized(shifted())
    assert one.shape == (256, 256, 3)
    with np.errstate(over="ignore"):
        wrapped = np.square(np.subtract(one, other, dtype=np.uint8), dtype=np.uint8).mean()
    assert published_psnr(one, other) == pytest.approx(10 * math.log10(255**2 / wrapped), abs=1e-9)
    assert published_psnr(one, other) != pytest.approx(psnr(one, other), abs=0.5)
    assert published_psnr(one, one) == 100
    assert published_l1(one, other) == pytest.approx(l1(one, other) * 255 / 256**2, abs=1e-12)
    expected = structural_similarity(grey(one), grey(other), data_range=255)
    assert published_ssim(grey(one), grey(other)) == pytest.approx(expected, abs=1e-6)
