"""The face pipeline: a portrait moved by a head guide and a mouth guide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from diffusers import AutoencoderKL, SchedulerMixin
from transformers import CLIPVisionModelWithProjection

from facereenact.networks import DenoisingUNet, PoseGuider, ReferenceNet
from facereenact.pipelines.base import AnimationOutput, AnimationPipeline, RenderOptions


class ReenactmentPipeline(AnimationPipeline):
    """Moves a face: Moore-AnimateAnyone's face reenactment with two pose guiders, whose features add.

    The guides are pictures of any kind and size, one of each for every frame; see `landmarks.guides`.
    """

    model_cpu_offload_seq = "image_encoder->reference_net->head_guider->mouth_guider->denoising_unet->vae"
    steps = 20
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
        head_scale: float = 1.0,
        mouth_scale: float = 1.0,
        **options: Unpack[RenderOptions],
    ) -> AnimationOutput:
        """Render one picture for each pair of guides.

        Args:
            source: the portrait, a PIL image or an array (height, width, 3) uint8 RGB.
            head_guides: one picture for each frame.
            mouth_guides: likewise.
            head_scale: weight of the head guide; 0 leaves it out.
            mouth_scale: likewise.
            options: see `RenderOptions`.

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
            **options,
        )
