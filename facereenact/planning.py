"""What `drive` would do: `--dry-run`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from facereenact.body_diffusion import body_diffusion_of, open_body_networks
from facereenact.body_driver import BodyDriver, open_body_driver
from facereenact.diffusion import choose_device, choose_dtype, diffusion_of, open_networks, side_px_of
from facereenact.driver import Driver
from facereenact.images import read_image
from facereenact.mixing import open_cast
from facereenact.renderer_choice import choose_renderer
from facereenact.settings import DriveSettings
from facereenact.source import resized

if TYPE_CHECKING:
    import torch

    from facereenact.renderers.diffusion_estimate import Estimate


@dataclass(frozen=True)
class DrivePlan:
    """What a call of `drive` with the same settings would do."""

    output: Path
    renderer: str
    renderer_reason: str
    frames: int | None  # None where the driver does not tell before it is read
    rate: Fraction
    device: str = "cpu"
    dtype: str = ""
    estimates: tuple[Estimate, ...] = ()  # of the diffusion renderer: one, or the body's and that of a pasted face


def plan(settings: DriveSettings) -> DrivePlan:
    """Count frames and windows, measure one step of the networks where there are any, and write nothing.

    Raises:
        InputError: a driver cannot be read, or the settings do not fit the renderer.
        NotInstalledError: a checkpoint is missing.
    """
    name, reason = choose_renderer(settings)
    driver = _leader(settings)
    frames = driver.frame_count
    if name == "warp":
        return DrivePlan(settings.output_path, name, reason, frames, driver.rate)
    own = settings.diffusion
    device = choose_device(own.device)
    dtype = choose_dtype(own.dtype, device)
    measure = _measured if settings.body.body_driver is None else _measured_body
    estimates = measure(settings, dtype, device, frames or own.window)
    return DrivePlan(
        settings.output_path, name, reason, frames, driver.rate, str(device), str(dtype).split(".")[1], estimates
    )


def _measured(settings: DriveSettings, dtype: torch.dtype, device: torch.device, frames: int) -> tuple[Estimate, ...]:
    """Of the face networks."""
    from facereenact.renderers.diffusion_estimate import estimate

    own = settings.diffusion
    return (estimate(open_networks(own, dtype, device), diffusion_of(own, side_px_of(own)), frames),)


def _measured_body(
    settings: DriveSettings, dtype: torch.dtype, device: torch.device, frames: int
) -> tuple[Estimate, ...]:
    """Of the body networks, then of the face networks where the face is pasted."""
    from facereenact.renderers.diffusion_estimate import estimate

    own = settings.diffusion
    height, width = resized(*read_image(settings.source), settings.size)[0].shape[:2]
    body = estimate(open_body_networks(own, dtype, device), body_diffusion_of(own, (width, height)), frames)
    if not settings.drivers or own.combine == "guided":
        return (body,)
    body = replace(body, decoding_s=2 * body.decoding_s)  # once to track the face, once for the pictures
    return body, *_measured(settings, dtype, device, frames)


def _leader(settings: DriveSettings) -> Driver | BodyDriver:
    """The driver whose frames are counted: the main one of the face, or the body's where that is longer."""
    faces = open_cast(settings).drivers
    if settings.body.body_driver is None:
        return faces[settings.main_driver]
    body = open_body_driver(settings)
    if settings.length_from == "body" or not faces:
        return body
    face: Driver | BodyDriver = faces[settings.main_driver]
    if settings.length_from is not None:
        return face
    return max((face, body), key=lambda driver: (driver.frame_count or 0) / driver.rate)
