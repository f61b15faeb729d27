"""Every network and every layer computes what the published code computes."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from facereenact.networks import DenoisingUNet, ReferenceFeatures, convert_state_dict
from facereenact.networks.attention import temporal_attention
from facereenact.networks.motion_module import MotionModule
from facereenact.networks.packing import pack
from tests.facereenact.pipelines import golden
from tests.facereenact.pipelines.golden import case, needs_golden

pytestmark = needs_golden

CASES = ("main", "odd", "f1")  # odd: sizes that are not divisible by 8 in the latents; f1: a single frame


def golden_features(name: str) -> ReferenceFeatures:
    """The published features under our names: both list them in the order of the network."""
    about, tensors = case("face_reference_unet").about, case("face_reference_unet").tensors
    keys = [f"{name}.feat.{index:02}.{key}" for index, key in enumerate(about["feature_order"])]
    sample = tensors[f"{name}.sample"].squeeze(2)
    layers = list(golden.reference_net()(sample, tensors[f"{name}.encoder_hidden_states"]))
    return dict(zip(layers, (tensors[key] for key in keys), strict=True))


def unet_inputs(about: str, name: str, rows: slice = slice(None)) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    tensors = case(about).tensors
    sample, embeds, guide = (
        tensors[f"{name}.{key}"][rows] for key in ("sample", "encoder_hidden_states", "pose_cond_fea")
    )
    return sample, tensors[f"{name}.timestep"], embeds, guide


@pytest.fixture(params=["plain", "packed"])
def unet(request: pytest.FixtureRequest) -> DenoisingUNet:
    network = golden.denoising_unet()
    if request.param == "packed":
        pack(network)
    return network


@pytest.mark.parametrize("prefix", ["", "odd."])
def test_pose_guider(prefix: str) -> None:
    golden_case = case("pose_guider")
    found = golden.pose_guider("1")(golden_case.tensors[f"{prefix}in"])
    golden_case.check(f"{prefix}out", found)


@pytest.mark.parametrize("name", CASES)
def test_reference_net(name: str) -> None:
    golden_case = case("face_reference_unet")
    tensors, order = golden_case.tensors, golden_case.about["feature_order"]
    features = golden.reference_net()(tensors[f"{name}.sample"].squeeze(2), tensors[f"{name}.encoder_hidden_states"])
    assert len(features) == len(order)
    for index, (key, tokens) in enumerate(zip(order, features.values(), strict=True)):
        golden_case.check(f"{name}.feat.{index:02}.{key}", tokens)


@pytest.mark.parametrize("name", CASES)
def test_denoising_unet(name: str, unet: DenoisingUNet) -> None:
    found = unet(*unet_inputs("face_denoising_unet", name), golden_features(name))
    case("face_denoising_unet").check(f"{name}.out", found)


def test_denoising_unet_without_reference(unet: DenoisingUNet) -> None:
    found = unet(*unet_inputs("face_denoising_unet", "main"), None)
    case("face_denoising_unet").check("main.out_without_reference", found)


def test_denoising_unet_with_the_guided_row_only(unet: DenoisingUNet) -> None:
    features = {layer: tokens[1:] for layer, tokens in golden_features("main").items()}
    found = unet(*unet_inputs("face_denoising_unet", "main", slice(1, None)), features)
    case("face_denoising_unet").check("main.out_cond_only", found)


def test_layers_of_the_denoising_unet() -> None:
    """The outputs of modules, row 1 and frames 0 and 3."""
    network, golden_case = golden.denoising_unet(), case("face_denoising_unet")
    names = [key.removeprefix("main.trace.") for key in golden_case.tensors if key.startswith("main.trace.")]
    found: dict[str, Tensor] = {}

    def keep(name: str) -> object:
        def hook(module: nn.Module, given: object, out: Tensor | tuple[Tensor, ...]) -> None:
            found[name] = (out if isinstance(out, Tensor) else out[0]).clone()

        return network.get_submodule(name).register_forward_hook(hook)

    for name in names:
        keep(name)
    network(*unet_inputs("face_denoising_unet", "main"), golden_features("main"))
    assert len(names) > 10
    assert set(names) == set(found)
    for name, out in found.items():
        expected = golden_case.tensors[f"main.trace.{name}"]
        if name == "time_embedding":
            out = out.expand_as(expected)
        else:
            out = out.view(2, 4, *out.shape[1:])[1:, [0, 3]].transpose(1, 2)
        relative = float((out - expected).norm() / expected.norm())
        assert relative < 1e-5, f"{name}: {relative:.1e}"


@pytest.mark.parametrize("name", ["main", "odd"])
def test_body_networks(name: str, unet: DenoisingUNet) -> None:
    """The unguided row has no reference; the ReferenceNet's file lacks the output layers."""
    golden_case, network = case("body_unets"), golden.reference_net()
    published = {
        key: tensor
        for key, tensor in golden.weights("reference_unet").items()
        if not key.startswith(("conv_norm_out", "conv_out"))
    }
    network.load_state_dict(convert_state_dict(published), strict=True)
    tensors = golden_case.tensors
    features = network(tensors[f"{name}.reference_sample"], tensors[f"{name}.encoder_hidden_states"][1:])
    for index, module in enumerate(golden_case.about["bank_modules"]):
        key = f"{name}.bank.{index:02}.{module}"
        both = torch.cat([tensors[key][:1], features[f"{module}.attn1.processor"]])  # row 0 is not used
        golden_case.check(key, both)
    found = unet(*unet_inputs("body_unets", name), [None, features])
    golden_case.check(f"{name}.out_bank_fp32", found)


@pytest.mark.parametrize("name", ["f7", "f1", "f32"])
def test_motion_module(name: str) -> None:
    golden_case, module = case("motion_module"), motion_module()
    video = golden_case.tensors[f"{name}.in"]
    rows, frames = video.shape[0], video.shape[2]
    found = module(video.transpose(1, 2).flatten(0, 1), num_frames=frames)
    golden_case.check(f"{name}.out", found.view(rows, frames, *found.shape[1:]).transpose(1, 2))


def test_temporal_attentions() -> None:
    """Each alone: positions are added after the norm, so that queries, keys and values all have them."""
    tensors, block = case("motion_module").tensors, motion_module().transformer_blocks[0]
    for row in range(2):
        tokens = tensors["f7.attn0_in"].view(2, 7, 15, 64)[row]
        found = temporal_attention(block.attn1, tokens + block.pos_embed.pe[0, :7, None])
        expected = tensors["f7.attn0_out"].view(2, 7, 15, 64)[row]
        assert float((found - expected).norm() / expected.norm()) < 1e-5
    torch.testing.assert_close(block.pos_embed.pe, tensors["pe"])


def motion_module() -> MotionModule:
    module = golden.denoising_unet().down_blocks[1].motion_modules[0]
    published = load_file(golden.FOLDER / "weights_motion_module.safetensors")
    module.load_state_dict({key: tensor.float() for key, tensor in convert_state_dict(published).items()})
    assert isinstance(module, MotionModule)
    return module


def test_blocks_where_the_epsilon_of_the_norms_counts() -> None:
    golden_case = case("blocks_small_amplitude")
    video, picture, temb, embeds = (
        golden_case.tensors[key] for key in ("in3d", "in2d", "temb", "encoder_hidden_states")
    )
    maps, frames = video.transpose(1, 2).flatten(0, 1), video.shape[2]

    def as_video(out: Tensor) -> Tensor:
        return out.view(-1, frames, *out.shape[1:]).transpose(1, 2)

    block = golden.denoising_unet().down_blocks[0]
    golden_case.check("resnet3d.out", as_video(block.resnets[0](maps, temb)))
    golden_case.check("transformer3d.out", as_video(block.attentions[0](maps, encoder_hidden_states=embeds)[0]))
    golden_case.check("motion.out", as_video(block.motion_modules[0](maps, num_frames=frames)))
    golden_case.check("conv_norm_out.out", as_video(golden.denoising_unet().conv_norm_out(maps)))
    flat = golden.reference_net().down_blocks[0]
    golden_case.check("resnet2d.out", flat.resnets[0](picture, temb))
    golden_case.check("transformer2d.out", flat.attentions[0](picture, encoder_hidden_states=embeds)[0])
