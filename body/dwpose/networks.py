"""DWPose's two networks: found in a folder, checked, run on all cores of the processor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from body.dwpose.detection import COLUMNS, ROWS, SIDE_PX
from body.dwpose.keypoints import BINS_A_PIXEL, CROP_PX, WHOLEBODY_COUNT
from checkpoints.errors import InputError

Tensor = NDArray[np.float32]
Shape = tuple[int, ...]

ADVICE = "run: facereenact checkpoints verify dwpose"
SILENT = 4  # severity of ONNX Runtime's log: what goes wrong is raised, too


@dataclass(frozen=True)
class ModelFile:
    """What is known of a published network; shapes without the batch."""

    name: str
    takes: Shape
    gives: tuple[Shape, ...]


PERSON_MODEL = ModelFile("yolox_l.onnx", (3, SIDE_PX, SIDE_PX), ((ROWS, COLUMNS),))
POINT_MODEL = ModelFile(
    "dw-ll_ucoco_384.onnx",
    (3, int(CROP_PX[1]), int(CROP_PX[0])),
    tuple((WHOLEBODY_COUNT, BINS_A_PIXEL * int(side)) for side in CROP_PX),
)


class Network:
    """A network in memory.

    Raises:
        InputError: the file is missing, damaged or another network.
    """

    def __init__(self, folder: Path, file: ModelFile) -> None:
        path = folder / file.name
        if not path.is_file():
            raise InputError(f"{path}: no such network; {ADVICE}")
        self._session = _session(path)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        found = [_shape(each) for each in (*inputs, *outputs)]
        expected = [file.takes, *file.gives]
        if len(found) != len(expected) or not all(map(_fits, found, expected)):
            raise InputError(f"{path}: another network than DWPose's of this name; {ADVICE}")
        self._input = inputs[0].name

    def __call__(self, batch: Tensor) -> list[Tensor]:
        """The outputs for a batch of one, without the batch."""
        return [output[0] for output in self._session.run(None, {self._input: batch})]


def _session(path: Path) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = SILENT
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions derive from nothing narrower
        raise InputError(f"{path}: damaged network; {ADVICE}") from error


def _shape(value: Any) -> tuple[int | None, ...]:
    """Without the batch; None for a size that the file leaves open."""
    return tuple(size if isinstance(size, int) else None for size in value.shape)[1:]


def _fits(found: tuple[int | None, ...], expected: Shape) -> bool:
    pairs = zip(found, expected, strict=False)
    return len(found) == len(expected) and all(own in (None, wanted) for own, wanted in pairs)
