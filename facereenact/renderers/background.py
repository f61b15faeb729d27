"""Cutting the person out of the source picture, and filling in what is behind."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Float = NDArray[np.float32]
Image = NDArray[np.uint8]


def person_matte(image: Image) -> Float:
    """(height, width) 0 background to 1 person, by MediaPipe's selfie segmentation; RGB uint8 picture."""
    from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation

    segmentation: Any = SelfieSegmentation(model_selection=0)
    try:
        matte = segmentation.process(np.ascontiguousarray(image)).segmentation_mask
    finally:
        segmentation.close()
    return np.asarray(matte, np.float32)


def generous(matte: Float, face_width_px: float) -> Float:
    """A soft matte with a rim of background around the person, so that no hair stays behind and no edge shows."""
    rim = max(2, round(0.035 * face_width_px))
    inside = (matte > 0.35).astype(np.uint8)
    grown = cv2.dilate(inside, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1)))
    distance = cv2.distanceTransform(grown, cv2.DIST_L2, 3)
    return np.asarray(np.clip(distance / rim, 0, 1), np.float32)


def cut_off(matte: Float) -> Float:
    """(n, 2) pixels x, y on the border of the picture that belong to the person."""
    border = np.ones(matte.shape, bool)
    border[1:-1, 1:-1] = False
    rows, columns = np.nonzero(border & (matte > 0.5))
    return np.column_stack([columns, rows]).astype(np.float32)


def fill_behind(image: Image, unknown: NDArray[np.bool_], reach_px: float) -> Image:
    """The picture with the unknown part replaced: mirrored texture near its border, smooth colour farther in.

    Args:
        image: (height, width, 3) uint8.
        unknown: (height, width) what to replace.
        reach_px: how far in the texture is mirrored.
    """
    if not unknown.any():
        return image
    if unknown.all():
        return np.full_like(image, image.reshape(-1, 3).mean(axis=0).astype(np.uint8))
    smooth = diffuse(image.astype(np.float32), ~unknown)
    distance, nearest = ndimage.distance_transform_edt(unknown, return_indices=True)
    rows, columns = np.indices(unknown.shape)
    mirrored_row = np.clip(2 * nearest[0] - rows, 0, unknown.shape[0] - 1)
    mirrored_column = np.clip(2 * nearest[1] - columns, 0, unknown.shape[1] - 1)
    usable = ~unknown[mirrored_row, mirrored_column]
    mirrored = np.where(usable[..., None], image[mirrored_row, mirrored_column], smooth)
    trust = np.clip(1 - distance / reach_px, 0, 1).astype(np.float32)[..., None]
    trust = cv2.GaussianBlur(trust[..., 0] * usable, (0, 0), max(1.0, 0.1 * reach_px))[..., None]
    filled = smooth + trust * (mirrored - smooth)
    return np.where(unknown[..., None], np.clip(filled, 0, 255), image).astype(np.uint8)


def diffuse(image: Float, known: NDArray[np.bool_]) -> Float:
    """Colours spread from the known pixels into the rest, coarse to fine (pull-push; Gortler et al. 1996)."""
    weight = known.astype(np.float32)
    height, width = known.shape
    if weight.all() or max(height, width) < 2:
        return image
    half = (max(1, width // 2), max(1, height // 2))
    small_weight = cv2.resize(weight, half, interpolation=cv2.INTER_AREA)
    small = cv2.resize(image * weight[..., None], half, interpolation=cv2.INTER_AREA)
    small = small / np.maximum(small_weight, 1e-6)[..., None]
    coarse = diffuse(small, small_weight > 0) if not (small_weight > 0).all() else small
    back = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.where(known[..., None], image, back), np.float32)
