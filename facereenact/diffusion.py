"""Opening the diffusion renderer as the settings say, on the checkpoints that are installed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checkpoints import is_installed, locate
from checkpoints.storage import read_record
from facereenact.diffusion_settings import DiffusionSettings
from facereenact.errors import InputError
from facereenact.renderer_choice import FACE_CHECKPOINTS
from facereenact.source import Source

if TYPE_CHECKING:
    import torch

    from facereenact.networks import Networks
    from facereenact.renderers.diffusion import DiffusionRenderer
    from facereenact.renderers.diffusion_clip import Diffusion

SMALL_DECODER, AUTOENCODER = "taesd", "sd-vae-ft-mse"


def open_diffusion_renderer(
    source: Source,
    settings: DiffusionSettings,
    *,
    folder: Path,
    crop_px: int | None,
    on_progress: Callable[[str, int, int | None], None],
) -> DiffusionRenderer:
    """The renderer for one source.

    Args:
        folder: where it keeps what is done, so that an interrupted rendering goes on.
        crop_px: see `DiffusionRenderer`.

    Raises:
        NotInstalledError: a checkpoint is missing.
        InputError: a device that is not there, numbers that it cannot calculate with, or a damaged checkpoint.
    """
    from facereenact.renderers.diffusion import DiffusionRenderer

    device = choose_device(settings.device)
    dtype = choose_dtype(settings.dtype, device)
    return DiffusionRenderer(
        source.image,
        open_networks(settings, dtype, device),
        diffusion_of(settings, side_px_of(settings)),
        folder=folder,
        weights=recorded(places_of(settings, FACE_CHECKPOINTS), dtype, device),
        matte=source.matte,
        crop_px=crop_px,
        on_progress=on_progress,
    )


def diffusion_of(settings: DiffusionSettings, side: int) -> Diffusion:
    """How to use the networks, as the settings say."""
    from facereenact.pipelines.presets import preset
    from facereenact.renderers.diffusion_clip import Diffusion

    scheduler, sampling = preset(
        settings.preset, scheduler=settings.scheduler, steps=settings.steps, guidance=settings.guidance
    )
    return Diffusion(
        scheduler,
        sampling,
        window=settings.window,
        overlap=settings.overlap,
        seed=settings.seed,
        head_scale=settings.head_scale,
        mouth_scale=settings.mouth_scale,
        size=(side, side),
        keep_background=settings.keep_background,
    )


def open_networks(settings: DiffusionSettings, dtype: torch.dtype, device: torch.device) -> Networks:
    """The networks, of which none is read yet.

    Raises:
        NotInstalledError: a checkpoint is missing.
    """
    from facereenact.networks import face_networks

    face, vae, image_encoder = places_of(settings, FACE_CHECKPOINTS)
    decoder = decoder_place(settings)
    return face_networks(face, vae=vae, image_encoder=image_encoder, decoder=decoder, dtype=dtype, device=device)


def decoder_place(settings: DiffusionSettings) -> Path | None:
    """The folder of the small decoder, or None where the whole autoencoder decodes.

    Raises:
        NotInstalledError: the small one was asked for and is missing.
    """
    if settings.decoder == "small":
        return locate(SMALL_DECODER, root=settings.checkpoints)
    if (
        settings.decoder is None
        and settings.preset == "fast"
        and is_installed(SMALL_DECODER, root=settings.checkpoints)
    ):
        return locate(SMALL_DECODER, root=settings.checkpoints)
    return None


def decoder_record(settings: DiffusionSettings) -> dict[str, str]:
    """What tells the weights that make pictures from others."""
    place = decoder_place(settings) or locate(AUTOENCODER, root=settings.checkpoints)
    return {name: file.sha256 for name, file in read_record(place).items()}


def side_px_of(settings: DiffusionSettings) -> int:
    """The side of the square that the networks were made for: 512, unless their folder says otherwise."""
    return sample_px(places_of(settings, FACE_CHECKPOINTS)[0]) or 512


def sample_px(place: Path) -> int | None:
    """The side of the pictures that the networks in a folder were made for, if it says so."""
    try:
        config: dict[str, Any] = json.loads((place / "config.json").read_text("utf-8"))
    except FileNotFoundError:
        return None
    return 8 * int(config["denoising_unet"]["sample_size"])


def places_of(settings: DiffusionSettings, checkpoints: Sequence[str]) -> list[Path]:
    """The folders of checkpoints.

    Raises:
        NotInstalledError: one is missing; the message says how to get it.
    """
    return [locate(name, root=settings.checkpoints) for name in checkpoints]


def recorded(places: Sequence[Path], dtype: torch.dtype, device: torch.device) -> dict[str, Any]:
    """What tells weights from others, and how they calculate."""
    files = {place.name: {name: file.sha256 for name, file in read_record(place).items()} for place in places}
    return {"files": files, "dtype": str(dtype), "device": device.type}


def choose_device(wanted: str) -> torch.device:
    """The device of the networks.

    Raises:
        InputError: it is not there.
    """
    import torch

    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(wanted)
    is_there = True
    if device.type == "cuda":
        is_there = (device.index or 0) < torch.cuda.device_count()
    elif device.type == "mps":
        is_there = torch.backends.mps.is_available()
    if not is_there:
        raise InputError(f"--device {wanted}: there is no such device; `facereenact doctor` says what is there")
    return device


def choose_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """The numbers of the networks.

    Raises:
        InputError: the device does not calculate with them.
    """
    import torch

    if wanted == "auto":
        if device.type == "cpu":
            return torch.bfloat16 if has_fast_bfloat16() else torch.float32
        return torch.float16
    if wanted == "float16" and device.type == "cpu":
        raise InputError("--dtype float16 is for GPUs; use bfloat16 or float32 on a CPU")
    dtype: torch.dtype = getattr(torch, wanted)
    return dtype


def has_fast_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware; elsewhere it is slower than float32."""
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
