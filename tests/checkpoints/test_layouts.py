"""The keys and shapes of the published networks, at full size."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from checkpoints import catalogue, import_files, is_installed, locate
from checkpoints.errors import InputError
from checkpoints.manifest import Shape
from checkpoints.published import find
from tests.checkpoints.server import checkpoint

Tensors = dict[str, torch.Tensor]


def hollow(shapes: dict[str, Shape]) -> Tensors:
    """Tensors of these shapes that take four bytes each."""
    return {key: torch.zeros(1).expand(shape) for key, shape in shapes.items()}


def test_full_size_networks_are_checked(tmp_path: Path) -> None:
    entry = find("moore-face")
    given = tmp_path / "reenact"
    given.mkdir()
    for file in entry.files:
        assert file.layout is not None
        shapes = file.layout.shapes()
        if file.name == "denoising_unet.pth":
            assert len(shapes) == 1274
            shapes = {key: shape for key, shape in shapes.items() if "motion_modules" not in key}
        torch.save(hollow(shapes), given / file.name)
    with pytest.raises(InputError, match=r"denoising_unet.pth .* 588 missing: .* and 583 more$"):
        import_files(entry, tmp_path, root=tmp_path / "root")
    assert not is_installed(entry, root=tmp_path / "root")


def test_published_names_of_other_versions_are_understood(tmp_path: Path) -> None:
    """The VAE is published with old attention names, the image encoder with a table that is no weight."""
    vae = find("sd-vae-ft-mse").files[1].layout
    encoder = find("image-encoder").files[1].layout
    assert vae is not None and encoder is not None
    old = {
        key.replace("to_q.", "query.")
        .replace("to_k.", "key.")
        .replace("to_v.", "value.")
        .replace("to_out.0.", "proj_attn."): shape
        for key, shape in vae.shapes().items()
    }
    assert len(old.keys() - vae.shapes().keys()) == 16
    assert vae.differences(old) == ""
    assert encoder.differences({**encoder.shapes(), "vision_model.embeddings.position_ids": (1, 257)}) == ""
    assert "1 unknown" in encoder.differences({**encoder.shapes(), "text_model.table": (1, 257)})


def test_a_full_size_pose_guider_is_stored(tmp_path: Path) -> None:
    file = next(file for file in find("moore-body").files if file.name == "pose_guider.pth")
    assert file.layout is not None
    entry = checkpoint("", file)
    tensors = {key: torch.rand(shape).half() for key, shape in file.layout.shapes().items()}
    torch.save(tensors, tmp_path / file.name)
    import_files(entry, tmp_path / file.name, root=tmp_path)
    loaded = load_file(locate(entry, file="pose_guider.safetensors", root=tmp_path))
    assert all(torch.equal(loaded[key], tensors[key]) for key in tensors)


def test_every_layout_has_its_manifests() -> None:
    counts = {
        f"{entry.name}/{file.name}": len(file.layout.shapes())
        for entry in catalogue()
        for file in entry.files
        if file.layout is not None
    }
    assert counts == {
        "moore-face/denoising_unet.pth": 1274,
        "moore-face/reference_unet.pth": 686,
        "moore-face/pose_guider1.pth": 16,
        "moore-face/pose_guider2.pth": 16,
        "taesd/diffusion_pytorch_model.safetensors": 134,
        "moore-body/denoising_unet.pth": 686,
        "moore-body/motion_module.pth": 588,
        "moore-body/pose_guider.pth": 16,
        "moore-body/reference_unet.pth": 682,
        "sd-vae-ft-mse/diffusion_pytorch_model.safetensors": 248,
        "image-encoder/pytorch_model.bin": 392,
        "alexnet/alexnet-owt-7be5be79.pth": 10,
        "vgg16/vgg16-397923af.pth": 26,
        "lpips/alex.pth": 5,
        "lpips/vgg.pth": 5,
    }
