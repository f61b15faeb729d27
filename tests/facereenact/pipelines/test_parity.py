"""Both pipelines compute what the published code computes, from pictures to frames."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from facereenact.pipelines import PoseAnimationPipeline, ReenactmentPipeline, context_windows, default_scheduler
from facereenact.pipelines.base import decoded, noise_for
from facereenact.pipelines.pictures import clip_pixels, guide_pixels, vae_pixels
from facereenact.pipelines.schedulers import set_timesteps
from facereenact.pipelines.source import encode_source
from tests.facereenact.pipelines import golden
from tests.facereenact.pipelines.golden import Case, case, needs_golden

pytestmark = needs_golden


def face_pipeline() -> ReenactmentPipeline:
    return quiet(
        ReenactmentPipeline(
            vae=golden.vae(),
            image_encoder=golden.image_encoder(),
            reference_net=golden.reference_net(),
            denoising_unet=golden.denoising_unet(),
            head_guider=golden.pose_guider("1"),
            mouth_guider=golden.pose_guider("2"),
            scheduler=default_scheduler(),
        )
    )


def body_pipeline() -> PoseAnimationPipeline:
    return quiet(
        PoseAnimationPipeline(
            vae=golden.vae(),
            image_encoder=golden.image_encoder(),
            reference_net=golden.reference_net(),
            denoising_unet=golden.denoising_unet(),
            pose_guider=golden.pose_guider("body"),
            scheduler=default_scheduler(),
        )
    )


def quiet(pipeline: Any) -> Any:
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def arguments(golden_case: Case, names: tuple[str, ...]) -> dict[str, Any]:
    images, about = golden_case.images, golden_case.about
    guides = dict(zip(names, (images[key] for key in sorted(images, reverse=True) if key != "ref_image"), strict=True))
    return {
        "source": images["ref_image"],
        **guides,
        "width": about["width"],
        "height": about["height"],
        "num_inference_steps": about["steps"],
        "guidance_scale": about["guidance_scale"],
        "generator": torch.Generator().manual_seed(int(about["latents_rng"].split("(")[2].split(")")[0])),
    }


FACE = ("head_guides", "mouth_guides")
BODY = ("pose_guides",)


@pytest.mark.parametrize("name", ["face_pipe_8f", "face_pipe_30f"])
def test_the_face_pipeline_is_the_published_one(name: str) -> None:
    check_pipeline(face_pipeline(), case(name), FACE)


@pytest.mark.parametrize("name", ["body_pipe_8f", "body_pipe_30f"])
def test_the_body_pipeline_is_the_published_one(name: str) -> None:
    """Without its rounding of the reference to float16, which its own float16 runs do not notice."""
    golden_case = case(name)
    latents = body_pipeline()(**arguments(golden_case, BODY), output_type="latent").frames
    golden_case.check("variant.bank_fp32.final_latents", latents)
    difference = (latents - golden_case.tensors["final_latents"]).norm() / golden_case.tensors["final_latents"].norm()
    assert difference < 3e-4


@pytest.mark.parametrize("name", ["body_pipe_8f", "body_pipe_30f"])
def test_with_that_rounding_every_step_is_the_published_one(name: str) -> None:
    pipeline = body_pipeline()
    pipeline.reference_net.register_forward_hook(
        lambda _, __, features: {layer: tokens.half().float() for layer, tokens in features.items()}
    )
    check_pipeline(pipeline, case(name), BODY)


def check_pipeline(pipeline: Any, golden_case: Case, names: tuple[str, ...]) -> None:
    steps: list[torch.Tensor] = []

    def keep(_: Any, step: int, timestep: Any, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        steps.append(state["latents"].clone())
        return state

    given = arguments(golden_case, names)
    video = pipeline(**given, output_type="pt", callback_on_step_end=keep).frames
    for index, latents in enumerate(steps):
        if f"step{index}.latents" in golden_case.tensors:
            golden_case.check(f"step{index}.latents", latents)
    golden_case.check("final_latents", steps[-1])
    if "video" in golden_case.tensors:
        golden_case.check("video", video.transpose(0, 1)[None])
    else:
        frames = video[golden_case.about["video_frames"]].transpose(0, 1)[None]
        golden_case.check("video_frames", frames, tolerance_of="video")


@pytest.mark.parametrize(
    ("variant", "changed"),
    [
        ("no_cfg", {"guidance_scale": 1.0}),
        ("steps3", {"num_inference_steps": 3}),
        ("guidance_rescale_0.7", {"guidance_rescale": 0.7}),
    ],
)
def test_variants_of_the_face_pipeline(variant: str, changed: dict[str, Any]) -> None:
    golden_case = case("face_pipe_8f")
    found = face_pipeline()(**arguments(golden_case, FACE) | changed, output_type="latent").frames
    golden_case.check(f"variant.{variant}.final_latents", found)


def test_the_body_without_guidance() -> None:
    golden_case = case("body_pipe_8f")
    found = body_pipeline()(**arguments(golden_case, BODY) | {"guidance_scale": 1.0}, output_type="latent").frames
    golden_case.check("variant.no_cfg_bank_fp32.final_latents", found)


def test_noise_is_the_published_draw() -> None:
    golden_case = case("face_pipe_8f")
    about = golden_case.about
    generator = arguments(golden_case, FACE)["generator"]
    noise = noise_for(about["frames"], (about["width"], about["height"]), generator=generator)
    torch.testing.assert_close(noise, golden_case.tensors["init_latents"], rtol=0, atol=0)


def test_windows_are_the_published_ones() -> None:
    rows = json.loads((golden.FOLDER / "context_windows.json").read_text("utf-8"))
    assert len(rows) > 100
    for row in rows:
        found = context_windows(
            row["num_frames"],
            size=row["context_size"],
            overlap=row["context_overlap"],
            stride=row["context_stride"],
            step=row["step"],
            closed_loop=row["closed_loop"],
        )
        assert found == row["windows"], row


@pytest.mark.parametrize("steps", [1, 3, 4, 7, 20, 25, 30])
def test_the_scheduler_is_the_published_one(steps: int) -> None:
    """From published predictions it makes the published latents; step by step, so that nothing adds up."""
    golden_case = case("ddim")
    about, tensors = golden_case.about, golden_case.tensors
    scheduler = default_scheduler()
    assert {name: scheduler.config[name] for name in about["scheduler"]} == about["scheduler"]
    assert set_timesteps(scheduler, steps).tolist() == about["runs"][str(steps)]["timesteps"]
    assert torch.equal(scheduler.betas, tensors["betas"])
    assert torch.equal(scheduler.alphas_cumprod, tensors["alphas_cumprod"])
    latents = tensors[f"steps{steps}.x_T"]
    for index, timestep in enumerate(scheduler.timesteps):
        predicted = tensors[f"steps{steps}.model_output"][index]
        found = scheduler.step(predicted, timestep, latents, return_dict=False)[0]
        latents = tensors[f"steps{steps}.prev_sample"][index]
        torch.testing.assert_close(found, latents, rtol=0, atol=0)


def test_timesteps_are_the_published_ones() -> None:
    about = case("ddim").about
    published = about["timesteps_trailing"]
    assert len(published) > 50
    for steps, timesteps in published.items():
        is_bad = int(steps) in about["bad_length"]
        assert set_timesteps(default_scheduler(), int(steps)).tolist() == timesteps[: -1 if is_bad else None], steps


def test_pictures_become_the_published_tensors() -> None:
    golden_case = case("preprocess")
    tensors, size = golden_case.tensors, (golden_case.about["width"], golden_case.about["height"])
    source, guide = (tensors[name].numpy() for name in ("ref_image", "guide_image"))
    for found, name in (
        (clip_pixels(source), "clip_pixel_values"),
        (vae_pixels(source, size), "vae_input"),
        (guide_pixels([guide], size)[:, :, 0], "guide_tensor"),
    ):
        torch.testing.assert_close(found, tensors[name], rtol=0, atol=5e-7)
    vae, scale = golden.vae(), golden.vae().config.scaling_factor
    with torch.inference_mode():
        encoded = encode_source(vae, golden.image_encoder(), source, size)
    golden_case.check("clip_image_embeds", encoded.image_embeds[:, 0])
    golden_case.check("vae_latent_mean", encoded.latents / scale)
    golden_case.check("reference_latents", encoded.latents, tolerance_of="vae_latent_mean")
    latents = tensors["decode_latents"].transpose(0, 1)[None]
    expected = (tensors["decode_out"] / 2 + 0.5).clamp(0, 1)
    torch.testing.assert_close(torch.stack(list(decoded(vae, latents))), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", ["face_pipe_8f", "face_pipe_30f", "body_pipe_8f", "body_pipe_30f"])
def test_the_reference_is_made_of_the_published_inputs(name: str) -> None:
    golden_case = case(name)
    is_face = name.startswith("face")
    pipeline = face_pipeline() if is_face else body_pipeline()
    inputs: list[torch.Tensor] = []
    pipeline.reference_net.register_forward_pre_hook(lambda _, given: inputs.extend(given))
    pipeline(**arguments(golden_case, FACE if is_face else BODY) | {"num_inference_steps": 1}, output_type="latent")
    latents, embeds = inputs
    expected = golden_case.tensors["reference_input"]
    if is_face:
        golden_case.check("reference_input", latents[:, :, None])
        golden_case.check("encoder_hidden_states", embeds, tolerance_of="clip_image_embeds")
        return
    # the published body pipeline computes the same row twice
    golden_case.check("reference_input", latents.expand_as(expected))
    golden_case.check("clip_image_embeds", embeds[:, 0])
