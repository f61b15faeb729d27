"""The spatial transformer: each frame attends to itself and to the source."""

from __future__ import annotations

from typing import Any

from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import Tensor, nn

from facereenact.networks.attention import ImageAttention, ReferenceAttnProcessor
from facereenact.networks.conditioning import Condition, LayerCondition, ReferenceFeatures
from facereenact.networks.feed_forward import FeedForward
from facereenact.networks.pieces import add, empty_maps, frames_at_once


class ReferenceBlock(nn.Module):
    """A transformer block over diffusers' layers: self-attention with reference, image token, feed-forward."""

    def __init__(self, block: BasicTransformerBlock, layer: str) -> None:
        super().__init__()
        self.layer = layer
        self.norm1, self.attn1 = block.norm1, block.attn1
        self.attn2 = ImageAttention(block.attn2)
        self.norm3, self.ff = block.norm3, FeedForward(block.ff)
        self.attn1.set_processor(ReferenceAttnProcessor())

    def condition(self, image_embeds: Tensor, reference: list[Tensor | None]) -> LayerCondition:
        """Project what is the same for all frames: the image token and each row's reference tokens."""
        return LayerCondition(
            self.attn2(image_embeds),
            tuple(None if each is None else (self.attn1.to_k(each), self.attn1.to_v(each)) for each in reference),
        )

    def forward(self, tokens: Tensor, condition: LayerCondition, features: ReferenceFeatures | None) -> Tensor:
        """Tokens (rows * frames, height * width, channels); what enters self-attention is also kept in `features`."""
        normed = self.norm1(tokens)
        if features is not None:
            features[self.layer] = normed
        frames = len(tokens) // len(condition.image)
        tokens = add(tokens, self.attn1(normed, condition=condition))
        tokens = add(tokens, condition.image.repeat_interleave(frames, dim=0))
        return add(tokens, self.ff(self.norm3(tokens)))


class SpatialTransformer(nn.Module):
    """diffusers' Transformer2DModel, for channels-last maps: their memory is that of the tokens."""

    def __init__(self, transformer: Transformer2DModel, name: str) -> None:
        super().__init__()
        self.norm = transformer.norm
        self.proj_in = transformer.proj_in
        self.transformer_blocks = nn.ModuleList(
            ReferenceBlock(block, f"{name}.transformer_blocks.{index}.attn1.processor")
            for index, block in enumerate(transformer.transformer_blocks)
        )
        self.proj_out = transformer.proj_out

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        cross_attention_kwargs: dict[str, Any] | None = None,
        **unused: Any,
    ) -> tuple[Tensor]:
        """Called by diffusers' blocks, maps (rows * frames, channels, height, width).

        Args:
            encoder_hidden_states: image tokens (rows, 1, dimension), where no condition is given.
            cross_attention_kwargs: `condition`, the Condition of all layers; `frames`, their number, where maps of
                a single row may stand for all rows; `features`, to be filled with what enters self-attention.
        """
        kwargs = cross_attention_kwargs or {}
        condition = kwargs.get("condition")
        if condition is None:
            if encoder_hidden_states is None:
                raise ValueError("a spatial transformer needs image tokens or a condition")
            nothing: list[Tensor | None] = [None] * len(encoder_hidden_states)
            condition = Condition(
                {block.layer: block.condition(encoder_hidden_states, nothing) for block in self._blocks()}
            )
        if "features" in kwargs:
            return (self._transform(hidden_states, condition, kwargs["features"]),)
        frames = kwargs.get("frames", len(hidden_states) // condition.rows)
        return (self._in_pieces(hidden_states, condition, frames),)

    def _in_pieces(self, maps: Tensor, condition: Condition, frames: int) -> Tensor:
        """A few frames at a time, so that the memory does not grow with the clip."""
        count, total = frames_at_once(maps), condition.rows * frames
        if total <= count:
            return self._transform(maps.repeat(total // len(maps), 1, 1, 1), condition)
        out = empty_maps(total, like=maps)
        for row in range(condition.rows):
            own = condition.row(row)
            for start in range(row * frames, (row + 1) * frames, count):
                stop = min(start + count, (row + 1) * frames)
                shift = 0 if len(maps) == total else row * frames  # one row may stand for all
                out[start:stop] = self._transform(maps[start - shift : stop - shift], own)
        return out

    def _transform(self, maps: Tensor, condition: Condition, features: ReferenceFeatures | None = None) -> Tensor:
        inner = self.proj_in(self.norm(maps))
        tokens = inner.permute(0, 2, 3, 1).flatten(1, 2)
        for block in self._blocks():
            tokens = block(tokens, condition.layers[block.layer], features)
        inner = tokens.unflatten(1, maps.shape[-2:]).permute(0, 3, 1, 2)
        return add(self.proj_out(inner), maps)

    def _blocks(self) -> list[ReferenceBlock]:
        return [block for block in self.transformer_blocks if isinstance(block, ReferenceBlock)]
