"""How long a rendering will take, from one measured step."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from facereenact.networks import Networks
from facereenact.networks.memory import peak_memory_bytes
from facereenact.pipelines.base import decoded, noise_for
from facereenact.pipelines.batching import WindowsAtOnce
from facereenact.pipelines.sampling import Predictor
from facereenact.pipelines.source import EncodedSource, reference_features, source_condition
from facereenact.renderers.chunks import chunks_of
from facereenact.renderers.diffusion_clip import Diffusion, windows_of

CPU_FRAMES = 1  # measured instead of a whole window, which would take minutes


@dataclass(frozen=True)
class Estimate:
    """What a rendering will cost."""

    chunks: int
    windows: int  # in each step, of all chunks together
    windows_at_once: int  # of these, predicted together
    steps: int
    denoising_s: float
    decoding_s: float
    memory_bytes: int  # of the GPU with all windows at once, or of the process on a CPU, as measured with one

    @property
    def total_s(self) -> float:
        return self.denoising_s + self.decoding_s


@torch.inference_mode()
def estimate(networks: Networks, diffusion: Diffusion, frames: int) -> Estimate:
    """Measure one prediction and one decoded frame, and count how many there will be."""
    chunks = chunks_of(frames, context=diffusion.context)
    windows = [windows_of(chunk, chunks, diffusion) for chunk in chunks]
    denoised = sum(len(window) for each in windows for window in each)
    steps = diffusion.evaluations
    seconds_per_frame, memory_bytes, at_once = _predicted(networks, diffusion, min(frames, diffusion.window))
    count = min(at_once.count, max(map(len, windows)))
    return Estimate(
        chunks=len(chunks),
        windows=sum(map(len, windows)),
        windows_at_once=count,
        steps=steps,
        denoising_s=seconds_per_frame * denoised * steps,
        decoding_s=_decoding_s(networks, diffusion) * frames,
        memory_bytes=memory_bytes + (count - 1) * at_once.window_bytes,
    )


def _predicted(networks: Networks, diffusion: Diffusion, window: int) -> tuple[float, int, WindowsAtOnce]:
    """Seconds of one step for each frame of a window, with guidance if there is any, its memory, and what has room."""
    size, is_guided = diffusion.size, diffusion.sampling.guided
    with networks.use("reference_net") as loaded:
        embeds = torch.zeros(1, 1, loaded[0].config.cross_attention_dim)
        source = EncodedSource(torch.zeros(noise_for(1, size)[:, :, 0].shape), embeds)
        reference = reference_features(loaded[0], source, guided=is_guided, unguided=diffusion.unguided)
    with networks.use("denoising_unet") as loaded:
        unet = loaded[0]
        is_gpu = unet.device.type == "cuda"
        frames = window if is_gpu else min(window, CPU_FRAMES)
        condition = source_condition(unet, source, reference, guided=is_guided)
        channels = unet.config.block_out_channels[0]
        guide = torch.zeros(1, channels, frames, size[1] // 8, size[0] // 8, device=unet.device, dtype=unet.dtype)
        at_once = WindowsAtOnce(unet.device)
        predictor = Predictor(unet, condition, lambda _: guide, [range(frames)], diffusion.sampling, at_once)
        latents = noise_for(frames, size).to(unet.device)
        for _ in range(2):  # the first call also prepares kernels
            start = time.perf_counter()
            predictor(0, torch.tensor(999), latents, lambda _: None)
            if is_gpu:
                torch.cuda.synchronize()
            seconds = time.perf_counter() - start
        memory_bytes = torch.cuda.max_memory_allocated() if is_gpu else peak_memory_bytes()
        del unet, reference, condition, predictor
    return seconds / frames, memory_bytes, at_once


def _decoding_s(networks: Networks, diffusion: Diffusion) -> float:
    with networks.use("decoder") as loaded:
        start = time.perf_counter()
        for _ in decoded(loaded[0], noise_for(1, diffusion.size)):
            pass
        return time.perf_counter() - start
