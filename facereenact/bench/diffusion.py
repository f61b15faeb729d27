"""Speed and memory of the diffusion networks at their full size.

The weights are random, which changes neither. The floor of a step is its arithmetic at the rate at which this machine
multiplies large matrices.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from facereenact.bench.random_networks import denoising_unet, random_network, random_networks, reference_net, renderings
from facereenact.networks import Condition, DenoisingUNet
from facereenact.pipelines.presets import PRESETS, preset

SIDE_PX = 512
STEPS = 20  # of a whole rendering
MATRIX = 4096  # side of the matrices whose product gives the rate
GIB = 2**30
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

# In a process of its own, for its peak memory.
RENDER = """
import sys
from facereenact.bench.diffusion import SIDE_PX, TYPES
from facereenact.bench.random_networks import random_networks, render
from facereenact.networks.memory import peak_memory_bytes
render(random_networks(TYPES[sys.argv[1]]), frames=int(sys.argv[2]), side_px=SIDE_PX)
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
    parser.add_argument("--presets", action="store_true", help="also the presets beside exact, on the CPU (minutes)")
    parser.add_argument("--side", type=int, default=256, help="of their pictures, pixels (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    types = chosen.types or (["float16"] if chosen.device.startswith("cuda") else ["float32", "bfloat16"])
    device = torch.device(chosen.device)
    Console().print(table(types, chosen.frames, rounds=chosen.rounds, device=device, compiled=chosen.compile))
    if chosen.memory:
        Console().print(memory_table(types, chosen.frames))
    if chosen.presets:
        Console().print(preset_table(types[0], chosen.frames[0], chosen.side))


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


def preset_table(name: str, frames: int, side_px: int) -> Table:
    """Each preset beside the first, exact: how much faster it denoises, and how far its pictures are from those."""
    made = renderings(random_networks(TYPES[name]), [preset(each) for each in PRESETS], frames=frames, side_px=side_px)
    exact, exact_s = made[0]
    out = Table("preset", "denoising, s", "times as fast", "PSNR, dB", "error of the contrast")
    out.title = f"presets with random weights, {name}, {frames} frames of {side_px}x{side_px}, on the CPU"
    for each, (pictures, seconds) in zip(PRESETS, made, strict=True):
        error = float(np.square(pictures.astype(float) - exact).mean())
        psnr = f"{10 * np.log10(255**2 / error):.1f}" if error else "the same"
        share = error**0.5 / max(float(exact.std()), 1e-9)  # random weights make pictures of little contrast
        out.add_row(each, f"{seconds:.1f}", f"{exact_s / seconds:.2f}", psnr, f"{share:.1%}")
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
