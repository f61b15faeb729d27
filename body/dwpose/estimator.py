"""The estimator whose points the published body weights were trained on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from body.dwpose import detection, keypoints
from body.dwpose.networks import PERSON_MODEL, POINT_MODEL, Network
from body.people import Person
from body.tracking import Estimator
from body.types import BODY

NAME = "dwpose/yolox_l+dw-ll_ucoco_384"
FEWEST_POINTS = 4  # of the body, that a person shows


class DWPoseEstimator(Estimator):
    """Finds people in each picture anew.

    Args:
        models_dir: the folder of the two networks.

    Raises:
        InputError: a network is missing, damaged or another one.
    """

    name = NAME

    def __init__(self, models_dir: Path) -> None:
        self._detector = Network(models_dir, PERSON_MODEL)
        self._pose = Network(models_dir, POINT_MODEL)

    def reset(self) -> None:
        """Nothing is remembered from picture to picture."""

    def close(self) -> None:
        """Nothing is held but memory."""

    def begin(self, image: NDArray[np.uint8]) -> Callable[[], list[Person]]:
        """Find the people in a picture, RGB uint8 (height, width, 3), the surest first; the rest finds their points.

        Where the detector sees nobody the whole picture is taken for one person, as in the published code, provided
        that body points are seen in it.
        """
        image_bgr = np.ascontiguousarray(image[..., ::-1])
        size = (image.shape[1], image.shape[0])
        (answer,) = self._detector(detection.network_input(image_bgr))
        boxes = detection.person_boxes(answer, size)
        if not len(boxes):
            boxes = np.array([[0, 0, *size]], np.float32)
        return lambda: [person for box in boxes if _is_seen(person := self._person(image_bgr, box))]

    def _person(self, image_bgr: NDArray[np.uint8], box_xyxy: NDArray[np.float32]) -> Person:
        simcc_x, simcc_y = self._pose(keypoints.network_input(image_bgr, box_xyxy))
        points, scores = keypoints.in_openpose_order(*keypoints.decode(simcc_x, simcc_y, box_xyxy))
        return Person(points, np.clip(scores, 0, 1))


def _is_seen(person: Person) -> bool:
    return bool(person.visible[BODY].sum() >= FEWEST_POINTS)
