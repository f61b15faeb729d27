"""The tiny model lies on disk as the published ones do once they are imported."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from checkpoints import is_installed, locate, verify
from checkpoints.published import find
from facereenact.networks import load_body_networks, load_face_networks
from facereenact.tiny_model import make_tiny

ABSENT = re.compile(  # layers that a network of one layer a block does not have, or not where its channels stay
    r"down_blocks\.\d\.(resnets|attentions|motion_modules)\.[1-9]|up_blocks\.\d\.(resnets|attentions|motion_modules)\.[2-9]"
    r"|down_blocks\.2\..*conv_shortcut"
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "checkpoints"
    make_tiny(folder)
    return folder


@pytest.mark.parametrize("name", ["moore-face", "moore-body"])
def test_files_and_keys_are_the_published_ones(root: Path, name: str) -> None:
    folder = locate(name, root=root)
    assert {path.name for path in folder.glob("*.safetensors")} == {file.stored_name for file in find(name).files}
    for file in find(name).files:
        assert file.layout is not None
        found = load_file(folder / file.stored_name)
        assert set(found) == {key for key in file.layout.shapes() if not ABSENT.match(key)}, file.name
        for key, shape in file.layout.shapes().items():
            assert key not in found or found[key].ndim == len(shape)


def test_both_tables_of_a_motion_module_are_the_same(root: Path) -> None:
    tensors = load_file(locate("moore-body", file="motion_module.safetensors", root=root))
    tables = [key for key in tensors if key.endswith("attention_blocks.1.pos_encoder.pe")]
    assert len(tables) == 13
    for key in tables:
        assert torch.equal(tensors[key], tensors[key.replace("blocks.1.pos", "blocks.0.pos")])


def test_every_one_is_installed_and_intact(root: Path) -> None:
    for name in ("moore-face", "moore-body", "sd-vae-ft-mse", "image-encoder", "taesd"):
        assert is_installed(name, root=root)
        assert {each.state for each in verify(name, root=root)} == {"intact"}


def test_guides_and_motion_have_an_effect(root: Path) -> None:
    for networks in (load_face_networks(locate("moore-face", root=root)), load_body_networks(root / "moore-body")):
        for name, network in networks.items():
            assert all(parameter.any() for parameter in network.parameters()), name
