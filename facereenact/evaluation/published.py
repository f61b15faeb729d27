"""PSNR, SSIM and L1 as the evaluation of DisCo (Wang et al. 2023) has them, which later tables of dancing took over.

They are there to be compared with those tables, not to be believed: its PSNR subtracts and squares 8-bit numbers, which
wrap around, and its L1 is divided by the number of pixels twice. Pictures are 256x256.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from facereenact.evaluation.image_metrics import SSIM_C1, SSIM_C2

Image = NDArray[np.uint8]
Grey = NDArray[np.float32]

SIDE_PX = 256
SSIM_WINDOW_PX = 7
SAME_DB = 100.0  # where the pictures are the same


def resized(image: Image) -> Image:
    return np.asarray(cv2.resize(image, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)


def published_psnr(one: Image, other: Image) -> float:
    """With differences and squares modulo 256."""
    error = float(((one - other) ** 2).mean())
    return SAME_DB if error == 0 else 20 * math.log10(255 / math.sqrt(error))


def published_l1(one: Image, other: Image) -> float:
    return float(cv2.absdiff(one, other).mean()) / (one.shape[0] * one.shape[1])


def published_ssim(one: Grey, other: Grey) -> float:
    """SSIM of luma with a uniform window of 7 pixels and unbiased variances, whole windows only."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    unbiased = SSIM_WINDOW_PX**2 / (SSIM_WINDOW_PX**2 - 1)
    mean_a, mean_b = _box(a), _box(b)
    variance_a, variance_b = (unbiased * (_box(x * x) - m * m) for x, m in ((a, mean_a), (b, mean_b)))
    covariance = unbiased * (_box(a * b) - mean_a * mean_b)
    similarity = (2 * mean_a * mean_b + SSIM_C1) * (2 * covariance + SSIM_C2)
    similarity /= (mean_a**2 + mean_b**2 + SSIM_C1) * (variance_a + variance_b + SSIM_C2)
    return float(similarity.mean())


def _box(image: NDArray[np.float64]) -> NDArray[np.float64]:
    inner = slice(SSIM_WINDOW_PX // 2, -(SSIM_WINDOW_PX // 2))
    return np.asarray(cv2.blur(image, (SSIM_WINDOW_PX, SSIM_WINDOW_PX)), np.float64)[inner, inner]
