"""Which frames of a clip are denoised together."""

from __future__ import annotations

import math


def context_windows(
    frames: int, *, size: int = 24, overlap: int = 4, stride: int = 1, step: int = 0, closed_loop: bool = True
) -> list[list[int]]:
    """The windows of the published pipelines: AnimateDiff's "uniform" scheduler (sliding windows, Guo et al. 2023).

    A clip no longer than a window is one window. Otherwise what reaches beyond the last frame goes on at the first, in
    that order.

    Args:
        frames: length of the clip.
        size: frames of a window.
        overlap: frames that neighbouring windows share.
        stride: the windows of level k, below this, take every 2^k-th frame; levels that would not fit are left out.
        step: of denoising, counted from 0: later steps shift the windows, by the bits of their number. The published
            pipelines pass 0 at every step.
        closed_loop: whether a window may begin in the last `overlap` frames.

    Raises:
        ValueError: the windows would not advance.
    """
    _check(size, overlap)
    if frames <= size:
        return [list(range(frames))]
    shift = _bit_reversed_share(step)
    pad = round(frames * shift)
    end = frames + pad - (0 if closed_loop else overlap)
    levels = min(stride, math.ceil(math.log2(frames / size)) + 1)
    return [
        [(start + each * spacing) % frames for each in range(size)]
        for spacing in (2**level for level in range(levels))
        for start in range(int(shift * spacing) + pad, end, size * spacing - overlap)
    ]


def sliding_windows(frames: int, *, size: int = 24, overlap: int = 4) -> list[list[int]]:
    """Windows that never join the end of a clip to its beginning; the last one overlaps more instead.

    Raises:
        ValueError: the windows would not advance.
    """
    _check(size, overlap)
    last = max(frames - size, 0)
    return [list(range(start, min(start + size, frames))) for start in sorted({*range(0, last, size - overlap), last})]


def _check(size: int, overlap: int) -> None:
    if not 0 <= overlap < size:
        raise ValueError(f"windows of {size} frames cannot overlap by {overlap}")


def _bit_reversed_share(step: int) -> float:
    """The 64 bits of a number, reversed, as a share of 1: 0, 1/2, 1/4, 3/4, 1/8, ..."""
    return int(f"{step:064b}"[::-1], 2) / 2**64
