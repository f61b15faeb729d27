"""The networks of the face pipeline at full size with random weights, and what a rendering does with them."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, SchedulerMixin
from numpy.typing import NDArray
from torch import Tensor
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
from transformers.models.clip.modeling_clip import CLIPVisionEmbeddings

from facereenact.networks import DenoisingUNet, Networks, PoseGuider, Reference, ReferenceNet
from facereenact.networks.packing import pack
from facereenact.networks.sets import STABLE_DIFFUSION
from facereenact.pipelines.base import decoded, noise_for
from facereenact.pipelines.guides import GuideFeatures
from facereenact.pipelines.pictures import to_picture
from facereenact.pipelines.sampling import Sampling, denoise
from facereenact.pipelines.schedulers import default_scheduler
from facereenact.pipelines.source import (
    EncodedSource,
    encode_image,
    encode_latents,
    reference_features,
    source_condition,
)
from facereenact.pipelines.windows import context_windows

Way = tuple[SchedulerMixin, Sampling]

# The published sizes of the networks that are not ours.
VAE: dict[str, Any] = {
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
}
CLIP: dict[str, Any] = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "patch_size": 14,
    "projection_dim": STABLE_DIFFUSION["cross_attention_dim"],
}


def render(networks: Networks, *, frames: int, side_px: int) -> NDArray[np.uint8]:
    """All stages of a rendering with one step, one network in memory at a time; pictures (frames, side, side, 3)."""
    ((pictures, _),) = renderings(networks, [(default_scheduler(), Sampling(steps=1))], frames=frames, side_px=side_px)
    return pictures


def renderings(
    networks: Networks, ways: Sequence[Way], *, frames: int, side_px: int
) -> list[tuple[NDArray[np.uint8], float]]:
    """The pictures of a rendering in each way, from the same noise, and the seconds that denoising took."""
    size = (side_px, side_px)
    with torch.inference_mode():
        source, reference = _prepared(networks, size)
        with networks.use("denoising_unet", "head_guider", "mouth_guider") as (unet, *guiders):
            guides = [[np.zeros((side_px, side_px, 3), np.uint8)] * frames for _ in guiders]
            features = GuideFeatures(guiders, guides, scales=[1.0] * len(guiders), size=size, unet=unet)
            condition = source_condition(unet, source, reference, guided=True)
            noise = noise_for(frames, size, generator=torch.Generator().manual_seed(0))
            results, seconds = [], []
            for scheduler, sampling in ways:
                begun = time.perf_counter()
                latents, _ = denoise(
                    unet, scheduler, noise, condition, features, context_windows(frames), sampling=sampling
                )
                seconds.append(time.perf_counter() - begun)
                results.append(latents)
            del unet, guiders, features, condition
        with networks.use("vae") as (decoder,):
            pictures = [np.stack([to_picture(pixels) for pixels in decoded(decoder, each)]) for each in results]
            del decoder
    return list(zip(pictures, seconds, strict=True))


def _prepared(networks: Networks, size: tuple[int, int]) -> tuple[EncodedSource, Reference]:
    picture = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    with networks.use("image_encoder") as used:
        embeds = encode_image(used.pop(), picture)
    with networks.use("vae") as used:
        source = EncodedSource(encode_latents(used.pop(), picture, size), embeds)
    with networks.use("reference_net") as used:
        return source, reference_features(used.pop(), source, guided=True, unguided="zero latents")


def random_networks(dtype: torch.dtype) -> Networks:
    """The face networks at full size on the CPU."""
    makers = {"vae": vae, "image_encoder": image_encoder, "reference_net": reference_net}
    makers |= {"denoising_unet": denoising_unet, "head_guider": PoseGuider, "mouth_guider": PoseGuider}
    cpu = torch.device("cpu")
    return Networks({name: partial(random_network, make, dtype, cpu) for name, make in makers.items()})


def random_network(make: Callable[[], Any], dtype: torch.dtype, device: torch.device) -> Any:
    """A network with random weights, always the same, made in the type and place where it works; packed on a CPU."""
    torch.manual_seed(zlib.crc32(getattr(make, "__name__", "").encode()))
    with torch.device("meta"):
        network = make().requires_grad_(False).eval()
    state = {name: _random_like(tensor, dtype, device) for name, tensor in network.state_dict().items()}
    network.load_state_dict(state, assign=True)
    for module in network.modules():
        if isinstance(module, CLIPVisionEmbeddings):  # its numbers of positions are not part of the state
            numbers = torch.arange(module.num_positions, device=device)[None]
            module.register_buffer("position_ids", numbers, persistent=False)
    del state  # each tensor is freed as soon as it is packed
    pack(network)
    return network


def denoising_unet() -> DenoisingUNet:
    return DenoisingUNet(**STABLE_DIFFUSION)


def reference_net() -> ReferenceNet:
    return ReferenceNet(**STABLE_DIFFUSION)


def vae() -> AutoencoderKL:
    return AutoencoderKL(**VAE)


def image_encoder() -> CLIPVisionModelWithProjection:
    return CLIPVisionModelWithProjection(CLIPVisionConfig(**CLIP))


def _random_like(tensor: Tensor, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Weights that keep activations finite through a deep network."""
    drawn = torch.empty(tensor.shape, dtype=dtype, device=device)
    scale = tensor[0].numel() ** -0.5 if tensor.ndim > 1 else 1.0
    return drawn.uniform_(-scale, scale)
