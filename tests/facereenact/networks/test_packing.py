"""pack(): the same results from weights laid out for a CPU."""

from __future__ import annotations

import copy
import gc
import weakref
from typing import Any

import pytest
import torch

from facereenact.networks import packing
from facereenact.networks.packing import PackedConv2d, PackedFeedForward, PackedLinear, pack
from tests.facereenact.networks import tiny
from tests.facereenact.networks.tiny import assert_same, draw

needs_onednn = pytest.mark.skipif(not packing._has_operators(), reason="needs a build of torch with oneDNN")


def packed(network: Any) -> Any:
    other = copy.deepcopy(network)
    pack(other)
    return other


@needs_onednn
@pytest.mark.parametrize("frames", [1, 3])
def test_the_denoising_unet_computes_the_same(frames: int) -> None:
    unet, features = tiny.denoising_unet(), tiny.features()
    given = *tiny.inputs(frames), features
    other = packed(unet)
    kinds = {type(module) for module in other.modules()}
    assert {PackedConv2d, PackedFeedForward, PackedLinear} <= kinds
    assert not kinds & {torch.nn.Linear, torch.nn.Conv2d}
    assert_same(other(*given), unet(*given))


@needs_onednn
def test_the_other_networks_compute_the_same() -> None:
    net, guider, picture = tiny.reference_net(), tiny.pose_guider(), draw(1, 3, 2, 40, 24)
    latents, embeds = draw(2, 4, tiny.HEIGHT, tiny.WIDTH), draw(2, 1, 32)
    for found, expected in zip(packed(net)(latents, embeds).values(), net(latents, embeds).values(), strict=True):
        assert_same(found, expected)
    assert_same(packed(guider)(picture), guider(picture))


@needs_onednn
def test_bfloat16_is_left_alone_where_the_processor_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    kinds = {type(module) for module in packed(tiny.denoising_unet().to(torch.bfloat16)).modules()}
    assert torch.nn.Linear in kinds and PackedLinear not in kinds
    assert PackedLinear in {type(module) for module in packed(tiny.denoising_unet()).modules()}


@needs_onednn
def test_bfloat16_stays_as_close_to_float32() -> None:
    unet, features = tiny.denoising_unet(), tiny.features()
    given = *tiny.inputs(2), features
    exact, low = unet(*given), copy.deepcopy(unet).to(torch.bfloat16)
    latents, timestep, embeds, guide = (each.to(torch.bfloat16) if each.ndim else each for each in given[:4])
    halves = {layer: tokens.to(torch.bfloat16) for layer, tokens in features.items()}
    errors = [
        float((each(latents, timestep, embeds, guide, halves).float() - exact).norm() / exact.norm())
        for each in (low, packed(low))
    ]
    assert errors[1] < 1.5 * errors[0]


@needs_onednn
def test_the_plain_weights_are_freed() -> None:
    unet = tiny.denoising_unet()
    held = [weakref.ref(unet.get_submodule(name)) for name in ("conv_in", "mid_block.attentions.0.proj_in")]
    pack(unet)
    gc.collect()
    assert [each() for each in held] == [None, None]


def test_what_cannot_be_packed_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    half = tiny.pose_guider().to(torch.float16)
    pack(half)
    assert any(isinstance(module, torch.nn.Conv2d) for module in half.modules())
    monkeypatch.setattr(packing, "OPERATORS", ("an operator that no torch has",))
    plain = tiny.pose_guider()
    pack(plain)
    assert any(isinstance(module, torch.nn.Conv2d) for module in plain.modules())
