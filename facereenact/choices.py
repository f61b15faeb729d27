"""Choices that several commands read from a text: whose face or body, and how large a picture."""

from __future__ import annotations

import math

Choice = int | tuple[float, float] | str
"""Who of several: "largest", an index from the left, or a pixel (x, y)."""


def face_choice(text: str) -> Choice:
    """`largest`, an index counted from the left, or a pixel `x,y`."""
    return _choice(text, "face")


def person_choice(text: str) -> Choice:
    """Likewise."""
    return _choice(text, "person")


def _choice(text: str, who: str) -> Choice:
    if text == "largest":
        return text
    try:
        if "," in text:
            x, y = (float(part) for part in text.split(","))
            if not (math.isfinite(x) and math.isfinite(y)):
                raise ValueError
            return x, y
        if text.startswith("-"):
            raise ValueError
        return int(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no {who}: give largest, an index (0 is leftmost), or a pixel x,y") from error


def picture_size(text: str) -> tuple[int, int] | int:
    """`WIDTHxHEIGHT`, or one number for the longer side."""
    try:
        sides = [int(part) for part in text.lower().split("x")]
    except ValueError:
        sides = []
    if len(sides) not in (1, 2) or not all(32 <= side <= 8192 for side in sides):
        raise ValueError(f"{text!r} is no size: give WIDTHxHEIGHT or the longer side, from 32 to 8192 pixels")
    return (sides[0], sides[1]) if len(sides) == 2 else sides[0]
