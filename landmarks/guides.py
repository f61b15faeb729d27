"""The two guides of a face, frame by frame: the head guide and the mouth guide, drawn from landmarks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from landmarks.head_pose import camera_matrix, face_model
from landmarks.motion import MOUTH_POINTS, MouthMotion, split_motion
from landmarks.types import BROWS, CONTOUR, LEFT_EYE, LEFT_PUPIL, MOUTH, RIGHT_EYE, RIGHT_PUPIL, LandmarkSequence

Picture = NDArray[np.uint8]
Points = NDArray[np.float64]

CHUNK = 256  # frames split at a time, so that memory does not grow with the length of the driver
GREEN, YELLOW = (0, 255, 0), (255, 255, 0)
DOT = np.array([(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)])  # a filled circle of radius 1: a plus of five pixels


class Guides(NamedTuple):
    """The guides of one frame: RGB, uint8 (height, width, 3), on black."""

    head: Picture
    mouth: Picture


@dataclass(frozen=True)
class PublishedStyle:
    """Guides as the published face weights (Moore-AnimateAnyone) were trained on: one dot per point.

    The head guide holds all points above the cut; the mouth guide holds the lips, moved so that the mean of all points
    lies in the middle of the picture. The cut is a share of the frame, not of the face: crop first (`find_face_crop`).

    Raises:
        ValueError: the cut is no share above 0, or the centring is unknown.
    """

    cut: float = (
        0.55  # share of the height below which the head guide is blank; 0.55 to 0.6 in training, 1 cuts nothing
    )
    centring: Literal["middle", "swapped"] = "middle"
    # "swapped" exchanges width and height as the published code does: the same on squares, wrong elsewhere.

    def __post_init__(self) -> None:
        if not 0 < self.cut <= 1:
            raise ValueError(f"cut {self.cut} is not a share of the height: choose 0.55 to 0.6")
        if self.centring not in ("middle", "swapped"):
            raise ValueError(f"centring {self.centring!r} is unknown: choose 'middle' or 'swapped'")

    def frames(self, sequence: LandmarkSequence, size: tuple[int, int]) -> Iterator[Guides]:
        """Guides of a sequence on a canvas of (width, height)."""
        return (self.draw(points, size) for points in _on_canvas(sequence, size))

    def draw(self, points: NDArray[np.floating[Any]], size: tuple[int, int]) -> Guides:
        """Guides of one frame from (68, 2) finite points, pixels (x, y), on a canvas of (width, height).

        Coordinates are rounded as float64. A float32 coordinate draws the dot one pixel beside only where the exact
        one lies within its rounding error (3e-5 px at 512 px) of k + 0.5; the mean, and so the whole mouth guide,
        likewise.
        """
        exact = np.asarray(points, np.float64)
        head = draw_dots(exact, size)
        head[int(size[1] * self.cut) :] = 0
        return Guides(head, draw_dots(self.centred(exact, size)[MOUTH], size))

    def centred(self, points: Points, size: tuple[int, int]) -> Points:
        """(68, 2) points moved so that their mean lies in the middle of the canvas."""
        middle = (size[0] // 2, size[1] // 2) if self.centring == "middle" else (size[1] // 2, size[0] // 2)
        return points + (np.array(middle) - points.mean(axis=0))


@dataclass(frozen=True)
class CanonicalStyle:
    """Guides that share nothing, for models trained here: anti-aliased lines, one colour per part.

    The head guide is drawn from head and eye motion alone (the mean face's contour and nose, posed, with the face's own
    brows, lids and pupils), the mouth guide from mouth motion alone (the lips from the front, without the head's
    place, turn and size). Line width follows the canvas: 1 px per 256 px of its shorter side.

    Raises:
        ValueError: the span is not positive.
    """

    mouth_span: float = 1.4  # face model units along the shorter side of the mouth guide: lips are 0.6 wide

    def __post_init__(self) -> None:
        if not self.mouth_span > 0:
            raise ValueError(f"mouth_span {self.mouth_span} must be positive")

    def frames(self, sequence: LandmarkSequence, size: tuple[int, int]) -> Iterator[Guides]:
        """Guides of a sequence on a canvas of (width, height)."""
        for start in range(0, len(sequence), CHUNK):
            part = sequence[start : start + CHUNK]
            heads = self.head_points(part) * (np.array(size) / part.size)
            for head, mouth in zip(heads, self.mouth_points(part, size), strict=True):
                yield Guides(draw_lines(head, HEAD_LINES, size), draw_lines(mouth, MOUTH_LINES, size))

    def head_points(self, sequence: LandmarkSequence) -> Points:
        """(frames, 68, 2) pixels of the sequence: the posed mean face with the sequence's own brows and eyes."""
        motion = split_motion(sequence)
        still = MouthMotion(np.zeros_like(motion.mouth.offsets))
        return replace(motion, mouth=still).points.astype(np.float64)

    def mouth_points(self, sequence: LandmarkSequence, size: tuple[int, int]) -> Points:
        """(frames, 68, 2) pixels of the mouth guide; the mean face's lips lie in its middle, only 48 to 65 count."""
        face = np.repeat(face_model()[None, :, :2], len(sequence), axis=0)
        middle = face[0, MOUTH].mean(axis=0)
        face[:, MOUTH_POINTS] += split_motion(sequence).mouth.offsets[..., :2]
        return (face - middle) * (min(size) / self.mouth_span) + np.array(size) / 2


GuideStyle = PublishedStyle | CanonicalStyle
PRESETS: dict[str, GuideStyle] = {"published": PublishedStyle(), "canonical": CanonicalStyle()}


def draw_guides(
    sequence: LandmarkSequence, size: tuple[int, int] | None = None, *, style: GuideStyle = PRESETS["published"]
) -> Iterator[Guides]:
    """Draw the head guide and the mouth guide of every frame, one frame at a time.

    Args:
        sequence: filled (`landmarks.smoothing.fill_gaps`); any part of a clip gives that part of its guides.
        size: width, height of the guides, pixels; by default the sequence's own. Points are scaled to it.
        style: how; the names of the two presets are in `PRESETS`.

    Raises:
        ValueError: the canvas has another shape than the sequence's frames, or frames hold no face.
    """
    size = size or sequence.size
    if min(size) < 1 or abs(size[0] - size[1] * sequence.size[0] / sequence.size[1]) > 1:
        raise ValueError(f"guides of {size} would distort frames of {sequence.size}: crop first, see find_face_crop")
    _require_faces(sequence)
    return style.frames(sequence, size)


@dataclass(frozen=True)
class FaceCrop:
    """A square of the picture, in whole pixels; it may reach beyond the picture."""

    left_px: int
    top_px: int
    side_px: int

    @property
    def xyxy(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom; right and bottom are the first pixels outside."""
        return self.left_px, self.top_px, self.left_px + self.side_px, self.top_px + self.side_px

    def apply(self, sequence: LandmarkSequence, size_px: int = 512) -> LandmarkSequence:
        """The sequence as seen in the crop, resized to a square of `size_px`; head rotation stays as it is."""
        zoom = size_px / self.side_px
        corner = np.array([self.left_px, self.top_px])
        points = (sequence.points.astype(np.float64) - corner) * zoom
        size = (size_px, size_px)
        return replace(
            sequence,
            points=points.astype(np.float32),
            translation=_seen_by(sequence, corner, zoom, size),
            size=size,
        )


MARGIN = 0.4
"""Room on every side of the face, as a share of its greater extent: points end at the brows, hair and neck do not."""

LIP_ROW = PublishedStyle.cut
"""Where the middle between nose (33) and upper lip (50) lies in the crop; the head guide ends between them."""

TRIM_PERCENT = 2.0
"""Frames beyond this percentile do not widen the crop: one stray frame must not make every frame small."""


def find_face_crop(sequence: LandmarkSequence, *, margin: float = MARGIN) -> FaceCrop:
    """One square around the face for a whole clip, so that the crop does not move.

    The face's extent is taken over all frames in which it was seen, without the outermost 2 % on each side. Its median
    place decides the row of the lips; where it moves up or down so far that the margin would shrink below one half,
    the margin decides.

    Raises:
        ValueError: no frame holds a face, or the margin is negative.
    """
    if margin < 0:
        raise ValueError(f"margin {margin} must not be negative")
    if not sequence.detected.any():
        raise ValueError("no frame of the sequence holds a face: there is nothing to crop to")
    points = sequence.points[sequence.detected].astype(np.float64)
    least = np.percentile(points.min(axis=1), TRIM_PERCENT, axis=0)
    most = np.percentile(points.max(axis=1), 100 - TRIM_PERCENT, axis=0)
    extent = float((most - least).max())
    side, least_room = (1 + 2 * margin) * extent, margin / 2 * extent
    left = (least[0] + most[0] - side) / 2
    lip_row = np.median(points[:, [33, 50], 1].mean(axis=1)) - LIP_ROW * side
    top = np.clip(lip_row, most[1] + least_room - side, least[1] - least_room)
    return FaceCrop(round(float(left)), round(float(top)), max(1, round(side)))


def draw_dots(points: Points, size: tuple[int, int]) -> Picture:
    """A black canvas of (width, height) with a dot at each of (n, 2) points; of 68 the pupils, drawn last, are yellow.

    The centre is int(coordinate + 0.5), which truncates toward zero: -0.7 lies on pixel 0.
    """
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    centres = np.trunc(points + 0.5).astype(np.int64)
    for part, colour in ((slice(0, RIGHT_PUPIL), GREEN), (slice(RIGHT_PUPIL, None), YELLOW)):
        x, y = (centres[part, None] + DOT).reshape(-1, 2).T
        inside = (x >= 0) & (x < size[0]) & (y >= 0) & (y < size[1])
        canvas[y[inside], x[inside]] = colour
    return canvas


class Line(NamedTuple):
    """Points joined in one colour; a single point is a filled circle."""

    points: tuple[int, ...]
    colour: tuple[int, int, int]
    closed: bool = False


def _range(part: slice) -> tuple[int, ...]:
    return tuple(range(part.start, part.stop))


# Left and right differ, so that a guide is not its mirror image's.
HEAD_LINES = (
    Line(_range(CONTOUR), (255, 255, 255)),
    Line(_range(BROWS)[:5], (255, 0, 0)),
    Line(_range(BROWS)[5:], (255, 0, 255)),
    Line((27, 28, 29, 30), (0, 0, 255)),
    Line((31, 32, 33, 34, 35), (0, 0, 255)),
    Line(_range(RIGHT_EYE), (0, 255, 0), closed=True),
    Line(_range(LEFT_EYE), (0, 255, 255), closed=True),
    Line((RIGHT_PUPIL,), YELLOW),
    Line((LEFT_PUPIL,), YELLOW),
)
MOUTH_LINES = (
    Line((58, 48, 49, 50, 51, 52, 62), (255, 0, 0)),  # upper and lower, outer then inner
    Line((62, 53, 54, 55, 56, 57, 58), (0, 255, 0)),
    Line((58, 59, 60, 61, 62), YELLOW),
    Line((62, 63, 64, 65, 58), (0, 255, 255)),
)
SUBPIXEL_BITS = 4
FARTHEST_PX = 2.0**20  # OpenCV's coordinates are 32-bit integers


def draw_lines(points: Points, lines: tuple[Line, ...], size: tuple[int, int]) -> Picture:
    """A black canvas of (width, height) with lines through (68, 2) points, anti-aliased; pixel centres are whole."""
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    width_px = max(1, round(min(size) / 256))
    fixed = np.rint(np.clip(points, -FARTHEST_PX, FARTHEST_PX) * 2**SUBPIXEL_BITS).astype(np.int32)
    for line in lines:
        if len(line.points) == 1:
            centre, radius = fixed[line.points[0]], 3 * width_px * 2 ** (SUBPIXEL_BITS - 1)
            cv2.circle(canvas, (int(centre[0]), int(centre[1])), radius, line.colour, -1, cv2.LINE_AA, SUBPIXEL_BITS)
        else:
            path = fixed[list(line.points)]
            cv2.polylines(canvas, [path], line.closed, line.colour, width_px, cv2.LINE_AA, SUBPIXEL_BITS)
    return canvas


def _on_canvas(sequence: LandmarkSequence, size: tuple[int, int]) -> Iterator[Points]:
    """(68, 2) points of each frame, scaled from the sequence's frames to the canvas; exact where they are the same."""
    scale = np.array(size) / sequence.size
    return (points.astype(np.float64) * scale for points in sequence.points)


def _require_faces(sequence: LandmarkSequence) -> None:
    empty = np.flatnonzero(np.ptp(sequence.points, axis=1).max(axis=1) == 0)
    if len(empty):
        raise ValueError(f"{len(empty)} frames hold no face, the first is {empty[0]}: call fill_gaps before drawing")


def _seen_by(
    sequence: LandmarkSequence, corner: NDArray[np.int64], zoom: float, size: tuple[int, int]
) -> NDArray[np.float32]:
    """(frames, 3) translations that put the head at the same place and size before the camera of the crop."""
    camera, cropped = camera_matrix(sequence.size), camera_matrix(size)
    depth = sequence.translation[:, 2:].astype(np.float64)
    pixels = sequence.translation[:, :2] / np.where(depth == 0, 1, depth) * camera[0, 0] + camera[:2, 2]
    nearer = depth * cropped[0, 0] / (camera[0, 0] * zoom)
    sideways = ((pixels - corner) * zoom - cropped[:2, 2]) / cropped[0, 0] * nearer
    return np.concatenate([sideways, nearer], axis=1).astype(np.float32)
