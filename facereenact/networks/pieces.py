"""Working through a batch of frames in pieces that fit the cache of a CPU, or the memory of a GPU."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# Tokens (positions of all frames) at once. On a CPU a frame of 512x512 at the first level, whose intermediate results
# then stay near the cache; on a GPU enough to fill it, few enough that a window of 24 frames fits beside the weights.
CPU_TOKENS, GPU_TOKENS = 4096, 1 << 17


def tokens_at_once(device: torch.device) -> int:
    """How many tokens to process together on a device."""
    return CPU_TOKENS if device.type == "cpu" else GPU_TOKENS


def frames_at_once(maps: Tensor) -> int:
    """How many of the maps (frames, channels, height, width) to process together."""
    return max(1, tokens_at_once(maps.device) // (maps.shape[-2] * maps.shape[-1]))


def by_frames(function: Callable[..., Tensor], *maps: Tensor) -> Tensor:
    """`function` of maps (frames, channels, height, width), a few frames at a time; it treats each frame alone."""
    total, count = len(maps[0]), frames_at_once(maps[0])
    if total <= count:
        return function(*maps)
    out: Tensor | None = None
    for start in range(0, total, count):
        piece = function(*(each[start : start + count] for each in maps))
        if out is None:
            out = empty_maps(total, like=piece)
        out[start : start + count] = piece
    assert out is not None
    return out


def empty_maps(frames: int, *, like: Tensor) -> Tensor:
    """Uninitialised channels-last maps of the shape and type of others."""
    shape = (frames, *like.shape[1:])
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last)


def add(total: Tensor, change: Tensor) -> Tensor:
    """The sum; without gradients it overwrites `total`, which nobody else may hold."""
    return total + change if torch.is_grad_enabled() else total.add_(change)
