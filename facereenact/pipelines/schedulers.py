"""Schedulers of diffusers: which of them fit the networks, and the timesteps at which they evaluate them."""

from __future__ import annotations

import inspect

import torch
from diffusers import DDIMScheduler, SchedulerMixin
from torch import Tensor

from checkpoints.errors import InputError


def default_scheduler() -> DDIMScheduler:
    """The scheduler of the published pipelines: v-prediction, zero terminal signal-to-noise ratio, trailing steps."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="linear",
        clip_sample=False,
        steps_offset=1,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
    )


def check_scheduler(scheduler: SchedulerMixin) -> None:
    """Raises InputError for a scheduler that reads the networks' output as something else than it is."""
    name = type(scheduler).__name__
    # a config also keeps what the class does not know
    knows = "prediction_type" in inspect.signature(type(scheduler).__init__).parameters
    if not knows or not hasattr(scheduler, "init_noise_sigma"):
        raise InputError(
            f"{name} cannot be told that the networks predict velocity; use another, such as DDIMScheduler"
        )
    predicted = scheduler.config.prediction_type
    if predicted != "v_prediction":
        raise InputError(
            f"{name} expects a prediction of {predicted!r}; the networks predict velocity: make it "
            'with prediction_type="v_prediction"'
        )


def can_go_on(scheduler: SchedulerMixin) -> bool:
    """Whether a scheduler remembers nothing between steps, so that a clip can go on from its latents alone."""
    return isinstance(scheduler, DDIMScheduler)


def set_timesteps(scheduler: SchedulerMixin, steps: int, *, device: torch.device | str = "cpu") -> Tensor:
    """The timesteps at which the networks are evaluated; some schedulers do so more often than there are steps.

    Trailing steps of some numbers (61, 103, ...) end at -1 by the rounding of diffusers. Without the noise levels of
    its own a scheduler would take that for the noisiest timestep, and make noise of the clip: it is left out.
    """
    scheduler.set_timesteps(steps, device=device)
    timesteps: Tensor = scheduler.timesteps
    return timesteps if hasattr(scheduler, "sigmas") else timesteps[timesteps >= 0]
