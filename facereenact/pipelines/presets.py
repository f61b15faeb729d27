"""Named trades of fidelity for speed."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    SchedulerMixin,
    UniPCMultistepScheduler,
)

from facereenact.pipelines.sampling import Sampling
from facereenact.pipelines.schedulers import default_scheduler

PresetName = Literal["exact", "balanced", "fast"]
SchedulerName = Literal["ddim", "dpm++", "euler", "unipc"]

PRESETS: dict[PresetName, tuple[SchedulerName, Sampling]] = {
    # What the published pipeline does.
    "exact": ("ddim", Sampling()),
    # Fewer steps, and guidance only where the picture is decided (Kynkaanniemi et al. 2024).
    "balanced": ("ddim", Sampling(steps=14, guided_share=(0.0, 0.7))),
    # Fewer still, and every second one reuses the deep features of the one before (Ma et al. 2023, DeepCache).
    "fast": ("ddim", Sampling(steps=10, guided_share=(0.0, 0.6), reuse=2)),
}

SCHEDULERS: dict[SchedulerName, type[SchedulerMixin]] = {
    "ddim": DDIMScheduler,
    "dpm++": DPMSolverMultistepScheduler,
    "euler": EulerDiscreteScheduler,
    "unipc": UniPCMultistepScheduler,
}


def preset(
    name: PresetName,
    *,
    scheduler: SchedulerName | None = None,
    steps: int | None = None,
    guidance: float | None = None,
) -> tuple[SchedulerMixin, Sampling]:
    """A preset's scheduler and sampling, with what was asked for instead."""
    own_scheduler, sampling = PRESETS[name]
    sampling = replace(sampling, steps=steps or sampling.steps, guidance=guidance or sampling.guidance)
    return SCHEDULERS[scheduler or own_scheduler].from_config(default_scheduler().config), sampling
