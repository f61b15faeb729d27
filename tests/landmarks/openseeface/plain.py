"""A tracked frame in plain steps with the published networks as they are, to measure the tracker against."""

from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from landmarks.openseeface.boxes import Box, crop_around, crop_between
from landmarks.openseeface.models import GAZE_MODEL, LANDMARK_MODELS, normalise
from landmarks.openseeface.pose import CompatiblePose
from landmarks.openseeface.slots import Slot


class PlainTracker:
    """Follows one face whose box is known; the networks and the warps run in full."""

    def __init__(self, models_dir: Path, box: Box) -> None:
        self._landmarks, self._gaze = (_session(models_dir / file.name) for file in (LANDMARK_MODELS[0], GAZE_MODEL))
        self._slot, self._solver = Slot(0), CompatiblePose()
        self._box = box

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        points, heat = self._regressed(image)
        low, high = points.min(axis=0), points.max(axis=0)
        self._box = np.concatenate([low, high - low])
        pupils = self._pupils(image, points)
        found = _Found(points, heat, self._box)
        size = (image.shape[1], image.shape[0])
        face = self._slot.update(found, pupils, size, solver=self._solver, score_limit=np.inf)  # type: ignore[arg-type]
        return face.points

    def _regressed(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        crop = crop_around(self._box, (image.shape[1], image.shape[0]))
        part = image[crop.top : crop.bottom, crop.left : crop.right].astype(np.float32)
        maps = self._landmarks.run(None, {"input": normalise(cv2.resize(part, (224, 224)))[None]})[0][0]
        heat, rows, columns = maps.reshape(3, 66, 784)
        scale = ((crop.bottom - crop.top) / 224, (crop.right - crop.left) / 224)
        points, peaks = np.zeros((66, 2), np.float32), np.zeros(66, np.float32)
        for point in range(66):
            cell = int(heat[point].argmax())
            y = 223 * (cell // 28) / 27 + 223 * _logit(rows[point, cell]) / 16
            x = 223 * (cell % 28) / 27 + 223 * _logit(columns[point, cell]) / 16
            points[point] = crop.left + scale[1] * x, crop.top + scale[0] * y
            peaks[point] = heat[point, cell]
        return points, peaks

    def _pupils(
        self, image: NDArray[np.uint8], points: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        low, high = points.min(axis=0), points.max(axis=0)
        centre, reach = (low + high) / 2, (high - low) * 0.6
        area = crop_between(*(centre - reach), *(centre + reach), size=(image.shape[1], image.shape[0]))
        face = image[area.top : area.bottom, area.left : area.right]
        eyes, geometry = [], []
        for first, second, is_mirrored in ((36, 39, False), (42, 45, True)):
            a, b = ((points[index] - (area.left, area.top)).astype(int).astype(float) for index in (first, second))
            angle = float(np.arctan2(b[1] - a[1], b[0] - a[0]))
            length = float(np.hypot(*(b - a)))
            turn = cv2.getRotationMatrix2D((a[0], a[1]), np.degrees(angle), 1.0)
            level = cv2.warpAffine(face, turn, (face.shape[1], face.shape[0]))
            x, y = a[0] + length / 2, a[1]
            size = (face.shape[1], face.shape[0])
            cut = crop_between(x - 0.7 * length, y - 0.6 * length, x + 0.7 * length, y + 0.6 * length, size=size)
            eye = level[cut.top : cut.bottom, cut.left : cut.right]
            eye = cv2.resize(eye[:, ::-1] if is_mirrored else eye, (32, 32))
            eyes.append(normalise(eye).transpose(0, 2, 1))
            geometry.append((cut, turn, is_mirrored))
        maps = self._gaze.run(None, {"input": np.stack(eyes)})[0]
        pupils, scores = np.zeros((2, 2), np.float32), np.zeros(2, np.float32)
        for eye_index, (cut, turn, is_mirrored) in enumerate(geometry):
            heat, across, down = maps[eye_index].reshape(3, 64)
            cell = int(heat.argmax())
            ex, ey = 4 * (cell // 8) + 4 * _logit(across[cell]), 4 * (cell % 8) + 4 * _logit(down[cell])
            ex = 32 - ex if is_mirrored else ex
            x, y = cut.left + ex * (cut.right - cut.left) / 32, cut.top + ey * (cut.bottom - cut.top) / 32
            back = cv2.invertAffineTransform(turn)
            pupils[eye_index] = back[:, :2] @ (x, y) + back[:, 2] + (area.left, area.top)
            scores[eye_index] = heat[cell]
        return pupils, scores


class _Found:
    def __init__(self, points: NDArray[np.float32], heat: NDArray[np.float32], box: Box) -> None:
        self.points, self.heat, self.box_xywh = points, heat, box
        self.confidence = float(heat.mean())


def _logit(value: float) -> float:
    clipped = min(max(float(value), 1e-7), 1 - 1e-7)
    return float(np.log(clipped / (1 - clipped)))


def _session(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
