"""The denoising UNet: predicts the noise of a window of frames, guided by landmarks and the source."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import ModelMixin, UNetMotionModel
from diffusers.utils.accelerate_utils import apply_forward_hook
from torch import Tensor, nn

from facereenact.networks.assembly import adapt, reference_blocks
from facereenact.networks.conditioning import Condition, Reference, reference_at
from facereenact.networks.pieces import add, by_frames
from facereenact.networks.resnet import activate

__all__ = ["DeepFeatures", "DenoisingUNet", "ModelMixin"]  # diffusers looks for its base class where a network is

# What a configuration of UNet2DConditionModel may say and UNetMotionModel fixes.
FIXED = {"center_input_sample": False, "flip_sin_to_cos": True, "freq_shift": 0}


@dataclass
class DeepFeatures:
    """What the last up block of the denoising UNet receives, kept for a later step (Ma et al. 2023, DeepCache)."""

    maps: Tensor | None = None  # (rows * frames, channels, height, width)


class DenoisingUNet(UNetMotionModel):  # type: ignore[misc]
    """The UNet of Stable Diffusion 1.5 with motion modules (Guo et al. 2023, AnimateDiff) and reference attention.

    The arguments are diffusers'; those of UNet2DConditionModel are understood, too, where both mean the same.
    """

    @functools.wraps(UNetMotionModel.__init__)  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **_motion_config(kwargs))
        adapt(self)

    @apply_forward_hook  # type: ignore[untyped-decorator]
    def condition(self, image_embeds: Tensor, reference: Reference) -> Condition:
        """Project, once for a clip, what the layers see of its source.

        Args:
            image_embeds: CLIP image tokens (rows, 1, dimension).
            reference: features of each row, see `Reference`.
        """
        rows = len(image_embeds)
        return Condition(
            {
                block.layer: block.condition(image_embeds, reference_at(block.layer, reference, rows))
                for block in reference_blocks(self)
            }
        )

    def forward(
        self,
        latents: Tensor,
        timestep: Tensor | float,
        image_embeds: Tensor | None,
        guide: Tensor,
        reference: Reference | Condition,
        *,
        deep: DeepFeatures | None = None,
    ) -> Tensor:
        """The prediction (rows, 4, frames, height, width) for noisy latents, in the terms that it was trained for.

        Args:
            latents: (rows, 4, frames, height, width); a single row stands for all rows of the condition.
            timestep: of all rows, or one for each.
            image_embeds: CLIP image tokens (rows, 1, dimension); unused where `reference` is a Condition.
            guide: features of the guides (rows, channels, frames, height, width), as many rows as `latents`.
            reference: the source's features, or their Condition, which is then not made anew in every call.
            deep: filled if empty; if filled, all but the outermost blocks are left out and it is used instead.
        """
        if isinstance(reference, Condition):
            condition = reference
        elif image_embeds is None:
            raise ValueError("image_embeds is needed where no Condition is given")
        else:
            condition = self.condition(image_embeds, reference)
        frames = latents.shape[2]
        run = functools.partial(_run, temb=self._embed(timestep, frames), frames=frames, condition=condition)
        first = add(self.conv_in(as_maps(latents)), as_maps(guide))
        if deep is not None and deep.maps is not None:
            hidden, skips = deep.maps, [first, *run(self.down_blocks[0], first)[1]]
        else:
            hidden, skips = self._inner(run, first)
        if deep is not None:
            deep.maps = hidden
        outer = [_repeat(skip, len(hidden)) for skip in skips[: len(self.up_blocks[-1].resnets)]]
        hidden = run(self.up_blocks[-1], hidden, res_hidden_states_tuple=tuple(outer))
        return torch.unflatten(by_frames(self._output, hidden), 0, (-1, frames)).transpose(1, 2)

    def _embed(self, timestep: Tensor | float, frames: int) -> Tensor:
        """The embedding of a timestep (1, channels), or one for each frame of each row."""
        timesteps = torch.as_tensor(timestep, device=self.device).reshape(-1)
        embedding: Tensor = self.time_embedding(self.time_proj(timesteps).to(self.dtype))
        return embedding if len(embedding) == 1 else embedding.repeat_interleave(frames, dim=0)

    def _inner(self, run: Callable[..., Any], hidden: Tensor) -> tuple[Tensor, list[Tensor]]:
        """From the first to the last but one block: its result, and the skip connections that are left."""
        skips = [hidden]
        for block in self.down_blocks:
            hidden, states = run(block, hidden)
            skips += states
        hidden = run(self.mid_block, hidden)
        for block in self.up_blocks[:-1]:
            own = [_repeat(skip, len(hidden)) for skip in skips[-len(block.resnets) :]]
            del skips[-len(block.resnets) :]
            size = skips[-1].shape[2:]
            hidden = run(block, hidden, res_hidden_states_tuple=tuple(own), upsample_size=size)
        return hidden, skips

    def _output(self, maps: Tensor) -> Tensor:
        out: Tensor = self.conv_out(activate(self.conv_norm_out(maps)))
        return out


def as_maps(video: Tensor) -> Tensor:
    """Video (rows, channels, frames, height, width) as channels-last maps (rows * frames, channels, height, width)."""
    return video.transpose(1, 2).flatten(0, 1).contiguous(memory_format=torch.channels_last)


def _run(block: nn.Module, hidden: Tensor, *, temb: Tensor, frames: int, condition: Condition, **more: Any) -> Any:
    """Call one of diffusers' blocks."""
    if getattr(block, "has_cross_attention", False):
        more["cross_attention_kwargs"] = {"condition": condition, "frames": frames}
    return block(hidden, temb=temb, num_frames=frames, **more)


def _repeat(maps: Tensor, count: int) -> Tensor:
    """Maps of a single row for as many rows as make `count` frames."""
    return maps if len(maps) == count else maps.repeat(count // len(maps), 1, 1, 1)


def _motion_config(config: dict[str, Any]) -> dict[str, Any]:
    """The arguments in the words of UNetMotionModel."""
    config = dict(config)
    for name, value in FIXED.items():
        if config.pop(name, value) != value:
            raise ValueError(f"{name} can only be {value}")
    if "attention_head_dim" in config:  # Stable Diffusion 1.5 calls the number of heads so
        config["num_attention_heads"] = config.pop("attention_head_dim")
    return config
