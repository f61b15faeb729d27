"""load_weights() and the published sets: strict, in any type, from any of the formats."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from checkpoints.errors import InputError
from facereenact.networks import DenoisingUNet, PoseGuider, ReferenceNet, loading, packing, sets
from facereenact.networks.loading import load_weights
from facereenact.networks.sets import PublishedSet, Recipe, load_face_networks, load_network
from tests.facereenact.networks import tiny
from tests.facereenact.networks.tiny import assert_same, draw

# Ours to published, the other way round than networks/conversion.py.
PUBLISHED_NAMES = (
    (".attn1.", ".attention_blocks.0."),
    (".attn2.", ".attention_blocks.1."),
    (".pos_embed.pe", ".attention_blocks.0.pos_encoder.pe"),
    (".norm1.", ".norms.0."),
    (".norm2.", ".norms.1."),
    (".norm3.", ".ff_norm."),
)


def as_published(network: nn.Module) -> dict[str, Tensor]:
    """The state of a network under published keys, with what the published files hold besides."""
    state = {key.removeprefix("embedding."): tensor for key, tensor in network.state_dict().items()}
    for key in [key for key in state if ".motion_modules." in key]:
        name = key
        if ".transformer_blocks." in key:
            for ours, theirs in PUBLISHED_NAMES:
                name = name.replace(ours, theirs)
        head, _, tail = name.partition(".motion_modules.")
        index, _, rest = tail.partition(".")
        state[f"{head}.motion_modules.{index}.temporal_transformer.{rest}"] = state.pop(key)
    for key in [key for key in state if key.endswith("attention_blocks.0.pos_encoder.pe")]:
        state[key.replace("blocks.0.pos", "blocks.1.pos")] = state[key].clone()
    for key in [key for key in state if ".attentions." in key and key.endswith("attn2.to_v.weight")]:
        state |= {key.replace("to_v", name): torch.rand(3) for name in ("to_q", "to_k")}
    if isinstance(network, ReferenceNet):
        state["conv_out.weight"] = torch.rand(3)
    return state


def write(path: Path, state: dict[str, Tensor]) -> Path:
    if path.suffix == ".safetensors":
        save_file({key: tensor.contiguous() for key, tensor in state.items()}, path)
    else:
        torch.save(state, path)
    return path


def empty(kind: type[Any]) -> Any:
    with torch.device("meta"):
        return kind(32, (8, 16, 24, 32)) if kind is PoseGuider else kind(**tiny.CONFIG)


@pytest.fixture
def tiny_face(monkeypatch: pytest.MonkeyPatch) -> PublishedSet:
    """The published set with networks of 32 channels."""
    small = {
        name: Recipe(each.network, each.files, {"out_channels": 32, "hidden_channels": (8, 16, 24, 32)})
        if each.network is PoseGuider
        else Recipe(each.network, each.files, tiny.CONFIG)
        for name, each in sets.FACE.recipes.items()
    }
    changed = PublishedSet(sets.FACE.command, small)
    monkeypatch.setattr(sets, "FACE", changed)
    return changed


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("make", [tiny.denoising_unet, tiny.reference_net, tiny.pose_guider])
def test_a_published_file_is_read_in_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, make: Any
) -> None:
    monkeypatch.setattr(loading, "GROUP_VALUES", 50_000)
    network = make()
    path = write(tmp_path / f"net{suffix}", as_published(network))
    loaded = load_weights(empty(type(network)), [path])
    expected = network.state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    assert all(torch.equal(tensor, expected[key]) for key, tensor in loaded.state_dict().items())
    assert not loaded.training
    assert not any(each.requires_grad for each in loaded.parameters())


def test_files_of_the_old_torch_format(tmp_path: Path) -> None:
    network, path = tiny.pose_guider(), tmp_path / "old.pth"
    torch.save(as_published(network), path, _use_new_zipfile_serialization=False)
    picture = draw(1, 3, 2, 32, 24)
    assert torch.equal(load_weights(empty(PoseGuider), [path])(picture), network(picture))


@pytest.mark.parametrize("stored", [torch.float16, torch.float32])
@pytest.mark.parametrize("wanted", [torch.float32, torch.bfloat16])
def test_weights_are_cast_as_they_are_read(tmp_path: Path, stored: torch.dtype, wanted: torch.dtype) -> None:
    state = {key: tensor.to(stored) for key, tensor in as_published(tiny.denoising_unet()).items()}
    loaded = load_weights(empty(DenoisingUNet), [write(tmp_path / "net.safetensors", state)], dtype=wanted)
    assert {tensor.dtype for tensor in loaded.state_dict().values()} == {wanted}
    assert torch.equal(loaded.conv_in.weight, state["conv_in.weight"].to(wanted))


def test_a_network_in_two_files(tmp_path: Path) -> None:
    network = tiny.denoising_unet()
    state = as_published(network)
    motion = {key: tensor for key, tensor in state.items() if "motion_modules" in key}
    spatial = {key: tensor for key, tensor in state.items() if key not in motion}
    paths = [write(tmp_path / "spatial.pth", spatial), write(tmp_path / "motion.safetensors", motion)]
    loaded = load_weights(empty(DenoisingUNet), paths)
    given = *tiny.inputs(2), tiny.features()
    assert_same(loaded(*given), network(*given))


def broken(kind: str) -> dict[str, Tensor]:
    state = as_published(tiny.denoising_unet())
    if kind == "missing":
        del state["conv_in.bias"]
    elif kind == "unknown":
        state["stranger.weight"] = torch.rand(2)
    else:
        state["conv_in.bias"] = torch.rand(5)
    return state


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "1 missing: conv_in.bias"),
        ("unknown", "1 unknown: stranger.weight"),
        ("shape", r"1 of another shape: conv_in.bias is \[5\] instead of \[32\]"),
    ],
)
def test_a_wrong_file_is_refused_with_the_difference(tmp_path: Path, kind: str, said: str) -> None:
    path, network = write(tmp_path / "net.safetensors", broken(kind)), empty(DenoisingUNet)
    with pytest.raises(InputError, match=f"net.safetensors: not the weights of a DenoisingUNet: {said}"):
        load_weights(network, [path])
    assert {tensor.device.type for tensor in network.state_dict().values()} == {"meta"}  # nothing was loaded


def test_another_network_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "net.safetensors", as_published(tiny.pose_guider()))
    with pytest.raises(InputError, match=r"missing: .* and \d+ more; 16 unknown"):
        load_weights(empty(ReferenceNet), [path])


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.abort, ()


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    torch.save({"conv_in.weight": Trap()}, tmp_path / "net.pth")
    with pytest.raises(InputError, match="is refused"):
        load_weights(empty(PoseGuider), [tmp_path / "net.pth"])


def test_a_file_that_was_cut_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "net.safetensors", as_published(tiny.pose_guider()))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="not a complete safetensors file"):
        load_weights(empty(PoseGuider), [path])


def test_a_published_set_from_a_folder(tmp_path: Path, tiny_face: PublishedSet) -> None:
    for name, file, make in (
        ("reference_net", "reference_unet.pth", tiny.reference_net),
        ("denoising_unet", "denoising_unet.safetensors", tiny.denoising_unet),
        ("head_guider", "pose_guider1.safetensors", tiny.pose_guider),
        ("mouth_guider", "pose_guider2.pth", tiny.pose_guider),
    ):
        assert name in tiny_face.recipes
        write(tmp_path / file, as_published(make()))
    loaded = load_face_networks(tmp_path)
    assert list(loaded) == list(tiny_face.recipes)
    given = *tiny.inputs(2), tiny.features()
    assert_same(loaded["denoising_unet"](*given), tiny.denoising_unet()(*given))


def test_a_missing_file_is_named_with_the_cure(tmp_path: Path, tiny_face: PublishedSet) -> None:
    with pytest.raises(InputError, match=r"has no denoising_unet.safetensors; run: .* import moore-face FOLDER"):
        load_network(tiny_face, "denoising_unet", tmp_path, dtype=torch.float32, device="cpu")


@pytest.mark.parametrize("make", [tiny.denoising_unet, tiny.reference_net, tiny.pose_guider])
def test_saving_and_loading_leaves_the_network_as_it_was(tmp_path: Path, make: Any) -> None:
    network = make()
    network.save_pretrained(tmp_path)
    loaded = type(network).from_pretrained(tmp_path)
    expected = network.state_dict()
    assert all(torch.equal(tensor, expected[key]) for key, tensor in loaded.state_dict().items())
    assert load_file(tmp_path / "diffusion_pytorch_model.safetensors").keys() == expected.keys()


def test_a_saved_network_is_part_of_a_set(tmp_path: Path, tiny_face: PublishedSet) -> None:
    network = tiny.pose_guider()
    network.save_pretrained(tmp_path / "head_guider")
    loaded = load_network(tiny_face, "head_guider", tmp_path, dtype=torch.float32, device="cpu")
    picture = draw(1, 3, 2, 32, 24)
    assert torch.equal(loaded(picture), network(picture))


def test_networks_are_made_when_asked_for_and_laid_out_for_the_cpu(tmp_path: Path, tiny_face: PublishedSet) -> None:
    networks = sets.face_networks(tmp_path, vae=tmp_path / "vae", image_encoder=tmp_path / "clip")
    unet = tiny.denoising_unet()
    write(tmp_path / "denoising_unet.safetensors", as_published(unet))
    given = *tiny.inputs(2), tiny.features()
    loaded = networks.load("denoising_unet")
    assert_same(loaded(*given), unet(*given))
    assert loaded is not networks.load("denoising_unet")
    if packing._has_operators():
        assert any(isinstance(module, packing.PackedConv2d) for module in loaded.modules())
    with pytest.raises(InputError, match="pull sd-vae-ft-mse"):
        networks.load("vae")
    with pytest.raises(InputError, match="pull image-encoder"):
        networks.load("image_encoder")
