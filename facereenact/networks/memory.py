"""How much memory the process has used, and giving it back when a network is no longer needed."""

from __future__ import annotations

import ctypes
import gc
import re
import sys
from pathlib import Path

import torch


def release_memory() -> None:
    """Return what was freed to the system; allocators otherwise keep it for later."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; others have none
        if trim is not None:
            trim(0)


def peak_memory_bytes() -> int:
    """Of this process so far. The kernel's own mark where there is one: getrusage counts the parent's size in."""
    status = Path("/proc/self/status")
    if status.exists() and (mark := re.search(r"VmHWM:\s+(\d+)", status.read_text())):
        return int(mark[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
