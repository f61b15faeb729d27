"""Filling in what one part of a person hides of a limb."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from facereenact.renderers.body_skeleton import Points

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

ALONG = 5.0  # how much farther colours are along a limb than across it
SEAM = 0.03  # how far beyond what is known its nearest colours reach, of the shorter side
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


def _nearest(given: Points, wanted: Points) -> tuple[Points, NDArray[np.int64]]:
    """(n, k) how far the nearest of points given (m, 2) are from points wanted (n, 2), and which they are."""
    away, nearest = KDTree(given).query(wanted, k=range(1, min(NEIGHBOURS, len(given)) + 1))
    return away, nearest
