"""Denoising a clip, window by window, with any scheduler of diffusers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from typing import Any

import torch
from diffusers import SchedulerMixin
from torch import Tensor

from checkpoints.errors import FacereenactError
from facereenact.networks import Condition, DeepFeatures, DenoisingUNet
from facereenact.pipelines.batching import WindowsAtOnce
from facereenact.pipelines.schedulers import set_timesteps

GuideOf = Callable[[Sequence[int]], Tensor]
"""Frames -> features of their guides (1, channels, frames, height, width)."""

OnWindow = Callable[[int, int], None]
"""Told the step, counted from 0, and the windows done in it."""


class NotFiniteError(FacereenactError):
    """The networks gave numbers that are not finite."""


@dataclass(frozen=True)
class Sampling:
    """How a clip is denoised; the defaults are those of the published pipelines.

    Raises:
        ValueError: values that make no sense.
    """

    steps: int = 20
    guidance: float = 3.5  # 1: the row without guidance is not computed
    guidance_rescale: float = 0.0  # share of the contrast that guidance adds which is taken back (Lin et al. 2024, 3.4)
    guided_share: tuple[float, float] = (0.0, 1.0)  # of the steps, in which guidance is computed
    reuse: int = 1  # every n-th step runs the whole network, the others only its outermost blocks (DeepCache)

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be 1 or more, not {self.steps}")
        if not 1 <= self.guidance < float("inf"):
            raise ValueError(f"guidance must be 1 or more, not {self.guidance}")
        if self.reuse < 1:
            raise ValueError(f"reuse must be 1 or more, not {self.reuse}")

    @property
    def guided(self) -> bool:
        return self.guidance > 1

    def guides_at(self, step: int) -> bool:
        """Whether guidance is computed at a step, counted from 0."""
        first, last = self.guided_share
        return self.guided and first <= step / self.steps < last


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The latents of some frames before every step and after the last: (1, 4, frames, height, width) each."""

    states: tuple[Tensor, ...]

    @property
    def frames(self) -> int:
        return self.states[0].shape[2]


@dataclass(frozen=True, eq=False)
class Progressed:
    """A clip after some steps of `denoise`, which can go on from there."""

    latents: Tensor  # (1, 4, frames, height, width)
    states: tuple[Tensor, ...]  # of the recorded frames before each of those steps

    @property
    def steps(self) -> int:
        return len(self.states)


AfterStep = Callable[[int, Any, Progressed], Tensor]
"""Given the step, counted from 0, its timestep and the clip after it."""


@torch.inference_mode()
def denoise(
    unet: DenoisingUNet,
    scheduler: SchedulerMixin,
    noise: Tensor,
    condition: Condition,
    guide: GuideOf,
    windows: Sequence[Sequence[int]],
    *,
    sampling: Sampling,
    held: Trajectory | None = None,
    record: slice = slice(0),
    progressed: Progressed | None = None,
    generator: torch.Generator | None = None,
    device: torch.device | None = None,
    at_once: WindowsAtOnce | None = None,
    on_window: OnWindow = lambda *_: None,
    after_step: AfterStep = lambda step, timestep, done: done.latents,
) -> tuple[Tensor, Trajectory]:
    """Latents of a clip from noise. In every step all windows are predicted and averaged, then the scheduler moves on.

    Args:
        noise: (1, 4, frames, height, width) of unit variance.
        condition: of one row, or with guidance of two, the unguided one first.
        held: what the first frames did in the clip before this one; they are the context in which this one goes on.
        record: the frames whose trajectory is wanted.
        progressed: from which to go on instead of the noise, if the scheduler can (`can_go_on`).
        generator: of the noise that some schedulers add in every step.
        device: of the latents, by default that of the network.
        at_once: what it learned on another clip with windows of the same size; by default it learns anew.
        on_window: told the progress after each window.
        after_step: returns the latents to go on with.

    Returns:
        Latents (1, 4, frames, height, width), float32, and the recorded trajectory.

    Raises:
        NotFiniteError: the networks gave numbers that are not finite.
    """
    device = device or unet.device
    timesteps = set_timesteps(scheduler, sampling.steps, device=device)
    latents = noise.to(device, torch.float32) * scheduler.init_noise_sigma
    states: tuple[Tensor, ...] = ()
    if progressed is not None:
        latents, states = progressed.latents.to(latents), progressed.states
    at_once = at_once or WindowsAtOnce(device)
    predictor = Predictor(unet, condition, guide, windows, replace(sampling, steps=len(timesteps)), at_once)
    takes_generator = "generator" in inspect.signature(scheduler.step).parameters
    options = {"generator": generator} if takes_generator else {}
    for step, timestep in list(enumerate(timesteps))[len(states) :]:
        latents = _hold(latents, held, step)
        states = (*states, latents[:, :, record].clone())
        scaled = scheduler.scale_model_input(latents, timestep)
        prediction = predictor(step, timestep, scaled, partial(on_window, step))
        latents = scheduler.step(prediction, timestep, latents, return_dict=False, **options)[0]
        latents = after_step(step, timestep, Progressed(latents, states))
    latents = _hold(latents, held, len(timesteps))
    return latents, Trajectory((*states, latents[:, :, record].clone()))


def _hold(latents: Tensor, held: Trajectory | None, step: int) -> Tensor:
    if held is None:
        return latents
    return torch.cat([held.states[step].to(latents), latents[:, :, held.frames :]], dim=2)


class Predictor:
    """Predicts a whole clip at one step; it remembers the deep features of each window between steps."""

    def __init__(
        self,
        unet: DenoisingUNet,
        condition: Condition,
        guide: GuideOf,
        windows: Sequence[Sequence[int]],
        sampling: Sampling,
        at_once: WindowsAtOnce,
    ) -> None:
        self._unet, self._guide, self._windows, self._sampling = unet, guide, windows, sampling
        self._condition, self._at_once = condition, at_once
        self._deep: dict[int, Tensor] = {}  # number of a window -> its deep features
        self._deep_rows = 0

    def __call__(self, step: int, timestep: Tensor, latents: Tensor, on_window: Callable[[int], None]) -> Tensor:
        """The prediction (1, 4, frames, height, width) after averaging the windows and guiding."""
        is_guided = self._sampling.guides_at(step)
        condition = self._condition if is_guided else self._condition.row(self._condition.rows - 1)
        if step % self._sampling.reuse == 0 or self._deep_rows != condition.rows:
            self._deep = {}
            self._deep_rows = condition.rows
        total = latents.new_zeros(condition.rows, *latents.shape[1:])
        count = latents.new_zeros(latents.shape[2])
        done = 0
        while done < len(self._windows):
            group = self._group(done)
            predictions = self._predicted(group, timestep, latents, condition)
            for index, prediction in zip(group, predictions, strict=True):
                total[:, :, list(self._windows[index])] += prediction
                count[list(self._windows[index])] += 1
            done += len(group)
            if not torch.isfinite(total).all():
                raise NotFiniteError(
                    f"the networks gave numbers that are not finite at step {step + 1} of {self._sampling.steps}; "
                    "use --dtype float32, and verify the checkpoints"
                )
            on_window(done)
        average = total / count[:, None, None]
        return guided(*average.chunk(2), sampling=self._sampling) if is_guided else average

    def _group(self, first: int) -> list[int]:
        """The numbers of the windows that are predicted together with the first: its neighbours of equal length."""
        group = range(first, min(first + self._at_once.count, len(self._windows)))
        return list(takewhile(lambda index: len(self._windows[index]) == len(self._windows[first]), group))

    def _predicted(
        self, group: Sequence[int], timestep: Tensor, latents: Tensor, condition: Condition
    ) -> Sequence[Tensor]:
        """For each window of a group the prediction (rows, 4, frames, height, width)."""
        try:
            with self._at_once.observed():
                return self._predict(group, timestep, latents, condition)
        except torch.cuda.OutOfMemoryError:
            if len(group) == 1:
                raise
        self._at_once.reduce()
        return [each for index in group for each in self._predict([index], timestep, latents, condition)]

    def _predict(
        self, group: Sequence[int], timestep: Tensor, latents: Tensor, condition: Condition
    ) -> Sequence[Tensor]:
        frames = [list(self._windows[index]) for index in group]
        noisy = torch.cat([latents[:, :, each] for each in frames]).to(self._unet.dtype)
        guide = torch.cat([self._guide(each) for each in frames])
        if len(group) > 1:
            noisy, guide = (each.repeat_interleave(condition.rows, dim=0) for each in (noisy, guide))
            condition = condition.select([*range(condition.rows)] * len(group))
        deep = self._deep_of(group) if self._sampling.reuse > 1 else None
        prediction = self._unet(noisy, timestep, None, guide, condition, deep=deep)
        if deep is not None and deep.maps is not None:
            self._deep.update(zip(group, deep.maps.chunk(len(group)), strict=True))
        return prediction.float().chunk(len(group))

    def _deep_of(self, group: Sequence[int]) -> DeepFeatures:
        """What is remembered of some windows; a step remembers all of them or none."""
        if group[0] not in self._deep:
            return DeepFeatures()
        return DeepFeatures(torch.cat([self._deep[index] for index in group]))


def guided(unconditional: Tensor, conditional: Tensor, *, sampling: Sampling) -> Tensor:
    """Classifier-free guidance (Ho and Salimans 2022), with its contrast rescaled where asked for."""
    out = unconditional + sampling.guidance * (conditional - unconditional)
    if sampling.guidance_rescale == 0:
        return out
    dims = tuple(range(1, out.ndim))
    matched = out * (conditional.std(dim=dims, keepdim=True) / out.std(dim=dims, keepdim=True))
    return sampling.guidance_rescale * matched + (1 - sampling.guidance_rescale) * out
