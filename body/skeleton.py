"""The tree of a body: which point hangs on which, and the kinds of segments between them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from body.types import (
    FACE,
    LEFT_ANKLE,
    LEFT_EAR,
    LEFT_ELBOW,
    LEFT_EYE,
    LEFT_FOOT,
    LEFT_HAND,
    LEFT_HIP,
    LEFT_KNEE,
    LEFT_SHOULDER,
    LEFT_WRIST,
    NECK,
    NOSE,
    POINT_COUNT,
    RIGHT_ANKLE,
    RIGHT_EAR,
    RIGHT_ELBOW,
    RIGHT_EYE,
    RIGHT_FOOT,
    RIGHT_HAND,
    RIGHT_HIP,
    RIGHT_KNEE,
    RIGHT_SHOULDER,
    RIGHT_WRIST,
)

Points = NDArray[np.float64]

PELVIS = POINT_COUNT
"""The middle of the hips, added behind the 134 points."""

HIPS, KNEES, ANKLES = (RIGHT_HIP, LEFT_HIP), (RIGHT_KNEE, LEFT_KNEE), (RIGHT_ANKLE, LEFT_ANKLE)

FEET = (*range(LEFT_FOOT.start, LEFT_FOOT.stop), *range(RIGHT_FOOT.start, RIGHT_FOOT.stop))


def _indices(part: slice) -> tuple[int, ...]:
    return tuple(range(part.start, part.stop))


# Kind of segment, the point that it hangs on, the points at its end; parents before children, from the neck.
TREE: tuple[tuple[str, int, tuple[int, ...]], ...] = (
    ("shoulders", NECK, (RIGHT_SHOULDER, LEFT_SHOULDER)),
    ("upper arm", RIGHT_SHOULDER, (RIGHT_ELBOW,)),
    ("upper arm", LEFT_SHOULDER, (LEFT_ELBOW,)),
    ("forearm", RIGHT_ELBOW, (RIGHT_WRIST,)),
    ("forearm", LEFT_ELBOW, (LEFT_WRIST,)),
    ("hand", RIGHT_WRIST, _indices(RIGHT_HAND)),
    ("hand", LEFT_WRIST, _indices(LEFT_HAND)),
    ("torso", NECK, (PELVIS,)),
    ("hips", PELVIS, HIPS),
    ("thigh", RIGHT_HIP, (RIGHT_KNEE,)),
    ("thigh", LEFT_HIP, (LEFT_KNEE,)),
    ("shin", RIGHT_KNEE, (RIGHT_ANKLE,)),
    ("shin", LEFT_KNEE, (LEFT_ANKLE,)),
    ("foot", RIGHT_ANKLE, _indices(RIGHT_FOOT)),
    ("foot", LEFT_ANKLE, _indices(LEFT_FOOT)),
    ("neck", NECK, (NOSE,)),
    ("head", NOSE, (RIGHT_EYE, LEFT_EYE, RIGHT_EAR, LEFT_EAR, *_indices(FACE))),
)
KINDS = tuple(dict.fromkeys(kind for kind, _, _ in TREE))

_BRIDGE, _CHIN = FACE.start + 27, FACE.start + 8
_JAW_ENDS = (FACE.start, FACE.start + 16)

# What is measured of each kind: one or more lengths, each on the side of the body that shows it longer.
LENGTHS: dict[str, tuple[tuple[tuple[int, int], ...], ...]] = {
    "shoulders": (((RIGHT_SHOULDER, LEFT_SHOULDER),),),
    "upper arm": (((RIGHT_SHOULDER, RIGHT_ELBOW), (LEFT_SHOULDER, LEFT_ELBOW)),),
    "forearm": (((RIGHT_ELBOW, RIGHT_WRIST), (LEFT_ELBOW, LEFT_WRIST)),),
    "hand": tuple(tuple((hand.start, hand.start + tip) for hand in (RIGHT_HAND, LEFT_HAND)) for tip in (5, 9, 17)),
    "torso": (((NECK, PELVIS),),),
    "hips": ((HIPS,),),
    "thigh": (((RIGHT_HIP, RIGHT_KNEE), (LEFT_HIP, LEFT_KNEE)),),
    "shin": (((RIGHT_KNEE, RIGHT_ANKLE), (LEFT_KNEE, LEFT_ANKLE)),),
    "neck": (((NECK, NOSE),),),
    "head": (((RIGHT_EAR, LEFT_EAR),), (_JAW_ENDS,), ((_BRIDGE, _CHIN),)),
}


def with_pelvis(points: NDArray[np.floating[Any]]) -> Points:
    """(frames, 135, 2) of (frames, 134, 2)."""
    exact = points.astype(np.float64)
    return np.concatenate([exact, exact[:, list(HIPS)].mean(axis=1, keepdims=True)], axis=1)


def pelvis_seen(visible: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(frames, 135) of (frames, 134): the pelvis is seen where both hips are."""
    return np.concatenate([visible, visible[:, list(HIPS)].all(axis=1, keepdims=True)], axis=1)


def rebuilt(points: Points, ratios: dict[str, float]) -> Points:
    """(frames, 135, 2) points with every segment lengthened by the ratio of its kind, the neck at the origin."""
    result = np.zeros_like(points)
    for kind, parent, children in TREE:
        ends = list(children)
        result[:, ends] = result[:, [parent]] + ratios[kind] * (points[:, ends] - points[:, [parent]])
    return result
