"""The convolutional block of all networks here."""

from __future__ import annotations

import torch
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn
from torch.nn.functional import silu

from facereenact.networks.pieces import add, by_frames


class ResnetBlock(nn.Module):
    """diffusers' ResnetBlock2D as Stable Diffusion 1.5 uses it, a few frames at a time."""

    def __init__(self, block: ResnetBlock2D) -> None:
        super().__init__()
        self.norm1, self.conv1 = block.norm1, block.conv1
        self.time_emb_proj = block.time_emb_proj
        self.norm2, self.conv2 = block.norm2, block.conv2
        self.conv_shortcut = block.conv_shortcut

    def forward(self, input_tensor: Tensor, temb: Tensor) -> Tensor:
        """Maps (frames, channels, height, width) and the embedding of the timestep, one for all or one per frame."""
        shift = self.time_emb_proj(silu(temb))[:, :, None, None]
        return by_frames(self._transform, input_tensor, shift.expand(len(input_tensor), -1, 1, 1))

    def _transform(self, maps: Tensor, shift: Tensor) -> Tensor:
        hidden = self.conv1(activate(self.norm1(maps)))
        hidden = self.conv2(activate(self.norm2(add(hidden, shift))))
        return add(hidden, maps if self.conv_shortcut is None else self.conv_shortcut(maps))


def activate(maps: Tensor) -> Tensor:
    """SiLU, in place where no gradient needs the input."""
    return silu(maps, inplace=not torch.is_grad_enabled())
