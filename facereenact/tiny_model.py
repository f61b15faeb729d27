"""A complete diffusion model of random numbers, small enough to run on any machine: what it renders is noise."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from checkpoints.digests import sha256_of
from checkpoints.errors import InputError, OutputError
from checkpoints.storage import StoredFile, write_record
from facereenact.networks import DenoisingUNet, PoseGuider, ReferenceNet

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
    """Write the checkpoints of the diffusion renderer, tiny and random, in the layout of the published ones.

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
        networks: dict[str, dict[str, nn.Module]] = {
            "moore-face": {
                "denoising_unet": DenoisingUNet(**UNET),
                "reference_unet": ReferenceNet(**UNET),
                "pose_guider1": PoseGuider(**GUIDER),
                "pose_guider2": PoseGuider(**GUIDER),
            },
            "sd-vae-ft-mse": {"diffusion_pytorch_model": AutoencoderKL(**VAE)},
            "image-encoder": {"model": CLIPVisionModelWithProjection(CLIPVisionConfig(**CLIP))},
            "taesd": {"diffusion_pytorch_model": AutoencoderTiny(**DECODER)},
            "moore-body": {
                "denoising_unet": DenoisingUNet(**UNET),
                "reference_unet": ReferenceNet(**UNET),
                "pose_guider": PoseGuider(**GUIDER),
            },
        }
        for network in (*networks["moore-face"].values(), *networks["moore-body"].values()):
            _wake(network)
    try:
        return [_write(root / name, files_of(name, members), _config(members)) for name, members in networks.items()]
    except OSError as error:
        raise OutputError(f"{root} cannot be written: {error.strerror or error}") from error


def _wake(network: nn.Module) -> None:
    """Random numbers where a network begins with zeros, so that its guides and its motion modules have an effect."""
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)


def files_of(checkpoint: str, networks: Mapping[str, nn.Module]) -> dict[str, dict[str, Tensor]]:
    """The tensors by published file: the body's motion modules have one of their own."""
    files: dict[str, dict[str, Tensor]] = {}
    for name, network in networks.items():
        for key, tensor in network.state_dict().items():
            is_apart = checkpoint == "moore-body" and "motion_modules" in key
            files.setdefault("motion_module" if is_apart else name, {})[key] = tensor.contiguous()
    return files


def _write(folder: Path, files: Mapping[str, Mapping[str, Tensor]], config: Mapping[str, Any]) -> Path:
    folder.mkdir(parents=True)
    for name, tensors in files.items():
        save_file(dict(tensors), folder / f"{name}.safetensors", metadata={"format": "pt"})
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


def _config(networks: Mapping[str, nn.Module]) -> dict[str, Any]:
    """What tells the size of the networks: diffusers' own file, or ours where there are several in a folder."""
    if len(networks) == 1:
        (network,) = networks.values()
        config = network.config
        return config.to_dict() if isinstance(config, CLIPVisionConfig) else dict(config)  # type: ignore[arg-type]
    guiders = ("head_guider", "mouth_guider", "pose_guider")
    return {"denoising_unet": UNET, "reference_net": UNET, **dict.fromkeys(guiders, GUIDER)}
