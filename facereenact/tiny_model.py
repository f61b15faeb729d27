"""A complete diffusion model of random numbers, small enough to run on any machine: what it renders is noise."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from checkpoints.digests import sha256_of
from checkpoints.errors import InputError, OutputError
from checkpoints.published import find
from checkpoints.storage import StoredFile, write_record
from checkpoints.weights import separate
from facereenact.networks import DenoisingUNet, PoseGuider, ReferenceNet
from facereenact.networks.conversion import converted_names, rename

Files = Mapping[str, Mapping[str, Tensor]]
"""Name of a file without suffix -> its tensors."""

Config = Mapping[str, Any]

SIDE_PX = 128  # of the square that it renders
SOURCE = "make-tiny"

# Deep enough that the smallest feature map has 2x2 pixels: over a single one the motion modules' norm is a sign.
UNET: dict[str, Any] = {
    "sample_size": SIDE_PX // 8,
    "block_out_channels": (32, 64, 64, 64),
    "layers_per_block": 1,
    "norm_num_groups": 8,
    "cross_attention_dim": 32,
    "attention_head_dim": 8,
}
GUIDER: dict[str, Any] = {"out_channels": 32, "hidden_channels": (8, 16, 24, 32)}
VAE: dict[str, Any] = {
    "block_out_channels": (16, 16, 32, 32),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "norm_num_groups": 8,
    "sample_size": SIDE_PX,
}
DECODER: dict[str, Any] = {"encoder_block_out_channels": (8,) * 4, "decoder_block_out_channels": (8,) * 4}
CLIP: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 224,
    "patch_size": 28,
    "projection_dim": UNET["cross_attention_dim"],
}


def make_tiny(root: Path, *, seed: int = 0) -> list[Path]:
    """Write the checkpoints of the diffusion renderer, tiny and random, as the published ones are once installed.

    The files have the names and the keys that `facereenact checkpoints import` leaves, so that they are read by the
    same code.

    Args:
        root: a folder of checkpoints of its own; made if it does not exist.
        seed: of the random numbers.

    Returns:
        The folders made.

    Raises:
        InputError: `root` holds checkpoints already.
        OutputError: it cannot be written.
    """
    if root.exists() and any(root.iterdir()):
        raise InputError(f"{root} is not empty; give a new folder, so that no real checkpoint is replaced")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = {
            "moore-face": _moore("moore-face", "pose_guider1", "pose_guider2"),
            "sd-vae-ft-mse": _library("diffusion_pytorch_model", AutoencoderKL(**VAE)),
            "image-encoder": _library("model", CLIPVisionModelWithProjection(CLIPVisionConfig(**CLIP))),
            "taesd": _library("diffusion_pytorch_model", _small_decoder()),
            "moore-body": _moore("moore-body", "pose_guider"),
        }
    try:
        return [_write(root / name, files, config) for name, (files, config) in made.items()]
    except OSError as error:
        raise OutputError(f"{root} cannot be written: {error.strerror or error}") from error


def _moore(checkpoint: str, *guiders: str) -> tuple[Files, Config]:
    """The files of a published set, and the sizes of its networks in our words."""
    unet = DenoisingUNet(**UNET)
    networks = {"denoising_unet": unet, "motion_module": unet, "reference_unet": ReferenceNet(**UNET)}
    networks |= {name: PoseGuider(**GUIDER) for name in guiders}
    for network in networks.values():
        _wake(network)
    plain = UNet2DConditionModel(**UNET).state_dict()
    files = {}
    for file in find(checkpoint).files:
        assert file.layout is not None
        name = file.stored_name.removesuffix(".safetensors")
        files[name] = published(file.layout.shapes(), networks[name].state_dict(), plain)
    sizes = dict.fromkeys(("head_guider", "mouth_guider", "pose_guider"), GUIDER)
    return files, {"denoising_unet": UNET, "reference_net": UNET, **sizes}


def published(keys: Iterable[str], own: Mapping[str, Tensor], plain: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a published file, as far as networks of this size have them.

    Args:
        keys: of the file at full size.
        own: our tensors.
        plain: those of Stable Diffusion, for what the published networks have of it and ours leave out.
    """
    found = {}
    for key, name in converted_names(keys).items():
        twin = rename(key.replace(".attention_blocks.1.pos_encoder.", ".attention_blocks.0.pos_encoder."))
        tensors = [each for each in (own.get(name or ""), plain.get(key), own.get(twin)) if each is not None]
        if tensors:
            found[key] = tensors[0]
    return found


def _library(file: str, network: Any) -> tuple[Files, Config]:
    """The one file of a network of a library, and the library's own configuration."""
    config = network.config
    return {file: network.state_dict()}, config.to_dict() if isinstance(config, CLIPVisionConfig) else dict(config)


def _small_decoder() -> AutoencoderTiny:
    """Its pictures are grey: those of random numbers around zero would be black."""
    network = AutoencoderTiny(**DECODER)
    nn.init.constant_(network.decoder.layers[-1].bias, 0.5)
    return network


def _wake(network: nn.Module) -> None:
    """Random numbers where a network begins with zeros, so that its guides and its motion modules have an effect."""
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)


def _write(folder: Path, files: Files, config: Config) -> Path:
    folder.mkdir(parents=True)
    for name, tensors in files.items():
        save_file(separate(dict(tensors)), folder / f"{name}.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=2), "utf-8")
    record = {
        path.name: StoredFile(
            sha256=sha256_of(path),
            bytes=path.stat().st_size,
            published_name=path.name,
            published_sha256="",
            checked="keys and shapes",
            source=SOURCE,
        )
        for path in folder.iterdir()
    }
    write_record(folder, record)
    return folder
