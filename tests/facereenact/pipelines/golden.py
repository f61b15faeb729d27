"""The golden cases: tiny networks with random weights, run by the published code.

FACEREENACT_PARITY names their folder; otherwise a folder shared/parity beside the checkout is used.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diffusers import AutoencoderKL
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from facereenact.networks import DenoisingUNet, PoseGuider, ReferenceNet, convert_state_dict

FOLDER = Path(os.environ.get("FACEREENACT_PARITY") or Path(__file__).resolve().parents[4] / "shared" / "parity")

needs_golden = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"needs the golden tensors in {FOLDER}; name yours in FACEREENACT_PARITY"
)


@dataclass(frozen=True)
class Case:
    """Inputs and outputs of one case, and how close one has to come."""

    about: dict[str, Any]
    tensors: dict[str, Tensor]

    def check(self, name: str, found: Tensor, *, tolerance_of: str = "") -> None:
        """Compare with the golden tensor within the tolerance stated beside it, or beside another."""
        expected = self.tensors[name]
        assert found.shape == expected.shape, f"{name}: {tuple(found.shape)} instead of {tuple(expected.shape)}"
        hint = self.about["noise_floor"][tolerance_of or name]["tolerance_hint"]
        difference = (found - expected).double()
        relative = float(difference.norm() / expected.double().norm())
        assert float(difference.abs().max()) <= hint["max_abs"], f"{name}: {float(difference.abs().max()):.2e}"
        assert relative <= hint["rel_l2"], f"{name}: {relative:.2e}"

    @property
    def images(self) -> dict[str, np.ndarray[Any, Any]]:
        with np.load(FOLDER / self.about["images_file"]) as archive:
            return dict(archive)


@cache
def case(name: str) -> Case:
    about = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return Case(about, load_file(FOLDER / f"{name}.safetensors"))


@cache
def config() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / "config.json").read_text("utf-8"))
    return content


def unet_config() -> dict[str, Any]:
    own = config()["unet"]
    return {key: value for key, value in own.items() if key not in ("mid_block_scale_factor", "downsample_padding")}


def weights(name: str) -> dict[str, Tensor]:
    return {key: tensor.float() for key, tensor in load_file(FOLDER / f"weights_{name}.safetensors").items()}


def filled(network: nn.Module, name: str) -> nn.Module:
    network.load_state_dict(convert_state_dict(weights(name)))
    return network.eval().requires_grad_(False)


def reference_net() -> ReferenceNet:
    return filled(ReferenceNet(**unet_config()), "reference_unet")  # type: ignore[return-value]


def denoising_unet() -> DenoisingUNet:
    return filled(DenoisingUNet(**unet_config()), "denoising_unet")  # type: ignore[return-value]


def pose_guider(name: str) -> PoseGuider:
    own = config()["pose_guider"]
    network = PoseGuider(own["conditioning_embedding_channels"], tuple(own["block_out_channels"]))
    return filled(network, f"pose_guider_{name}")  # type: ignore[return-value]


def vae() -> AutoencoderKL:
    network = AutoencoderKL(**config()["vae"])
    network.load_state_dict(weights("vae"))
    return network.eval().requires_grad_(False)


def image_encoder() -> CLIPVisionModelWithProjection:
    network = CLIPVisionModelWithProjection(CLIPVisionConfig(**config()["clip"]))
    network.load_state_dict(weights("image_encoder"), strict=False)
    return network.eval().requires_grad_(False)
