"""The feed-forward layer of all transformer blocks."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import gelu


class FeedForward(nn.Module):
    """Linear, GEGLU (Shazeer 2020), linear, over diffusers' layers."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.net = layer.net

    def forward(self, tokens: Tensor) -> Tensor:
        value, gate = self.net[0].proj(tokens).chunk(2, dim=-1)
        out: Tensor = self.net[2](value * gelu(gate))
        return out
