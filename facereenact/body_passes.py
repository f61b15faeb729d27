"""The passes over a person: the body is moved, and its head is given the face of another driver."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from body import PoseSequence
from body.resampling import resample
from body.retargeting import Retargeter
from facereenact.film import BodyResult
from facereenact.mixing import Performance
from facereenact.renderers.base import DriverFrame
from facereenact.renderers.body_head import BodyHead
from facereenact.renderers.body_warp import BodyWarp, HeadPicture, Placement
from facereenact.streams import ahead

if TYPE_CHECKING:
    from facereenact.renderers.diffusion_body import BodyDiffusionRenderer
    from facereenact.renderers.diffusion_combined import CombinedDiffusionRenderer

Image = NDArray[np.uint8]

CHUNK = 256  # frames of the body at a time, so that memory does not grow with the length
LONGEST_GAP_S = 0.4  # without a face in its driver that is interpolated; beyond it the face of the body pass shows
FADE_S = 0.16  # in which the one gives way to the other
LEAST_FACE_PX = 16.0  # width of a face in which no expression shows

log = logging.getLogger(__name__)


class FacePass:
    """The head of the person with the expressions of the face's drivers."""

    def __init__(self, head: BodyHead, performance: Performance) -> None:
        self._head, self._performance = head, performance
        self.width_px = head.portrait.face_width_px
        self.rolls_head = "head" in performance.cast.settings.part_drivers
        self._shares = shares_of(performance)

    def heads(self) -> Iterator[HeadPicture | None]:
        """One a frame; None where no face drives it."""
        frames: Iterator[DriverFrame | None] = self._performance.mouths() or repeat(None)
        for landmarks, frame, share in zip(self._performance.landmarks(), frames, self._shares, strict=False):
            yield self._head.picture(landmarks, frame, share=float(share)) if share > 0 else None


class BodyPass:
    """The person with the motion of the body driver, frame by frame, without weights.

    Args:
        body: draws it.
        track: of the driver, filled.
        retargeter: of this track.
        face: the head's own motion, if it has one.
        figures: what is counted along the way.
    """

    def __init__(
        self,
        body: BodyWarp,
        track: PoseSequence,
        retargeter: Retargeter,
        face: FacePass | None,
        figures: BodyResult,
    ) -> None:
        self._body, self._track, self._retargeter = body, track, retargeter
        self._face, self._figures = face, figures

    def pictures(self, times_s: NDArray[np.float64]) -> Iterator[Image]:
        """The frames at the times (frames,), seconds."""
        if self._face is None:
            for pose in self._poses(times_s):
                yield self._body.draw(self._placed(pose, None))
            return
        with closing(ahead(self._face.heads())) as heads:
            for pose, head in zip(self._poses(times_s), heads, strict=False):
                placement = self._placed(pose, head)
                yield self._body.draw(placement, head=self._large_enough(head, placement))
        if kept := self._figures.frames_without_face:
            log.warning(
                "%d of %d frames keep the face of the body pass: its driver shows none there, or it is too small",
                kept,
                len(times_s),
            )

    def forget(self) -> None:
        """Nothing is kept."""

    def _poses(self, times_s: NDArray[np.float64]) -> Iterator[PoseSequence]:
        for start in range(0, len(times_s), CHUNK):
            yield from self._retargeter(resample(self._track, times_s[start : start + CHUNK]))

    def _placed(self, pose: PoseSequence, head: HeadPicture | None) -> Placement:
        roll = None
        if self._face and self._face.rolls_head:
            roll = head.roll_rad if head else 0.0
        placement = self._body.place(pose.points[0], pose.scores[0], head_roll=roll)
        if placement.clamped and not self._figures.frames_clamped:
            log.warning("the driver moves farther than one picture can show; where it does, the person is held back")
        self._figures.frames_clamped += placement.clamped
        return placement

    def _large_enough(self, head: HeadPicture | None, placement: Placement) -> HeadPicture | None:
        """The head, unless nothing shows in it."""
        if self._face and self._face.width_px * np.hypot(*placement.head[:, 0]) < LEAST_FACE_PX:
            head = None
        self._figures.frames_without_face += head is None
        return head


class DiffusionPass:
    """The same by diffusion: body and face in one.

    Args:
        animator: draws both.
        track: of the driver, filled.
        retargeter: of this track.
        figures: what is counted along the way.
    """

    def __init__(
        self,
        animator: BodyDiffusionRenderer | CombinedDiffusionRenderer,
        track: PoseSequence,
        retargeter: Retargeter,
        figures: BodyResult,
    ) -> None:
        self._animator, self._track, self._retargeter, self._figures = animator, track, retargeter, figures

    def pictures(self, times_s: NDArray[np.float64]) -> Iterator[Image]:
        """The frames at the times (frames,), seconds; all but their decoding is done before the first is asked for."""
        pictures = self._animator.render(self._retargeter(resample(self._track, times_s)))
        self._figures.frames_without_face = self._animator.frames_without_face
        return pictures

    def forget(self) -> None:
        """The pictures are safe: remove what was kept so that an interrupted rendering could go on."""
        self._animator.forget()


def shares_of(performance: Performance) -> NDArray[np.float64]:
    """(frames,) how much of a face shows whose drivers lack it now and then; see `face_shares`."""
    tracks = [take.track for take in performance.takes.values()]
    return np.minimum.reduce([face_shares(track.detected, track.timestamps_s, performance.times_s) for track in tracks])


def face_shares(
    detected: NDArray[np.bool_], own_s: NDArray[np.float64], times_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(frames,) at the times: 1 where the face drives, 0 where its driver lacks it for long, in between around that.

    Args:
        detected: (driver frames,) which of them show the face.
        own_s: (driver frames,) their times, seconds; beyond the last one that frame holds.
        times_s: (frames,) seconds.
    """
    borders = np.flatnonzero(np.diff(np.concatenate([[False], ~detected, [False]]).astype(np.int8)))
    shares = np.ones(len(times_s))
    for first, after in borders.reshape(-1, 2):
        last_s = own_s[after - 1]
        if last_s - own_s[first] > LONGEST_GAP_S:
            end_s = last_s if after < len(own_s) else np.inf
            away_s = np.maximum(own_s[first] - times_s, times_s - end_s)
            shares = np.minimum(shares, np.clip(away_s / FADE_S, 0, 1))
    return shares
