"""Face crops: 512x512 videos of single faces, all of a clip's in one second pass over it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from facereenact.preprocessing.figures import Image
from facereenact.streams import ahead
from facereenact.video import VideoReader, VideoWriter
from landmarks.guides import FaceCrop

CROP_PX = 512


@dataclass(frozen=True)
class CropPlan:
    """A crop to be written."""

    path: Path
    crop: FaceCrop
    first_frame: int
    frames: int
    start_s: float


def write_crops(video: Path, plans: list[CropPlan], rate: Fraction, feed: Callable[[], None]) -> None:
    """Write the crops of a clip, ordered by their first frame; `feed` is called at each frame.

    Raises:
        InputError: the video cannot be read.
        OutputError: a crop cannot be written.
    """
    with closing(ahead(VideoReader(video), 1)) as stream:
        frames = enumerate(stream)
        for (first, count), shot in groupby(plans, lambda plan: (plan.first_frame, plan.frames)):
            with ExitStack() as stack:
                writers = [
                    (plan, stack.enter_context(VideoWriter(plan.path, (CROP_PX, CROP_PX), rate))) for plan in shot
                ]
                for index, frame in frames:
                    feed()
                    if index >= first:
                        for plan, writer in writers:
                            writer.write(cropped(frame.image, plan.crop), frame.timestamp_s - plan.start_s)
                    if index == first + count - 1:
                        break


def cropped(image: Image, crop: FaceCrop) -> Image:
    """(CROP_PX, CROP_PX, 3): the square of the picture; what lies beyond it repeats its border."""
    height, width = image.shape[:2]
    left, top, right, bottom = crop.xyxy
    part = image[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    beyond = max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0)
    if any(beyond):
        part = np.asarray(cv2.copyMakeBorder(part, *beyond, cv2.BORDER_REPLICATE), np.uint8)
    way = cv2.INTER_AREA if crop.side_px > CROP_PX else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, (CROP_PX, CROP_PX), interpolation=way), np.uint8)
