"""OpenSeeFace's networks: found in a folder, checked, made faster in memory, run on one thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from checkpoints.errors import InputError
from landmarks.openseeface.endings import end_in_points
from landmarks.openseeface.graph import fix_batch, fuse_hard_swish, spread_gates

Tensor = NDArray[np.float32]

IMAGE_MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # of ImageNet, RGB
IMAGE_STD = np.array([0.229, 0.224, 0.225], np.float32)
SCALE = 1 / (255 * IMAGE_STD)
SHIFT = -IMAGE_MEAN / IMAGE_STD

ADVICE = "put OpenSeeFace's published file there again (github.com/emilianavt/OpenSeeFace, folder models)"
ERROR_ONLY = 3  # severity of ONNX Runtime's log


@dataclass(frozen=True)
class ModelFile:
    """What is known of a published network."""

    name: str
    input_px: int  # side of the square picture that it takes
    output_shape: tuple[int, ...]  # of the first output, without the batch
    outputs: int = 1  # that are used, of those in the file


LANDMARK_MODELS = tuple(ModelFile(f"lm_model{index}_opt.onnx", 224, (198, 28, 28)) for index in range(5))
DETECTION_MODEL = ModelFile("mnv3_detection_opt.onnx", 224, (2, 56, 56), outputs=2)
GAZE_MODEL = ModelFile("mnv3_gaze32_split_opt.onnx", 32, (3, 8, 8))
RETINAFACE_MODEL = ModelFile("retinaface_640x640_opt.onnx", 640, (16800, 4), outputs=2)


class Network:
    """A network in memory: `network(batch)` gives its outputs in their order."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._input = session.get_inputs()[0].name

    def __call__(self, batch: Tensor) -> list[Tensor]:
        """The outputs that are used, for a batch (n, 3, height, width)."""
        return list(self._session.run(None, {self._input: batch}))


def load_network(folder: Path, file: ModelFile, *, batch: int = 1) -> Network:
    """A network for batches of one size.

    Raises:
        InputError: the file is missing, damaged or another network.
    """
    with _damage_told(folder / file.name):
        return Network(_session(_faster_model(folder, file, batch)))


def load_landmark_network(folder: Path, file: ModelFile) -> Network:
    """A landmark network that gives the peak of each point's heat map (points,) and its place (2, points), x and y.

    Raises:
        InputError: the file is missing, damaged or another network.
    """
    with _damage_told(folder / file.name):
        model = _faster_model(folder, file, batch=1)
        end_in_points(model, side_px=file.input_px)
        return Network(_session(model))


def read_model(folder: Path, file: ModelFile) -> onnx.ModelProto:
    """The graph of a published network, checked.

    Raises:
        InputError: the file is missing, damaged or another network.
    """
    path = folder / file.name
    with _damage_told(path):
        model = onnx.load_model_from_string(path.read_bytes())
    if not model.graph.input or not model.graph.output:
        raise InputError(f"{path}: damaged network; {ADVICE}")
    shapes = [_shape(model.graph.input[0]), _shape(model.graph.output[0])]
    expected = [(3, file.input_px, file.input_px), file.output_shape]
    for part, found, wanted in zip(("takes", "gives"), shapes, expected, strict=True):
        if found != wanted:
            raise InputError(f"{path}: {part} {_words(found)} where {_words(wanted)} is expected; {ADVICE}")
    return model


def _faster_model(folder: Path, file: ModelFile, batch: int) -> onnx.ModelProto:
    """The graph of a network, the same function rewritten for batches of one size."""
    model = read_model(folder, file)
    del model.graph.output[file.outputs :]
    fuse_hard_swish(model)
    fix_batch(model, batch)
    spread_gates(model)
    return model


def normalise(image: NDArray[np.float32 | np.uint8]) -> Tensor:
    """RGB pictures (..., height, width, 3), values 0 to 255, as ImageNet-normalised planes (..., 3, height, width)."""
    planes = np.ascontiguousarray(np.moveaxis(image, -1, -3)) * SCALE[:, None, None]
    planes += SHIFT[:, None, None]
    return planes


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    """Raises InputError for whatever a file sets off: errors of protobuf, ONNX and its runtime have no common kind."""
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: the network cannot be read ({error.strerror}); {ADVICE}") from error
    except Exception as error:
        raise InputError(f"{path}: damaged network; {ADVICE}") from error


def _session(model: onnx.ModelProto) -> Any:
    """One thread that sleeps while it waits: two are no faster on such small networks, and spinning starves others."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = ERROR_ONLY
    return ort.InferenceSession(
        model.SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
        enable_fallback=0,  # which would print, and try the same once more
    )


def _shape(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    """Without the batch; 0 for a size that the file leaves open."""
    return tuple(int(size.dim_value) for size in value.type.tensor_type.shape.dim)[1:]


def _words(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
