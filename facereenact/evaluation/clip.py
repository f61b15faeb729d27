"""One finished result against its driver: every metric in one pass over both videos."""

from __future__ import annotations

import math
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facereenact.driver import Progress
from facereenact.evaluation.image_metrics import ImageComparison
from facereenact.evaluation.motion_metrics import MotionComparison
from facereenact.evaluation.observers import Judge, MeshObserver, ObserverName
from facereenact.evaluation.perceptual import AsPublished, Features, Identity, Similarity, missing_networks
from facereenact.evaluation.protocols import Case
from facereenact.evaluation.readings import Reading
from facereenact.evaluation.rendering import frame_of
from facereenact.evaluation.settings import EvaluateSettings
from facereenact.evaluation.sidecars import window_step
from facereenact.evaluation.sound import audio_offset_ms
from facereenact.evaluation.stability import Drift, Flicker, Seams
from facereenact.evaluation.views import View, in_step, views
from facereenact.evaluation.worst_frames import WorstFrames
from facereenact.images import read_image
from facereenact.video import VideoReader

Image = NDArray[np.uint8]

CURVE_DIGITS = 4


@dataclass(frozen=True, eq=False)
class Measured:
    """What one result gave."""

    frames: int
    metrics: dict[str, float | None]
    curves: dict[str, dict[str, Any]]  # by tracker and name: driver and result, (frames,)
    times_s: list[float]
    worst: list[dict[str, object]]
    seconds: float


def measure(
    case: Case,
    result: Path,
    judge: Judge,
    settings: EvaluateSettings,
    *,
    features: dict[str, tuple[Path, Path]],
    progress: Progress,
) -> Measured:
    """Measure a result.

    Args:
        features: the two files, of driver and result, that take the features of a metric of sets.

    Raises:
        InputError: a video cannot be read, or the two have not as many frames.
    """
    began = time.perf_counter()
    info = VideoReader(case.driver, end_s=settings.end).info
    size = info.size if settings.in_place else None
    meters = Meters(case, judge, settings, features)
    count = 0
    with closing(meters):
        pairs = in_step(
            views(case.driver, judge.observers, end_s=settings.end),
            views(result, judge.observers, end_s=settings.end if case.result else None, size=size),
        )
        for count, (driver, made) in enumerate(pairs, 1):
            meters.add(count - 1, driver, made)
            progress("measuring", count, info.frame_count)
    metrics = meters.result(settings.window or window_step(result))
    metrics["audio_offset_ms"] = audio_offset_ms(case.driver, result, end_s=settings.end)
    return Measured(
        frames=count,
        metrics=metrics,
        curves=meters.curves(),
        times_s=meters.times_s,
        worst=meters.worst.result(),
        seconds=time.perf_counter() - began,
    )


class Meters:
    """Every metric of one result, fed frame by frame."""

    def __init__(
        self, case: Case, judge: Judge, settings: EvaluateSettings, features: dict[str, tuple[Path, Path]]
    ) -> None:
        in_place, missing = settings.in_place, missing_networks()
        self._judge = judge
        self._source_frame = settings.source_frame if in_place else None
        still = (
            frame_of(case.driver, settings.source_frame).image if case.source is None else read_image(case.source)[0]
        )
        self._motion = {name: MotionComparison(in_place=in_place) for name in judge.observers}
        self._images = ImageComparison(still) if in_place else None
        self._flicker, self._seams, self._drift = Flicker(in_place=in_place), Seams(), Drift()
        self._similarity = Similarity() if in_place and "lpips" not in missing else None
        self._identity = None if "csim" in missing else Identity(still, _mesh_of(still))
        self._features = [Features(metric, files) for metric, files in features.items()]
        self._published = None
        if settings.as_published and in_place:
            self._published = AsPublished(with_lpips="published.lpips" not in missing)
        self.times_s: list[float] = []
        self.worst = WorstFrames()

    def add(self, index: int, driver: View, result: View) -> None:
        """Take in a frame of both."""
        errors = {
            name: motion.add(driver.readings[name], result.readings[name]) for name, motion in self._motion.items()
        }
        mesh: ObserverName = "mesh"
        self._flicker.add(driver.image, result.image, (driver.readings[mesh], result.readings[mesh]))
        self._seams.add(driver.image, result.image)
        self._drift.add(result.image, result.readings[mesh])
        if self._identity is not None:
            self._identity.add(result.image, result.readings[mesh])
        if index != self._source_frame:
            self._add_images(driver.image, result.image)
        self.times_s.append(round(driver.time_s, CURVE_DIGITS))
        is_lost = driver.readings[mesh] is not None and result.readings[mesh] is None
        error = math.inf if is_lost else errors[self._judge.name]
        self.worst.add(error, index, driver.time_s, driver.image, result.image)

    def _add_images(self, driver: Image, result: Image) -> None:
        for meter in (self._images, self._similarity, self._published, *self._features):
            if meter is not None:
                meter.add(driver, result)

    def result(self, window: int | None) -> dict[str, float | None]:
        values: dict[str, float | None] = {}
        for meter in (self._images, self._similarity, self._identity, self._published, self._flicker, self._drift):
            if meter is not None:
                values |= meter.result()
        values |= self._seams.result(window)
        for name, motion in self._motion.items():
            values |= {f"{name}.{metric}": value for metric, value in motion.result().items()}
        return values

    def curves(self) -> dict[str, dict[str, Any]]:
        return {
            tracker: {
                name: [np.round(side, CURVE_DIGITS).tolist() for side in pair] for name, pair in motion.curves.items()
            }
            for tracker, motion in self._motion.items()
        }

    def close(self) -> None:
        for each in self._features:
            each.close()


def _mesh_of(image: Image) -> Reading | None:
    with closing(MeshObserver()) as look:
        return look(image)
