"""The pose guider: turns drawn landmarks into features that are added to the noise."""

from __future__ import annotations

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.controlnets.controlnet import ControlNetConditioningEmbedding
from torch import Tensor

from facereenact.networks.pieces import by_frames

__all__ = ["ModelMixin", "PoseGuider"]  # diffusers looks for its base class in the module that defines a network


class PoseGuider(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """A small convolutional network over each frame of a guide (Hu et al. 2023, Animate Anyone, 3.3)."""

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(self, out_channels: int = 320, hidden_channels: tuple[int, ...] = (16, 32, 96, 256)) -> None:
        super().__init__()
        self.embedding = ControlNetConditioningEmbedding(out_channels, block_out_channels=hidden_channels)

    def forward(self, guide: Tensor) -> Tensor:
        """Pictures (rows, 3, frames, height, width), 0 to 1, to features (rows, channels, frames, h / 8, w / 8)."""
        features = by_frames(self.embedding, guide.transpose(1, 2).flatten(0, 1))
        return torch.unflatten(features, 0, (len(guide), -1)).transpose(1, 2)
