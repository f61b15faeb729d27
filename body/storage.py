"""Pose files: `NAME.pose.safetensors`, arrays as tensors and the rest as JSON metadata; no pickle anywhere."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from body.types import ARRAYS, PoseSequence
from checkpoints.errors import InputError, OutputError

SUFFIX = ".pose.safetensors"
FORMAT = "facereenact-pose"
FORMAT_VERSION = 1
DTYPES = {name: np.dtype(np.float32) for name in ARRAYS} | {
    "detected": np.dtype(np.bool_),
    "timestamps_s": np.dtype(np.float64),
}
LARGEST_SIDE_PX = 65535  # of a frame; beyond it the file is damaged


def save_pose(sequence: PoseSequence, path: Path) -> None:
    """Write a sequence; the file appears under its name only when complete.

    Raises:
        OutputError: the name does not end in `.pose.safetensors`, or the place cannot be written.
    """
    if not path.name.endswith(SUFFIX):
        raise OutputError(f"{path}: the name of a pose file ends in {SUFFIX}")
    about = {"format": FORMAT, "version": FORMAT_VERSION, "size": sequence.size, "estimator": sequence.estimator}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        arrays = {name: np.ascontiguousarray(getattr(sequence, name)) for name in ARRAYS}
        temporary.write_bytes(save(arrays, metadata={"facereenact": json.dumps(about)}))  # readable by whom umask says
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        raise OutputError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from error
    finally:
        temporary.unlink(missing_ok=True)


def load_pose(path: Path) -> PoseSequence:
    """Read a sequence.

    Raises:
        InputError: no such file, damaged, no pose file, or of another format version.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such pose file")
    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {}).get("facereenact", "{}"))
            if not isinstance(about, dict) or about.get("format") != FORMAT:
                raise InputError(f"{path}: not a pose file; make one with `facereenact pose track`")
            if about.get("version") != FORMAT_VERSION:
                raise InputError(
                    f"{path}: format version {about.get('version')}, this program reads {FORMAT_VERSION}; "
                    "make it again from its video, or install the version of facereenact that wrote it"
                )
            arrays = {name: file.get_tensor(name) for name in ARRAYS}
        _check_arrays(arrays)
        return PoseSequence(**arrays, size=_checked_size(about["size"]), estimator=str(about["estimator"]))
    except PermissionError as error:
        raise InputError(f"{path} may not be read; change its permissions") from error
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        cause = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: damaged pose file ({cause}); make it again from its video") from error


def _check_arrays(arrays: dict[str, NDArray[Any]]) -> None:
    """What a PoseSequence takes for granted. Raises ValueError."""
    frames = {name: array.shape[:1] for name, array in arrays.items()}
    if len(set(frames.values())) != 1 or () in frames.values():
        raise ValueError("the arrays differ in their number of frames")
    for name, dtype in DTYPES.items():
        if arrays[name].dtype != dtype:
            raise ValueError(f"{name} is {arrays[name].dtype}, expected {dtype}")
    if (arrays["timestamps_s"] < 0).any():
        raise ValueError("timestamps_s holds negative times")


def _checked_size(size: object) -> tuple[int, int]:
    """Raises ValueError for anything but the width and height of a picture."""
    if not isinstance(size, list) or len(size) != 2 or any(type(side) is not int for side in size):
        raise ValueError(f"size {size!r} is not a width and a height")
    width, height = size
    if not (0 < width <= LARGEST_SIDE_PX and 0 < height <= LARGEST_SIDE_PX):
        raise ValueError(f"size {width}x{height} is not a picture's size")
    return width, height
