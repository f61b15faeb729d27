"""Speed and memory of the diffusion networks at their full size.

The weights are random, which changes neither. The floor of a step is its arithmetic at the rate at which this machine
multiplies large matrices.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
from transformers.models.clip.modeling_clip import CLIPVisionEmbeddings

from facereenact.networks import Condition, DenoisingUNet, Networks, PoseGuider, Reference, ReferenceNet
from facereenact.networks.packing import pack
from facereenact.networks.sets import STABLE_DIFFUSION
from facereenact.pipelines.base import decoded, noise_for
from facereenact.pipelines.guides import GuideFeatures
from facereenact.pipelines.pictures import to_picture
from facereenact.pipelines.sampling import Sampling, default_scheduler, denoise
from facereenact.pipelines.source import (
    EncodedSource,
    encode_image,
    encode_latents,
    reference_features,
    source_condition,
)
from facereenact.pipelines.windows import context_windows

SIDE_PX = 512
STEPS = 20  # of a whole rendering
MATRIX = 4096  # side of the matrices whose product gives the rate
GIB = 2**30
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

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

# In a process of its own, for its peak memory.
RENDER = """
import sys
from facereenact.bench.diffusion import TYPES, peak_memory_bytes, random_networks, render
render(random_networks(TYPES[sys.argv[1]]), frames=int(sys.argv[2]))
print(peak_memory_bytes())
"""


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="facereenact.bench diffusion", description="Measure the diffusion networks at full size."
    )
    parser.add_argument("--types", nargs="+", choices=TYPES, help="default: float32 and bfloat16, on a GPU float16")
    parser.add_argument("--frames", type=int, nargs="+", default=[1], help="frames of a window (default: 1)")
    parser.add_argument("--rounds", type=int, default=3, help="steps of which the median is printed (default: 3)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="default: %(default)s")
    parser.add_argument("--compile", action="store_true", help="also with torch.compile")
    parser.add_argument("--memory", action="store_true", help="also the peak memory of a rendering on the CPU")
    chosen = parser.parse_args(arguments)
    types = chosen.types or (["float16"] if chosen.device.startswith("cuda") else ["float32", "bfloat16"])
    device = torch.device(chosen.device)
    Console().print(table(types, chosen.frames, rounds=chosen.rounds, device=device, compiled=chosen.compile))
    if chosen.memory:
        Console().print(memory_table(types, chosen.frames))


def table(
    types: Sequence[str], frames: Sequence[int], *, rounds: int, device: torch.device, compiled: bool = False
) -> Table:
    """Time of a guided step beside its floor, and what that makes of a clip."""
    out = Table("type", "frames", "step, s", "floor, s", "of the rate", f"frames/s, {STEPS} steps", "GPU memory, GiB")
    out.title = f"a guided step, {SIDE_PX}x{SIDE_PX}, {device}, {torch.get_num_threads()} threads"
    for name in types:
        unet, rate = random_network(denoising_unet, TYPES[name], device), matrix_rate(TYPES[name], device)
        variants: dict[str, Any] = {name: unet}
        if compiled:
            variants[f"{name}, compiled"] = torch.compile(unet)
        for label, network in variants.items():
            for count in frames:
                seconds = median(step_seconds(network, step_inputs(unet, count), rounds=rounds))
                floor = step_flops(count) / rate
                memory = torch.cuda.max_memory_allocated() / GIB if device.type == "cuda" else None
                texts = [f"{seconds:.3g}", f"{floor:.3g}", f"{floor / seconds:.0%}", f"{count / seconds / STEPS:.3g}"]
                out.add_row(label, str(count), *texts, "" if memory is None else f"{memory:.2f}")
    return out


def memory_table(types: Sequence[str], frames: Sequence[int]) -> Table:
    """Peak memory of all stages of a rendering, each network in memory only while it works."""
    out = Table("type", "frames", "peak memory, GiB", title=f"a rendering, {SIDE_PX}x{SIDE_PX}, on the CPU")
    for name in types:
        for count in frames:
            command = [sys.executable, "-c", RENDER, name, str(count)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            out.add_row(name, str(count), f"{int(done.stdout.split()[-1]) / GIB:.2f}")
    return out


def step_seconds(network: Callable[..., Tensor], inputs: tuple[Any, ...], *, rounds: int) -> list[float]:
    """Seconds of steps, after one that is not counted."""
    seconds = []
    with torch.inference_mode():
        for _ in range(rounds + 1):
            begun = time.perf_counter()
            network(*inputs)
            if inputs[0].device.type == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - begun)
    return seconds[1:]


def step_flops(frames: int) -> float:
    """Floating-point operations of a guided step; a multiply-add is two."""
    with torch.device("meta"):
        unet = denoising_unet()
        inputs = step_inputs(unet, frames)
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            unet(*inputs)
    return float(counter.get_total_flops())


def matrix_rate(dtype: torch.dtype, device: torch.device) -> float:
    """Floating-point operations a second in the product of large matrices: the best of several."""
    matrix = torch.ones(MATRIX, MATRIX, dtype=dtype, device=device)
    return 2 * MATRIX**3 / min(step_seconds(torch.mm, (matrix, matrix), rounds=5))


def step_inputs(unet: DenoisingUNet, frames: int) -> tuple[Tensor, Tensor, None, Tensor, Condition]:
    """What the network is given in every step: latents, time, guide, and the source for both rows of guidance."""
    side = SIDE_PX // 8

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=unet.dtype, device=unet.device)

    embeds = draw(2, 1, unet.config.cross_attention_dim)
    with torch.device("meta"):
        shapes = reference_net()(torch.empty(2, 4, side, side), torch.empty(embeds.shape))
    with torch.inference_mode():
        condition = unet.condition(embeds, {layer: draw(*tokens.shape) for layer, tokens in shapes.items()})
    guide = draw(1, unet.config.block_out_channels[0], frames, side, side)
    return draw(1, 4, frames, side, side), torch.tensor(500, device=unet.device), None, guide, condition


def render(networks: Networks, *, frames: int, steps: int = 1) -> np.ndarray[Any, Any]:
    """All stages of a rendering, one network in memory at a time; pictures (frames, height, width, 3)."""
    size, picture = (SIDE_PX, SIDE_PX), np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
    with torch.inference_mode():
        with networks.use("image_encoder") as used:
            embeds = encode_image(used.pop(), picture)
        with networks.use("vae") as used:
            source = EncodedSource(encode_latents(used.pop(), picture, size), embeds)
        with networks.use("reference_net") as used:
            reference = reference_features(used.pop(), source, guided=True, unguided="zero latents")
        with networks.use("denoising_unet", "head_guider", "mouth_guider") as used:
            latents = _denoised(used, source, reference, frames, Sampling(steps=steps))
        with networks.use("vae") as used:
            return np.stack([to_picture(pixels) for pixels in decoded(used.pop(), latents)])


def _denoised(
    networks: list[Any], source: EncodedSource, reference: Reference, frames: int, sampling: Sampling
) -> Tensor:
    unet, size = networks.pop(0), (SIDE_PX, SIDE_PX)
    guides = [[np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)] * frames for _ in networks]
    features = GuideFeatures(networks, guides, scales=[1.0] * len(networks), size=size, unet=unet)
    condition = source_condition(unet, source, reference, guided=True)
    windows = context_windows(frames)
    return denoise(unet, default_scheduler(), noise_for(frames, size), condition, features, windows, sampling=sampling)[
        0
    ]


def random_networks(dtype: torch.dtype) -> Networks:
    """The face networks at full size on the CPU."""
    makers = {"vae": vae, "image_encoder": image_encoder, "reference_net": reference_net}
    makers |= {"denoising_unet": denoising_unet, "head_guider": PoseGuider, "mouth_guider": PoseGuider}
    cpu = torch.device("cpu")
    return Networks({name: partial(random_network, make, dtype, cpu) for name, make in makers.items()})


def random_network(make: Callable[[], Any], dtype: torch.dtype, device: torch.device) -> Any:
    """A network with random weights, made in the type and place where it works, packed where that helps."""
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


def peak_memory_bytes() -> int:
    """Of this process so far. The kernel's own mark where there is one: getrusage counts the parent's size in."""
    status = Path("/proc/self/status")
    if status.exists() and (mark := re.search(r"VmHWM:\s+(\d+)", status.read_text())):
        return int(mark[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _random_like(tensor: Tensor, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Weights that keep activations finite through a deep network."""
    drawn = torch.empty(tensor.shape, dtype=dtype, device=device)
    scale = tensor[0].numel() ** -0.5 if tensor.ndim > 1 else 1.0
    return drawn.uniform_(-scale, scale)
