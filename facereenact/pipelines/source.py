"""What the networks take from the source: latents, a CLIP token, and the features of ReferenceNet.

The device of their inputs is that of the networks, unless another is named to which hooks move them when they run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from transformers import CLIPVisionModelWithProjection

from facereenact.networks import Condition, DenoisingUNet, Reference, ReferenceNet
from facereenact.pipelines.pictures import Picture, clip_pixels, vae_pixels

Unguided = Literal["zero latents", "nothing"]
"""What the row without guidance attends to: the features of an all-zero latent (the published face networks), or
only itself (body)."""


@dataclass(frozen=True, eq=False)
class EncodedSource:
    """The source as the networks see it."""

    latents: Tensor  # (1, 4, height / 8, width / 8), scaled
    image_embeds: Tensor  # (1, 1, dimension)


def encode_source(
    vae: AutoencoderKL,
    image_encoder: CLIPVisionModelWithProjection,
    picture: Picture,
    size: tuple[int, int],
    *,
    device: torch.device | None = None,
) -> EncodedSource:
    """Encode a picture (height, width, 3) for renderings of `size` (width, height), both divisible by 8."""
    latents = encode_latents(vae, picture, size, device=device)
    return EncodedSource(latents, encode_image(image_encoder, picture, device=device))


def encode_latents(
    vae: AutoencoderKL, picture: Picture, size: tuple[int, int], *, device: torch.device | None = None
) -> Tensor:
    """(1, 4, height / 8, width / 8) the mean of the VAE's latents, scaled; not a sample, as in the published code."""
    distribution = vae.encode(vae_pixels(picture, size).to(device or vae.device, vae.dtype)).latent_dist
    latents: Tensor = distribution.mean * vae.config.scaling_factor
    return latents


def encode_image(
    image_encoder: CLIPVisionModelWithProjection, picture: Picture, *, device: torch.device | None = None
) -> Tensor:
    """(1, 1, dimension) the CLIP embedding after projection, not normalised, as one token."""
    pixels = clip_pixels(picture).to(device or image_encoder.device, image_encoder.dtype)
    embeds: Tensor = image_encoder(pixels).image_embeds
    return embeds[:, None]


def reference_features(
    reference_net: ReferenceNet,
    source: EncodedSource,
    *,
    guided: bool,
    unguided: Unguided,
    device: torch.device | None = None,
) -> Reference:
    """The features that each row of the denoising network attends to: the row without guidance, if any, comes first."""
    latents, embeds = (
        each.to(device or reference_net.device, reference_net.dtype) for each in (source.latents, source.image_embeds)
    )
    if not guided or unguided == "nothing":
        features = reference_net(latents, embeds)
        return [None, features] if guided else features
    rows: Sequence[Tensor] = [torch.cat([torch.zeros_like(each), each]) for each in (latents, embeds)]
    return reference_net(*rows)


def source_condition(
    unet: DenoisingUNet,
    source: EncodedSource,
    reference: Reference,
    *,
    guided: bool,
    device: torch.device | None = None,
) -> Condition:
    """What every layer of the denoising network sees of the source, for all steps and windows."""
    embeds = source.image_embeds.to(device or unet.device, unet.dtype)
    return unet.condition(torch.cat([torch.zeros_like(embeds), embeds]) if guided else embeds, reference)
