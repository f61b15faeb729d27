"""How well the parts of a face are kept apart: drive one, and see how much the others move.

The entry in row r and column c of the matrix is how much part c moves when only part r is driven, as a share of how
much it moves in the driver. A perfect renderer has ones on the diagonal and zeros elsewhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from facereenact.evaluation.report import mean_of
from facereenact.settings import PARTS

Float = NDArray[np.float64]
Curves = dict[str, dict[str, Any]]

# The curves of each part, and the motion (standard deviation) from which a driver is said to move it.
MOVING: dict[str, dict[str, float]] = {
    "head": {"yaw_deg": 1.0, "pitch_deg": 1.0, "roll_deg": 1.0},
    "eyes": {"lid_right": 0.01, "lid_left": 0.01, "gaze_x": 0.03},
    "mouth": {"mouth": 0.01},
}
SPIKES = 3  # frames of a median that takes single false detections out


def leakage_of(part: str, curves: Curves, judge: str) -> dict[str, float | None]:
    """One row: how much each part moves when only `part` is driven; None for what the driver does not move."""
    row: dict[str, float | None] = {}
    for column, limits in MOVING.items():
        shares = []
        for name, limit in limits.items():
            pair = curves[judge].get(name) or curves["mesh"].get(name)
            if pair is None:
                continue
            driver, result = (motion(np.array(side, np.float64)) for side in pair)
            if driver is not None and result is not None and driver >= limit:
                shares.append(result / driver)
        row[f"{part}.{column}"] = float(np.sqrt(np.mean(np.square(shares)))) if shares else None
    return row


def motion(curve: Float) -> float | None:
    """The standard deviation of a curve without its spikes; None where too little of it is known."""
    known = curve[np.isfinite(curve)]
    return float(median_filter(known, SPIKES, mode="nearest").std()) if len(known) >= SPIKES else None


def matrix_of(rows: list[dict[str, float | None]]) -> dict[str, Any]:
    """The mean matrix of all clips, [driven][moved], and how many clips each entry rests on."""
    means = mean_of(rows)
    counts = {name: sum(row.get(name) is not None for row in rows) for name in means}
    return {
        "parts": list(PARTS),
        "matrix": [[means.get(f"{driven}.{moved}") for moved in PARTS] for driven in PARTS],
        "clips": [[counts.get(f"{driven}.{moved}", 0) for moved in PARTS] for driven in PARTS],
    }
