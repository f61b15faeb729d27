"""A whole track from points alone: head pose and lids follow as they do for every tracker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facereenact.errors import FaceNotFoundError, InputError
from landmarks import LandmarkSequence
from landmarks.smoothing import fill_gaps
from landmarks.tracking import SequenceBuilder


def rebuilt(
    path: Path,
    points: NDArray[np.float32],
    scores: NDArray[np.float32],
    detected: NDArray[np.bool_],
    timestamps_s: NDArray[np.float64],
    *,
    size: tuple[int, int],
    tracker: str,
) -> LandmarkSequence:
    """A track from the points of the frames that show a face; the others are filled in.

    Args:
        path: the file to name in errors.
        points: (frames, 68, 2) pixels.
        scores: (frames, 68), 0 to 1.
        detected: (frames,).
        timestamps_s: (frames,), increasing.
        size: width, height of the frames, pixels.
        tracker: what made the points.

    Raises:
        InputError: the points of a frame are no face; FaceNotFoundError where no frame shows one.
    """
    if not detected.any():
        raise FaceNotFoundError(f"{path}: no frame shows a face")
    builder = SequenceBuilder(size, tracker)
    for index, time_s in enumerate(timestamps_s.tolist()):
        if detected[index] and np.ptp(points[index], axis=0).max() < 1:
            raise InputError(f"{path}: the points of frame {index} (from 0) all lie in one place")
        try:
            builder.add(points[index] if detected[index] else None, time_s)
        except cv2.error as error:
            raise InputError(f"{path}: the points of frame {index} (from 0) are no face") from error
    try:
        return fill_gaps(replace(builder.build(), scores=np.clip(scores, 0, 1)))
    except ValueError as error:
        raise InputError(f"{path}: the points are no face ({error})") from error
