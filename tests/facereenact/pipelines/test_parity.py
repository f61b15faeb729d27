"""Both pipelines compute what the published code computes, from pictures to frames."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from facereenact.pipelines import PoseAnimationPipeline, ReenactmentPipeline, context_windows, default_scheduler
from facereenact.pipelines.base import noise_for
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
