"""The combined pipeline: a person moved by a body guide, and its face by a head guide and a mouth guide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from diffusers import AutoencoderKL, SchedulerMixin
from transformers import CLIPVisionModelWithProjection

from facereenact.networks import DenoisingUNet, PoseGuider, ReferenceNet
from facereenact.pipelines.base import AnimationOutput, AnimationPipeline, RenderOptions
from facereenact.pipelines.guides import Masks


class CombinedPipeline(AnimationPipeline):
    """Moves a whole person and its face at once: three pose guiders, whose features add, feed the body's networks.

    Head and mouth guide are drawn where the face is in the picture, and count only there. With a scale of 0 for both it
    is `PoseAnimationPipeline`. No published weights know the three together: it is meant for guiders that were trained
    jointly.
    """

    model_cpu_offload_seq = "image_encoder->reference_net->pose_guider->head_guider->mouth_guider->denoising_unet->vae"
    steps = 30
    unguided = "nothing"

    def __init__(
        self,
        vae: AutoencoderKL,
        image_encoder: CLIPVisionModelWithProjection,
        reference_net: ReferenceNet,
        denoising_unet: DenoisingUNet,
        pose_guider: PoseGuider,
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
            pose_guider=pose_guider,
            head_guider=head_guider,
            mouth_guider=mouth_guider,
            scheduler=scheduler,
        )

    def __call__(
        self,
        source: Any,
        pose_guides: Sequence[Any],
        head_guides: Sequence[Any],
        mouth_guides: Sequence[Any],
        face_masks: Masks | None = None,
        *,
        body_scale: float = 1.0,
        head_scale: float = 1.0,
        mouth_scale: float = 1.0,
        **options: Unpack[RenderOptions],
    ) -> AnimationOutput:
        """Render one picture for each body guide; arguments and errors are those of `ReenactmentPipeline`, and:

        Args:
            pose_guides: one picture for each frame.
            head_guides: likewise, with the head where the face is in the picture.
            mouth_guides: likewise.
            face_masks: where head and mouth guide count, by default everywhere.
            body_scale: weight of the body guide; 0 leaves it out.
        """
        return self._render(
            source,
            (self.pose_guider, self.head_guider, self.mouth_guider),
            (pose_guides, head_guides, mouth_guides),
            (body_scale, head_scale, mouth_scale),
            masks=(None, face_masks, face_masks),
            **options,
        )
