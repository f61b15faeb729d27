"""What the process has used of its memory."""

from __future__ import annotations

import torch

from facereenact.networks.memory import peak_memory_bytes


def test_peak_memory_is_of_this_process() -> None:
    before = peak_memory_bytes()
    block = torch.ones(1 << 26)  # 256 MiB, written to
    assert peak_memory_bytes() >= before
    assert peak_memory_bytes() > block.nbytes
