"""Pictures as the networks want them, resampled by Pillow as in training: its 8-bit rounding belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from checkpoints.errors import InputError

Picture = NDArray[np.uint8]  # (height, width, 3), RGB

CLIP_PX = 224
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)  # of OpenAI's CLIP
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def clip_pixels(picture: Picture) -> Tensor:
    """(1, 3, 224, 224) what the CLIP image encoder takes; the aspect ratio is not kept."""
    pixels = to_tensor(resize(picture, (CLIP_PX, CLIP_PX), Image.Resampling.BICUBIC))
    mean, std = (torch.tensor(values)[:, None, None] for values in (CLIP_MEAN, CLIP_STD))
    return ((pixels - mean) / std)[None]


def vae_pixels(picture: Picture, size: tuple[int, int]) -> Tensor:
    """(1, 3, height, width) -1 to 1, what the VAE takes; the aspect ratio is not kept. Size is width, height."""
    return 2 * to_tensor(resize(picture, size))[None] - 1


def guide_pixels(pictures: Sequence[Picture], size: tuple[int, int]) -> Tensor:
    """(1, 3, frames, height, width) 0 to 1, what a pose guider takes. Size is width, height."""
    return torch.stack([to_tensor(resize(picture, size)) for picture in pictures], dim=1)[None]


def resize(
    picture: Picture, size: tuple[int, int], method: Image.Resampling = Image.Resampling.LANCZOS
) -> NDArray[np.uint8]:
    if picture.shape[1::-1] == size:
        return picture
    return np.asarray(Image.fromarray(picture).resize(size, method))


def to_tensor(picture: Picture) -> Tensor:
    """(3, height, width) 0 to 1."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).to(torch.float32) / 255


def to_picture(pixels: Tensor) -> Picture:
    """(height, width, 3) of pixels (3, height, width) from 0 to 1; rounded, where the published code truncates."""
    rounded = (pixels.float() * 255).round().to(torch.uint8)
    return np.ascontiguousarray(rounded.permute(1, 2, 0).cpu().numpy())


def as_picture(image: Any) -> Picture:
    """The RGB array of a PIL image or an array.

    Raises:
        InputError: an array of another kind.
    """
    if isinstance(image, Image.Image):
        return np.array(image.convert("RGB"))
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise InputError(
            f"an array of {array.dtype} {array.shape} is no picture: it has to be uint8 (height, width, 3), in RGB"
        )
    return array
