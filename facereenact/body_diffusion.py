"""Opening the diffusion renderer of bodies as the settings say, with or without a face of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facereenact.diffusion import (
    choose_device,
    choose_dtype,
    decoder_place,
    decoder_record,
    diffusion_of,
    open_networks,
    places_of,
    recorded,
    sample_px,
    side_px_of,
)
from facereenact.diffusion_settings import BODY_CHECKPOINTS, COMBINED_CHECKPOINTS, DiffusionSettings

if TYPE_CHECKING:
    import torch

    from facereenact.networks import Networks
    from facereenact.renderers.diffusion_body import BodyDiffusionRenderer
    from facereenact.renderers.diffusion_clip import Diffusion
    from facereenact.renderers.diffusion_combined import CombinedDiffusionRenderer
    from facereenact.renderers.face_guidance import FaceGuidance
    from landmarks.trackers import TrackerName

LONGER_PX = 768  # of the pictures that the published weights were trained on
MORE_STEPS = 1.5  # as many as for a face: 30 instead of 20, as published

Image = NDArray[np.uint8]
OnProgress = Callable[[str, int, int | None], None]


def open_body_diffusion_renderer(
    image: Image,
    settings: DiffusionSettings,
    *,
    folder: Path,
    face: FaceGuidance | None = None,
    tracker: TrackerName = "mediapipe",
    on_progress: OnProgress,
) -> BodyDiffusionRenderer | CombinedDiffusionRenderer:
    """The renderer for one source. Its `render` takes the pose, retargeted to the source.

    Args:
        image: the source (height, width, 3) RGB, of any size.
        folder: where it keeps what is done, so that an interrupted rendering goes on.
        face: what the face does, where it does not just follow the body; `settings.combine` says how.
        tracker: follows the face of the rendered body that another is pasted over; best that of the guidance.

    Raises:
        NotInstalledError: a checkpoint is missing; the message says how to get it.
        InputError: a device that is not there, numbers that it cannot calculate with, or a damaged checkpoint.
    """
    from facereenact.guide_tracking import open_guide_tracker
    from facereenact.renderers.diffusion_body import BodyDiffusionRenderer
    from facereenact.renderers.diffusion_clip_renderer import ClipRenderer
    from facereenact.renderers.diffusion_combined import CombinedDiffusionRenderer

    device = choose_device(settings.device)
    dtype = choose_dtype(settings.dtype, device)
    checkpoints = BODY_CHECKPOINTS if face is None else COMBINED_CHECKPOINTS
    weights = recorded(places_of(settings, checkpoints), dtype, device)
    diffusion = body_diffusion_of(settings, (image.shape[1], image.shape[0]))
    if face is None or settings.combine == "guided":
        networks = open_body_networks(settings, dtype, device, with_face=face is not None)
        return BodyDiffusionRenderer(
            image, networks, diffusion, folder=folder, weights=weights, face=face, on_progress=on_progress
        )

    def told(part: str) -> OnProgress:
        return lambda stage, done, total: on_progress(f"{stage} {part}", done, total)

    body = BodyDiffusionRenderer(
        image,
        open_body_networks(settings, dtype, device),
        diffusion,
        folder=folder,
        weights=weights,
        on_progress=told("body"),
    )
    faces = ClipRenderer(
        open_networks(settings, dtype, device),
        diffusion_of(settings, side_px_of(settings)),
        folder=folder / "face",
        weights=weights,
        on_progress=told("face"),
    )
    return CombinedDiffusionRenderer(
        image,
        body,
        faces,
        face,
        tracker=partial(open_guide_tracker, tracker),
        seen_as=(tracker, decoder_record(settings)),
        on_progress=on_progress,
    )


def body_diffusion_of(settings: DiffusionSettings, size: tuple[int, int]) -> Diffusion:
    """How to use the networks for a source of a size (width, height), as the settings say."""
    from facereenact.pipelines.presets import PRESETS
    from facereenact.renderers.diffusion_body import body_canvas

    place = places_of(settings, BODY_CHECKPOINTS)[0]
    longer_px = settings.body_side or sample_px(place) or LONGER_PX
    steps = settings.steps or round(MORE_STEPS * PRESETS[settings.preset][1].steps)
    face = diffusion_of(replace(settings, steps=steps), longer_px)
    return replace(face, size=body_canvas(size, longer_px), body_scale=settings.body_scale, unguided="nothing")


def open_body_networks(
    settings: DiffusionSettings, dtype: torch.dtype, device: torch.device, *, with_face: bool = False
) -> Networks:
    """The networks, of which none is read yet; for a guided face also the guiders of the face networks.

    Raises:
        NotInstalledError: a checkpoint is missing.
    """
    from facereenact.networks import Networks, body_networks

    body, vae, image_encoder = places_of(settings, BODY_CHECKPOINTS)
    decoder = decoder_place(settings)
    networks = body_networks(body, vae=vae, image_encoder=image_encoder, decoder=decoder, dtype=dtype, device=device)
    if not with_face:
        return networks
    return Networks({**open_networks(settings, dtype, device).loaders, **networks.loaders})
