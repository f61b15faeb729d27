"""Filling in what one part of a person hides of a limb."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from facereenact.renderers.body_skeleton import Points

Float = NDArray[np.float32]
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
    across, _ = _mixed(given @ metric, wanted @ metric, colours)
    near, away_px = _mixed(given, wanted, colours)
    share = np.exp(-away_px / (SEAM * min(unknown.shape)))[:, None]
    filled = picture.copy()
    filled[unknown] = share * near + (1 - share) * across + 0.5
    return filled


def _mixed(given: Points, wanted: Points, colours: Float) -> tuple[Float, Points]:
    """(n, 3) the colours nearest to points wanted (n, 2), mixed, and (n,) how far the nearest is.

    Args:
        given: (m, 2) points.
        wanted: (n, 2) points.
        colours: (m, 3) of those given.
    """
    away, nearest = KDTree(given).query(wanted, k=range(1, min(NEIGHBOURS, len(given)) + 1))
    weights = 1 / (away + 1) ** 2
    weights /= weights.sum(axis=1, keepdims=True)
    return np.einsum("nk,nkc->nc", weights, colours[nearest]), away[:, 0]
