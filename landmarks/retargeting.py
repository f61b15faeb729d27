"""Retargeting: the driver's motion on the source's face, with the source's proportions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from landmarks.head_pose import face_model, rotation_matrices, rotation_vectors
from landmarks.motion import MOUTH_CORNERS, FaceMotion, HeadMotion, split_motion
from landmarks.types import ARRAYS, MOUTH, LandmarkSequence

Motion = Literal["relative", "absolute"]
Points = NDArray[np.float64]

EYES = ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47))
LID_PAIRS = ((1, 5), (2, 4))  # upper and lower lid, positions within EYES
LIP_PAIRS = ((59, 65), (60, 64), (61, 63))  # inner upper and lower lip
LOWER_LIP = np.array([*range(53, 58), 63, 64, 65])
UPPER_LIP = np.array([*range(48, 53), 59, 60, 61])
CHIN = np.array([6, 7, 8, 9, 10])
CHUNK = 256  # frames at a time, so that memory does not grow with the length of the driver
CLOSED_LIDS = 0.02  # lid gap over eye width that the tracker reports for a closed eye (median over eight videos)
CLOSED_LIDS_AT_MOST = (0.1, 0.4)  # over eye width, and of the usual opening: what a driver's blinks may leave open
WIDEST = 1.1  # how far lids may open beyond the source's own opening, in terms of the driver's lid gap over eye width
CLOSED_LIPS = 0.028  # inner lip gap of a closed mouth, face model units (median over eight videos)
CLOSED_LIPS_RANGE = (0.016, 0.042)  # what closed lips measure from face to face; a mouth that stays beyond never closes


class Retargeter:
    """Carries a driver's motion over to a source.

    Relative motion: the driver's neutral frame stands for the source as it is; head rotation, translation and size, and
    the offsets of every point, are carried over as differences from that frame in the frame of the head, scaled to the
    source. Apertures are not differences: closed lids close the source's lids and closed lips its lips, whatever the
    proportions of the two. Absolute motion takes over head rotation and mouth as they are (position and size stay
    relative): for a driver that is a single picture.

    Args:
        driver: a filled sequence (`fill_gaps`), at least one frame.
        source: one frame.
        motion: "relative" or "absolute".
        neutral_frame: index in the driver; by default the frame most like the source (`find_neutral_frame`).

    Raises:
        ValueError: the neutral frame is not in the driver.
    """

    def __init__(
        self,
        driver: LandmarkSequence,
        source: LandmarkSequence,
        *,
        motion: Motion = "relative",
        neutral_frame: int | None = None,
    ) -> None:
        if neutral_frame is not None and not 0 <= neutral_frame < len(driver):
            raise ValueError(f"there is no frame {neutral_frame}: the driver has {len(driver)} frames, counted from 0")
        self.neutral_frame = find_neutral_frame(driver, source) if neutral_frame is None else neutral_frame
        self._motion, self._size = motion, source.size
        self._own = split_motion(source)
        self._neutral = split_motion(driver[self.neutral_frame : self.neutral_frame + 1])
        sample = face_model() + split_motion(_spread(driver)).offsets
        opened = lid_openness(sample)
        usual = lid_openness(face_model() + self._neutral.offsets)[0]
        self._lids_open = np.maximum(usual, 0.6 * np.percentile(opened, 80, axis=0))  # (2,)
        blink, most = opened.min(axis=0), np.minimum(CLOSED_LIDS_AT_MOST[0], CLOSED_LIDS_AT_MOST[1] * self._lids_open)
        self._lids_closed = np.where((blink > CLOSED_LIDS) & (blink < most), blink, CLOSED_LIDS)  # (2,)
        least = np.percentile(lip_gaps(sample), 2, axis=0)
        low, high = CLOSED_LIPS_RANGE
        self._lips_closed = np.where((least > low) & (least < high), least, CLOSED_LIPS)  # (3,)

    def __call__(self, driver: LandmarkSequence) -> LandmarkSequence:
        """The landmarks of the source, in its own pixels, for any part of the driver's sequence."""
        driven = split_motion(driver)
        return landmarks_of(self.motion(driven), seen=driver, head=driven.head, size=self._size)

    def motion(self, driven: FaceMotion) -> FaceMotion:
        """The motion of the source's face for any part of the driver's motion; its parts can be mixed with others'."""
        head = self._retarget_head(driven.head)
        offsets = self._retarget_offsets(driven.offsets)
        return FaceMotion(head, driven.eyes, driven.mouth).with_offsets(offsets)

    def frames(self, driver: LandmarkSequence) -> Iterator[LandmarkSequence]:
        """The same one frame at a time, holding little at once."""
        for start in range(0, len(driver), CHUNK):
            yield from self(driver[start : start + CHUNK])

    def _retarget_head(self, driver: HeadMotion) -> HeadMotion:
        neutral, source = self._neutral.head, self._own.head
        driven = rotation_matrices(driver.rotation)
        if self._motion == "relative":
            driven = driven @ rotation_matrices(neutral.rotation)[0].T @ rotation_matrices(source.rotation)[0]
        size_ratio = source.scale[0] / neutral.scale[0]
        return HeadMotion(
            rotation=rotation_vectors(driven),
            scale=driver.scale * size_ratio,
            position=source.position + (driver.position - neutral.position) * size_ratio,
        )

    def _retarget_offsets(self, driver: Points) -> Points:
        """(frames, 68, 3) offsets of the source's face."""
        model, source, neutral = face_model(), self._own.offsets[0], self._neutral.offsets[0]
        start = neutral if self._motion == "relative" else source
        size = np.clip(_part_sizes(model + source) / _part_sizes(model + start), 0.6, 1.6)
        offsets = source + (driver - start) * size[:, None]
        if self._motion == "absolute":  # of the mouth alone: contour and brows are the source's shape
            offsets[:, :48] = source[:48] + (driver - neutral)[:, :48]
        face = model + offsets
        opened = lid_openness(model + driver)
        share = np.maximum((opened - self._lids_closed) / np.maximum(self._lids_open - self._lids_closed, 0.05), 0)
        widest = np.maximum(1, WIDEST * opened / np.maximum(lid_openness((model + source)[None]), 0.05))
        share = np.minimum(share, widest)  # eyes large by nature are not torn open further than the driver's
        rest = np.stack([lid_gaps((model + source)[None], eye)[0] for eye in EYES], axis=1)  # (1, 2, 2)
        set_lids(face, np.maximum(share[..., None] * rest, 0))
        gaps = np.maximum(lip_gaps(model + driver) - self._lips_closed, 0)
        set_lips(face, CLOSED_LIPS + gaps * size[MOUTH_CORNERS[0]])
        return face - model


def landmarks_of(
    motion: FaceMotion, *, seen: LandmarkSequence, head: HeadMotion, size: tuple[int, int]
) -> LandmarkSequence:
    """The landmarks of a retargeted motion.

    Args:
        motion: of the source's face.
        seen: the track that the head's motion comes from; it gives times, scores and distance.
        head: the head motion of that track itself.
        size: width, height of the source, pixels.
    """
    nearer = np.maximum(motion.head.scale / head.scale, 1e-6)
    return replace(
        seen,
        points=motion.points,
        rotation=motion.head.rotation.astype(np.float32),
        translation=(seen.translation / nearer[:, None]).astype(np.float32),
        eye_openness=lid_openness(face_model() + motion.offsets).astype(np.float32),
        size=size,
    )


def find_neutral_frame(driver: LandmarkSequence, source: LandmarkSequence) -> int:
    """The driver's frame most like the source in head rotation, mouth, lids and gaze; the first of near equals."""
    own = split_motion(source)
    sample = split_motion(_spread(driver)).offsets
    usual_lids = np.median(lid_openness(face_model() + sample), axis=0)
    usual_face = np.median(sample, axis=0)
    parts = [driver[start : start + CHUNK] for start in range(0, len(driver), CHUNK)]
    cost = np.concatenate([_unlikeness(split_motion(part), own, usual_lids, usual_face) for part in parts])
    cost[~driver.detected] = np.inf
    return int(np.argmax(cost <= cost.min() + 0.03))


def _unlikeness(driver: FaceMotion, source: FaceMotion, usual_lids: Points, usual_face: Points) -> Points:
    """(frames,) how far the driver is from the source's pose and expression, and from the driver's own usual face."""
    turn = rotation_matrices(driver.head.rotation) @ rotation_matrices(source.head.rotation)[0].T
    angle = np.linalg.norm(rotation_vectors(turn), axis=1)
    face, own = face_model() + driver.offsets, face_model() + source.offsets
    opened = lid_openness(face)
    lips = np.abs(lip_gaps(face) - lip_gaps(own)).mean(axis=1)
    lids = np.abs(opened - lid_openness(own)).max(axis=1)
    blinking = np.clip(1 - opened / (0.75 * usual_lids), 0, 1).max(axis=1)
    unusual = np.linalg.norm((driver.offsets - usual_face)[:, MOUTH], axis=2).mean(axis=1)
    shape = np.linalg.norm(face - own, axis=2)[:, 48:].mean(axis=1)
    return np.asarray(angle + 2 * lips + 0.5 * lids + 2 * blinking + unusual + 2 * shape)


def _spread(driver: LandmarkSequence, most: int = 512) -> LandmarkSequence:
    """At most so many frames that show the face, spread over the sequence: enough for medians."""
    seen = np.flatnonzero(driver.detected)
    chosen = seen[np.linspace(0, len(seen) - 1, min(most, len(seen))).astype(int)]
    return replace(driver, **{name: getattr(driver, name)[chosen] for name in ARRAYS})


def lid_openness(face: Points) -> Points:
    """(frames, 2) mean lid gap, across the line of the eye corners, over eye width, of (frames, 68, 3) points."""
    return np.stack([lid_gaps(face, eye)[0].mean(axis=1) for eye in EYES], axis=1)


def lid_gaps(face: Points, eye: tuple[int, ...]) -> tuple[Points, Points, Points]:
    """Gaps of both lid pairs over eye width (frames, 2), eye width (frames,), and the direction up (frames, 3)."""
    along = face[:, eye[3]] - face[:, eye[0]]
    width = np.linalg.norm(along, axis=1)
    along = along * np.where(along[:, :1] < 0, -1, 1) / width[:, None]
    up = np.cross(along, [0.0, 0.0, 1.0])
    up /= np.linalg.norm(up, axis=1, keepdims=True)
    gaps = [np.einsum("fc,fc->f", face[:, eye[upper]] - face[:, eye[lower]], up) for upper, lower in LID_PAIRS]
    return np.stack(gaps, axis=1) / width[:, None], width, up


def lip_gaps(face: Points, down: Points | None = None) -> Points:
    """(frames, 3) gaps of the inner lips of (frames, 68, 3) points, face model units; `down` as in `set_lips`."""
    upper, lower = (list(side) for side in zip(*LIP_PAIRS, strict=True))
    down = across_mouth(face) if down is None else down
    return np.asarray(np.einsum("fpc,fc->fp", face[:, lower] - face[:, upper], down))


def across_mouth(face: Points) -> Points:
    """(frames, 3) direction from the upper to the lower lip, down the face even where lips cross, unit length."""
    down = face[:, LOWER_LIP].mean(axis=1) - face[:, UPPER_LIP].mean(axis=1)
    down = down * np.where(down[:, 1:2] < 0, -1, 1)
    return np.asarray(down / np.maximum(np.linalg.norm(down, axis=1, keepdims=True), 1e-6))


def _part_sizes(face: Points) -> Points:
    """(68,) size of the part that each point of (68, 3) belongs to: eye width, mouth width, or 1 for the rest."""
    sizes = np.ones(len(face))
    for eye, pupil in zip(EYES, (66, 67), strict=True):
        sizes[[*eye, pupil]] = np.linalg.norm(face[eye[0]] - face[eye[3]])
    sizes[MOUTH] = np.linalg.norm(face[MOUTH_CORNERS[0]] - face[MOUTH_CORNERS[1]])
    return sizes


def set_lids(face: Points, gaps: Points) -> None:
    """Bring the lids of (frames, 68, 3) to gaps over eye width (frames, 2 eyes, 2 lid pairs); upper lids move."""
    for side, eye in enumerate(EYES):
        own, width, up = lid_gaps(face, eye)
        missing = (gaps[:, side] - own) * width[:, None]
        for pair, (upper, _) in enumerate(LID_PAIRS):
            face[:, eye[upper]] += missing[:, pair, None] * up


def set_lips(face: Points, gaps: Points, down: Points | None = None) -> None:
    """Bring the inner lips of (frames, 68, 3) to the gaps (frames, 3) along `down`; lips and chin follow.

    `down` (frames, 3) points from the upper to the lower lip, by default as they lie (`across_mouth`).
    """
    upper, lower = (list(side) for side in zip(*LIP_PAIRS, strict=True))
    down = across_mouth(face) if down is None else down
    wider = gaps - lip_gaps(face, down)  # (frames, 3)
    mean = wider.mean(axis=1)
    face[:, lower] += 0.7 * wider[..., None] * down[:, None]
    face[:, upper] -= 0.3 * wider[..., None] * down[:, None]
    face[:, 53:58] += 0.7 * mean[:, None, None] * down[:, None]
    face[:, 48:53] -= 0.3 * mean[:, None, None] * down[:, None]
    face[:, CHIN] += 0.5 * mean[:, None, None] * down[:, None]
