"""Filling in what one part of a person hides of a limb, and what the border of the picture cuts off."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from facereenact.renderers.body_skeleton import Points

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Float = NDArray[np.float32]

ALONG = 5.0  # how much farther colours are along a limb than across it
SEAM = 0.03  # how far beyond what is known its nearest colours reach, of the shorter side
SLOPE = 0.03  # on which way to the border the slope of an outline is measured, of the picture's longer side
SAMPLES, NEIGHBOURS = 3000, 60  # colours to fill a limb from; how many of them are mixed


def fill_across(picture: Image, known: Mask, unknown: Mask, bone: Points) -> Image:
    """The picture with its unknown part filled from what is known beside it, across the limb: hems go on.

    What is nearest to the edge takes on the colours there, such as the shade of the limb that lay on it: no seam shows.

    Args:
        picture: (height, width, 3).
        known: (height, width) what to take colours from.
        unknown: (height, width) what to replace.
        bone: (2,) along the limb.
    """
    along = bone / max(float(np.linalg.norm(bone)), 1e-6)
    metric = np.eye(2) + (ALONG - 1) * np.outer(along, along)
    rows, columns = np.nonzero(known)
    rows, columns = (places[:: len(places) // SAMPLES + 1] for places in (rows, columns))
    given, wanted = np.column_stack([columns, rows]) * 1.0, np.argwhere(unknown)[:, ::-1] * 1.0
    colours = picture[rows, columns].astype(np.float32)
    _, beside = _nearest(given @ metric, wanted @ metric)
    across = np.median(colours[beside], axis=1)  # lines stay out of it
    away_px, around = _nearest(given, wanted)
    weights = 1 / (away_px + 1) ** 2
    near = np.einsum("nk,nkc->nc", weights / weights.sum(axis=1, keepdims=True), colours[around])
    share = np.exp(-away_px[:, :1] / (SEAM * min(unknown.shape)))
    filled = picture.copy()
    filled[unknown] = share * near + (1 - share) * across + 0.5
    return filled


def continue_beyond(alpha: Float, pad: int) -> Float:
    """What is in the picture (height, width), 0 to 1, with `pad` pixels more on every side, where it goes on.

    Outlines that narrow towards the left or the right border narrow on at their slope, as a shoulder does that the
    border cuts; others go straight on.
    """
    rows, away = np.arange(alpha.shape[0])[:, None] + 0.5, np.arange(pad) + 1.0
    reach = min(max(2, round(SLOPE * max(alpha.shape))), alpha.shape[1] - 1)
    sides = []
    for column, inner in ((alpha[:, 0], alpha[:, reach]), (alpha[:, -1], alpha[:, -1 - reach])):
        side = np.zeros((alpha.shape[0], pad), np.float32)
        for top, bottom in _runs(column):
            before = [run for run in _runs(inner) if run[0] < bottom and top < run[1]] or [
                (top - reach, bottom + reach)
            ]
            down = max(0, top - before[0][0]) / reach if top > 0 else 0
            up = max(0, before[-1][1] - bottom) / reach if bottom < len(column) else 0
            inside = np.clip(rows - top - down * away + 0.5, 0, 1) * np.clip(bottom - up * away - rows + 0.5, 0, 1)
            side = np.maximum(side, inside * column[top:bottom].max())
        sides.append(side)
    wide = np.hstack([sides[0][:, ::-1], alpha, sides[1]]).astype(np.float32)
    return np.asarray(cv2.copyMakeBorder(wide, pad, pad, 0, 0, cv2.BORDER_REPLICATE), np.float32)


def _runs(column: Float) -> list[tuple[int, int]]:
    """First row, and row after the last, of each stretch of a column that is more than half covered."""
    labels, _ = ndimage.label(column > 0.5)
    return [(place[0].start, place[0].stop) for place in ndimage.find_objects(labels)]


def _nearest(given: Points, wanted: Points) -> tuple[Points, NDArray[np.int64]]:
    """(n, k) how far the nearest of points given (m, 2) are from points wanted (n, 2), and which they are."""
    away, nearest = KDTree(given).query(wanted, k=range(1, min(NEIGHBOURS, len(given)) + 1))
    return away, nearest
