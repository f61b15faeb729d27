"""Pasting a rendered head onto a moving body: its hair, face and chin, nothing of what is around or before it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facereenact.renderers.background import person_matte
from facereenact.renderers.face_squares import FaceSquares
from facereenact.renderers.pasting import RAMP, ColourMatch, cut_square, lay_square, ramp
from landmarks.types import CONTOUR

Float = NDArray[np.float32]
Image = NDArray[np.uint8]

JAW = slice(4, 13)  # contour points below the mouth's corners: above them everything belongs to the head
UNDER_CHIN = 0.02  # of a square's side, that is taken with the chin
SOFT = 0.02  # likewise, standard deviation of the feather
FLESH = 0.12  # of a hand's extent, around its points; it fades out over as much again
SURELY_NOT, SURELY = 0.5, 0.95  # a matte's values that are taken for background and person
SETTLING = 0.04  # share of a frame's own colours in the clip's: half of it comes from the last 17 frames


class HeadPaste:
    """Puts rendered heads in the place of those in the frames of a clip, frame by frame in order.

    It remembers the colours: they follow the clip's light slowly, since a match for each frame would flicker.

    Args:
        squares: where the rendered squares belong.
        points: (frames, 68, 2) the face in the rendered squares, pixels of them.
        presence: (frames,) how much of the rendered head shows.
        hands: (frames, hands, points, 2) in the same pixels, which stay before the face; NaN where they are not seen.
        keep_background: return the frame's own pixels around the head.
    """

    def __init__(
        self,
        squares: FaceSquares,
        points: Float,
        presence: Float,
        *,
        hands: Float | None = None,
        keep_background: bool = True,
    ) -> None:
        self._squares, self._points, self._presence = squares, points, presence
        self._hands = np.empty((len(points), 0, 0, 2), np.float32) if hands is None else hands
        self._keep_background = keep_background
        self._match: ColourMatch | None = None

    def __call__(self, frame: Image, rendered: Image, index: int) -> Image:
        """A frame (height, width, 3) with a rendered square (side, side, 3) in it."""
        if self._presence[index] == 0:
            return frame
        corner, side = self._squares.corners[index], float(self._squares.sides[index])
        own = cut_square(frame, corner, side, len(rendered))
        alpha = head_region(self._points[index], len(rendered))
        if self._keep_background:  # of the frame: what is around the head in the square is another part of the source
            alpha = alpha * ramp((person_matte(rendered) - SURELY_NOT) / (SURELY - SURELY_NOT)).astype(np.float32)
        for hand in self._hands[index]:
            alpha = alpha * (1 - hand_region(hand, len(rendered)))
        match = ColourMatch.between(rendered, own, face_region(self._points[index], len(rendered)))
        self._match = match if self._match is None else self._match.towards(match, SETTLING)
        return lay_square(frame, self._match(rendered), self._presence[index] * alpha, corner, side)


def head_region(points: Float, side_px: int) -> Float:
    """(side, side) 1 on hair, face and chin of a face (68, 2) in a square, falling to 0 below and at the edges.

    Below, the region follows the jaw; at its sides, from the height of the mouth up, it takes all that is there.
    """
    jaw = points[CONTOUR][JAW].astype(np.float64)
    across = points[CONTOUR][-1] - points[CONTOUR][0]
    across = across / max(float(np.linalg.norm(across)), 1e-6)
    down = np.array([-across[1], across[0]])
    jaw = jaw + UNDER_CHIN * side_px * down
    far = 2.0 * side_px
    outline = np.vstack([jaw[0] - far * across, jaw, jaw[-1] + far * across])
    outline = np.vstack([outline, outline[-1] - 2 * far * down, outline[0] - 2 * far * down])
    return _soft(outline, side_px) * _edges(side_px)


def hand_region(points: Float, side_px: int) -> Float:
    """(side, side) 1 on a hand (n, 2) and a rim of flesh around its points, which lie on bones; 0 beyond."""
    seen = points[np.isfinite(points).all(axis=1)]
    if len(seen) < 3:
        return np.zeros((side_px, side_px), np.float32)
    rim_px = FLESH * float(np.ptp(seen, axis=0).max())
    hull = np.asarray(cv2.convexHull(seen.astype(np.float32)), np.float32)[:, 0]
    distance = cv2.distanceTransform((_filled(hull, side_px) == 0).astype(np.uint8), cv2.DIST_L2, 5)
    if not (distance == 0).any():  # the hand lies beyond the square
        return np.zeros((side_px, side_px), np.float32)
    return ramp(2 - distance / max(rim_px, 1.0)).astype(np.float32)


def face_region(points: Float, side_px: int) -> NDArray[np.bool_]:
    """(side, side) the skin between brows and chin of a face (68, 2)."""
    return _filled(np.asarray(cv2.convexHull(points.astype(np.float32)), np.float32)[:, 0], side_px) > 0.5


def _soft(outline: NDArray[np.float64], side_px: int) -> Float:
    return np.asarray(cv2.GaussianBlur(_filled(outline, side_px), (0, 0), max(SOFT * side_px, 0.5)), np.float32)


def _filled(outline: NDArray[np.floating[Any]], side_px: int) -> Float:
    canvas = np.zeros((side_px, side_px), np.float32)
    cv2.fillPoly(canvas, [np.rint(outline).astype(np.int32)], (1.0,))
    return canvas


def _edges(side_px: int) -> Float:
    edge = ramp((np.arange(side_px) + 0.5) / (RAMP * side_px))
    edge = edge * edge[::-1]
    return np.outer(edge, edge).astype(np.float32)
