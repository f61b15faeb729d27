"""The small decoder: taken where it is asked for or belongs to the preset, and only what it decodes differs."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, AutoencoderTiny

from checkpoints import NotInstalledError
from facereenact.body_diffusion import open_body_diffusion_renderer, open_body_networks
from facereenact.diffusion import decoder_place, open_networks
from facereenact.diffusion_settings import DiffusionSettings
from facereenact.pipelines.base import decoded, noise_for
from facereenact.pipelines.pictures import to_picture
from facereenact.renderers import diffusion_combined
from facereenact.renderers.face_guidance import FaceGuidance
from facereenact.tiny_model import SIDE_PX, make_tiny
from tests.facereenact.renderers.posed_face import pose_of
from tests.faces import hopper

CPU = torch.device("cpu")
FACE = FaceGuidance(hopper().landmarks, hopper().landmarks, pose_of(hopper().landmarks))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "checkpoints"
    make_tiny(folder)
    return folder


@pytest.mark.parametrize(
    ("preset", "decoder", "is_small"),
    [
        ("exact", None, False),
        ("balanced", None, False),
        ("fast", None, True),
        ("fast", "full", False),
        ("exact", "small", True),
    ],
)
def test_it_is_taken_where_it_is_asked_for_or_fast(
    root: Path, preset: str, decoder: str | None, is_small: bool
) -> None:
    settings = DiffusionSettings(checkpoints=root, preset=preset, decoder=decoder)  # type: ignore[arg-type]
    for networks in (
        open_networks(settings, torch.float32, CPU),
        open_body_networks(settings, torch.float32, CPU),
        open_body_networks(settings, torch.float32, CPU, with_face=True),
    ):
        assert isinstance(networks.load("decoder"), AutoencoderTiny if is_small else AutoencoderKL)
        assert isinstance(networks.load("vae"), AutoencoderKL)  # which encodes the source


def test_where_it_is_missing_fast_does_without(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "all")
    shutil.rmtree(tmp_path / "all" / "taesd")
    assert decoder_place(DiffusionSettings(checkpoints=tmp_path / "all", preset="fast")) is None
    with pytest.raises(NotInstalledError, match="facereenact checkpoints pull taesd"):
        decoder_place(DiffusionSettings(checkpoints=tmp_path / "all", decoder="small"))


def test_it_decodes_pictures_of_the_same_size(root: Path) -> None:
    settings = DiffusionSettings(checkpoints=root, decoder="small")
    latents = noise_for(2, (SIDE_PX, SIDE_PX), generator=torch.Generator().manual_seed(0))
    small = open_networks(settings, torch.float32, CPU).load("decoder")
    pictures = [to_picture(each) for each in decoded(small, latents)]
    assert [picture.shape for picture in pictures] == [(SIDE_PX, SIDE_PX, 3)] * 2
    assert np.ptp(pictures[0]) > 0 and (pictures[0] != pictures[1]).any()


def test_a_face_is_followed_anew_in_what_another_decodes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []
    monkeypatch.setattr(
        diffusion_combined.CombinedDiffusionRenderer, "__init__", lambda *_, **how: given.append(how["seen_as"])
    )
    for decoder, tracker in (("full", "mediapipe"), ("small", "mediapipe"), ("full", "hybrid"), (None, "mediapipe")):
        open_body_diffusion_renderer(
            np.zeros((64, 64, 3), np.uint8),
            DiffusionSettings(checkpoints=root, decoder=decoder, device="cpu"),  # type: ignore[arg-type]
            folder=root / "kept",
            face=FACE,
            tracker=tracker,  # type: ignore[arg-type]
            on_progress=lambda *_: None,
        )
    assert given[0] == given[3] and given[0] not in given[1:3] and given[1] != given[2]
