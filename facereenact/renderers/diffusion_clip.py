"""What a diffusion renderer renders, and how: a clip of any length with any guides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from diffusers import SchedulerMixin
from numpy.typing import NDArray

from facereenact.pipelines.guides import Masks
from facereenact.pipelines.sampling import Sampling
from facereenact.pipelines.schedulers import set_timesteps
from facereenact.pipelines.source import Unguided
from facereenact.pipelines.windows import context_windows, sliding_windows
from facereenact.renderers.chunks import Chunk

Image = NDArray[np.uint8]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Diffusion:
    """How the networks are used."""

    scheduler: SchedulerMixin
    sampling: Sampling
    window: int = 24
    overlap: int = 4
    seed: int = 0
    body_scale: float = 1.0
    head_scale: float = 1.0
    mouth_scale: float = 1.0
    size: tuple[int, int] = (512, 512)  # width, height of the rendering, divisible by 8
    unguided: Unguided = "zero latents"  # as the weights were trained
    keep_background: bool = True  # around a pasted face

    @property
    def context(self) -> int:
        """Frames of the chunk before that a chunk goes on from."""
        return max(2 * self.overlap, self.window // 2)

    @property
    def evaluations(self) -> int:
        """How often the network is evaluated for a window: some schedulers look twice in a step."""
        return len(set_timesteps(self.scheduler, self.sampling.steps))

    @property
    def plan(self) -> dict[str, Any]:
        """All of it that latents depend on, beside the guides, in plain values; the same in every process."""
        config = {name: value for name, value in self.scheduler.config.items() if not name.startswith("_")}
        return {
            **{name: getattr(self, name) for name in ("window", "overlap", "seed", "size", "unguided")},
            "sampling": asdict(self.sampling),
            "scheduler": {"class": type(self.scheduler).__name__, **config},
        }


@dataclass(frozen=True, eq=False)
class ClipGuide:
    """One guide of a clip: the network that sees it, and how much it counts where."""

    guider: str  # name among the networks
    pictures: Sequence[Image]  # of every frame; they may be drawn when they are asked for
    scale: float
    masks: Masks | None = None  # None: everywhere


@dataclass(frozen=True, eq=False)
class Clip:
    """What is rendered."""

    source: Image  # what the networks see of it, of any size
    guides: tuple[ClipGuide, ...]
    content: Mapping[str, object]  # what tells source and guides from others

    @property
    def frames(self) -> int:
        return len(self.guides[0].pictures)


class Drawn(Sequence[Item]):
    """Pictures that are drawn when they are asked for."""

    def __init__(self, count: int, draw: Callable[[int], Item]) -> None:
        self._count, self._draw = count, draw

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        return self._draw(range(self._count)[index])


def windows_of(chunk: Chunk, chunks: Sequence[Chunk], diffusion: Diffusion) -> list[list[int]]:
    """Frames of a chunk, from 0 at the first held one, that are denoised together.

    A clip of one chunk has the published windows, of which the last ones wrap around; parts of a clip have not, since
    their ends do not meet.
    """
    windows = context_windows if len(chunks) == 1 else sliding_windows
    return windows(len(chunk.frames), size=diffusion.window, overlap=diffusion.overlap)


def generator_for(seed: int, chunk: Chunk) -> torch.Generator:
    """The source of a chunk's noise: the seed itself for the first, as in the published code."""
    return torch.Generator().manual_seed((seed + chunk.index * 0x9E3779B97F4A7C15) % 2**63)
