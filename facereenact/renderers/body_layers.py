"""The person taken apart into sheets that move over each other: trunk, upper arms, forearms with hands.

Neighbouring sheets share the picture around the joint between them, so that it does not open when they move; what one
sheet hides of another is filled in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from facereenact.renderers.background import fill_behind
from facereenact.renderers.body_fill import continue_beyond, fill_across
from facereenact.renderers.body_limbs import FOREARM_PARTS, PART_COUNT, TRUNK, UPPER_ARM_PARTS, Limbs
from facereenact.renderers.body_parts import WORK_PX, Labels, label_parts
from facereenact.renderers.body_skeleton import FOREARMS, HANDS, UPPER_ARMS

Float = NDArray[np.float32]
Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

LITTLE = 0.4  # share of a covered upper arm from which it shows its own colours
CUT = 1.5  # how far around its elbow the trunk cuts off such an arm, reaches of the joint
BELOW = 0.8  # half width of what goes on below another part, half widths of the part
UNDER_ARM = 0.06  # how much of a torso an arm beside it hides, shoulder widths
TEXTURE = 0.3  # how far the trunk is continued with its texture, of its shorter side
OUTLINE = 1.5  # how wide an outline is, pixels of the picture in which parts are told apart
CLEAR = 0.1  # share of the person from which a pixel tells its colour
BEYOND = 0.3  # how far the person goes on past the border of the picture, of the picture's longer side


@dataclass(frozen=True, eq=False)
class Sheet:
    """One part of the person, cut out, with what others hide of it filled in."""

    part: int  # see `body_limbs`
    rgba: Image  # (height, width, 4)
    origin: NDArray[np.int64]  # (2,) source pixel of the first of them, may be negative
    shown: Mask  # (height, width) where it shows the picture as it is


def cut_sheets(image: Image, matte: Float, limbs: Limbs) -> list[Sheet]:
    """The sheets of a person, back to front; a part that the picture does not show has none.

    Args:
        image: (height, width, 3) RGB, the person's own colours also where the background shines through.
        matte: (height, width) 0 to 1, what belongs to the person.
        limbs: the bones.
    """
    labels, covered = label_parts(image, matte, limbs)
    parts = _soft_parts(image, labels)
    hidden = _hidden(parts, limbs, matte > 0.5, covered)
    own, shown, known = _shared(parts, limbs, matte > 0.5, covered)
    behind = [part for part, is_covered in zip(UPPER_ARM_PARTS, covered, strict=True) if is_covered]
    sheets = []
    for part in (*behind, *(part for part in range(PART_COUNT) if part not in behind)):
        seen = own[part] * matte
        if (seen > 0.5).any():
            alpha = np.minimum(own[part] + hidden[part], 1) * matte
            sheets.append(_sheet(part, image, (shown[part], known[part]), matte, alpha, limbs))
    return sheets


def hands_hidden(sheets: list[Sheet], limbs: Limbs, size: tuple[int, int]) -> tuple[bool, bool]:
    """Whether the right and the left hand, of those that are unknown, are behind what shows where they are.

    A hand that lies on a hidden one counts as hidden, too: no picture shows what appears when they part.

    Args:
        sheets: of the person.
        limbs: the bones.
        size: width and height of the picture.
    """
    hidden = [False, False]
    for side, fore in enumerate(FOREARM_PARTS):
        place = np.round(limbs.fingers(side)).astype(int) if limbs.segments[fore] else np.array([-1, -1])
        if limbs.skeleton.present[HANDS[side]] or (place < 0).any() or (place >= size).any():
            continue
        own = UPPER_ARM_PARTS[side], fore
        there = {sheet.part for sheet in sheets if sheet.part not in own and _shows(sheet, place)}
        hidden[side] |= bool(there)
        hidden[1 - side] |= FOREARM_PARTS[1 - side] in there
    return hidden[0], hidden[1]


def _shows(sheet: Sheet, place: NDArray[np.int64]) -> bool:
    """Whether a source pixel x, y shows the sheet."""
    column, row = place - sheet.origin
    if min(column, row) < 0 or row >= sheet.shown.shape[0] or column >= sheet.shown.shape[1]:
        return False
    return bool(sheet.shown[row, column] and sheet.rgba[row, column, 3] > 127)


def _soft_parts(image: Image, labels: Labels) -> Float:
    """(parts, height, width) the share of each part in a pixel, with edges where the picture has them."""
    size = (image.shape[1], image.shape[0])
    radius = max(2, round(1.5 * size[0] / labels.shape[1]))
    shares = []
    for part in range(PART_COUNT):
        coarse = cv2.resize((labels == part).astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
        soft = cv2.ximgproc.guidedFilter(image, coarse, radius, 60.0)
        shares.append(np.clip(1.6 * soft - 0.3, 0, 1))
    total = np.maximum(np.sum(shares, axis=0), 1e-3)
    return np.asarray(np.stack(shares) / total, np.float32)


def _shared(parts: Float, limbs: Limbs, person: Mask, covered: tuple[bool, bool]) -> tuple[Float, Mask, Mask]:
    """The parts, each with what it shares with its neighbours around joints.

    Also where each shows the picture as it is, and where it takes its other colours from. An upper arm also shows the
    elbow, whose skin is that of the forearm, but no outline of a trunk that lies on it; where that leaves little of
    the arm, and this in the trunk's shade, the whole arm takes the colours of the elbow.
    """
    own, shown, lent = parts.copy(), parts > 0.5, np.zeros(parts.shape, bool)
    rim_px = max(2, round(OUTLINE * max(parts.shape[1:]) / WORK_PX))
    near_trunk = cv2.dilate(parts[TRUNK], np.ones((2 * rim_px + 1,) * 2)) > 0.5
    for side in (0, 1):
        upper, fore = UPPER_ARM_PARTS[side], FOREARM_PARTS[side]
        elbow = limbs.elbow(side, parts.shape[1:]) & (parts[fore] > 0.5)
        is_lent = covered[side] and elbow.any() and _is_little(shown[upper] & person, limbs, upper)
        if is_lent:
            shown[upper], lent[upper] = False, elbow
        else:
            shown[upper] &= ~(near_trunk & covered[side])
            shown[upper] |= elbow
        for bone, pair, share in (
            (UPPER_ARMS[side], (TRUNK, upper), 1.0),
            (FOREARMS[side], (upper, fore), limbs.skeleton.straightness(side)),
        ):
            if not limbs.segments[pair[1]]:
                continue
            disc = _disc(limbs.pivots[bone], share * limbs.joint_px(pair[1]), parts.shape[1:])
            both = parts[pair[0]] + parts[pair[1]]
            for part in pair:
                own[part] = np.maximum(own[part], disc * both)
                shown[part] |= (disc > 0) & (both > 0.5)
        if is_lent:  # what the trunk cuts off the elbow ends without the trunk's outline
            around = _disc(limbs.pivots[FOREARMS[side]], CUT * limbs.joint_px(fore), parts.shape[1:]) > 0
            own[fore] *= ~(near_trunk & around)
    return own, shown, shown | lent


def _is_little(visible: Mask, limbs: Limbs, part: int) -> bool:
    """Whether what is visible of an arm is little of what lies around its bone."""
    around = limbs.distance(part, (visible.shape[1], visible.shape[0])) < 1
    return bool((visible & around).sum() < LITTLE * around.sum())


def _round(radius_px: float) -> Image:
    """A round structuring element."""
    width = 2 * round(radius_px) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)), np.uint8)


def _disc(centre: NDArray[Any], radius: float, shape: tuple[int, ...]) -> Float:
    """(height, width) 1 inside a circle, 0 outside, soft over a fifth of its radius."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    distance = np.hypot(columns - centre[0], rows - centre[1])
    return np.clip(5 * (1 - distance / max(radius, 1e-3)), 0, 1).astype(np.float32)


def _hidden(parts: Float, limbs: Limbs, person: Mask, covered: tuple[bool, bool]) -> Float:
    """(parts, height, width) 0 to 1 where a part goes on below one that lies on it."""
    size = (parts.shape[2], parts.shape[1])
    hidden = np.zeros(parts.shape, bool)
    for side in (0, 1):
        upper, fore = UPPER_ARM_PARTS[side], FOREARM_PARTS[side]
        if limbs.segments[upper]:
            away_px = limbs.distance(upper, size) * limbs.radius_px[upper]
            hidden[upper] = (away_px < BELOW * limbs.radius_px[fore]) & (parts[fore] > 0.3)
            if covered[side]:
                inside_px = ndimage.distance_transform_edt((parts[fore] > 0.5) & person)
                elbow_px = inside_px[limbs.elbow(side, size[::-1])].max(initial=limbs.radius_px[upper])
                # As wide as the forearm, also around the elbow, but not beyond the edge that shows.
                inwards = limbs.outwards(side, size) < BELOW * limbs.radius_px[upper]
                hidden[upper] |= (away_px < BELOW * elbow_px) & inwards
    trunk = (parts[TRUNK] > 0.5) & person
    reach_px = float(limbs.radius_px[list(FOREARM_PARTS)].max())
    away_px = ndimage.distance_transform_edt(~trunk)
    closed = ndimage.distance_transform_edt(away_px <= reach_px) > reach_px
    torso = np.zeros(trunk.shape, np.uint8)
    cv2.fillConvexPoly(torso, np.round(limbs.skeleton.torso()).astype(np.int32), (1,))
    hidden[TRUNK] = closed | ndimage.binary_fill_holes(trunk) | (torso > 0)
    rows, columns = np.ogrid[: size[1], : size[0]]
    for side, bone in enumerate(UPPER_ARMS):
        if limbs.segments[UPPER_ARM_PARTS[side]] and not covered[side]:
            pivot = limbs.pivots[bone]
            down = np.hypot(columns - pivot[0], rows - pivot[1]) / limbs.skeleton.length(bone)
            reach = UNDER_ARM * limbs.skeleton.width_px * np.clip(1.4 - 2 * down, 0, 1)
            hidden[TRUNK] |= (away_px < reach) & (parts[UPPER_ARM_PARTS[side]] > 0.5)
    grown = (trunk | hidden[TRUNK]).astype(np.uint8)
    hidden[TRUNK] &= cv2.morphologyEx(grown, cv2.MORPH_OPEN, _round(0.5 * reach_px)) > 0  # but for spikes beside an arm
    for mask in hidden:
        mask[:] = ndimage.binary_dilation(mask & person, iterations=2) & person
    return np.stack([cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0) for mask in hidden])


def _box(mask: Mask, *, square: bool) -> tuple[slice, slice]:
    """The rows and columns around what is true; a square where colours are to spread far along it."""
    places = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
    least = max(int(np.ptp(place)) for place in places) if square else 0
    grow = [max(2, (least - int(np.ptp(place))) // 2) for place in places]
    first, last = ([int(place[end]) for place in places] for end in (0, -1))
    return (
        slice(max(first[0] - grow[0], 0), last[0] + grow[0] + 1),
        slice(max(first[1] - grow[1], 0), last[1] + grow[1] + 1),
    )


def _sheet(part: int, image: Image, colours: tuple[Mask, Mask], matte: Float, alpha: Float, limbs: Limbs) -> Sheet:
    """The picture of one part, continued past the borders of the picture.

    Args:
        part: which.
        image: (height, width, 3).
        colours: (height, width) where it shows the picture as it is, and where the picture has colours to fill it.
        matte: (height, width) what belongs to the person.
        alpha: (height, width) what belongs to the part.
        limbs: the bones.
    """
    pad = round(BEYOND * max(image.shape[:2]))
    sides = (pad, pad, pad, pad)
    alpha = continue_beyond(alpha, pad)
    box = _box(alpha > 0.01, square=part != TRUNK)
    shown, known = colours
    inner = cv2.erode((known & (matte > 0.95)).astype(np.uint8), np.ones((5, 5)))
    layers = np.dstack([image, shown, shown & (matte > CLEAR), inner if inner.any() else known])
    layers = np.asarray(cv2.copyMakeBorder(layers, *sides, cv2.BORDER_REFLECT_101)[box], np.uint8)
    picture, as_is, tells, firm = layers[..., :3], layers[..., 3] > 0, layers[..., 4] > 0, layers[..., 5] > 0
    if part == TRUNK:
        filled = fill_behind(np.ascontiguousarray(picture), ~firm, TEXTURE * min(firm.shape))
    else:
        start, end = limbs.segments[part][0]
        filled = fill_across(picture, firm, ~tells & (alpha[box] > 0), end - start)
    painted = np.where(tells[..., None], picture, filled)
    rgba = np.dstack([painted, np.round(alpha[box] * 255).astype(np.uint8)])
    return Sheet(part, rgba, np.array([box[1].start - pad, box[0].start - pad]), as_is)
