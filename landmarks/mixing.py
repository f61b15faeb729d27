"""Mixing: the head of one driver, the eyes of another, the mouth of a third, each as strong as wanted, on one face."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from landmarks.head_pose import face_model, rotation_matrices, rotation_vectors
from landmarks.motion import (
    EYE_POINTS,
    MOUTH_CORNERS,
    MOUTH_POINTS,
    EyeMotion,
    FaceMotion,
    HeadMotion,
    MouthMotion,
    split_motion,
)
from landmarks.retargeting import (
    CLOSED_LIPS,
    EYES,
    Retargeter,
    across_mouth,
    landmarks_of,
    lid_gaps,
    lip_gaps,
    set_lids,
    set_lips,
)
from landmarks.types import MOUTH, LandmarkSequence

Part = Literal["head", "eyes", "mouth"]
PARTS: tuple[Part, ...] = get_args(Part)
POINTS_OF = {"eyes": EYE_POINTS, "mouth": MOUTH_POINTS}
NARROWEST = 0.65  # a pursed mouth, of the width of the source's own
CHUNK = 256  # frames at a time, so that memory does not grow with the length


@dataclass(frozen=True, eq=False)
class Take:
    """A driver's whole track, filled and smoothed, and what carries it over to the source."""

    track: LandmarkSequence
    retargeter: Retargeter


class Mixer:
    """Moves each part of a source by the take that is given for it; a part without one stays as in the source.

    Args:
        source: one frame.
        takes: by part; the same take may move several parts.
        gains: by part, how strong its motion is (see `amplify`); 1 where nothing is said.
    """

    def __init__(
        self, source: LandmarkSequence, takes: Mapping[Part, Take], gains: Mapping[Part, float] | None = None
    ) -> None:
        self._source, self._own = source, split_motion(source)
        self._takes, self._gains = dict(takes), dict(gains or {})

    def __call__(self, times_s: NDArray[np.float64]) -> LandmarkSequence:
        """The landmarks of the source at the times (frames,), seconds; takes that are shorter hold their last frame."""
        tracks = {take: resample(take.track, times_s) for take in self._takes.values()}
        split = {take: split_motion(track) for take, track in tracks.items()}
        moved = {take: take.retargeter.motion(split[take]) for take in tracks}
        still = _held(self._own, len(times_s))
        head, eyes, mouth = (moved[take] if (take := self._takes.get(part)) else still for part in PARTS)
        mixed = amplify(mix(head.head, eyes.eyes, mouth.mouth), self._own, self._gains)
        leader = self._takes.get("head")
        seen = tracks[leader] if leader else resample(self._source, times_s)
        driven = split[leader].head if leader else still.head
        seen = self._seen(seen, {part: tracks[take] for part, take in self._takes.items()})
        return landmarks_of(mixed, seen=seen, head=driven, size=self._source.size)

    def frames(self, times_s: NDArray[np.float64]) -> Iterator[LandmarkSequence]:
        """The same one frame at a time, holding little at once."""
        for start in range(0, len(times_s), CHUNK):
            yield from self(times_s[start : start + CHUNK])

    @staticmethod
    def _seen(head: LandmarkSequence, tracks: Mapping[Part, LandmarkSequence]) -> LandmarkSequence:
        """The head's track with the scores of each point's own track, detected where all were."""
        scores = head.scores.copy()
        for part, points in POINTS_OF.items():
            if part in tracks:
                scores[:, points] = tracks[part].scores[:, points]  # type: ignore[index]
        detected = np.logical_and.reduce([head.detected, *(track.detected for track in tracks.values())])
        return replace(head, scores=scores, detected=detected)


def mix(head: HeadMotion, eyes: EyeMotion, mouth: MouthMotion) -> FaceMotion:
    """Join the parts of several retargeted motions (`Retargeter.motion`) of one source, frame by frame.

    Raises:
        ValueError: they do not have the same number of frames; bring their tracks to common times first (`resample`).
    """
    counts = len(head.scale), len(eyes.offsets), len(mouth.offsets)
    if len(set(counts)) > 1:
        raise ValueError(f"head, eyes and mouth have {counts[0]}, {counts[1]} and {counts[2]} frames: resample first")
    return FaceMotion(head, eyes, mouth)


def amplify(motion: FaceMotion, source: FaceMotion, gains: Mapping[Part, float]) -> FaceMotion:
    """Make a retargeted motion weaker or stronger, part by part, about the source as it is.

    Gain 1 changes nothing, 0 gives the source, 2 doubles. The angle of the head's turn from the source's pose and its
    way are multiplied; its size grows by a power; offsets of brows, lids, pupils, lips and jaw are multiplied as they
    differ from the source's own. Lids and lips stop where they close, and a pursed mouth at two thirds of its width.

    Args:
        motion: of the source's face.
        source: the source as it is, one frame.
        gains: by part, 0 or more; 1 where nothing is said.
    """
    head_gain, eyes_gain, mouth_gain = (gains.get(part, 1.0) for part in PARTS)
    head = motion.head if head_gain == 1 else _amplified_head(motion.head, source.head, head_gain)
    eyes, mouth = motion.eyes, motion.mouth
    if eyes_gain != 1:
        face, own = _amplified_face(motion, source, eyes_gain)
        closed = np.minimum(_both_lid_gaps(own), 0)
        set_lids(face, np.maximum(_both_lid_gaps(face), closed))
        eyes = EyeMotion((face - face_model())[:, EYE_POINTS])
    if mouth_gain != 1:
        face, own = _amplified_face(motion, source, mouth_gain)
        _keep_width(face, face_model() + motion.offsets, own, mouth_gain)
        down = np.repeat(across_mouth(own), len(face), axis=0)  # lips that crossed point the other way
        set_lips(face, np.maximum(lip_gaps(face, down), np.minimum(lip_gaps(own), CLOSED_LIPS)), down)
        mouth = MouthMotion((face - face_model())[:, MOUTH_POINTS])
    return FaceMotion(head, eyes, mouth)


def resample(sequence: LandmarkSequence, times_s: NDArray[np.float64]) -> LandmarkSequence:
    """A filled sequence at other times (frames,), seconds, increasing: interpolated, and held at both ends.

    At the sequence's own times its values come back exactly. `detected` and `scores` are those of the nearest frame.
    """
    time, last = sequence.timestamps_s, len(sequence) - 1
    before = np.clip(np.searchsorted(time, times_s, "right") - 1, 0, last)
    after = np.minimum(before + 1, last)
    share = np.clip((times_s - time[before]) / np.maximum(time[after] - time[before], 1e-9), 0, 1)
    nearest = np.where(share < 0.5, before, after)

    def between(values: NDArray[np.float32]) -> NDArray[np.float32]:
        low, high = values[before].astype(np.float64), values[after].astype(np.float64)
        return (low + share.reshape(-1, *[1] * (low.ndim - 1)) * (high - low)).astype(np.float32)

    return replace(
        sequence,
        points=between(sequence.points),
        scores=sequence.scores[nearest],
        detected=sequence.detected[nearest],
        rotation=between(sequence.rotation),
        translation=between(sequence.translation),
        eye_openness=between(sequence.eye_openness),
        timestamps_s=np.array(times_s, np.float64),
    )


def _amplified_head(head: HeadMotion, own: HeadMotion, gain: float) -> HeadMotion:
    rest = rotation_matrices(own.rotation)[0]
    turn = rotation_vectors(rotation_matrices(head.rotation) @ rest.T)
    return HeadMotion(
        rotation=rotation_vectors(rotation_matrices(gain * turn) @ rest),
        scale=own.scale * (head.scale / own.scale) ** gain,
        position=own.position + gain * (head.position - own.position),
    )


def _amplified_face(
    motion: FaceMotion, source: FaceMotion, gain: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points (frames, 68, 3) and (1, 68, 3) in the frame of the head: the amplified face and the source's own."""
    own = source.offsets
    return face_model() + own + gain * (motion.offsets - own), face_model() + own


def _keep_width(face: NDArray[np.float64], once: NDArray[np.float64], own: NDArray[np.float64], gain: float) -> None:
    """Hold the lips of (frames, 68, 3), amplified, as far apart along the mouth as it can be narrow.

    `once` is the same at gain 1, `own` the source (1, 68, 3).
    """
    right, left = MOUTH_CORNERS
    along = own[0, left] - own[0, right]
    widest = float(np.linalg.norm(along))
    along = along / widest
    narrowed = np.maximum(widest - (once[:, left] - once[:, right]) @ along, 1e-9)  # (frames,)
    most = np.clip((1 - NARROWEST) * widest / narrowed, min(1, gain), gain)  # gain that keeps to the limit
    way = (once - own)[:, MOUTH] @ along
    face[:, MOUTH] += ((most - gain)[:, None] * way)[..., None] * along


def _both_lid_gaps(face: NDArray[np.float64]) -> NDArray[np.float64]:
    """(frames, 2 eyes, 2 lid pairs) lid gaps over eye width."""
    return np.stack([lid_gaps(face, eye)[0] for eye in EYES], axis=1)


def _held(motion: FaceMotion, frames: int) -> FaceMotion:
    """A motion of one frame, repeated."""
    head = HeadMotion(
        np.repeat(motion.head.rotation, frames, axis=0),
        np.repeat(motion.head.scale, frames),
        np.repeat(motion.head.position, frames, axis=0),
    )
    eyes, mouth = (np.repeat(part.offsets, frames, axis=0) for part in (motion.eyes, motion.mouth))
    return FaceMotion(head, EyeMotion(eyes), MouthMotion(mouth))
