"""Landmark files: `NAME.landmarks.safetensors`, arrays as tensors and the rest as JSON metadata; no pickle anywhere."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from checkpoints.errors import InputError, OutputError
from landmarks.types import ARRAYS, LandmarkSequence

SUFFIX = ".landmarks.safetensors"
FORMAT = "facereenact-landmarks"
FORMAT_VERSION = 1


def save_landmarks(sequence: LandmarkSequence, path: Path) -> None:
    """Write a sequence; the file appears under its name only when complete.

    Raises:
        OutputError: the name does not end in `.landmarks.safetensors`, or the place cannot be written.
    """
    if not path.name.endswith(SUFFIX):
        raise OutputError(f"{path}: the name of a landmark file ends in {SUFFIX}")
    about = {"format": FORMAT, "version": FORMAT_VERSION, "size": sequence.size, "tracker": sequence.tracker}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        arrays = {name: np.ascontiguousarray(getattr(sequence, name)) for name in ARRAYS}
        save_file(arrays, temporary, metadata={"facereenact": json.dumps(about)})
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        raise OutputError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from error
    finally:
        temporary.unlink(missing_ok=True)


def load_landmarks(path: Path) -> LandmarkSequence:
    """Read a sequence.

    Raises:
        InputError: no such file, damaged, no landmark file, or of another format version.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such landmark file")
    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {}).get("facereenact", "{}"))
            if not isinstance(about, dict) or about.get("format") != FORMAT:
                raise InputError(f"{path}: not a landmark file; make one with `facereenact drive --save-landmarks`")
            if about.get("version") != FORMAT_VERSION:
                raise InputError(
                    f"{path}: format version {about.get('version')}, this program reads {FORMAT_VERSION}; "
                    "make it again from its video, or install the version of facereenact that wrote it"
                )
            arrays = {name: file.get_tensor(name) for name in ARRAYS}
        width, height = about["size"]
        return LandmarkSequence(**arrays, size=(int(width), int(height)), tracker=str(about["tracker"]))
    except (SafetensorError, ValueError, KeyError, TypeError, OSError) as error:
        raise InputError(f"{path}: damaged landmark file ({error}); make it again from its video") from error
