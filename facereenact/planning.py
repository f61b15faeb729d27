"""What `drive` would do: `--dry-run`."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from facereenact.body_driver import BodyDriver, open_body_driver
from facereenact.diffusion import choose_device, choose_dtype, diffusion_of, open_networks, side_px_of
from facereenact.driver import Driver
from facereenact.mixing import open_cast
from facereenact.renderer_choice import choose_renderer
from facereenact.settings import DriveSettings

if TYPE_CHECKING:
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
    estimate: Estimate | None = None  # of the diffusion renderer


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
    from facereenact.renderers.diffusion_estimate import estimate

    own = settings.diffusion
    device = choose_device(own.device)
    dtype = choose_dtype(own.dtype, device)
    measured = estimate(open_networks(own, dtype, device), diffusion_of(own, side_px_of(own)), frames or own.window)
    return DrivePlan(
        settings.output_path, name, reason, frames, driver.rate, str(device), str(dtype).split(".")[1], measured
    )


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
