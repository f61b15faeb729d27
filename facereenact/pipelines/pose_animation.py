"""The body pipeline: a person moved by a body guide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from diffusers import AutoencoderKL, SchedulerMixin
from transformers import CLIPVisionModelWithProjection

from facereenact.networks import DenoisingUNet, PoseGuider, ReferenceNet
from facereenact.pipelines.base import AnimationOutput, AnimationPipeline, RenderOptions


class PoseAnimationPipeline(AnimationPipeline):
    """Moves a whole person: Animate Anyone (Hu et al. 2023) as published by Moore-AnimateAnyone."""

    model_cpu_offload_seq = "image_encoder->reference_net->pose_guider->denoising_unet->vae"
    steps = 30
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
        pose_scale: float = 1.0,
        **options: Unpack[RenderOptions],
    ) -> AnimationOutput:
        """Render one picture for each guide; arguments and errors are those of `ReenactmentPipeline`."""
        return self._render(
            source,
            (self.pose_guider,),
            (pose_guides,),
            (pose_scale,),
            **options,
        )
