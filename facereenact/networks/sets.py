"""The published sets of networks: which files hold which network, and how each is loaded when it is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from diffusers import AutoencoderKL
from torch import nn
from transformers import CLIPVisionModelWithProjection

from checkpoints.errors import InputError
from facereenact.networks.denoising_unet import DenoisingUNet
from facereenact.networks.loading import load_weights
from facereenact.networks.memory import release_memory
from facereenact.networks.pose_guider import PoseGuider
from facereenact.networks.reference_net import ReferenceNet

SUFFIXES = (".safetensors", ".pth")
STABLE_DIFFUSION = (("cross_attention_dim", 768),)  # where 1.5 differs from the defaults of diffusers' classes


@dataclass(frozen=True)
class Recipe:
    """One network of a published set."""

    network: type[Any]
    files: tuple[str, ...]  # names without suffix, which hold the network together; the first may hold it alone
    config: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True)
class PublishedSet:
    """The networks that are published together."""

    checkpoint: str  # its name in the catalogue
    recipes: Mapping[str, Recipe]


FACE = PublishedSet(
    "moore-face",
    {
        "reference_net": Recipe(ReferenceNet, ("reference_unet",), STABLE_DIFFUSION),
        "denoising_unet": Recipe(DenoisingUNet, ("denoising_unet",), STABLE_DIFFUSION),
        "head_guider": Recipe(PoseGuider, ("pose_guider1",)),
        "mouth_guider": Recipe(PoseGuider, ("pose_guider2",)),
    },
)
BODY = PublishedSet(
    "moore-body",
    {
        "reference_net": Recipe(ReferenceNet, ("reference_unet",), STABLE_DIFFUSION),
        "denoising_unet": Recipe(DenoisingUNet, ("denoising_unet", "motion_module"), STABLE_DIFFUSION),
        "pose_guider": Recipe(PoseGuider, ("pose_guider",)),
    },
)


class Loader(Protocol):
    """Makes one network."""

    def __call__(self) -> nn.Module: ...


class Networks:
    """Networks by name, each loaded when it is asked for."""

    def __init__(self, loaders: Mapping[str, Loader]) -> None:
        self.loaders = dict(loaders)

    def load(self, name: str) -> nn.Module:
        """A new instance of a network."""
        return self.loaders[name]()

    @contextmanager
    def use(self, name: str) -> Iterator[nn.Module]:
        """A network for the time of a `with` block. Its memory is free afterwards if nobody else holds it."""
        network: nn.Module | None = self.load(name)
        try:
            yield network
        finally:
            network = None
            release_memory()
