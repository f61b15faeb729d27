"""Networks of 32 channels with random weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facereenact.networks import DenoisingUNet, PoseGuider, ReferenceFeatures, ReferenceNet

CONFIG = {
    "block_out_channels": (32, 64, 64, 64),
    "layers_per_block": 1,
    "cross_attention_dim": 32,
    "attention_head_dim": 8,
    "norm_num_groups": 8,
}
ROWS, HEIGHT, WIDTH = 2, 12, 10


def random_weights(network: nn.Module, seed: int = 0) -> nn.Module:
    """Every parameter drawn, those that a new network has at zero included."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        scale = parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.2
        parameter.data = scale * torch.randn(parameter.shape, generator=generator) + (parameter.ndim == 1)
    return network.eval().requires_grad_(False)


def denoising_unet() -> DenoisingUNet:
    return random_weights(DenoisingUNet(**CONFIG))  # type: ignore[return-value]


def reference_net() -> ReferenceNet:
    return random_weights(ReferenceNet(**CONFIG))  # type: ignore[return-value]


def pose_guider() -> PoseGuider:
    return random_weights(PoseGuider(32, (8, 16, 24, 32)))  # type: ignore[return-value]


def draw(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def features() -> ReferenceFeatures:
    """Of two different pictures."""
    return reference_net()(draw(ROWS, 4, HEIGHT, WIDTH, seed=2), draw(ROWS, 1, 32, seed=3))


def inputs(frames: int, rows: int = ROWS) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Latents, timestep, image tokens and guide; all rows have the latents and guide of the first."""
    latents, guide = draw(1, 4, frames, HEIGHT, WIDTH), draw(1, 32, frames, HEIGHT, WIDTH, seed=4)
    noisy, guides = (each.repeat(rows, 1, 1, 1, 1) for each in (latents, guide))
    return noisy, torch.tensor(500), draw(ROWS, 1, 32, seed=3)[-rows:], guides


def assert_same(found: Tensor, expected: Tensor) -> None:
    """Equal but for the order of sums in float32."""
    torch.testing.assert_close(found, expected, rtol=2e-5, atol=2e-5)
