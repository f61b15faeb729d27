"""Following the face of a person whose body points are known, however small it is in the picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from body import PoseSequence
from body.types import LEFT_EAR, LEFT_EYE, LEFT_SHOULDER, NECK, NOSE, RIGHT_EAR, RIGHT_EYE, RIGHT_SHOULDER
from facereenact.renderers.pasting import cut_square
from landmarks import LandmarkSequence
from landmarks.smoothing import gaussian_mean
from landmarks.tracking import SequenceBuilder, Tracker

Image = NDArray[np.uint8]

VIEW_PX = 256  # side of the pictures that the tracker sees
STEADY_S = 0.1  # standard deviation of the mean over time of place and size of the view
HEAD = [NOSE, RIGHT_EYE, LEFT_EYE, RIGHT_EAR, LEFT_EAR]
# Side of the view: of several distances whichever says the most, since each is short from some side.
SPANS = ((NECK, NOSE, 3.0), (RIGHT_EAR, LEFT_EAR, 3.0), (RIGHT_SHOULDER, LEFT_SHOULDER, 1.5))
LEAST_PX = 16.0


def track_head(
    frames: Iterable[Image],
    pose: PoseSequence,
    tracker: Tracker,
    *,
    on_frame: Callable[[int], None] = lambda done: None,
) -> LandmarkSequence:
    """The face in pictures of a posed person; frames where it is not found are marked, not filled in.

    Args:
        frames: (height, width, 3), one for each frame of the pose.
        pose: filled, in pixels of the frames.
        tracker: sees the surroundings of the head, enlarged; it is reset first.
        on_frame: told the frames done.

    Raises:
        FaceNotFoundError: no frame shows a face.
    """
    tracker.reset()
    builder = SequenceBuilder(pose.size, tracker.name)
    corners, sides = head_views(pose)
    for done, (image, corner, side, time_s) in enumerate(zip(frames, corners, sides, pose.timestamps_s, strict=True)):
        face = tracker(cut_square(image, corner, side, VIEW_PX))
        points = None if face is None else (face.points * (side / VIEW_PX) + corner).astype(np.float32)
        builder.add(points, float(time_s))
        on_frame(done + 1)
    return builder.build()


def head_views(pose: PoseSequence) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Squares three times as wide as the head around it: top left corners (frames, 2), sides (frames,), pixels."""
    points, seen = pose.points.astype(np.float64), pose.visible
    weights = np.where(seen[:, HEAD], 1.0, 1e-3)[..., None]  # where none is seen, the middle of where they should be
    middle = (points[:, HEAD] * weights).sum(axis=1) / weights.sum(axis=1)
    spans = [
        factor * np.linalg.norm(points[:, one] - points[:, other], axis=1) * (seen[:, one] & seen[:, other])
        for one, other, factor in SPANS
    ]
    sides = gaussian_mean(np.maximum(np.max(spans, axis=0), LEAST_PX), pose.timestamps_s, STEADY_S)
    return gaussian_mean(middle, pose.timestamps_s, STEADY_S) - sides[:, None] / 2, sides
