"""Faces made of numbers."""

import cv2
import numpy as np
from numpy.typing import NDArray

from landmarks.head_pose import camera_matrix
from landmarks.openseeface.face import Face
from landmarks.openseeface.pose import SentPose, osf_model
from landmarks.openseeface.regression import Regression


def seen_points(
    rotation: tuple[float, float, float], translation: tuple[float, float, float], size: tuple[int, int]
) -> NDArray[np.float32]:
    """(68, 2) OpenSeeFace's face model, posed in the head frame, in its own units, as a camera sees it."""
    camera = camera_matrix(size)
    points = cv2.projectPoints(-osf_model()[:68], np.array(rotation), np.array(translation), camera, np.zeros(4))[0]
    return np.asarray(points[:, 0], np.float32)


def face(number: int = 0, seed: int = 0) -> Face:
    random = np.random.default_rng(seed)
    return Face(
        number=number,
        points=random.uniform(0, 500, (68, 2)).astype(np.float32),
        scores=random.uniform(0, 1, 68).astype(np.float32),
        confidence=0.8,
        box_xywh=np.array([10, 20, 100, 110], np.float32),
        rotation=np.array([0.1, 0.2, 0.3]),
        translation=np.array([0.1, 0.2, 5.0]),
        points_3d=random.normal(size=(70, 3)),
        features=random.uniform(-1, 1, 14),
        eye_blink=np.array([0.75, 0.25]),
        sent=SentPose(np.array([2.0, -2.1, 0.1]), np.array([0.3, 0.2, -4.0]), 5.0, True),
    )


def regression(x: float, y: float, *, side: float = 100, confidence: float = 0.8) -> Regression:
    """A face of OpenSeeFace's model in a square about x, y."""
    shape = -osf_model()[:66, :2]
    shape = (shape - shape.min(axis=0)) / np.ptp(shape, axis=0) - 0.5
    return Regression((shape * side + (x, y)).astype(np.float32), np.full(66, confidence, np.float32))
