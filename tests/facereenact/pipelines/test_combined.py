"""The combined pipeline is the body pipeline without face guides, and the face guidance without body guide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from transformers import CLIPVisionModelWithProjection

from checkpoints.errors import InputError
from facereenact.networks import load_body_networks, load_face_networks
from facereenact.pipelines import CombinedPipeline, PoseAnimationPipeline, ReenactmentPipeline, default_scheduler
from facereenact.pipelines.guides import GuideFeatures
from facereenact.tiny_model import make_tiny

FRAMES, WIDTH, HEIGHT = 3, 64, 96


class ReenactmentOnBodyNetworks(ReenactmentPipeline):
    """The face's guidance, where the row without guidance attends to nothing, as the body's networks know it."""

    unguided = "nothing"


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The body's networks with the guiders of the face."""
    face, vae, image_encoder, _, body = make_tiny(tmp_path_factory.mktemp("tiny") / "checkpoints")
    guiders = {name: network for name, network in load_face_networks(face).items() if "guider" in name}
    return {
        "vae": AutoencoderKL.from_pretrained(vae),
        "image_encoder": CLIPVisionModelWithProjection.from_pretrained(image_encoder),
        "scheduler": default_scheduler(),
        **load_body_networks(body),
        **guiders,
    }


@pytest.fixture(scope="module")
def combined(networks: dict[str, Any]) -> CombinedPipeline:
    return silent(CombinedPipeline(**networks))


def silent(pipeline: Any) -> Any:
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def without(networks: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: network for name, network in networks.items() if name not in names}


def pictures(seed: int, count: int = FRAMES) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, HEIGHT, WIDTH, 3), dtype=np.uint8)


BODY = {"pose_guides": pictures(1)}
FACE = {"head_guides": pictures(2), "mouth_guides": pictures(3)}


def disc(count: int = FRAMES) -> list[NDArray[np.float32]]:
    """Masks that are 1 in the upper left quarter, which ends at whole latents."""
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    mask[: HEIGHT // 2, : WIDTH // 2] = 1
    return [mask] * count


def latents(pipeline: Any, **given: Any) -> torch.Tensor:
    usual = {"source": pictures(0)[0], "num_inference_steps": 2, "generator": torch.Generator().manual_seed(0)}
    frames: torch.Tensor = pipeline(**{**usual, **given}, output_type="latent").frames
    return frames


@pytest.mark.parametrize("guidance", [1.0, 3.5])
def test_without_head_and_mouth_it_is_the_body_pipeline(
    networks: dict[str, Any], combined: CombinedPipeline, guidance: float
) -> None:
    body = silent(PoseAnimationPipeline(**without(networks, "head_guider", "mouth_guider")))
    expected = latents(body, **BODY, guidance_scale=guidance)
    scales = {"head_scale": 0.0, "mouth_scale": 0.0}
    found = latents(combined, **BODY, **FACE, **scales, face_masks=disc(), guidance_scale=guidance)
    assert torch.equal(found, expected)
    assert not torch.equal(latents(combined, **BODY, **FACE, face_masks=disc(), guidance_scale=guidance), expected)


@pytest.mark.parametrize("guidance", [1.0, 3.5])
def test_without_the_body_it_is_the_face_guidance(
    networks: dict[str, Any], combined: CombinedPipeline, guidance: float
) -> None:
    face = silent(ReenactmentOnBodyNetworks(**without(networks, "pose_guider")))
    scales = {"head_scale": 0.7, "mouth_scale": 1.3}
    expected = latents(face, **FACE, **scales, guidance_scale=guidance)
    everywhere = [np.ones((40, 30), np.float32)] * FRAMES
    for masks in (everywhere, None):
        given = {**BODY, **FACE, **scales, "body_scale": 0.0, "face_masks": masks}
        assert torch.equal(latents(combined, **given, guidance_scale=guidance), expected)


def test_the_face_guides_count_where_the_mask_is(networks: dict[str, Any]) -> None:
    def features(**given: Any) -> torch.Tensor:
        guiders = [networks[name] for name in ("pose_guider", "head_guider")]
        scales, masks = given.get("scales", (1.0, 1.0)), (None, given.get("mask"))
        guides = [pictures(1), pictures(2)]
        made = GuideFeatures(
            guiders, guides, scales=scales, masks=masks, size=(WIDTH, HEIGHT), unet=networks["denoising_unet"]
        )
        with torch.inference_mode():
            return made(range(FRAMES))

    body, both, masked = features(scales=(1.0, 0.0)), features(), features(mask=disc())
    down, across = HEIGHT // 16, WIDTH // 16
    assert torch.equal(masked[..., :down, :across], both[..., :down, :across])
    outside = torch.ones(masked.shape[3:], dtype=torch.bool)
    outside[:down, :across] = False
    assert torch.equal(masked[..., outside], body[..., outside])
    half = features(mask=[0.5 * mask for mask in disc()])
    torch.testing.assert_close(half, (masked + body) / 2, rtol=0, atol=1e-6)


def test_every_frame_has_its_own_mask(combined: CombinedPipeline) -> None:
    masks = [np.full((HEIGHT, WIDTH), value, np.float32) for value in (0, 0, 1)]
    guides = {name: [each[0]] * FRAMES for name, each in (BODY | FACE).items()}
    noise = torch.randn(1, 4, 1, HEIGHT // 8, WIDTH // 8).repeat(1, 1, FRAMES, 1, 1)
    first, second, third = latents(combined, **guides, face_masks=masks, latents=noise, window=1, overlap=0).unbind(2)
    assert torch.equal(first, second) and not torch.equal(first, third)


@pytest.mark.parametrize("name", ["body_scale", "head_scale", "mouth_scale"])
def test_every_scale_has_an_effect(combined: CombinedPipeline, name: str) -> None:
    given = {**BODY, **FACE, "face_masks": disc()}
    assert not torch.equal(latents(combined, **given), latents(combined, **given, **{name: 0.5}))


@pytest.mark.parametrize("frames", [1, 23, 24, 25])
def test_clips_of_any_length(combined: CombinedPipeline, frames: int) -> None:
    guides = {name: pictures(seed, frames) for seed, name in enumerate((*BODY, *FACE))}
    found = latents(combined, **guides, face_masks=disc(frames), num_inference_steps=1, guidance_scale=1.0)
    assert found.shape == (1, 4, frames, HEIGHT // 8, WIDTH // 8)
    assert torch.isfinite(found).all()


def test_masks_of_another_number_are_refused(combined: CombinedPipeline) -> None:
    with pytest.raises(InputError, match="same number of frames"):
        latents(combined, **BODY, **FACE, face_masks=disc(2))


def test_saved_and_loaded_it_renders_the_same(combined: CombinedPipeline, tmp_path: Path) -> None:
    combined.save_pretrained(tmp_path)
    loaded = silent(CombinedPipeline.from_pretrained(tmp_path))
    found, expected = (latents(each, **BODY, **FACE, face_masks=disc()) for each in (loaded, combined))
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)
