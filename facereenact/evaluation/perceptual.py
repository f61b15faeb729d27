"""The metrics that need weights of others, each measured where they are installed: LPIPS, FID, FVD and CSIM."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from checkpoints import is_installed
from checkpoints.published import find
from checkpoints.storage import folder_of, read_record
from facereenact.evaluation.image_metrics import grey
from facereenact.evaluation.mean import Mean
from facereenact.evaluation.published import published_l1, published_psnr, published_ssim, resized
from facereenact.evaluation.readings import Reading
from facereenact.evaluation.stability import drift

if TYPE_CHECKING:
    from facereenact.evaluation.networks import ArcFaceMeter, I3dMeter, InceptionMeter, LpipsMeter

Image = NDArray[np.uint8]
Float = NDArray[np.float64]

NEEDS = {
    "lpips": ("alexnet", "lpips"),
    "fid": ("inception-fid",),
    "fvd": ("i3d-fvd",),
    "csim": ("arcface",),
    "published.lpips": ("vgg16", "lpips"),
}
"""The checkpoints of each metric."""

WIDTHS = {"fid": 2048, "fvd": 400}
"""Features of one sample."""


def missing_networks() -> dict[str, str]:
    """Why each metric cannot be measured here; nothing of those that can."""
    missing = {}
    for metric, names in NEEDS.items():
        lacking = [name for name in names if not _is_there(metric, name)]
        if lacking:
            commands = "; ".join(f"facereenact checkpoints pull {name}" for name in lacking)
            missing[metric] = f"not installed: {', '.join(lacking)} (run {commands})"
    return missing


def network_hashes() -> dict[str, str]:
    """Which weights each metric is measured with: the hashes recorded when they came."""
    names = sorted({name for metric in NEEDS if metric not in missing_networks() for name in NEEDS[metric]})
    return {
        f"{name}/{file}": stored.sha256
        for name in names
        for file, stored in read_record(folder_of(find(name), None)).items()
    }


def _is_there(metric: str, name: str) -> bool:
    if metric == "published.lpips" and name == "lpips":  # its head is an optional file
        return "vgg.safetensors" in read_record(folder_of(find(name), None))
    return is_installed(name)


class Similarity:
    """LPIPS of driver and result."""

    def __init__(self) -> None:
        from facereenact.evaluation.networks import LpipsMeter

        self._meter: LpipsMeter = LpipsMeter()
        self._mean = Mean()

    def add(self, driver: Image, result: Image) -> None:
        self._mean.add(self._meter(driver, result))

    def result(self) -> dict[str, float | None]:
        return {"lpips": self._mean.value}


class Identity:
    """CSIM: the cosine of the identities of source and result, and its drift over time."""

    def __init__(self, source: Image, mesh: Reading | None) -> None:
        from facereenact.evaluation.networks import ArcFaceMeter

        self._meter: ArcFaceMeter = ArcFaceMeter()
        self._source = None if mesh is None else self._meter(source, mesh)
        self._cosines: list[float] = []

    def add(self, result: Image, mesh: Reading | None) -> None:
        if mesh is not None and self._source is not None:
            self._cosines.append(float(self._source @ self._meter(result, mesh)))

    def result(self) -> dict[str, float | None]:
        mean = float(np.mean(self._cosines)) if self._cosines else None
        return {"csim": mean, "drift.identity": drift([1 - cosine for cosine in self._cosines])}


class Features:
    """The features of FID or FVD of driver and result, appended to two files."""

    def __init__(self, metric: str, files: tuple[Path, Path]) -> None:
        from facereenact.evaluation.networks import I3dMeter, InceptionMeter

        self._meter: InceptionMeter | I3dMeter = InceptionMeter() if metric == "fid" else I3dMeter()
        self._streams: tuple[BinaryIO, ...] = tuple(path.open("wb") for path in files)
        self._waiting: tuple[list[Image], list[Image]] = ([], [])

    def add(self, driver: Image, result: Image) -> None:
        for stream, waiting, image in zip(self._streams, self._waiting, (driver, result), strict=True):
            waiting.append(image)
            if len(waiting) == self._meter.frames:
                stream.write(self._meter(waiting).astype(np.float32).tobytes())
                waiting.clear()

    def close(self) -> None:
        for stream in self._streams:
            stream.close()


class AsPublished:
    """PSNR, SSIM, L1 and LPIPS as the published tables of dancing and fashion videos measured them."""

    def __init__(self, *, with_lpips: bool) -> None:
        self._meter: LpipsMeter | None = None
        if with_lpips:
            from facereenact.evaluation.networks import LpipsMeter

            self._meter = LpipsMeter("vgg")
        self._means: dict[str, Mean] = {name: Mean() for name in ("psnr", "ssim", "l1", "lpips")}

    def add(self, driver: Image, result: Image) -> None:
        one, other = resized(driver), resized(result)
        self._means["psnr"].add(published_psnr(one, other))
        self._means["ssim"].add(published_ssim(grey(one), grey(other)))
        self._means["l1"].add(published_l1(one, other))
        if self._meter is not None:
            self._means["lpips"].add(self._meter(one, other, is_centred=False))

    def result(self) -> dict[str, float | None]:
        return {f"published.{name}": mean.value for name, mean in self._means.items() if mean.count}
