"""Both pipelines as diffusers pipelines, and the windows they work in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, EulerDiscreteScheduler
from transformers import CLIPVisionModelWithProjection

from checkpoints.errors import InputError
from facereenact.networks import load_face_networks
from facereenact.pipelines import ReenactmentPipeline, Sampling, context_windows, default_scheduler
from facereenact.pipelines.presets import PRESETS, SCHEDULERS, preset
from facereenact.pipelines.windows import sliding_windows
from facereenact.tiny_model import make_tiny

FRAMES = 3


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> ReenactmentPipeline:
    face, vae, image_encoder, *_ = make_tiny(tmp_path_factory.mktemp("tiny") / "checkpoints")
    return silent(
        ReenactmentPipeline(
            vae=AutoencoderKL.from_pretrained(vae),
            image_encoder=CLIPVisionModelWithProjection.from_pretrained(image_encoder),
            scheduler=default_scheduler(),
            **load_face_networks(face),
        )
    )


def silent(pipeline: Any) -> Any:
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def pictures(count: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, (count, 96, 128, 3), dtype=np.uint8)


def rendered(pipeline: ReenactmentPipeline, **changed: Any) -> np.ndarray[Any, Any]:
    given: dict[str, Any] = {
        "source": pictures(1)[0],
        "head_guides": pictures(FRAMES, 1),
        "mouth_guides": pictures(FRAMES, 2),
        "num_inference_steps": 2,
        "generator": torch.Generator().manual_seed(0),
        "output_type": "np",
    }
    frames: np.ndarray[Any, Any] = pipeline(**given | changed).frames
    return frames


def test_outputs_of_every_type(pipeline: ReenactmentPipeline) -> None:
    arrays = rendered(pipeline)
    assert arrays.shape == (FRAMES, 96, 128, 3) and arrays.dtype == np.uint8
    assert np.array_equal(np.stack([np.asarray(each) for each in rendered(pipeline, output_type="pil")]), arrays)
    tensor = rendered(pipeline, output_type="pt")
    np.testing.assert_allclose(np.asarray(tensor).transpose(0, 2, 3, 1) * 255, arrays, atol=0.51)
    assert rendered(pipeline, output_type="latent").shape == (1, 4, FRAMES, 12, 16)
    assert rendered(pipeline, width=72, height=80).shape == (FRAMES, 80, 72, 3)


def test_saved_and_loaded_it_renders_the_same(pipeline: ReenactmentPipeline, tmp_path: Path) -> None:
    pipeline.save_pretrained(tmp_path)
    loaded = silent(ReenactmentPipeline.from_pretrained(tmp_path))
    found, expected = (rendered(each, output_type="latent") for each in (loaded, pipeline))
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)  # weights may lie in memory in another order


def test_the_callback_sees_and_changes_the_latents(pipeline: ReenactmentPipeline) -> None:
    steps: list[int] = []

    def blank(_: Any, step: int, timestep: Any, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        steps.append(step)
        return {"latents": torch.zeros_like(state["latents"])}

    latents = rendered(pipeline, callback_on_step_end=blank, output_type="latent")
    assert steps == [0, 1] and not np.asarray(latents).any()


def test_the_guiders_add_up(pipeline: ReenactmentPipeline) -> None:
    usual = rendered(pipeline)
    for name in ("head_scale", "mouth_scale"):
        assert not np.array_equal(rendered(pipeline, **{name: 0.0}), usual)
    none = rendered(pipeline, head_scale=0.0, mouth_scale=0.0)
    others = {"head_guides": pictures(FRAMES, 7), "mouth_guides": pictures(FRAMES, 8)}
    assert np.array_equal(rendered(pipeline, head_scale=0.0, mouth_scale=0.0, **others), none)


def test_windows_at_once_change_nothing(pipeline: ReenactmentPipeline) -> None:
    guides = {"head_guides": pictures(9, 1), "mouth_guides": pictures(9, 2), "window": 3, "overlap": 1}
    one, three = (
        rendered(pipeline, **guides, output_type="latent", sampling=Sampling(steps=2, windows_at_once=count))
        for count in (1, 3)
    )
    torch.testing.assert_close(one, three, rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("changed", "error", "told"),
    [
        ({"width": 60}, InputError, "width 60 is not divisible by 8"),
        ({"mouth_guides": pictures(2)}, InputError, "same number of frames"),
        ({"head_guides": pictures(0), "mouth_guides": pictures(0)}, InputError, "at least one"),
        ({"num_inference_steps": 0}, ValueError, "steps must be 1 or more"),
        ({"guidance_scale": 0.5}, ValueError, "guidance must be 1 or more"),
        ({"window": 4, "overlap": 4}, ValueError, "cannot overlap"),
    ],
)
def test_what_cannot_be_rendered_is_refused(
    pipeline: ReenactmentPipeline, changed: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        rendered(pipeline, **changed)


def test_a_scheduler_of_another_kind_is_refused(pipeline: ReenactmentPipeline) -> None:
    other = silent(ReenactmentPipeline(**{**pipeline.components, "scheduler": DDIMScheduler()}))
    with pytest.raises(InputError, match="v_prediction"):
        rendered(other)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_scheduler_renders(pipeline: ReenactmentPipeline, name: Any) -> None:
    scheduler, sampling = preset("exact", scheduler=name, steps=3)
    other = silent(ReenactmentPipeline(**{**pipeline.components, "scheduler": scheduler}))
    frames = rendered(other, sampling=sampling)
    assert np.ptp(frames) > 0
    assert type(scheduler) is SCHEDULERS[name]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_renders(pipeline: ReenactmentPipeline, name: Any) -> None:
    scheduler, sampling = preset(name, guidance=2.0)
    assert sampling.guidance == 2.0 and sampling.steps == PRESETS[name][1].steps
    other = silent(ReenactmentPipeline(**{**pipeline.components, "scheduler": scheduler}))
    assert rendered(other, sampling=sampling).shape == (FRAMES, 96, 128, 3)


def test_euler_begins_from_finite_noise() -> None:
    scheduler = EulerDiscreteScheduler.from_config(default_scheduler().config)
    scheduler.set_timesteps(4)
    assert np.isfinite(float(scheduler.init_noise_sigma))


@pytest.mark.parametrize("frames", [1, 2, 7, 8, 9, 20, 100])
@pytest.mark.parametrize(("size", "overlap"), [(8, 2), (8, 0), (8, 7), (3, 1)])
def test_windows_cover_every_frame(frames: int, size: int, overlap: int) -> None:
    for make in (context_windows, sliding_windows):
        windows = make(frames, size=size, overlap=overlap)
        assert {frame for window in windows for frame in window} == set(range(frames))
        assert all(len(window) <= size and len(set(window)) == len(window) for window in windows)
    assert all(window == sorted(window) for window in sliding_windows(frames, size=size, overlap=overlap))
