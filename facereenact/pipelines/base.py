"""What the face and the body pipeline share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal, TypedDict

import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, DiffusionPipeline
from diffusers.callbacks import MultiPipelineCallbacks, PipelineCallback
from diffusers.utils import BaseOutput
from PIL import Image
from torch import Tensor

from checkpoints.errors import InputError
from facereenact.networks import Condition, DenoisingUNet, PoseGuider, ReferenceNet
from facereenact.pipelines.guides import GuideFeatures, Masks
from facereenact.pipelines.pictures import Picture, as_picture, to_picture
from facereenact.pipelines.sampling import NotFiniteError, Progressed, Sampling, denoise
from facereenact.pipelines.schedulers import check_scheduler, set_timesteps
from facereenact.pipelines.source import Unguided, encode_source, reference_features, source_condition
from facereenact.pipelines.windows import context_windows

OutputType = Literal["pil", "np", "pt", "latent"]
OnStepEnd = Callable[[Any, int, Any, dict[str, Tensor]], dict[str, Tensor]]
MULTIPLE_PX = 8  # of the sides of a rendering: a latent covers so many pixels


@dataclass
class AnimationOutput(BaseOutput):  # type: ignore[misc]
    """A rendered clip."""

    frames: Any
    """pil: a list of pictures; np: uint8 (frames, height, width, 3); pt: (frames, 3, height, width) from 0 to 1;
    latent: (1, 4, frames, height / 8, width / 8)."""


class RenderOptions(TypedDict, total=False):
    """What every pipeline can be told besides its source and its guides."""

    width: int | None  # of the rendering, divisible by 8; by default that of the guides
    height: int | None  # likewise
    num_inference_steps: int | None  # of denoising; by default as published
    guidance_scale: float  # 3.5; 1 computes no guidance, in half the time
    guidance_rescale: float  # share of the contrast added by guidance that is taken back; 0
    window: int  # frames denoised together, at most as many as the motion modules know: 32; 24
    overlap: int  # frames that windows share; 4
    generator: torch.Generator | None  # of the noise, and of what some schedulers add in every step
    latents: Tensor | None  # the noise itself (1, 4, frames, height / 8, width / 8)
    output_type: OutputType  # "pil"
    callback_on_step_end: OnStepEnd | None  # called as diffusers' pipelines do, after every evaluation of the networks
    callback_on_step_end_tensor_inputs: Sequence[str]  # what it is given; there are only `latents`
    sampling: Sampling | None  # all of how to denoise, instead of steps and guidance


class AnimationPipeline(DiffusionPipeline):  # type: ignore[misc]
    """Animates a source with guides; see the pipelines for which."""

    steps: ClassVar[int]  # of denoising, by default
    unguided: ClassVar[Unguided]
    reference_net: ReferenceNet
    denoising_unet: DenoisingUNet
    vae: AutoencoderKL

    _callback_tensor_inputs: ClassVar[list[str]] = ["latents"]  # as diffusers names it

    @torch.inference_mode()
    def _render(
        self,
        source: Any,
        guiders: Sequence[PoseGuider],
        guides: Sequence[Sequence[Any]],
        scales: Sequence[float],
        *,
        masks: Sequence[Masks | None] | None = None,
        width: int | None = None,
        height: int | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float = 3.5,
        guidance_rescale: float = 0.0,
        window: int = 24,
        overlap: int = 4,
        generator: torch.Generator | None = None,
        latents: Tensor | None = None,
        output_type: OutputType = "pil",
        callback_on_step_end: OnStepEnd | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
        sampling: Sampling | None = None,
    ) -> AnimationOutput:
        steps = self.steps if num_inference_steps is None else num_inference_steps
        sampling = sampling or Sampling(steps=steps, guidance=guidance_scale, guidance_rescale=guidance_rescale)
        check_scheduler(self.scheduler)
        on_step_end = self._checked_callback(callback_on_step_end, callback_on_step_end_tensor_inputs)
        picture = as_picture(source)
        frames = _frame_count([*guides, *(each for each in masks or () if each is not None)])
        first, *_ = [as_picture(each[0]) for each in guides]
        size = checked_size((width, height), first.shape[1::-1])
        noise = _checked_noise(latents, frames, size, generator)
        unet, device = self.denoising_unet, self._execution_device
        windows = _checked_windows(frames, window, overlap, longest=unet.config.motion_max_seq_length)
        features = GuideFeatures(
            guiders,
            [_Pictures(each) for each in guides],
            scales=scales,
            masks=masks,
            size=size,
            unet=unet,
            device=device,
        )
        with self.progress_bar(total=len(set_timesteps(self.scheduler, sampling.steps))) as bar:
            done, _ = denoise(
                unet,
                self.scheduler,
                noise,
                self._condition(picture, size, guided=sampling.guided),
                features,
                windows,
                sampling=sampling,
                generator=generator,
                device=device,
                after_step=partial(_after_step, bar, on_step_end),
            )
        rendered = done if output_type == "latent" else _as_output(decoded(self.vae, done, device=device), output_type)
        self.maybe_free_model_hooks()
        return AnimationOutput(frames=rendered)

    def _condition(self, picture: Picture, size: tuple[int, int], *, guided: bool) -> Condition:
        device = self._execution_device
        source = encode_source(self.vae, self.image_encoder, picture, size, device=device)
        reference = reference_features(self.reference_net, source, guided=guided, unguided=self.unguided, device=device)
        return source_condition(self.denoising_unet, source, reference, guided=guided, device=device)

    def _checked_callback(
        self, callback: OnStepEnd | None, names: Sequence[str]
    ) -> Callable[[int, Any, Tensor], Tensor]:
        if isinstance(callback, PipelineCallback | MultiPipelineCallbacks):
            names = callback.tensor_inputs
        unknown = [name for name in names if name not in self._callback_tensor_inputs]
        if unknown:
            raise ValueError(f"callbacks can be given {self._callback_tensor_inputs}, not {unknown}")

        def on_step_end(step: int, timestep: Any, latents: Tensor) -> Tensor:
            if callback is None:
                return latents
            given = {"latents": latents} if "latents" in names else {}
            return callback(self, step, timestep, given).get("latents", latents)

        return on_step_end


def _after_step(
    bar: Any, on_step_end: Callable[[int, Any, Tensor], Tensor], step: int, timestep: Any, done: Progressed
) -> Tensor:
    bar.update()
    return on_step_end(step, timestep, done.latents)


def decoded(
    vae: AutoencoderKL | AutoencoderTiny,
    latents: Tensor,
    *,
    device: torch.device | None = None,
    first_frame: int = 0,
) -> Iterator[Tensor]:
    """The frames (3, height, width), 0 to 1, of latents (1, 4, frames, height / 8, width / 8), one at a time.

    Args:
        vae: the decoder.
        latents: of some frames.
        device: to which hooks move the decoder when it runs, by default where it is.
        first_frame: number of the first of the frames in its clip, from 0.

    Raises:
        NotFiniteError: the decoder gave numbers that are not finite.
    """
    with torch.inference_mode():
        for frame, each in enumerate(latents[0].unbind(dim=1), first_frame):
            maps = each[None].to(device or vae.device, vae.dtype) / vae.config.scaling_factor
            pixels = vae.decode(maps).sample[0]
            if not torch.isfinite(pixels).all():
                raise NotFiniteError(
                    f"the VAE gave numbers that are not finite at frame {frame}; use --dtype float32, and verify the "
                    "checkpoints"
                )
            yield (pixels / 2 + 0.5).clamp(0, 1)


def noise_for(frames: int, size: tuple[int, int], *, generator: torch.Generator | None = None) -> Tensor:
    """(1, 4, frames, height / 8, width / 8) float32 noise: one draw for the clip, on the CPU whatever the device.

    The published code draws in float16 where it runs so, which is this rounded.
    """
    return torch.randn(1, 4, frames, size[1] // MULTIPLE_PX, size[0] // MULTIPLE_PX, generator=generator)


def checked_size(size: tuple[int | None, int | None], given: tuple[int, ...]) -> tuple[int, int]:
    """The width and height of a rendering: as asked for, or else those of the guides, less what 8 does not divide.

    Raises:
        InputError: a side that was asked for is not divisible by 8.
    """
    for name, side in zip(("width", "height"), size, strict=True):
        if side is not None and (side < MULTIPLE_PX or side % MULTIPLE_PX):
            nearest = max(MULTIPLE_PX, round(side / MULTIPLE_PX) * MULTIPLE_PX)
            raise InputError(f"{name} {side} is not divisible by {MULTIPLE_PX}; the nearest that is is {nearest}")
    width, height = (side or own // MULTIPLE_PX * MULTIPLE_PX for side, own in zip(size, given, strict=True))
    return width, height


def _frame_count(guides: Sequence[Sequence[Any]]) -> int:
    counts = {len(each) for each in guides}
    if len(counts) > 1 or not min(counts):
        raise InputError(f"the guides need the same number of frames, at least one; they have {sorted(counts)}")
    return counts.pop()


def _checked_noise(
    given: Tensor | None, frames: int, size: tuple[int, int], generator: torch.Generator | None
) -> Tensor:
    if given is None:
        return noise_for(frames, size, generator=generator)
    shape = (1, 4, frames, size[1] // MULTIPLE_PX, size[0] // MULTIPLE_PX)
    if given.shape != shape:
        raise InputError(f"latents of shape {tuple(given.shape)} do not fit; guides and size ask for {shape}")
    return given


def _checked_windows(frames: int, size: int, overlap: int, *, longest: int) -> list[list[int]]:
    if size > longest:
        raise ValueError(f"windows of {size} frames are too long: the motion modules know at most {longest}")
    return context_windows(frames, size=size, overlap=overlap)


class _Pictures(Sequence[Any]):
    """Pictures of any kind as arrays, one at a time."""

    def __init__(self, pictures: Sequence[Any]) -> None:
        self._pictures = pictures

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: Any) -> Any:
        return as_picture(self._pictures[index])


def _as_output(pictures: Iterator[Tensor], output_type: OutputType) -> Any:
    if output_type == "pt":
        return torch.stack([each.float().cpu() for each in pictures])
    arrays = [to_picture(each) for each in pictures]
    return np.stack(arrays) if output_type == "np" else [Image.fromarray(each) for each in arrays]
