"""The face pipeline: a portrait moved by a head guide and a mouth guide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import AutoencoderKL, SchedulerMixin
from torch import Tensor
from transformers import CLIPVisionModelWithProjection

from facereenact.networks import DenoisingUNet, PoseGuider, ReferenceNet
from facereenact.pipelines.base import AnimationOutput, AnimationPipeline, OnStepEnd, OutputType
from facereenact.pipelines.sampling import Sampling


class ReenactmentPipeline(AnimationPipeline):
    """Moves a face: Moore-AnimateAnyone's face reenactment with two pose guiders, whose features add.

    The guides are pictures of any kind and size, one of each for every frame; see `landmarks.guides`.
    """

    model_cpu_offload_seq = "image_encoder->reference_net->head_guider->mouth_guider->denoising_unet->vae"
    unguided = "zero latents"

    def __init__(
        self,
        vae: AutoencoderKL,
        image_encoder: CLIPVisionModelWithProjection,
        reference_net: ReferenceNet,
        denoising_unet: DenoisingUNet,
        head_guider: PoseGuider,
        mouth_guider: PoseGuider,
        scheduler: SchedulerMixin,
    ) -> None:
        super().__init__()
        self.register_modules(
            vae=vae,
            image_encoder=image_encoder,
            reference_net=reference_net,
            denoising_unet=denoising_unet,
            head_guider=head_guider,
            mouth_guider=mouth_guider,
            scheduler=scheduler,
        )

    def __call__(
        self,
        source: Any,
        head_guides: Sequence[Any],
        mouth_guides: Sequence[Any],
        *,
        width: int | None = None,
        height: int | None = None,
        num_inference_steps: int = 20,
        guidance_scale: float = 3.5,
        guidance_rescale: float = 0.0,
        head_scale: float = 1.0,
        mouth_scale: float = 1.0,
        window: int = 24,
        overlap: int = 4,
        generator: torch.Generator | None = None,
        latents: Tensor | None = None,
        output_type: OutputType = "pil",
        callback_on_step_end: OnStepEnd | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
        sampling: Sampling | None = None,
    ) -> AnimationOutput:
        """Render one picture for each pair of guides.

        Args:
            source: the portrait, a PIL image or an array (height, width, 3) uint8 RGB.
            head_guides: one picture for each frame.
            mouth_guides: likewise.
            width: of the rendering, divisible by 8; by default that of the guides.
            height: likewise.
            num_inference_steps: of denoising.
            guidance_scale: 1 computes no guidance, in half the time.
            guidance_rescale: share of the contrast added by guidance that is taken back.
            head_scale: weight of the head guide; 0 leaves it out.
            mouth_scale: likewise.
            window: frames denoised together, at most as many as the motion modules know: 32.
            overlap: frames that windows share.
            generator: of the noise, and of what some schedulers add in every step.
            latents: the noise itself (1, 4, frames, height / 8, width / 8).
            callback_on_step_end: called as diffusers' pipelines do, after every evaluation of the networks.
            callback_on_step_end_tensor_inputs: what it is given; there are only `latents`.
            sampling: all of how to denoise, instead of steps and guidance.

        Raises:
            InputError: sizes that are not divisible by 8, guides of different lengths, arrays that are no pictures,
                latents of another shape, a scheduler that does not fit.
            NotFiniteError: the networks gave numbers that are not finite.
            ValueError: steps or guidance below 1, windows too long, tensors for the callback that there are not.
        """
        return self._render(
            source,
            (self.head_guider, self.mouth_guider),
            (head_guides, mouth_guides),
            (head_scale, mouth_scale),
            size=(width, height),
            sampling=sampling
            or Sampling(steps=num_inference_steps, guidance=guidance_scale, guidance_rescale=guidance_rescale),
            window=window,
            overlap=overlap,
            generator=generator,
            latents=latents,
            output_type=output_type,
            callback_on_step_end=callback_on_step_end,
            callback_on_step_end_tensor_inputs=callback_on_step_end_tensor_inputs,
        )
