"""How near two pictures are: PSNR, L1, SSIM and MS-SSIM, for pictures of the same scene and size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facereenact.evaluation.mean import Mean

Image = NDArray[np.uint8]
Grey = NDArray[np.float32]

SSIM_C1, SSIM_C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # Wang et al. 2004
WINDOW_PX, SIGMA_PX = 11, 1.5
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang, Simoncelli, Bovik 2003
SMALLEST_PX = WINDOW_PX * 2 ** (len(SCALE_WEIGHTS) - 1)  # below it the coarsest scale has no whole window


def psnr(one: Image, other: Image) -> float:
    """Peak signal-to-noise ratio over the three channels, dB; 361 where the pictures are the same."""
    return float(cv2.PSNR(one, other))


def l1(one: Image, other: Image) -> float:
    """Mean absolute difference, 0 to 1."""
    return float(cv2.norm(one, other, cv2.NORM_L1)) / (255 * one.size)


def grey(image: Image) -> Grey:
    """Luma, 0 to 255."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.float32)


@dataclass(frozen=True, eq=False)
class Blurred:
    """A grey picture with its local mean and mean square, so that it is blurred once for several comparisons."""

    image: Grey
    mean: Grey
    mean_square: Grey

    @classmethod
    def of(cls, image: Grey) -> Blurred:
        return cls(image, _blur(image), _blur(image * image))


def ssim(one: Blurred, other: Blurred) -> float:
    """Mean structural similarity of luma, Gaussian window of 11 pixels (Wang et al. 2004)."""
    luminance, contrast = _similarity(one, other)
    return float((luminance * contrast).mean())


def ms_ssim(one: Blurred, other: Blurred) -> float | None:
    """Multi-scale SSIM of luma over five scales (Wang et al. 2003); None for pictures that are too small for it."""
    if min(one.image.shape) < SMALLEST_PX:
        return None
    inner = slice(WINDOW_PX // 2, -(WINDOW_PX // 2))  # whole windows only
    product = 1.0
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale > 0:
            one, other = (Blurred.of(_halved(each.image)) for each in (one, other))
        luminance, contrast = (part[inner, inner] for part in _similarity(one, other))
        is_coarsest = scale == len(SCALE_WEIGHTS) - 1
        value = float((luminance * contrast if is_coarsest else contrast).mean())
        product *= max(value, 0.0) ** weight
    return product


class ImageComparison:
    """The image metrics of a video against another, and those of repeating its source: the baseline to beat."""

    def __init__(self, still: Image) -> None:
        self._still, self._blurred_still = still, Blurred.of(grey(still))
        self._means: dict[str, Mean] = {}

    def add(self, driver: Image, result: Image) -> None:
        """Take in a frame."""
        wanted, got = (Blurred.of(grey(image)) for image in (driver, result))
        self._take("psnr", psnr(driver, result))
        self._take("ssim", ssim(wanted, got))
        self._take("ms_ssim", ms_ssim(wanted, got))
        self._take("l1", l1(driver, result))
        self._take("copy_psnr", psnr(self._still, driver))
        self._take("copy_ssim", ssim(self._blurred_still, wanted))

    def _take(self, name: str, value: float | None) -> None:
        self._means.setdefault(name, Mean()).add(value)

    def result(self) -> dict[str, float | None]:
        return {name: mean.value for name, mean in self._means.items()}


def _similarity(one: Blurred, other: Blurred) -> tuple[Grey, Grey]:
    """The luminance term, and the product of contrast and structure, at each pixel."""
    product, squares = one.mean * other.mean, one.mean**2 + other.mean**2
    covariance = _blur(one.image * other.image) - product
    variances = one.mean_square + other.mean_square - squares
    luminance = (2 * product + SSIM_C1) / (squares + SSIM_C1)
    return luminance, (2 * covariance + SSIM_C2) / (variances + SSIM_C2)


def _blur(image: Grey) -> Grey:
    blurred: Any = cv2.GaussianBlur(image, (WINDOW_PX, WINDOW_PX), SIGMA_PX)
    return np.asarray(blurred, np.float32)


def _halved(image: Grey) -> Grey:
    """Means of 2x2 pixels; an odd last row or column is left out."""
    height, width = (side // 2 * 2 for side in image.shape)
    half = cv2.resize(image[:height, :width], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(half, np.float32)
