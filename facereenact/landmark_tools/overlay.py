"""A track drawn on pictures: points by part, head axes, gaze, and where the face was lost."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from facereenact.landmark_tools.text import strip
from landmarks import LandmarkSequence
from landmarks.head_pose import euler_deg, face_model, rotation_matrices
from landmarks.motion import split_motion
from landmarks.smoothing import fill_gaps

Image = NDArray[np.uint8]
Float = NDArray[np.float64]
Colour = tuple[int, int, int]

# Colours told apart by people of all kinds of sight (M. Okabe, K. Ito, "Color Universal Design"), brightened.
HEAD, EYES, MOUTH = (110, 200, 255), (245, 225, 70), (255, 125, 75)
AXES: tuple[Colour, Colour, Colour] = ((255, 80, 80), (90, 220, 110), (120, 140, 255))  # right, down, where it looks
GAZE: Colour = (255, 255, 255)
LOST: Colour = (255, 176, 0)
FILLED: Colour = (170, 170, 170)
GREY: Colour = (205, 205, 205)

PARTS: tuple[tuple[Colour, tuple[tuple[int, ...], ...]], ...] = (
    (HEAD, (tuple(range(17)), tuple(range(27, 31)), tuple(range(31, 36)))),
    (EYES, (tuple(range(17, 22)), tuple(range(22, 27)), (*range(36, 42), 36), (*range(42, 48), 42), (66,), (67,))),
    (MOUTH, ((58, *range(48, 53), 62, *range(53, 58), 58), (58, 59, 60, 61, 62, 63, 64, 65, 58))),
)
"""Lines through the points, by part."""

EYE_SIDES = ((66, 36, 39), (67, 42, 45))  # pupil and corners of the right and the left eye
EYEBALL = 0.385  # radius, and depth of its middle, in eye widths (as OpenSeeFace's face model has it)
CLOSED = 0.1  # lid gap over eye width below which an eye looks nowhere
HALF_CLOSED = 0.55  # share of the usual gap below which likewise: the lid covers the pupil
FOREHEAD = np.array([0.0, -0.85, 0.25])  # where the axes are drawn, so that they cover no points; head frame
FAR = 1e5  # pixels beyond which nothing is drawn: OpenCV's coordinates overflow
SHIFT = 4  # fractional bits of coordinates


class Overlay:
    """Draws the frames of a track.

    Args:
        sequence: the track; its points in the pixels of the pictures.
    """

    def __init__(self, sequence: LandmarkSequence) -> None:
        self._any = bool(sequence.detected.any())
        self._track = fill_gaps(sequence) if self._any else sequence
        pitch, yaw, roll = euler_deg(self._track.rotation).T
        usual = np.median(sequence.eye_openness[sequence.detected], axis=0) if self._any else np.zeros(2)
        self._closed = np.maximum(HALF_CLOSED * usual, CLOSED)
        self._angles = np.stack([yaw, pitch, roll], axis=1)
        self._text_px = int(np.clip(min(sequence.size) / 30, 10, 34))
        self._legend = strip([("head   ", HEAD), ("eyes   ", EYES), ("mouth", MOUTH)], self._text_px)

    def draw(self, image: Image, index: int | None) -> Image:
        """A picture with frame `index` of the track on it; None where the track has no frame for it."""
        image = image.copy()
        if index is None:
            self._label(image, [("outside the track", LOST)])
            return image
        is_seen = bool(self._track.detected[index])
        if self._any:
            self._draw_face(image, index, is_seen)
        if not is_seen:
            _frame(image, LOST)
        self._label(image, self._words(index, is_seen))
        return image

    def _draw_face(self, image: Image, index: int, is_seen: bool) -> None:
        frame = self._track[index : index + 1]
        points = frame.points[0].astype(np.float64)
        unit_px = float(frame.eye_distance_px[0])
        if not np.isfinite(points).all() or np.abs(points).max() > FAR or unit_px < 1:
            return
        pen = _Pen(image, points, margin_px=unit_px, thickness=max(1.0, unit_px / 110))
        if not pen.is_visible:
            return
        alpha = 0.15 + 0.85 * np.clip(frame.scores[0], 0, 1) if is_seen else np.full(len(points), 0.8)
        for colour, paths in PARTS:
            for path in paths:
                for a, b in pairwise(path):
                    pen.line(points[a], points[b], colour if is_seen else FILLED, 0.55 * min(alpha[a], alpha[b]))
        for colour, paths in PARTS:
            for point in sorted({point for path in paths for point in path}):
                size = 1.5 if point >= 66 else 1.0
                pen.dot(points[point], size, colour if is_seen else FILLED, float(alpha[point]), filled=is_seen)
        self._draw_directions(pen, frame, alpha)
        pen.blend()

    def _draw_directions(self, pen: _Pen, frame: LandmarkSequence, alpha: Float) -> None:
        """The axes of the head on the forehead, and where the open eyes look."""
        head = split_motion(frame).head
        scale, turn = float(head.scale[0]), rotation_matrices(frame.rotation)[0]
        if not np.isfinite(scale) or scale <= 0:
            return
        origin = head.position[0] + scale * (turn @ FOREHEAD)[:2]
        ways = zip((turn[:, 0], turn[:, 1], -turn[:, 2]), AXES, strict=True)
        for way, colour in sorted(ways, key=lambda axis: -axis[0][2]):  # the nearest on top
            pen.arrow(origin, origin + 0.42 * scale * way[:2], colour, 0.95)
        points = frame.points[0].astype(np.float64)
        is_open = [side for side in (0, 1) if frame.eye_openness[0, side] > self._closed[side]]
        if is_open:  # eyes look the same way: the mean of both is steadier than either
            gaze = np.mean([gaze_direction(points, side, scale, turn) for side in is_open], axis=0)
        for side in is_open:
            pupil = EYE_SIDES[side][0]
            pen.arrow(points[pupil], points[pupil] + 0.6 * scale * gaze[:2], GAZE, 0.9 * float(alpha[pupil]))

    def _words(self, index: int, is_seen: bool) -> list[tuple[str, Colour]]:
        time_s = float(self._track.timestamps_s[index])
        words: list[tuple[str, Colour]] = [(f"{time_s:.2f} s  frame {index}", (255, 255, 255))]
        if not is_seen:
            return [*words, ("   no face: filled in" if self._any else "   no face", LOST)]
        yaw, pitch, roll = np.round(self._angles[index]).astype(int)
        score = float(self._track.scores[index].mean())
        pose = f"   yaw {yaw:+d}\u00b0  pitch {pitch:+d}\u00b0  roll {roll:+d}\u00b0"
        return [*words, (pose, GREY), (f"   score {score:.2f}", GREY)]

    def _label(self, image: Image, words: list[tuple[str, Colour]]) -> None:
        """Lines in the upper and the lower left corner, as far as there is room."""
        rows = [strip(words, self._text_px)]
        while rows[0].shape[1] > image.shape[1] - self._text_px and len(words) > 1:
            words = words[:-1]
            rows = [strip(words, self._text_px)]
        _paste(image, rows[0], self._text_px // 2, self._text_px // 2)
        _paste(image, self._legend, self._text_px // 2, image.shape[0] - self._legend.shape[0] - self._text_px // 2)


def gaze_direction(points: Float, side: int, scale: float, turn: Float) -> Float:
    """(3,) unit vector of where the right (0) or left (1) eye looks: x right, y down, z away from the camera.

    The pupil sits on an eyeball behind the eye's corners; an eye at rest looks where the nose points.

    Args:
        points: (68, 2) pixels.
        side: 0 or 1.
        scale: pixels per face model unit.
        turn: (3, 3) rotation of the head.
    """
    pupil, first, second = EYE_SIDES[side]
    model = face_model()
    rest = turn @ (model[pupil] - (model[first] + model[second]) / 2)
    radius = EYEBALL * float(np.linalg.norm(model[first] - model[second]))
    away = (points[pupil] - (points[first] + points[second]) / 2) / scale - rest[:2]
    across = away / radius - turn[:2, 2]
    length = float(np.linalg.norm(across))
    if length > 0.95:  # further than an eyeball turns: noise of the pupil
        across, length = across * (0.95 / length), 0.95
    return np.array([*across, -np.sqrt(1 - length**2)])


class _Pen:
    """Draws with transparency into the part of a picture around some points."""

    def __init__(self, image: Image, points: Float, *, margin_px: float, thickness: float) -> None:
        low = np.maximum(np.floor(points.min(axis=0) - margin_px), 0).astype(int)
        high = np.minimum(np.ceil(points.max(axis=0) + margin_px), (image.shape[1], image.shape[0])).astype(int)
        high = np.maximum(high, low)
        self._part = image[low[1] : high[1], low[0] : high[0]]
        self._origin = low
        self._thickness = thickness
        self._colour = np.zeros(self._part.shape, np.uint8)
        self._alpha = np.zeros(self._part.shape[:2], np.uint8)

    @property
    def is_visible(self) -> bool:
        """Whether the points lie in the picture at all."""
        return self._part.size > 0

    def line(self, a: Float, b: Float, colour: Colour, alpha: float) -> None:
        start, end, width = self._at(a), self._at(b), max(1, round(self._thickness))
        cv2.line(self._colour, start, end, colour, width + 2, cv2.LINE_8, SHIFT)
        cv2.line(self._alpha, start, end, _opaque(alpha), width, cv2.LINE_AA, SHIFT)

    def dot(self, at: Float, size: float, colour: Colour, alpha: float, *, filled: bool) -> None:
        radius = (1.4 + 0.9 * self._thickness) * size
        width = -1 if filled else max(1, round(self._thickness))
        whole = round((radius + 1.5) * 2**SHIFT)
        cv2.circle(self._colour, self._at(at), whole, colour, -1, cv2.LINE_8, SHIFT)
        cv2.circle(self._alpha, self._at(at), round(radius * 2**SHIFT), _opaque(alpha), width, cv2.LINE_AA, SHIFT)

    def arrow(self, a: Float, b: Float, colour: Colour, alpha: float) -> None:
        """A line with a head; a short one is a head alone, a dot when it comes at the viewer."""
        along = b - a
        length = float(np.linalg.norm(along))
        head = 5.0 * max(1.0, self._thickness)
        if length < head / 2:
            return
        along /= length
        across = np.array([-along[1], along[0]])
        stem = b - along * min(head, length) * 0.8
        width = max(2, round(1.6 * self._thickness))
        layers: tuple[tuple[Image, tuple[int, ...], int, int], ...] = (
            (self._colour, colour, 2, cv2.LINE_8),
            (self._alpha, _opaque(alpha), 0, cv2.LINE_AA),
        )
        for picture, value, extra, kind in layers:
            cv2.line(picture, self._at(a), self._at(stem), value, width + extra, kind, SHIFT)
            tip = b + along * extra
            side = across * (0.45 * head + extra)
            base = b - along * (head + extra)
            corners = np.array([self._at(tip), self._at(base + side), self._at(base - side)], np.int32)
            cv2.fillPoly(picture, [corners], value, kind, SHIFT)

    def blend(self) -> None:
        """Put what was drawn on the picture."""
        alpha = self._alpha[..., None].astype(np.uint16)
        mixed = (self._part * (255 - alpha) + self._colour * alpha + 127) // 255
        self._part[:] = mixed.astype(np.uint8)

    def _at(self, point: Float) -> tuple[int, int]:
        x, y = np.clip(point - self._origin, -FAR, FAR) * 2**SHIFT
        return round(float(x)), round(float(y))


def _opaque(alpha: float) -> tuple[int]:
    return (round(255 * float(alpha)),)


def _paste(image: Image, text: Image, left: int, top: int) -> None:
    """Text on a darkened ground, where it fits."""
    height, width = text.shape[:2]
    margin = height // 5
    if top < margin or left < margin or top + height > image.shape[0] - 1 or left + width > image.shape[1] - 1:
        return
    ground = image[top - margin : top + height + margin, left - margin : left + width + margin]
    ground[:] = (ground * np.float32(0.4)).astype(np.uint8)
    place = image[top : top + height, left : left + width]
    alpha = text[..., 3:].astype(np.uint16)
    place[:] = ((place * (255 - alpha) + text[..., :3] * alpha + 127) // 255).astype(np.uint8)


def _frame(image: Image, colour: Colour) -> None:
    width = max(2, min(image.shape[:2]) // 100)
    cv2.rectangle(image, (0, 0), (image.shape[1] - 1, image.shape[0] - 1), colour, 2 * width - 1)
