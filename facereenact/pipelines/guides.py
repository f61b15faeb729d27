"""Features of the guides, made when a window needs them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facereenact.networks import DenoisingUNet, PoseGuider
from facereenact.pipelines.pictures import Picture, guide_pixels

Masks = Sequence[NDArray[np.float32]]
"""For each frame how much a guide counts where: (height, width) of any size, 0 to 1."""

CACHE_BYTES = 1 << 29  # of features kept; 100 frames of 512x512 in float32


class GuideFeatures:
    """The features of any frames of a clip: the weighted sum of what each pose guider makes of its guide.

    They are made once for each frame while they fit into the cache, else anew in every step: that costs about 1 % of
    the step, and the features of a minute would take 8 GB.

    Args:
        guiders: pose guiders.
        guides: for each guider the pictures of all frames (height, width, 3), which may be drawn when asked for.
        scales: a weight for each guider; with 0 it is not run.
        masks: for each guider where it counts, or None for everywhere; by default everywhere for all.
        size: width, height of the rendering.
        unet: the network that takes the features.
        device: of the features, by default that of the network.
        cache_bytes: of the features that are kept.
    """

    def __init__(
        self,
        guiders: Sequence[PoseGuider],
        guides: Sequence[Sequence[Picture]],
        *,
        scales: Sequence[float],
        masks: Sequence[Masks | None] | None = None,
        size: tuple[int, int],
        unet: DenoisingUNet,
        device: torch.device | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        masks = masks or [None] * len(guiders)
        self._inputs = [each for each in zip(guiders, guides, scales, masks, strict=True) if each[2] != 0]
        self._device, self._dtype = device or unet.device, unet.dtype
        self._channels = unet.config.block_out_channels[0]
        self._size = size
        self._cache_bytes = cache_bytes
        self._cache: dict[int, Tensor] = {}

    def __call__(self, frames: Sequence[int]) -> Tensor:
        """(1, channels, frames, height / 8, width / 8) features of some frames, in their order."""
        return torch.cat([self._features(frame) for frame in frames], dim=2)

    def _features(self, frame: int) -> Tensor:
        if frame in self._cache:
            return self._cache[frame]
        features = self._make(frame)
        if (len(self._cache) + 1) * features.nbytes <= self._cache_bytes:
            self._cache[frame] = features
        return features

    def _make(self, frame: int) -> Tensor:
        if not self._inputs:
            shape = (1, self._channels, 1, self._size[1] // 8, self._size[0] // 8)
            return torch.zeros(shape, device=self._device, dtype=self._dtype)
        parts = []
        for guider, pictures, scale, masks in self._inputs:
            part = scale * guider(guide_pixels([pictures[frame]], self._size).to(self._device, self._dtype))
            parts.append(part if masks is None else part * self._shares(masks[frame]))
        return torch.stack(parts).sum(dim=0)

    def _shares(self, mask: NDArray[np.float32]) -> Tensor:
        """(1, height / 8, width / 8) means of a mask."""
        whole = torch.from_numpy(np.ascontiguousarray(mask, np.float32))[None]
        shares = torch.nn.functional.adaptive_avg_pool2d(whole, (self._size[1] // 8, self._size[0] // 8))
        return shares.to(self._device, self._dtype)
