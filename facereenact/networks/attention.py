"""Attention that also sees the source: self-attention with reference tokens, cross-attention to a single token."""

from __future__ import annotations

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from facereenact.networks.conditioning import LayerCondition


class ReferenceAttnProcessor:
    """Self-attention whose keys and values are those of a frame and, where there is one, of the reference."""

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        condition: LayerCondition | None = None,
    ) -> Tensor:
        query, key, value = attn.to_q(hidden_states), attn.to_k(hidden_states), attn.to_v(hidden_states)
        rows = condition.reference if condition else (None,)
        parts = (tensor.chunk(len(rows)) for tensor in (query, key, value))
        attended = [
            attend(own_query, own_key, own_value, attn.heads, reference=reference)
            for own_query, own_key, own_value, reference in zip(*parts, rows, strict=True)
        ]
        out: Tensor = attn.to_out[0](attended[0] if len(rows) == 1 else torch.cat(attended))
        return out


def attend(
    query: Tensor, key: Tensor, value: Tensor, heads: int, *, reference: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """Scaled dot-product attention of tokens (frames, tokens, channels).

    Args:
        reference: keys and values (1, tokens, channels) that every frame also sees.
    """
    if reference is not None:
        key, value = (
            torch.cat([own, other.expand(len(own), -1, -1)], dim=1)
            for own, other in zip((key, value), reference, strict=True)
        )
    query, key, value = (torch.unflatten(each, -1, (heads, -1)).transpose(1, 2) for each in (query, key, value))
    return scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)


class ImageAttention(nn.Module):
    """Cross-attention to the one token of an image.

    The softmax over a single token is 1 whatever the query, so that queries and keys have no influence and the result
    is the same at every position.
    """

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.to_v = attention.to_v
        self.to_out = attention.to_out

    def forward(self, image_embeds: Tensor) -> Tensor:
        """Image tokens (rows, 1, dimension) to what each adds, (rows, 1, channels)."""
        if image_embeds.shape[1] != 1:
            raise ValueError(f"image_embeds has {image_embeds.shape[1]} tokens; the published networks take one")
        out: Tensor = self.to_out[0](self.to_v(image_embeds))
        return out


def temporal_attention(attn: Attention, tokens: Tensor) -> Tensor:
    """Self-attention over the frames at each position, tokens (frames, positions, channels)."""
    value = attn.to_v(tokens)
    if len(tokens) > 1:  # over a single frame the softmax is 1
        query, key, value = (
            torch.unflatten(each, -1, (attn.heads, -1)).permute(1, 2, 0, 3)
            for each in (attn.to_q(tokens), attn.to_k(tokens), value)
        )
        value = scaled_dot_product_attention(query, key, value).permute(2, 0, 1, 3).flatten(2)
    out: Tensor = attn.to_out[0](value)
    return out
