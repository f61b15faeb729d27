"""The body pipeline: a person moved by a body guide."""

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


class PoseAnimationPipeline(AnimationPipeline):
    """Moves a whole person: Animate Anyone (Hu et al. 2023) as published by Moore-AnimateAnyone."""

    model_cpu_offload_seq = "image_encoder->reference_net->pose_guider->denoising_unet->vae"
    unguided = "nothing"

    def __init__(
        self,
        vae: AutoencoderKL,
        image_encoder: CLIPVisionModelWithProjection,
        reference_net: ReferenceNet,
        denoising_unet: DenoisingUNet,
        pose_guider: PoseGuider,
        scheduler: SchedulerMixin,
    ) -> None:
        super().__init__()
        self.register_modules(
            vae=vae,
            image_encoder=image_encoder,
            reference_net=reference_net,
            denoising_unet=denoising_unet,
            pose_guider=pose_guider,
            scheduler=scheduler,
        )

    def __call__(
        self,
        source: Any,
        pose_guides: Sequence[Any],
        *,
        width: int | None = None,
        height: int | None = None,
        num_inference_steps: int = 30,
        guidance_scale: float = 3.5,
        guidance_rescale: float = 0.0,
        pose_scale: float = 1.0,
        window: int = 24,
        overlap: int = 4,
        generator: torch.Generator | None = None,
        latents: Tensor | None = None,
        output_type: OutputType = "pil",
        callback_on_step_end: OnStepEnd | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
        sampling: Sampling | None = None,
    ) -> AnimationOutput:
        """Render one picture for each guide; arguments and errors are those of `ReenactmentPipeline`."""
        return self._render(
            source,
            (self.pose_guider,),
            (pose_guides,),
            (pose_scale,),
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
