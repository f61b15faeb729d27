"""Any scheduler that fits the networks, however often it evaluates them and whatever it draws."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    EulerAncestralDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    HeunDiscreteScheduler,
    IPNDMScheduler,
    KDPM2DiscreteScheduler,
    LCMScheduler,
    PNDMScheduler,
    SchedulerMixin,
)

from checkpoints.errors import InputError
from facereenact.pipelines import ReenactmentPipeline, Sampling, default_scheduler, sampling
from facereenact.pipelines.schedulers import check_scheduler, set_timesteps
from tests.facereenact.pipelines.tiny import rendered, tiny_pipeline, with_scheduler

STEPS = 4
EVALUATIONS = {
    DDIMScheduler: 4,
    HeunDiscreteScheduler: 7,
    KDPM2DiscreteScheduler: 7,
    PNDMScheduler: 13,
}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> ReenactmentPipeline:
    return tiny_pipeline(tmp_path_factory.mktemp("tiny"))


def made(kind: type[SchedulerMixin], **changed: Any) -> SchedulerMixin:
    return kind.from_config(default_scheduler().config, **changed)


@pytest.mark.parametrize("kind", EVALUATIONS)
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_guidance_counts_evaluations(
    pipeline: ReenactmentPipeline, monkeypatch: pytest.MonkeyPatch, kind: type[SchedulerMixin], share: float
) -> None:
    guided, count = sampling.guided, 0

    def counted(*given: Any, **named: Any) -> torch.Tensor:
        nonlocal count
        count += 1
        return guided(*given, **named)

    monkeypatch.setattr(sampling, "guided", counted)
    rendered(
        with_scheduler(pipeline, made(kind)),
        sampling=Sampling(steps=STEPS, guided_share=(0.0, share)),
        output_type="latent",
    )
    assert count == -(-EVALUATIONS[kind] * share // 1)


@pytest.mark.parametrize("kind", EVALUATIONS)
def test_the_progress_bar_counts_evaluations(pipeline: ReenactmentPipeline, kind: type[SchedulerMixin]) -> None:
    updates = 0
    totals: list[int] = []

    class Bar:
        def update(self) -> None:
            nonlocal updates
            updates += 1

    @contextmanager
    def progress_bar(total: int) -> Iterator[Bar]:
        totals.append(total)
        yield Bar()

    other: Any = with_scheduler(pipeline, made(kind))
    other.progress_bar = progress_bar
    rendered(other, num_inference_steps=STEPS, output_type="latent")
    assert totals == [updates] == [EVALUATIONS[kind]]


@pytest.mark.parametrize("steps", [1, 20, 30, 61, 103])
def test_no_timestep_lies_before_the_first(steps: int) -> None:
    timesteps = set_timesteps(default_scheduler(), steps)
    assert len(timesteps) == steps and timesteps.min() >= 0


@pytest.mark.parametrize("kind", [DDPMScheduler, EulerAncestralDiscreteScheduler, LCMScheduler])
def test_the_generator_decides_all_noise(pipeline: ReenactmentPipeline, kind: type[SchedulerMixin]) -> None:
    noise = torch.randn(1, 4, 3, 12, 16, generator=torch.Generator().manual_seed(5))

    def latents(seed: int) -> torch.Tensor:
        given = {"latents": noise, "generator": torch.Generator().manual_seed(seed), "output_type": "latent"}
        return torch.as_tensor(rendered(with_scheduler(pipeline, made(kind)), **given, num_inference_steps=STEPS))

    first = latents(0)
    assert torch.isfinite(first).all()
    torch.rand(1)  # moves the global generator
    assert torch.equal(latents(0), first) and not torch.equal(latents(1), first)


@pytest.mark.filterwarnings("ignore:.*not expected")
@pytest.mark.parametrize(
    ("scheduler", "told"),
    [
        (DDIMScheduler(), "expects a prediction of 'epsilon'"),
        (made(IPNDMScheduler), "IPNDMScheduler cannot be told"),
        (made(FlowMatchEulerDiscreteScheduler), "FlowMatchEulerDiscreteScheduler cannot be told"),
    ],
)
def test_schedulers_that_do_not_fit_are_refused(scheduler: SchedulerMixin, told: str) -> None:
    with pytest.raises(InputError, match=told):
        check_scheduler(scheduler)


@pytest.mark.parametrize("kind", [*EVALUATIONS, DDPMScheduler, LCMScheduler])
def test_schedulers_that_fit_are_not(kind: type[SchedulerMixin]) -> None:
    check_scheduler(made(kind))
