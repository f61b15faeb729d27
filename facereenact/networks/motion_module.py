"""The motion module: each position of the picture attends to itself in the other frames of a window."""

from __future__ import annotations

from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D
from torch import Tensor, nn

from facereenact.networks.attention import temporal_attention
from facereenact.networks.feed_forward import FeedForward
from facereenact.networks.pieces import add, empty_maps, tokens_at_once

NORM_GROUPS = 32  # in every motion module, whatever the groups of the rest of the network


class TemporalBlock(nn.Module):
    """Two self-attentions over time and a feed-forward layer, over diffusers' layers."""

    def __init__(self, block: BasicTransformerBlock) -> None:
        super().__init__()
        self.norm1, self.attn1 = block.norm1, block.attn1
        self.norm2, self.attn2 = block.norm2, block.attn2
        self.norm3, self.ff = block.norm3, FeedForward(block.ff)
        self.pos_embed = block.pos_embed

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (frames, positions, channels)."""
        place_in_time = self.pos_embed.pe[0, : len(tokens), None]  # (frames, 1, channels)
        tokens = add(tokens, temporal_attention(self.attn1, add(self.norm1(tokens), place_in_time)))
        tokens = add(tokens, temporal_attention(self.attn2, add(self.norm2(tokens), place_in_time)))
        return add(tokens, self.ff(self.norm3(tokens)))


class MotionModule(nn.Module):
    """diffusers' AnimateDiffTransformer3D with the statistics of its norm taken per frame, as it was trained."""

    def __init__(self, module: AnimateDiffTransformer3D) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(NORM_GROUPS, module.norm.num_channels, module.norm.eps)
        self.proj_in = module.proj_in
        self.transformer_blocks = nn.ModuleList(TemporalBlock(block) for block in module.transformer_blocks)
        self.proj_out = module.proj_out

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: None = None,
        timestep: None = None,
        class_labels: None = None,
        num_frames: int = 1,
        cross_attention_kwargs: None = None,
    ) -> Tensor:
        """Called by diffusers' blocks, maps (rows * frames, channels, height, width); only these and frames count."""
        normed = self.norm(hidden_states)
        out = empty_maps(len(hidden_states), like=hidden_states)
        count = max(1, tokens_at_once(normed.device) // num_frames)  # positions at once
        for row in range(0, len(normed), num_frames):
            source, before, after = (positions(maps[row : row + num_frames]) for maps in (normed, hidden_states, out))
            for start in range(0, source.shape[1], count):
                piece = slice(start, start + count)
                tokens = self.proj_in(source[:, piece])
                for block in self.transformer_blocks:
                    tokens = block(tokens)
                after[:, piece] = add(self.proj_out(tokens), before[:, piece])
        return out


def positions(maps: Tensor) -> Tensor:
    """Maps (frames, channels, height, width) as (frames, height * width, channels)."""
    return maps.permute(0, 2, 3, 1).flatten(1, 2)
