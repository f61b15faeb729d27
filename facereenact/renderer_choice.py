"""Which renderer makes the pictures, and why."""

from __future__ import annotations

from typing import Literal

from checkpoints import is_installed, locate
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
    name, reason = (_wanted if settings.body.body_driver is None else _wanted_for_body)(settings)
    if name == "warp" and settings.diffusion.given:
        raise InputError(
            f"{', '.join(settings.diffusion.given)}: options of the diffusion renderer, but warp is used ({reason})"
        )
    if name == "diffusion" and settings.mouth != "driver":
        raise InputError(f"--mouth {settings.mouth}: an option of the warp renderer, but diffusion is used ({reason})")
    return name, reason


def _wanted_for_body(settings: DriveSettings) -> tuple[RendererName, str]:
    """The same where a body driver is given."""
    if settings.renderer == "diffusion":
        raise InputError("--renderer diffusion does not animate bodies yet; leave it out, or --body-driver")
    return "warp", "asked for" if settings.renderer == "warp" else "auto: it is what animates bodies"


def _wanted(settings: DriveSettings) -> tuple[RendererName, str]:
    wanted, root = settings.renderer, settings.diffusion.checkpoints
    if wanted == "warp":
        return "warp", "asked for"
    if wanted == "diffusion":
        for name in FACE_CHECKPOINTS:
            locate(name, root=root)
        return "diffusion", "asked for"
    missing = [name for name in FACE_CHECKPOINTS if not is_installed(name, root=root)]
    if missing:
        return "warp", f"auto: the diffusion renderer's checkpoints are not installed ({', '.join(missing)})"
    return "diffusion", "auto: its checkpoints are installed"
