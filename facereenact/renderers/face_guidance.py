"""The face of an animated body: whose it is, what it does, and where the body carries it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from body import PoseSequence
from body.types import FACE
from facereenact.errors import FaceNotFoundError
from facereenact.renderers.face_squares import presence
from landmarks import LandmarkSequence
from landmarks.head_pose import rotation_matrices, rotation_vectors
from landmarks.motion import FaceMotion, HeadMotion, split_motion
from landmarks.retargeting import landmarks_of
from landmarks.smoothing import fill_gaps
from landmarks.tracking import SequenceBuilder

HeadFrom = Literal["body", "face"]

# The 68 points of the body's tracks (iBUG) that are OpenSeeFace's; its pupils, which they lack, lie between the lids.
JAW_TO_EYES = range(48)
MOUTH = (*range(49, 54), *range(55, 60), 48, *range(61, 64), 54, *range(65, 68))
EYES = (range(36, 42), range(42, 48))
SHOWN = 0.8  # share of a face's points that must be seen


@dataclass(frozen=True, eq=False)
class FaceGuidance:
    """What the face of an animated body does."""

    motion: LandmarkSequence  # of the source's face, retargeted, pixels of the source; a frame for each of the pose
    source: LandmarkSequence  # the source's face, one frame
    source_pose: PoseSequence  # the source's body, one frame, by the estimator of the body driver
    head_from: HeadFrom = "body"  # how the head is turned; place and size are the body's
    shares: NDArray[np.floating[Any]] | None = None  # (frames,) 0 where the motion is not known, 1 where it is

    def presence(self, face: LandmarkSequence) -> NDArray[np.float32]:
        """(frames,) how much of the motion shows on a face (frames, filled) that carries it."""
        shows = presence(face)
        return shows if self.shares is None else (shows * self.shares).astype(np.float32)

    def on(self, seen: LandmarkSequence) -> LandmarkSequence:
        """The eyes and the mouth of the motion on a head that was seen (frames), in its place."""
        head, face = split_motion(seen).head, split_motion(self.motion)
        turned = head if self.head_from == "body" else replace(head, rotation=face.head.rotation)
        return landmarks_of(replace(face, head=turned), seen=seen, head=head, size=seen.size)

    def carried_by(self, pose: PoseSequence) -> LandmarkSequence:
        """The face where a retargeted pose (frames) carries the source's head; `detected` where the pose shows a face.

        Raises:
            FaceNotFoundError: the pose or the source's shows no face.
        """
        driven, own = fill_gaps(face_of(pose)), face_of(self.source_pose)
        there, here, source = (split_motion(each).head for each in (driven, own, self.source))
        turn = rotation_matrices(there.rotation) @ rotation_matrices(here.rotation)[0].T
        head = HeadMotion(
            rotation=rotation_vectors(turn @ rotation_matrices(source.rotation)[0]),
            scale=source.scale * there.scale / here.scale,
            position=source.position + there.position - here.position,
        )
        still = split_motion(self.source)
        offsets = np.repeat(still.offsets, len(pose), axis=0)
        motion = FaceMotion(head, still.eyes, still.mouth).with_offsets(offsets)
        return self.on(landmarks_of(motion, seen=driven, head=there, size=pose.size))


def face_of(pose: PoseSequence) -> LandmarkSequence:
    """The landmarks of a body's face; frames that do not show it are not detected, and not filled in.

    Raises:
        FaceNotFoundError: no frame shows it.
    """
    builder = SequenceBuilder(pose.size, pose.estimator)
    shown = pose.visible[:, FACE].mean(axis=1) >= SHOWN
    for points, is_shown, time_s in zip(pose.points[:, FACE], shown, pose.timestamps_s, strict=True):
        pupils = [points[list(eye)].mean(axis=0) for eye in EYES]
        ordered = np.concatenate([points[list(JAW_TO_EYES)], points[list(MOUTH)], pupils])
        builder.add(ordered.astype(np.float32) if is_shown else None, float(time_s))
    try:
        return builder.build()
    except FaceNotFoundError:
        raise FaceNotFoundError(
            "the track of the body has no face points, which --combine guided needs; use --combine paste"
        ) from None
