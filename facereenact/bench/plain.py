"""A tracked frame in plain steps with OpenSeeFace's networks as they are published: what the tracker is measured by."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from landmarks.openseeface.boxes import Box, Crop, crop_around, crop_between
from landmarks.openseeface.models import GAZE_MODEL, LANDMARK_MODELS, SCALE, SHIFT
from landmarks.openseeface.pose import CompatiblePose
from landmarks.openseeface.regression import Regression
from landmarks.openseeface.slots import Slot

Float = NDArray[np.float32]

POINTS, CELLS, SIDE_PX, EYE_PX = 66, 28, 224, 32
LOST = 0.6  # mean peak below which there is no face
EYES = ((36, 39, False), (42, 45, True))  # corners, and whether it is mirrored


class PlainTracker:
    """Follows one face whose box is known; networks and warps run in full, maps are read point by point."""

    def __init__(self, models_dir: Path, box: Box) -> None:
        self._landmarks, self._gaze = (_session(models_dir / file.name) for file in (LANDMARK_MODELS[0], GAZE_MODEL))
        self._slot, self._solver = Slot(0), CompatiblePose()
        self._box = self._first_box = box

    def __call__(self, image: NDArray[np.uint8]) -> Float:
        """(68, 2) points in the next frame; where the face is lost it is awaited in the first box."""
        found = self._regressed(image)
        if found.confidence < LOST:
            self._box = self._first_box
            found = self._regressed(image)
        else:
            self._box = found.box_xywh
        pupils = self._pupils(image, found.points)
        size = (image.shape[1], image.shape[0])
        face = self._slot.see(found, score_limit=math.inf).with_pupils(*pupils)
        return self._slot.state(face, size, solver=self._solver).points

    def _regressed(self, image: NDArray[np.uint8]) -> Regression:
        crop = crop_around(self._box, (image.shape[1], image.shape[0]))
        part = image[crop.top : crop.bottom, crop.left : crop.right].astype(np.float32)
        picture = np.asarray(cv2.resize(part, (SIDE_PX, SIDE_PX)), np.float32)
        maps = self._landmarks.run(None, {"input": _planes(picture)[None]})[0]
        heat, rows, columns = maps.reshape(3, POINTS, CELLS * CELLS)
        scale = ((crop.right - crop.left) / SIDE_PX, (crop.bottom - crop.top) / SIDE_PX)
        points, peaks = np.zeros((POINTS, 2), np.float32), np.zeros(POINTS, np.float32)
        span = SIDE_PX - 1
        for point in range(POINTS):
            cell = int(heat[point].argmax())
            x = span * (cell % CELLS) / (CELLS - 1) + span * _logit(columns[point, cell]) / 16
            y = span * (cell // CELLS) / (CELLS - 1) + span * _logit(rows[point, cell]) / 16
            points[point] = crop.left + scale[0] * x, crop.top + scale[1] * y
            peaks[point] = heat[point, cell]
        return Regression(points, peaks)

    def _pupils(self, image: NDArray[np.uint8], points: Float) -> tuple[Float, Float]:
        low, high = points.min(axis=0), points.max(axis=0)
        centre, reach = (low + high) / 2, (high - low) * 0.6
        area = crop_between(*(centre - reach), *(centre + reach), size=(image.shape[1], image.shape[0]))
        face = image[area.top : area.bottom, area.left : area.right]
        cuts = [_level_eye(face, points[[first, second]] - (area.left, area.top)) for first, second, _ in EYES]
        eyes = []
        for (_, _, is_mirrored), (level, cut, _) in zip(EYES, cuts, strict=True):
            eye = level[cut.top : cut.bottom, cut.left : cut.right]
            eye = np.asarray(cv2.resize(eye[:, ::-1] if is_mirrored else eye, (EYE_PX, EYE_PX)), np.uint8)
            eyes.append(_planes(eye).transpose(0, 2, 1))
        maps = self._gaze.run(None, {"input": np.stack(eyes)})[0]
        pupils, scores = np.zeros((2, 2), np.float32), np.zeros(2, np.float32)
        for index, ((_, _, is_mirrored), (_, cut, turn)) in enumerate(zip(EYES, cuts, strict=True)):
            heat, across, down = maps[index].reshape(3, 64)
            cell = int(heat.argmax())
            x, y = 4 * (cell // 8) + 4 * _logit(across[cell]), 4 * (cell % 8) + 4 * _logit(down[cell])
            x = EYE_PX - x if is_mirrored else x
            x = cut.left + x * (cut.right - cut.left) / EYE_PX
            y = cut.top + y * (cut.bottom - cut.top) / EYE_PX
            back = np.asarray(cv2.invertAffineTransform(turn))
            pupils[index] = back[:, :2] @ (x, y) + back[:, 2] + (area.left, area.top)
            scores[index] = heat[cell]
        return pupils, scores


def _level_eye(
    face: NDArray[np.uint8], corners: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], Crop, NDArray[np.float64]]:
    """The whole face turned so that an eye is level, where the eye then is, and the turn as (2, 3)."""
    a, b = corners.astype(int).astype(float)
    size = (face.shape[1], face.shape[0])
    angle, length = math.atan2(b[1] - a[1], b[0] - a[0]), math.hypot(*(b - a))
    turn = np.asarray(cv2.getRotationMatrix2D((a[0], a[1]), math.degrees(angle), 1.0), np.float64)
    level = np.asarray(cv2.warpAffine(face, turn, size), np.uint8)
    x, y = a[0] + length / 2, a[1]
    cut = crop_between(x - 0.7 * length, y - 0.6 * length, x + 0.7 * length, y + 0.6 * length, size=size)
    return level, cut, turn


def _planes(image: NDArray[np.float32 | np.uint8]) -> Float:
    return np.ascontiguousarray((image * SCALE + SHIFT).transpose(2, 0, 1), np.float32)


def _logit(value: float) -> float:
    clipped = min(max(float(value), 1e-7), 1 - 1e-7)
    return math.log(clipped / (1 - clipped))


def _session(path: Path) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
