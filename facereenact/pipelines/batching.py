"""How many windows of a step the networks predict together."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch

MOST = 4  # windows: a GPU is nearly busy with one of 24 frames, and kernels count the values of a tensor in 31 bits
SHARE = 0.8  # of the free memory: what is free lies in pieces, and the features of guides still to come need some

log = logging.getLogger(__name__)


class WindowsAtOnce:
    """One window at first, whose memory is measured, then as many as a GPU has room for.

    On a CPU it stays one. The networks work through the frames of a window in pieces that fill it already: at full size
    four windows together took as long as one after the other.
    """

    def __init__(self, device: torch.device) -> None:
        self.count = 1
        self.window_bytes = 0  # what each takes besides the weights; 0 where it was not measured
        self._device = device
        self._is_settled = device.type != "cuda"

    @contextmanager
    def observed(self) -> Iterator[None]:
        """For the prediction of a window."""
        if self._is_settled:
            yield
            return
        torch.cuda.reset_peak_memory_stats(self._device)
        held = torch.cuda.memory_allocated(self._device)
        yield
        self.window_bytes = torch.cuda.max_memory_allocated(self._device) - held
        free_bytes, _ = torch.cuda.mem_get_info(self._device)
        free_bytes += torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(self._device)
        self.count = min(max(1, int(SHARE * free_bytes / max(self.window_bytes, 1))), MOST)
        self._is_settled = True

    def reduce(self) -> None:
        """Stay with one: there was less room than it seemed."""
        log.warning("the GPU is out of memory: going on with one window at a time instead of %d", self.count)
        self.count, self._is_settled = 1, True
        torch.cuda.empty_cache()
