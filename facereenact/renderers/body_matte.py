"""Cutting the whole person out of a picture: what is known of the skeleton says where to look and what belongs."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from body.guides import BONES
from facereenact.renderers.background import diffuse, fill_behind, person_matte
from facereenact.renderers.body_background import fill_by_patches
from facereenact.renderers.body_skeleton import PALM, Points, Skeleton

Float = NDArray[np.float32]
Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

WORK_PX = 512  # longest side of the picture in which colours decide the outline; more is slower and no better
GAP_LEVELS = 8  # of 255, by which a pixel off the bones differs from the background around if it is the person's

FAINTEST, GRAINS, STRONGEST = 16, 9, 60  # how much hair differs at least from what is behind, of 255 and in grains
LEAST_FRINGE_PX = 2.0  # see `FRINGE`

# Lengths in shoulder widths.
PALM_RIM, FINGER = 0.08, 0.03  # widths of lines around a palm, along fingers, that lie within the hand
LIMB, HEAD = 0.2, 0.8  # widths around bones, around the line from neck to nose, that are no background
HAIR, FRINGE = 0.15, 0.01  # how far loose hair, and bright edges elsewhere, may lie from the outline
LOOSE = 0.03  # size of the largest piece of hair that nothing visible holds
RIM = 0.02  # what a matte misses


def separate(image: Image, matte: Float, skeleton: Skeleton) -> tuple[Image, Image]:
    """The picture without the person, and the person's own colours, without what shines through at the edges.

    Args:
        image: (height, width, 3) RGB.
        matte: (height, width) 0 background to 1 person.
        skeleton: the bones.
    """
    away = cv2.distanceTransform((matte < 0.05).astype(np.uint8), cv2.DIST_L2, 5)
    behind = fill_by_patches(image, away < max(3.0, RIM * skeleton.width_px))
    own = behind + (image.astype(np.float32) - behind) / np.maximum(matte, 0.5)[..., None]
    return behind, np.clip(own + 0.5, 0, 255).astype(np.uint8)


def estimate_matte(image: Image, skeleton: Skeleton) -> Float:
    """(height, width) 0 background to 1 person.

    MediaPipe's segmentation, of the picture and of the part around the person, says about where the person is; the
    colours on both sides decide the outline (GrabCut; Rother et al. 2004), and the picture's own edges soften it
    (guided filter; He et al. 2010). Hair is finer than an outline: around the head, whatever differs from the
    background that is filled in from farther out belongs to the person.

    Args:
        image: (height, width, 3) RGB.
        skeleton: the bones.
    """
    rough = np.maximum(person_matte(image), _matte_around(image, skeleton.points[skeleton.seen]))
    rough = _attached(rough, skeleton)
    matte = _outlined(image, rough, skeleton)
    away = cv2.distanceTransform((matte < 0.05).astype(np.uint8), cv2.DIST_L2, 5)
    rows, columns = np.indices(matte.shape, np.float32)
    from_head = np.hypot(columns - skeleton.head[0], rows - skeleton.head[1]) / skeleton.head_px
    reach = np.maximum(skeleton.width_px * np.clip(HAIR * (3 - from_head), FRINGE, HAIR), LEAST_FRINGE_PX)
    behind = fill_behind(image, away < reach, 0.4 * skeleton.width_px)
    differs = np.abs(image.astype(np.float32) - behind).max(axis=2)
    near = np.clip(2 - 2 * away / reach, 0, 1)
    least = float(np.clip(GRAINS * _grain(image, near == 0), FAINTEST, STRONGEST))
    hair = _hair(differs, least, near, rough, round(HAIR * skeleton.width_px) | 1)
    # What looks like the background belongs to it as far as the matte is in doubt.
    doubt = np.clip(4 * (1 - matte), 0, 1)
    matte = np.maximum(matte * (1 - doubt * (1 - np.clip((differs - 4) / 16, 0, 1))), hair).astype(np.float32)
    closed = cv2.morphologyEx(matte, cv2.MORPH_CLOSE, np.ones((3, 3)))
    return _attached(np.asarray(closed, np.float32), skeleton)


def _matte_around(image: Image, points: Points) -> Float:
    """The segmentation of the part of the picture around the points, which sees a small person larger."""
    low, high = points.min(axis=0), points.max(axis=0)
    reach = 0.7 * (high - low).max()
    left, top = np.maximum((low + high) / 2 - reach, 0).astype(int)
    right, bottom = np.minimum((low + high) / 2 + reach, image.shape[1::-1]).astype(int)
    matte = np.zeros(image.shape[:2], np.float32)
    if min(right - left, bottom - top) > 32:
        matte[top:bottom, left:right] = person_matte(image[top:bottom, left:right])
    return matte


def _outlined(image: Image, rough: Float, skeleton: Skeleton) -> Float:
    """The rough matte with its outline where the colours change."""
    height, width = image.shape[:2]
    scale = min(1.0, WORK_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small, guess = (cv2.resize(layer, size, interpolation=cv2.INTER_AREA) for layer in (image, rough))
    person = _by_colour(np.asarray(small, np.uint8), np.asarray(guess, np.float32), skeleton, scale)
    coarse = cv2.resize(person, (width, height), interpolation=cv2.INTER_LINEAR)
    soft = cv2.ximgproc.guidedFilter(image, coarse, max(2, round(max(height, width) / 200)), 60.0)
    return np.clip(1.4 * soft - 0.2, 0, 1).astype(np.float32)


def _by_colour(image: Image, rough: Float, skeleton: Skeleton, scale: float) -> Float:
    """Where the person is, 0 or 1: pixels in doubt go to the side whose colours they have."""
    margin = max(image.shape) // 100 + 1
    inside = cv2.erode((rough > 0.9).astype(np.uint8), np.ones((margin, margin)))
    core = np.zeros(image.shape[:2], np.uint8)  # the skeleton leaves no doubt
    for line, width in [(line, LIMB) for line in skeleton.lines()] + [(line, HEAD) for line in skeleton.lines()[:1]]:
        start, end = (tuple(int(v) for v in point * scale) for point in line)
        cv2.line(inside, start, end, (1,), max(1, margin // 3))
        cv2.line(core, start, end, (1,), max(1, round(width * skeleton.width_px * scale)))
    cv2.fillConvexPoly(core, np.round(skeleton.torso() * scale).astype(np.int32), (1,))
    inside[(_hands(skeleton, inside.shape, scale) > 0) & (rough > 0.2)] = 1
    near = cv2.dilate(((rough > 0.1) | (inside > 0)).astype(np.uint8), np.ones((4 * margin, 4 * margin)))
    around = diffuse(image.astype(np.float32), near == 0)
    gap = (np.abs(image - around).max(axis=2) < GAP_LEVELS) & (core == 0)  # between an arm and the torso, say
    labels = np.where(near > 0, cv2.GC_PR_BGD, cv2.GC_BGD).astype(np.uint8)
    labels[rough > 0.5] = cv2.GC_PR_FGD
    labels[inside > 0] = cv2.GC_FGD
    labels[gap] = cv2.GC_BGD
    if (labels == cv2.GC_FGD).any() and (labels == cv2.GC_BGD).any():
        cv2.setRNGSeed(0)  # its colour clusters start at random
        colours, models = np.ascontiguousarray(image[..., ::-1]), [np.zeros((1, 65)), np.zeros((1, 65))]
        cv2.grabCut(colours, labels, (0, 0, 0, 0), models[0], models[1], 3, cv2.GC_INIT_WITH_MASK)
    person = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    count, pieces = cv2.connectedComponents(person)
    known = np.bincount(pieces[inside > 0], minlength=count) > 0  # what hangs on no bone is no part of the person
    return (person * known[pieces]).astype(np.float32)


def _grain(image: Image, where: Mask) -> float:
    """The median difference of pixels from the colour around them, of 255: grain, noise, the finest texture."""
    if not where.any():
        return 0.0
    picture = image.astype(np.float32)
    return float(np.median(np.abs(picture - cv2.GaussianBlur(picture, (0, 0), 1)).max(axis=2)[where]))


def _hands(skeleton: Skeleton, shape: tuple[int, ...], scale: float) -> Image:
    """(height, width) 1 where hands surely are: shade hides them from the segmentation, and from their own colours."""
    mask = np.zeros(shape, np.uint8)
    for hand in skeleton.hands():
        points = np.round(hand * scale).astype(np.int32)
        for lines, width in ((points[None, list(PALM)], PALM_RIM), (points[np.array(BONES)], FINGER)):
            cv2.polylines(mask, list(lines), True, (1,), max(1, round(width * skeleton.width_px * scale)))
    return mask


def _hair(differs: Float, least: float, near: Float, rough: Float, window_px: int) -> Float:
    """(height, width) what differs from the background near the person; whole areas only where the rough matte agrees.

    Other areas that differ are background that was filled in wrongly.
    """
    band, window = (near > 0).astype(np.float32), (window_px, window_px)
    crowded = cv2.blur(band * (differs > least + 4), window) / np.maximum(cv2.blur(band, window), 1e-3)
    trust = np.maximum(np.clip(2.2 - 4 * crowded, 0, 1), np.clip((rough - 0.3) / 0.4, 0, 1))
    return np.asarray(near * trust * np.clip((differs - least) / 30, 0, 1), np.float32)


def _attached(matte: Float, skeleton: Skeleton) -> Float:
    """The matte without pieces that hang on no bone, as other people do, unless they are so small as ends of hair."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats((matte > 0.1).astype(np.uint8))
    bones = np.zeros(matte.shape, np.uint8)
    for start, end in np.round(skeleton.lines()).astype(int).tolist():
        cv2.line(bones, start, end, (1,), 1)
    keep = stats[:, cv2.CC_STAT_AREA] < (LOOSE * skeleton.width_px) ** 2
    keep[np.argmax(np.bincount(pieces[(bones > 0) & (matte > 0.5)], minlength=count))] = True
    keep[0] = True  # what fades
    return np.asarray(matte * keep[pieces], np.float32)
