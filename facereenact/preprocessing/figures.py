"""How good a sequence is: figures measured while it is tracked, and the limits that it is held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from landmarks import LandmarkSequence
from landmarks.head_pose import euler_deg

SAMPLE_EVERY = 5  # frames that show the face, of which the picture is looked at
SAMPLE_PX = 128  # side of the face's square when it is looked at: what a small face lacks shows as blur
ROOM = 0.15  # around the points, as a share of their extent
BLUR_PX = 9  # length of the second blur (Crete et al. 2007)

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Figures:
    """What is known of a sequence."""

    detected: float  # share of the frames in which the face was seen, 0 to 1
    face_px: float  # median of the longer side of the box about the points
    sharpness: float  # median of the looks, see `sharpness`
    blur: float  # median of the looks, 0 sharp to 1, see `blur`
    jitter: float  # median of the points' mean acceleration, eye distances per frame²
    yaw_min_deg: float  # nose to the image's right is positive
    yaw_max_deg: float
    pitch_min_deg: float  # nose down is positive
    pitch_max_deg: float
    roll_min_deg: float  # clockwise is positive
    roll_max_deg: float

    @property
    def turn_deg(self) -> float:
        """The widest of the three ranges."""
        return max(
            self.yaw_max_deg - self.yaw_min_deg,
            self.pitch_max_deg - self.pitch_min_deg,
            self.roll_max_deg - self.roll_min_deg,
        )


class Looks:
    """Looks at a face every few frames: how sharp it is, and the sharpest picture of it."""

    def __init__(self) -> None:
        self.sharpness: list[float] = []
        self.blur: list[float] = []
        self.best: Image | None = None  # (SAMPLE_PX, SAMPLE_PX, 3), RGB
        self._seen = 0

    def add(self, image: Image, points: NDArray[np.float32]) -> None:
        """The next frame (height, width, 3) that shows the face, at points (68, 2)."""
        self._seen += 1
        if self._seen % SAMPLE_EVERY != 1:
            return
        face = close_up(image, points)
        grey = np.asarray(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), np.float32)
        value = sharpness(grey)
        if value > max(self.sharpness, default=-1.0):
            self.best = face
        self.sharpness.append(value)
        self.blur.append(blur(grey))


def close_up(image: Image, points: NDArray[np.float32]) -> Image:
    """(SAMPLE_PX, SAMPLE_PX, 3): the square about the points (68, 2)."""
    low, high = points.min(axis=0), points.max(axis=0)
    side = max(1.0, float((high - low).max()) * (1 + 2 * ROOM))
    left, top = (low + high - side) / 2
    # Scaled down by whole blocks first, so that no pixel is passed over.
    block = max(1, int(side / SAMPLE_PX))
    height, width = (length // block * block for length in image.shape[:2])
    x, y = (int(np.clip(at, 0, length - block)) for at, length in ((left, width), (top, height)))
    columns, rows = (
        int(np.clip((at + side - start) // block + 1, 1, (length - start) // block))
        for at, start, length in ((left, x, width), (top, y, height))
    )
    part = image[y : y + rows * block, x : x + columns * block]
    small = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    zoom = SAMPLE_PX / side
    middle = (block - 1) / 2  # of a block, from its first pixel
    matrix = zoom * np.array([[block, 0, x + middle - left], [0, block, y + middle - top]])
    return np.asarray(cv2.warpAffine(small, matrix, (SAMPLE_PX, SAMPLE_PX), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def sharpness(grey: NDArray[np.float32]) -> float:
    """Variance of the Laplacian over that of the picture: 0 flat or soft, above 0.1 crisp; free of contrast."""
    return float(cv2.Laplacian(grey, cv2.CV_32F).var() / max(float(grey.var()), 1.0))


def blur(grey: NDArray[np.float32]) -> float:
    """0 sharp to 1 blurred: how little a further blur takes away (Crete, Dolmiere, Ladret, Nicolas 2007).

    The worse of the two directions counts, so that a picture blurred by motion is blurred.
    """
    shares = []
    for axis, kernel in ((0, (1, BLUR_PX)), (1, (BLUR_PX, 1))):
        before = np.abs(np.diff(grey, axis=axis))
        after = np.abs(np.diff(cv2.blur(grey, kernel), axis=axis))
        lost = np.maximum(before - after, 0).sum()
        shares.append(1 - float(lost / max(before.sum(), 1.0)))
    return max(shares)


def measure(sequence: LandmarkSequence, looks: Looks) -> Figures:
    """The figures of a sequence; frames without the face count for `detected` alone."""
    seen = sequence.points[sequence.detected].astype(np.float64)
    angles = euler_deg(sequence.rotation[sequence.detected])
    pitch, yaw, roll = ((float(column.min()), float(column.max())) for column in angles.T)
    values = {
        "detected": float(sequence.detected.mean()),
        "face_px": float(np.median(np.ptp(seen, axis=1).max(axis=1))),
        "sharpness": float(np.median(looks.sharpness)),
        "blur": float(np.median(looks.blur)),
        "jitter": jitter(sequence),
        **{"yaw_min_deg": yaw[0], "yaw_max_deg": yaw[1], "pitch_min_deg": pitch[0], "pitch_max_deg": pitch[1]},
        **{"roll_min_deg": roll[0], "roll_max_deg": roll[1]},
    }
    return Figures(**{name: round(value, 4) for name, value in values.items()})


def jitter(sequence: LandmarkSequence) -> float:
    """Median of the points' mean acceleration where three frames in a row show the face; 0 where none do."""
    points, seen = sequence.points.astype(np.float64), sequence.detected
    whole = seen[:-2] & seen[1:-1] & seen[2:]
    if not whole.any():
        return 0.0
    bends = (points[:-2] - 2 * points[1:-1] + points[2:])[whole]
    eyes_px = max(float(np.median(sequence.eye_distance_px[seen])), 1.0)
    return float(np.median(np.linalg.norm(bends, axis=2).mean(axis=1))) / eyes_px


def objection(values: Mapping[str, float], bounds: Mapping[str, float]) -> str:
    """The first limit that a sequence's values exceed, in words; "" where it keeps within all."""
    for name, bound in bounds.items():
        side, _, figure = name.partition("_")
        value = values[figure]
        if (side == "min" and value < bound) or (side == "max" and value > bound):
            return f"{figure} {value:.4g} is {'below' if side == 'min' else 'above'} {bound:.4g}"
    return ""
