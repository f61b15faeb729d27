"""ReferenceNet: what the source looks like at every layer of the denoising network."""

from __future__ import annotations

import functools
from typing import Any

import torch
from diffusers import ModelMixin, UNet2DConditionModel
from torch import Tensor, nn

from facereenact.networks.assembly import adapt
from facereenact.networks.conditioning import ReferenceFeatures

__all__ = ["ModelMixin", "ReferenceNet"]  # diffusers looks for its base class in the module that defines a network


class ReferenceNet(UNet2DConditionModel):  # type: ignore[misc]
    """The UNet of Stable Diffusion 1.5 without its output layers (Hu et al. 2023, Animate Anyone, 3.2).

    Only what enters the self-attentions is used. Checkpoints with and without the output layers load alike.
    """

    unused_keys = ("conv_norm_out.", "conv_out.")  # beginnings of keys that a checkpoint may have

    @functools.wraps(UNet2DConditionModel.__init__)  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        adapt(self)
        self.conv_norm_out, self.conv_out = None, nn.Identity()
        self.register_load_state_dict_pre_hook(_leave_out_unused)

    def forward(self, latents: Tensor, image_embeds: Tensor) -> ReferenceFeatures:
        """The features of pictures.

        Args:
            latents: (rows, 4, height, width), scaled; zeros for the row of the published face networks that is
                denoised without guidance.
            image_embeds: CLIP image tokens (rows, 1, dimension), zeros for that row.
        """
        features: ReferenceFeatures = {}
        latents = latents.contiguous(memory_format=torch.channels_last)
        super().forward(latents, 0, image_embeds, cross_attention_kwargs={"features": features})
        return features


def _leave_out_unused(network: nn.Module, state: dict[str, Tensor], *others: Any) -> None:
    for key in [key for key in state if key.startswith(ReferenceNet.unused_keys)]:
        del state[key]
