"""The face pipeline with tiny random networks, and pictures for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, SchedulerMixin
from transformers import CLIPVisionModelWithProjection

from facereenact.networks import load_face_networks
from facereenact.pipelines import ReenactmentPipeline, default_scheduler
from facereenact.tiny_model import make_tiny

FRAMES = 3


def tiny_pipeline(folder: Path) -> ReenactmentPipeline:
    face, vae, image_encoder, *_ = make_tiny(folder / "checkpoints")
    return silent(
        ReenactmentPipeline(
            vae=AutoencoderKL.from_pretrained(vae),
            image_encoder=CLIPVisionModelWithProjection.from_pretrained(image_encoder),
            scheduler=default_scheduler(),
            **load_face_networks(face),
        )
    )


def silent(pipeline: Any) -> Any:
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def with_scheduler(pipeline: ReenactmentPipeline, scheduler: SchedulerMixin) -> ReenactmentPipeline:
    """The same networks with another scheduler."""
    return silent(ReenactmentPipeline(**{**pipeline.components, "scheduler": scheduler}))


def pictures(count: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, (count, 96, 128, 3), dtype=np.uint8)


def rendered(pipeline: ReenactmentPipeline, **changed: Any) -> np.ndarray[Any, Any]:
    given: dict[str, Any] = {
        "source": pictures(1)[0],
        "head_guides": pictures(FRAMES, 1),
        "mouth_guides": pictures(FRAMES, 2),
        "num_inference_steps": 2,
        "generator": torch.Generator().manual_seed(0),
        "output_type": "np",
    }
    frames: np.ndarray[Any, Any] = pipeline(**given | changed).frames
    return frames
