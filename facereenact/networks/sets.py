"""The published sets of networks: which files hold which network, and how each is loaded when it is needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from torch import nn
from transformers import CLIPVisionModelWithProjection
from transformers.utils import logging as transformers_logging

from checkpoints.errors import InputError
from facereenact.networks.denoising_unet import DenoisingUNet
from facereenact.networks.loading import load_weights
from facereenact.networks.memory import release_memory
from facereenact.networks.packing import pack
from facereenact.networks.pose_guider import PoseGuider
from facereenact.networks.reference_net import ReferenceNet

SUFFIXES = (".safetensors", ".pth")


@dataclass(frozen=True)
class Recipe:
    """One network of a published set."""

    network: type[Any]
    files: tuple[str, ...]  # names without suffix, which hold the network together; the first may hold it alone
    config: Mapping[str, object] = field(default_factory=dict)  # where it differs from the defaults of the class


@dataclass(frozen=True)
class PublishedSet:
    """The networks that are published together."""

    command: str  # that installs them
    recipes: Mapping[str, Recipe]


STABLE_DIFFUSION = {"cross_attention_dim": 768}
FACE = PublishedSet(
    "facereenact checkpoints import moore-face FOLDER",
    {
        "reference_net": Recipe(ReferenceNet, ("reference_unet",), STABLE_DIFFUSION),
        "denoising_unet": Recipe(DenoisingUNet, ("denoising_unet",), STABLE_DIFFUSION),
        "head_guider": Recipe(PoseGuider, ("pose_guider1",)),
        "mouth_guider": Recipe(PoseGuider, ("pose_guider2",)),
    },
)
BODY = PublishedSet(
    "facereenact checkpoints pull moore-body",
    {
        "reference_net": Recipe(ReferenceNet, ("reference_unet",), STABLE_DIFFUSION),
        "denoising_unet": Recipe(DenoisingUNet, ("denoising_unet", "motion_module"), STABLE_DIFFUSION),
        "pose_guider": Recipe(PoseGuider, ("pose_guider",)),
    },
)


class Networks:
    """Networks by name, each made anew when it is asked for, so that it need not be in memory before or after."""

    def __init__(self, loaders: Mapping[str, Callable[[], nn.Module]]) -> None:
        self.loaders = dict(loaders)

    def load(self, name: str) -> Any:
        """A new instance."""
        return self.loaders[name]()

    @contextmanager
    def use(self, *names: str) -> Iterator[list[Any]]:
        """Networks for the time of a `with` block; their memory is free afterwards if nobody else holds them."""
        networks = [self.load(name) for name in names]
        try:
            yield networks
        finally:
            networks.clear()
            release_memory()


def face_networks(
    folder: Path,
    *,
    vae: Path,
    image_encoder: Path,
    decoder: Path | None = None,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> Networks:
    """The networks of `ReenactmentPipeline`, and the "decoder" that makes pictures of latents.

    Args:
        folder: the published files, as .safetensors or .pth, or a folder that the pipeline saved. Its `config.json`,
            if there is one, says of which size networks are that differ from the published ones.
        vae: folder of diffusers' AutoencoderKL.
        image_encoder: folder of transformers' CLIPVisionModelWithProjection.
        decoder: folder of diffusers' AutoencoderTiny; without it the VAE decodes.

    Raises:
        InputError: when one is loaded: files are missing or are not that network.
    """
    return _networks(FACE, folder, vae, image_encoder, decoder, dtype, torch.device(device))


def body_networks(
    folder: Path,
    *,
    vae: Path,
    image_encoder: Path,
    decoder: Path | None = None,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> Networks:
    """The networks of `PoseAnimationPipeline`, likewise."""
    return _networks(BODY, folder, vae, image_encoder, decoder, dtype, torch.device(device))


def load_face_networks(
    folder: Path, *, dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu"
) -> dict[str, nn.Module]:
    """Both guiders, ReferenceNet and denoising UNet of a face checkpoint, see `face_networks`."""
    return {name: load_network(FACE, name, folder, dtype=dtype, device=device) for name in FACE.recipes}


def load_body_networks(
    folder: Path, *, dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu"
) -> dict[str, nn.Module]:
    """The guider, ReferenceNet and denoising UNet of a body checkpoint, see `body_networks`."""
    return {name: load_network(BODY, name, folder, dtype=dtype, device=device) for name in BODY.recipes}


def load_network(
    published: PublishedSet, name: str, folder: Path, *, dtype: torch.dtype, device: str | torch.device
) -> nn.Module:
    """One network of a set.

    Raises:
        InputError: files are missing or are not that network.
    """
    recipe = published.recipes[name]
    if (folder / name / "config.json").is_file():
        saved: nn.Module = recipe.network.from_pretrained(folder / name, torch_dtype=dtype)
        return saved.to(device).requires_grad_(False).eval()
    paths = {file: _find(folder, file) for file in recipe.files}
    present = [path for path in paths.values() if path is not None]
    missing = [file for file, path in paths.items() if path is None]
    if paths[recipe.files[0]] is None:
        raise InputError(_how_to_get(published, folder, missing))
    with torch.device("meta"):
        network: nn.Module = recipe.network(**{**recipe.config, **_sizes(folder).get(name, {})})
    try:
        return load_weights(network, present, dtype=dtype, device=device)
    except InputError as error:
        raise InputError(f"{error}; {_how_to_get(published, folder, missing)}" if missing else str(error)) from error


def _networks(
    published: PublishedSet,
    folder: Path,
    vae: Path,
    image_encoder: Path,
    decoder: Path | None,
    dtype: torch.dtype,
    device: torch.device,
) -> Networks:
    def own(name: str) -> nn.Module:
        return packed(load_network(published, name, folder, dtype=dtype, device=device))

    def library(network: Any, path: Path, checkpoint: str, **options: Any) -> nn.Module:
        if not (path / "config.json").is_file():
            raise InputError(f"{path} has no config.json; run: facereenact checkpoints pull {checkpoint}")
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        loaded: nn.Module = network.from_pretrained(path, **options)
        transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
        return loaded.to(device).requires_grad_(False).eval()

    def packed(network: nn.Module) -> nn.Module:
        pack(network)
        return network

    def autoencoder() -> nn.Module:
        return packed(library(AutoencoderKL, vae, "sd-vae-ft-mse", torch_dtype=dtype))

    def small_decoder() -> nn.Module:
        assert decoder is not None
        return library(AutoencoderTiny, decoder, "taesd", torch_dtype=dtype)

    loaders: dict[str, Callable[[], nn.Module]] = {
        "vae": autoencoder,
        "decoder": autoencoder if decoder is None else small_decoder,
        "image_encoder": lambda: packed(
            library(CLIPVisionModelWithProjection, image_encoder, "image-encoder", dtype=dtype)
        ),
    }
    return Networks(loaders | {name: lambda name=name: own(name) for name in published.recipes})


def _sizes(folder: Path) -> dict[str, dict[str, Any]]:
    """The arguments of each network, where a folder states them."""
    path = folder / "config.json"
    try:
        content = json.loads(path.read_text("utf-8"))
        return {name: dict(arguments) for name, arguments in content.items() if isinstance(arguments, dict)}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError) as error:
        raise InputError(f"{path} is damaged ({error}); get the checkpoint again") from error


def _find(folder: Path, file: str) -> Path | None:
    return next((folder / f"{file}{suffix}" for suffix in SUFFIXES if (folder / f"{file}{suffix}").is_file()), None)


def _how_to_get(published: PublishedSet, folder: Path, files: list[str]) -> str:
    names = ", ".join(f"{file}.safetensors" for file in files)
    return f"{folder} has no {names}; run: {published.command}"
