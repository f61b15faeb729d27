"""Which renderer makes the pictures, and why."""

from __future__ import annotations

from typing import Literal

from checkpoints import is_installed, locate
from facereenact.diffusion_settings import BODY_CHECKPOINTS, COMBINED_CHECKPOINTS
from facereenact.errors import InputError
from facereenact.settings import DriveSettings

RendererName = Literal["warp", "diffusion"]

FACE_CHECKPOINTS = ("moore-face", "sd-vae-ft-mse", "image-encoder")


def choose_renderer(settings: DriveSettings) -> tuple[RendererName, str]:
    """The renderer to use and why.

    Raises:
        NotInstalledError: the wanted renderer needs checkpoints that are not there; the message says how to get them.
        InputError: options are given that the chosen renderer does not have.
    """
    name, reason = _wanted(settings)
    if name == "warp" and settings.diffusion.given:
        raise InputError(
            f"{', '.join(settings.diffusion.given)}: options of the diffusion renderer, but warp is used ({reason})"
        )
    if name == "diffusion" and settings.mouth != "driver":
        raise InputError(f"--mouth {settings.mouth}: an option of the warp renderer, but diffusion is used ({reason})")
    return name, reason


def _wanted(settings: DriveSettings) -> tuple[RendererName, str]:
    wanted, root, needed = settings.renderer, settings.diffusion.checkpoints, _needed(settings)
    if wanted == "warp":
        return "warp", "asked for"
    if wanted == "diffusion":
        for name in needed:
            locate(name, root=root)
        return "diffusion", "asked for"
    missing = [name for name in needed if not is_installed(name, root=root)]
    if missing:
        return "warp", f"auto: the diffusion renderer's checkpoints are not installed ({', '.join(missing)})"
    return "diffusion", "auto: its checkpoints are installed"


def _needed(settings: DriveSettings) -> tuple[str, ...]:
    """The checkpoints without which diffusion cannot render what moves."""
    if settings.body.body_driver is None:
        return FACE_CHECKPOINTS
    return COMBINED_CHECKPOINTS if settings.drivers else BODY_CHECKPOINTS
