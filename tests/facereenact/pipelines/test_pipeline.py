"""Both pipelines as diffusers pipelines, and the windows they work in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import EulerDiscreteScheduler
from diffusers.callbacks import PipelineCallback
from numpy.typing import NDArray
from PIL import Image

from checkpoints.errors import InputError
from facereenact.pipelines import NotFiniteError, ReenactmentPipeline, context_windows, default_scheduler
from facereenact.pipelines.base import decoded, noise_for
from facereenact.pipelines.guides import GuideFeatures
from facereenact.pipelines.presets import PRESETS, SCHEDULERS, preset
from facereenact.pipelines.windows import sliding_windows
from tests.facereenact.pipelines.tiny import FRAMES, pictures, rendered, silent, tiny_pipeline, with_scheduler


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> ReenactmentPipeline:
    return tiny_pipeline(tmp_path_factory.mktemp("tiny"))


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


class Seen(PipelineCallback):  # type: ignore[misc]
    """Keeps the names of what it is given."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names, self.given = names, []

    @property
    def tensor_inputs(self) -> list[str]:
        return list(self.names)

    def callback_fn(self, _: Any, step: int, timestep: Any, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        self.given.append(tuple(state))
        return state


@pytest.mark.parametrize("names", [(), ("latents",)])
def test_the_callback_is_given_what_it_asks_for(pipeline: ReenactmentPipeline, names: tuple[str, ...]) -> None:
    callback = Seen(*names)
    usual = rendered(pipeline, output_type="latent")
    assert torch.equal(rendered(pipeline, callback_on_step_end=callback, output_type="latent"), usual)
    named = {"callback_on_step_end": callback.__call__, "callback_on_step_end_tensor_inputs": names}
    assert torch.equal(rendered(pipeline, **named, output_type="latent"), usual)
    assert callback.given == [names] * 4


def test_frames_that_the_decoder_cannot_make_are_told(pipeline: ReenactmentPipeline) -> None:
    latents = noise_for(FRAMES, (64, 64))
    latents[:, :, 1] = float("nan")
    frames = decoded(pipeline.vae, latents, first_frame=320)
    assert torch.isfinite(next(frames)).all()
    with pytest.raises(NotFiniteError, match="at frame 321"):
        next(frames)


def test_features_are_the_same_kept_and_made_anew(pipeline: ReenactmentPipeline) -> None:
    made: list[int] = []

    class Counted(list[NDArray[np.uint8]]):
        def __getitem__(self, index: Any) -> Any:
            made.append(index)
            return super().__getitem__(index)

    def features(cache_bytes: int) -> tuple[list[torch.Tensor], list[int]]:
        made.clear()
        feature_maker = GuideFeatures(
            (pipeline.head_guider, pipeline.mouth_guider),
            (Counted(pictures(FRAMES, 1)), pictures(FRAMES, 2)),
            scales=(0.7, 1.3),
            size=(128, 96),
            unet=pipeline.denoising_unet,
            cache_bytes=cache_bytes,
        )
        with torch.inference_mode():
            return [feature_maker(frames) for frames in ([0, 1, 2], [2, 0])], list(made)

    frame_bytes = 4 * pipeline.denoising_unet.config.block_out_channels[0] * 12 * 16
    for cache_bytes, expected in ((3 * frame_bytes, [0, 1, 2]), (frame_bytes, [0, 1, 2, 2]), (0, [0, 1, 2, 2, 0])):
        found, frames = features(cache_bytes)
        assert frames == expected
        for each, usual in zip(found, features(1 << 29)[0], strict=True):
            assert torch.equal(each, usual)


def test_the_guiders_add_up(pipeline: ReenactmentPipeline) -> None:
    usual = rendered(pipeline)
    for name in ("head_scale", "mouth_scale"):
        assert not np.array_equal(rendered(pipeline, **{name: 0.0}), usual)
    none = rendered(pipeline, head_scale=0.0, mouth_scale=0.0)
    others = {"head_guides": pictures(FRAMES, 7), "mouth_guides": pictures(FRAMES, 8)}
    assert np.array_equal(rendered(pipeline, head_scale=0.0, mouth_scale=0.0, **others), none)


@pytest.mark.parametrize(
    ("changed", "error", "told"),
    [
        ({"width": 60}, InputError, "width 60 is not divisible by 8"),
        ({"mouth_guides": pictures(2)}, InputError, "same number of frames"),
        ({"head_guides": pictures(0), "mouth_guides": pictures(0)}, InputError, "at least one"),
        ({"num_inference_steps": 0}, ValueError, "steps must be 1 or more"),
        ({"guidance_scale": 0.5}, ValueError, "guidance must be 1 or more"),
        ({"window": 4, "overlap": 4}, ValueError, "cannot overlap"),
        ({"window": 33}, ValueError, "33 frames are too long: the motion modules know at most 32"),
        ({"latents": torch.zeros(1, 4, FRAMES + 1, 12, 16)}, InputError, r"ask for \(1, 4, 3, 12, 16\)"),
        ({"latents": torch.zeros(1, 4, FRAMES, 16, 12)}, InputError, "do not fit"),
        ({"source": np.zeros((96, 128), np.uint8)}, InputError, r"uint8 \(96, 128\) is no picture"),
        ({"source": np.zeros((96, 128, 4), np.uint8)}, InputError, "is no picture"),
        ({"source": np.ones((96, 128, 3), np.float32)}, InputError, "array of float32"),
        ({"head_guides": np.zeros((FRAMES, 96, 128), np.uint8)}, InputError, "is no picture"),
        ({"mouth_guides": np.ones((FRAMES, 96, 128, 3))}, InputError, "array of float64"),
        ({"callback_on_step_end_tensor_inputs": ["latents", "noise"]}, ValueError, r"not \['noise'\]"),
    ],
)
def test_what_cannot_be_rendered_is_refused_before_any_work(
    pipeline: ReenactmentPipeline,
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, Any],
    error: type[Exception],
    told: str,
) -> None:
    monkeypatch.setattr("facereenact.pipelines.base.encode_source", lambda *_, **__: pytest.fail("it began"))
    with pytest.raises(error, match=told):
        rendered(pipeline, **changed)


def test_pictures_of_pil_may_have_any_mode(pipeline: ReenactmentPipeline) -> None:
    source = Image.fromarray(pictures(1)[0])
    usual = rendered(pipeline, source=source)
    assert np.array_equal(rendered(pipeline, source=source.convert("RGBA")), usual)
    assert not np.array_equal(rendered(pipeline, source=source.convert("L")), usual)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_scheduler_renders(pipeline: ReenactmentPipeline, name: Any) -> None:
    scheduler, sampling = preset("exact", scheduler=name, steps=3)
    frames = rendered(with_scheduler(pipeline, scheduler), sampling=sampling)
    assert np.ptp(frames) > 0
    assert type(scheduler) is SCHEDULERS[name]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_renders(pipeline: ReenactmentPipeline, name: Any) -> None:
    scheduler, sampling = preset(name, guidance=2.0)
    assert sampling.guidance == 2.0 and sampling.steps == PRESETS[name][1].steps
    assert rendered(with_scheduler(pipeline, scheduler), sampling=sampling).shape == (FRAMES, 96, 128, 3)


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
