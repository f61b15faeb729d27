"""A person that a script draws, so that what belongs to whom is known to the pixel."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from body.types import (
    LEFT_ANKLE,
    LEFT_EAR,
    LEFT_ELBOW,
    LEFT_EYE,
    LEFT_FOOT,
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
    RIGHT_HIP,
    RIGHT_KNEE,
    RIGHT_SHOULDER,
    RIGHT_WRIST,
)

Float = NDArray[np.floating[Any]]
Picture = NDArray[np.uint8]

SIZE = (288, 400)
SHIRT, SKIN, TROUSERS, WALL = (40, 120, 60), (225, 170, 140), (60, 60, 120), (190, 190, 200)
PLACES = {
    NOSE: (144, 70), NECK: (144, 110), RIGHT_SHOULDER: (112, 110), LEFT_SHOULDER: (176, 110),
    RIGHT_ELBOW: (88, 160), LEFT_ELBOW: (200, 160), RIGHT_WRIST: (76, 205), LEFT_WRIST: (212, 205),
    RIGHT_HIP: (126, 214), LEFT_HIP: (162, 214), RIGHT_KNEE: (122, 284), LEFT_KNEE: (166, 284),
    RIGHT_ANKLE: (120, 350), LEFT_ANKLE: (168, 350),
    RIGHT_EYE: (136, 62), LEFT_EYE: (152, 62), RIGHT_EAR: (124, 66), LEFT_EAR: (164, 66),
    LEFT_FOOT.start: (180, 362), RIGHT_FOOT.start: (108, 362),
}  # fmt: skip
LEGS = [RIGHT_KNEE, LEFT_KNEE, RIGHT_ANKLE, LEFT_ANKLE, LEFT_FOOT.start, RIGHT_FOOT.start]
ARMS = {0: (RIGHT_SHOULDER, RIGHT_ELBOW, RIGHT_WRIST), 1: (LEFT_SHOULDER, LEFT_ELBOW, LEFT_WRIST)}
TORSO = np.array([(106, 100), (182, 100), (178, 160), (172, 226), (116, 226), (110, 160)])
SLEEVELESS = np.array([(106, 100), (164, 100), (166, 124), (196, 132), (196, 146), (172, 226), (116, 226), (110, 160)])


@dataclass(frozen=True, eq=False)
class Drawn:
    """A picture and the person in it."""

    image: Picture  # (400, 288, 3), RGB
    points: NDArray[np.float64]  # (134, 2), pixels
    scores: NDArray[np.float64]  # (134,)
    matte: NDArray[np.float32]  # (400, 288)
    arms: NDArray[np.bool_]  # (400, 288), bare forearms and hands


def person(
    *,
    shift: tuple[float, float] = (0, 0),
    height: int = SIZE[1],
    trunk_over_left_arm: bool = False,
    right_wrist: tuple[float, float] | None = None,
    forearm_px: int = 14,
) -> Drawn:
    """Somebody who stands with arms held off the body.

    Args:
        shift: of the person, pixels.
        height: where the lower border cuts the picture off; legs that it cuts off are unknown.
        trunk_over_left_arm: whether the left arm is bare and passes behind the chest.
        right_wrist: where it is, before the shift.
        forearm_px: width of the forearms.
    """
    points, scores = np.zeros((POINT_COUNT, 2)), np.zeros(POINT_COUNT)
    for point, place in PLACES.items():
        points[point], scores[point] = np.add(place, shift), 1
    if right_wrist is not None:
        points[RIGHT_WRIST] = np.add(right_wrist, shift)
    if trunk_over_left_arm:
        points[LEFT_ELBOW] += (-8, 10)
    scores[points[:, 1] >= height] = 0
    textured = np.random.default_rng(0).integers(-14, 15, (SIZE[1], SIZE[0], 1))
    layers = {colour: np.zeros((SIZE[1], SIZE[0]), np.uint8) for colour in (TROUSERS, SKIN, SHIRT)}
    _limb(layers[TROUSERS], points[[RIGHT_HIP, RIGHT_KNEE, RIGHT_ANKLE, RIGHT_FOOT.start]], 22)
    _limb(layers[TROUSERS], points[[LEFT_HIP, LEFT_KNEE, LEFT_ANKLE, LEFT_FOOT.start]], 22)
    cv2.ellipse(layers[SKIN], _pixel(points[NOSE]), (21, 27), 0, 0, 360, (1,), -1)
    _limb(layers[SKIN], points[[NOSE, NECK]], 16)
    arms = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    for shoulder, elbow, wrist in ARMS.values():
        _limb(arms, points[[elbow, wrist]], forearm_px)
        bare = trunk_over_left_arm and shoulder == LEFT_SHOULDER
        _limb(layers[SKIN if bare else SHIRT], points[[shoulder, elbow]], 18)
    layers[SKIN] |= arms
    torso = np.zeros_like(arms)
    cv2.fillPoly(torso, [np.round((SLEEVELESS if trunk_over_left_arm else TORSO) + shift).astype(np.int32)], (1,))
    layers[SKIN] &= ~torso if trunk_over_left_arm else 1
    layers[SHIRT] |= torso
    image = np.zeros((SIZE[1], SIZE[0], 3)) + WALL + np.linspace(-25, 25, SIZE[0])[None, :, None]
    for colour, layer in layers.items():
        image[layer > 0] = (textured + colour)[layer > 0]
    if not trunk_over_left_arm:
        image[arms > 0] = (textured + SKIN)[arms > 0]
    matte = np.any(list(layers.values()), axis=0).astype(np.float32)
    picture = np.clip(image, 0, 255).astype(np.uint8)
    return Drawn(picture[:height], points, scores, matte[:height], (arms[:height] > 0))


def psnr_db(picture: Picture, other: Picture, mask: NDArray[np.bool_]) -> float:
    """Likeness of two pictures within a mask."""
    error = np.square(picture.astype(float) - other)[mask].mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def turned(points: Float, centre: int, chosen: list[int], degrees: float) -> NDArray[np.float64]:
    """Points (134, 2), some of them turned about another, from x towards y."""
    moved, angle = np.array(points, np.float64), np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved[chosen] = moved[centre] + (moved[chosen] - moved[centre]) @ turn.T
    return moved


def _limb(mask: Picture, points: Float, width_px: int) -> None:
    for start, end in pairwise(points):
        cv2.line(mask, _pixel(start), _pixel(end), (1,), width_px)


def _pixel(point: Float) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))
