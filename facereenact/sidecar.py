"""The `.json` beside a result: with which settings, versions and driver it was made."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

from facereenact import __version__
from facereenact.errors import OutputError

PACKAGES = ("mediapipe", "numpy", "opencv-contrib-python", "numba", "av")


def sidecar_path(output: Path) -> Path:
    """`face.json` for `face.mp4`; beside a folder, its name with `.json`."""
    return output.with_name(f"{output.name}.json") if output.is_dir() else output.with_suffix(".json")


def write_sidecar(output: Path, about: dict[str, Any]) -> Path:
    """Write the sidecar of a result; it appears only when complete.

    Raises:
        OutputError: it cannot be written.
    """
    path = sidecar_path(output)
    versions = {"facereenact": __version__, **{name: version(name) for name in PACKAGES}}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        temporary.write_text(json.dumps({**about, "versions": versions}, indent=2, default=_plain) + "\n", "utf-8")
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _plain(value: object) -> object:
    if isinstance(value, Path | Fraction):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in a sidecar")
