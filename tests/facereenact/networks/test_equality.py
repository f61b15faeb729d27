"""Nothing is computed twice, and nothing that has no effect: each such saving leaves the result as it was."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import Tensor

from facereenact.networks import DeepFeatures, DenoisingUNet, ReferenceAttnProcessor, pieces
from facereenact.networks.attention import ImageAttention, temporal_attention
from facereenact.networks.conditioning import LayerCondition
from tests.facereenact.networks import tiny
from tests.facereenact.networks.tiny import assert_same, draw

FRAMES = 3


def attention(cross: int | None = None) -> Attention:
    layer = Attention(query_dim=32, cross_attention_dim=cross, heads=4, dim_head=8, processor=AttnProcessor2_0())
    return tiny.random_weights(layer)  # type: ignore[return-value]


def counted(network: DenoisingUNet, ending: str) -> list[str]:
    """Grows by a name whenever a module whose name ends so is called."""
    calls: list[str] = []

    def keep(name: str) -> Any:
        return lambda *_: calls.append(name)

    for name, module in network.named_modules():
        if name.endswith(ending):
            module.register_forward_hook(keep(name))
    return calls


def test_the_source_is_projected_once_for_all_steps() -> None:
    unet, features = tiny.denoising_unet(), tiny.features()
    latents, timestep, embeds, guide = tiny.inputs(FRAMES)
    expected = unet(latents, timestep, embeds, guide, features)
    condition = unet.condition(embeds, features)
    keys, image = counted(unet, ".attn1.to_k"), counted(unet, ".attn2.to_v")
    for _ in range(2):
        assert_same(unet(latents, timestep, None, guide, condition), expected)
    spatial = [name for name in keys if ".attentions." in name]
    assert len(spatial) == 2 * len(features)  # those of the frames alone
    assert [name for name in image if ".attentions." in name] == []


def test_reference_attention_is_attention_over_both_kinds_of_tokens() -> None:
    layer, own, reference = attention(), draw(4, 6, 32), draw(2, 5, 32, seed=5)  # two rows of two frames
    both = torch.cat([own, reference.repeat_interleave(2, dim=0)], dim=1)
    expected = layer(own, encoder_hidden_states=both)
    layer.set_processor(ReferenceAttnProcessor())
    projected = tuple((layer.to_k(tokens[None]), layer.to_v(tokens[None])) for tokens in reference)
    assert_same(layer(own, condition=LayerCondition(draw(2, 1, 32), projected)), expected)


def test_attention_to_a_single_token_does_not_depend_on_the_query() -> None:
    layer, embeds = attention(cross=48), draw(2, 1, 48, seed=5)
    expected = layer(draw(2, 6, 32), encoder_hidden_states=embeds)
    assert_same(ImageAttention(layer)(embeds).expand(-1, 6, -1), expected)


def test_several_image_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match="2 tokens"):
        ImageAttention(attention(cross=48))(draw(2, 2, 48))


@pytest.mark.parametrize("frames", [1, 4])
def test_attention_over_time(frames: int) -> None:
    """Of a single frame only the values matter."""
    layer, tokens = attention(), draw(frames, 6, 32)
    assert_same(temporal_attention(layer, tokens), layer(tokens.transpose(0, 1)).transpose(0, 1))


def test_a_single_frame_has_no_queries_over_time() -> None:
    unet, features = tiny.denoising_unet(), tiny.features()
    calls = counted(unet, ".to_q")
    unet(*tiny.inputs(1), features)
    assert [name for name in calls if ".motion_modules." in name] == []


@pytest.mark.parametrize("frames", [1, FRAMES])
def test_what_both_rows_share_is_computed_once(frames: int) -> None:
    unet, features = tiny.denoising_unet(), tiny.features()
    latents, timestep, embeds, guide = tiny.inputs(frames)
    expected = unet(latents, timestep, embeds, guide, features)
    sizes: list[int] = []
    unet.down_blocks[0].resnets[0].register_forward_hook(lambda _, given, out: sizes.append(len(out)))
    assert_same(unet(latents[:1], timestep, embeds, guide[:1], features), expected)
    assert sizes == [frames]


@pytest.mark.parametrize("reference", ["features", "only the second row"])
def test_rows_together_are_rows_alone(reference: str) -> None:
    unet, features = tiny.denoising_unet(), tiny.features()
    latents, timestep, embeds, guide = tiny.inputs(FRAMES)
    second = {layer: tokens[1:] for layer, tokens in features.items()}
    condition = unet.condition(embeds, features if reference == "features" else [None, second])
    together = unet(latents, timestep, None, guide, condition)
    alone = [unet(latents[:1], timestep, None, guide[:1], condition.row(row)) for row in range(2)]
    assert_same(torch.cat(alone), together)
    assert not torch.allclose(*alone, atol=1e-3)


def test_a_row_without_reference_attends_to_itself() -> None:
    unet = tiny.denoising_unet()
    latents, timestep, embeds, guide = tiny.inputs(FRAMES)
    second = {layer: tokens[1:] for layer, tokens in tiny.features().items()}
    found = unet(latents, timestep, embeds, guide, [None, second])
    assert_same(found[:1], unet(latents[:1], timestep, embeds[:1], guide[:1], None))


def test_features_of_one_row_serve_all() -> None:
    unet = tiny.denoising_unet()
    one = {layer: tokens[1:] for layer, tokens in tiny.features().items()}
    two = {layer: tokens.repeat(2, 1, 1) for layer, tokens in one.items()}
    assert_same(unet(*tiny.inputs(FRAMES), one), unet(*tiny.inputs(FRAMES), two))


def test_several_windows_at_once_are_each_alone() -> None:
    unet = tiny.denoising_unet()
    _, timestep, embeds, _ = tiny.inputs(FRAMES)
    condition = unet.condition(embeds, tiny.features())
    latents, guide = draw(2, 4, FRAMES, tiny.HEIGHT, tiny.WIDTH), draw(2, 32, FRAMES, tiny.HEIGHT, tiny.WIDTH, seed=7)
    alone = [unet(latents[w : w + 1], timestep, None, guide[w : w + 1], condition) for w in range(2)]
    rows = (each.repeat_interleave(2, dim=0) for each in (latents, guide))
    noisy, guides = rows
    assert_same(unet(noisy, timestep, None, guides, condition.select([0, 1, 0, 1])), torch.cat(alone))


@pytest.mark.parametrize("rows", [1, 2])
def test_pieces_are_the_whole(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    unet, reference = tiny.denoising_unet(), tiny.features()
    latents, timestep, embeds, guide = tiny.inputs(5)
    given = latents[:rows], timestep, embeds, guide[:rows], reference
    expected, guider, picture = unet(*given), tiny.pose_guider(), draw(1, 3, 5, 96, 80)
    features = guider(picture)
    monkeypatch.setattr(pieces, "CPU_TOKENS", 2 * tiny.HEIGHT * tiny.WIDTH)  # two of five frames
    assert_same(unet(*given), expected)
    assert_same(guider(picture), features)


def test_timesteps_of_rows_may_differ() -> None:
    unet, features = tiny.denoising_unet(), tiny.features()
    latents, _, embeds, guide = tiny.inputs(FRAMES)
    found = unet(latents, torch.tensor([10, 700]), embeds, guide, features)
    for row, timestep in enumerate((10, 700)):
        alone = unet(latents, timestep, embeds, guide, features)
        assert_same(found[row], alone[row])


def test_deep_features_of_the_same_step_change_nothing() -> None:
    unet, features = tiny.denoising_unet(), tiny.features()
    given = *tiny.inputs(FRAMES), features
    expected, deep = unet(*given), DeepFeatures()
    assert_same(unet(*given, deep=deep), expected)
    calls = counted(unet, "mid_block")
    assert_same(unet(*given, deep=deep), expected)
    assert calls == []


def test_with_gradients_the_result_is_the_same() -> None:
    """Without gradients sums are made in place."""
    unet, features = tiny.denoising_unet(), tiny.features()
    given = *tiny.inputs(FRAMES), features
    with torch.no_grad():
        expected = unet(*given)
    unet.train().requires_grad_(True)
    found = unet(*given)
    assert_same(found, expected)
    found.square().mean().backward()
    without: list[str] = [name for name, each in unet.named_parameters() if each.grad is None]
    assert without == []


def test_inputs_are_left_as_they_are() -> None:
    unet, features = tiny.denoising_unet(), tiny.features()
    given: tuple[Tensor, ...] = tiny.inputs(FRAMES)
    before = [each.clone() for each in (*given, *features.values())]
    with torch.inference_mode():
        unet(*given, features)
    assert all(torch.equal(*pair) for pair in zip(before, (*given, *features.values()), strict=True))


def test_image_tokens_are_needed_without_a_condition() -> None:
    latents, timestep, _, guide = tiny.inputs(1)
    with pytest.raises(ValueError, match="image_embeds is needed"):
        tiny.denoising_unet()(latents, timestep, None, guide, tiny.features())


def test_a_configuration_with_another_timestep_embedding_is_refused() -> None:
    with pytest.raises(ValueError, match="flip_sin_to_cos can only be True"):
        DenoisingUNet(**tiny.CONFIG, flip_sin_to_cos=False)
