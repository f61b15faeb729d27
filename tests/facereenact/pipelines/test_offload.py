"""With model offloading every network runs where its inputs are.

The device is PyTorch's meta device, which computes shapes only; that no operation mixes devices is checked here, since
it does not check it everywhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.hooks import CpuOffload
from diffusers import AutoencoderKL, DDIMScheduler
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from facereenact.pipelines import ReenactmentPipeline, base, default_scheduler
from facereenact.pipelines.guides import GuideFeatures
from tests.facereenact.pipelines.tiny import FRAMES, pictures, rendered, tiny_pipeline, with_scheduler

META = torch.device("meta")
MOVES = ("aten._to_copy.default", "aten.copy_.default", "aten._has_compatible_shallow_copy_type.default")


class OneDevice(TorchDispatchMode):
    """Refuses operations on tensors of two devices, but for single numbers, as a GPU does."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if str(func) not in MOVES:
            tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor) and each.ndim]
            assert len({each.device for each in tensors}) < 2, f"{func} mixes devices"
        return func(*args, **(kwargs or {}))


class TimestepsOnCpu(DDIMScheduler):  # type: ignore[misc]
    """Its timesteps have values."""

    def set_timesteps(self, num_inference_steps: int, device: Any = None) -> None:
        super().set_timesteps(num_inference_steps)


@pytest.fixture
def offloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReenactmentPipeline:
    """A pipeline whose networks move to the meta device when they run; what comes back from there has no values."""
    pipeline = with_scheduler(tiny_pipeline(tmp_path), TimestepsOnCpu.from_config(default_scheduler().config))
    monkeypatch.setattr(torch, "isfinite", lambda _: torch.ones(1))
    monkeypatch.setattr(CpuOffload, "init_hook", lambda _, module: module.to_empty(device="cpu"))
    monkeypatch.setattr("diffusers.pipelines.pipeline_utils.empty_device_cache", lambda _: None)
    pipeline.enable_model_cpu_offload(device="meta")
    for hook in pipeline._all_hooks:
        hook.hook.execution_device = META  # without a number, as its tensors name it
    monkeypatch.setattr(pipeline, "maybe_free_model_hooks", lambda: None)  # which copies the values back
    return pipeline


def running(pipeline: ReenactmentPipeline) -> set[str]:
    """The networks that are on the device."""
    networks = {name: part for name, part in pipeline.components.items() if isinstance(part, nn.Module)}
    return {name for name, network in networks.items() if next(network.parameters()).device == META}


def test_a_clip_is_rendered_where_the_networks_are_moved(
    offloaded: ReenactmentPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "_as_output", lambda frames, _: [frame.device for frame in frames])
    with OneDevice():
        assert list(rendered(offloaded)) == [META] * FRAMES
    assert running(offloaded) == {"vae"}


def test_guides_that_are_made_anew_find_their_networks(offloaded: ReenactmentPipeline) -> None:
    features = GuideFeatures(
        (offloaded.head_guider, offloaded.mouth_guider),
        (pictures(FRAMES, 1), pictures(FRAMES, 2)),
        scales=(1.0, 1.0),
        size=(128, 96),
        unet=offloaded.denoising_unet,
        device=offloaded._execution_device,
        cache_bytes=0,
    )
    with OneDevice(), torch.inference_mode():
        assert features([0, 1, 0]).device == META
    assert running(offloaded) == {"mouth_guider"}


def test_frames_are_decoded_where_the_decoder_is_moved(offloaded: ReenactmentPipeline) -> None:
    with OneDevice():
        (frame,) = base.decoded(offloaded.vae, base.noise_for(1, (128, 96)), device=offloaded._execution_device)
    assert frame.device == META


def test_the_hooks_are_freed_only_when_all_is_decoded(
    offloaded: ReenactmentPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    decode = AutoencoderKL.decode
    monkeypatch.setattr(base, "_as_output", lambda frames, _: [frame.device for frame in frames])
    monkeypatch.setattr(AutoencoderKL, "decode", lambda *given: done.append("decoded") or decode(*given))
    monkeypatch.setattr(offloaded, "maybe_free_model_hooks", lambda: done.append("freed"))
    rendered(offloaded)
    assert done == ["decoded"] * FRAMES + ["freed"]
