"""Files of per-frame arrays: arrays as tensors and the rest as JSON metadata, in safetensors; no pickle anywhere."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from checkpoints.errors import InputError, OutputError

Sequence = TypeVar("Sequence")

VERSION = 1
LARGEST_SIDE_PX = 65535  # of a frame; beyond it the file is damaged
FARTHEST_PX = 1e6  # from the corner of the frame, likewise
OTHER_TYPES = {"detected": np.dtype(np.bool_), "timestamps_s": np.dtype(np.float64)}  # than float32


@dataclass(frozen=True)
class SequenceFile(Generic[Sequence]):
    """How sequences of one kind are kept."""

    kind: str  # as messages call it
    suffix: str  # of the name, from the first dot on
    sequence: Callable[..., Sequence]
    arrays: tuple[str, ...]  # its per-frame fields
    source: str  # its field that tells what made it
    maker: str  # the command that makes such a file

    def save(self, sequence: Sequence, path: Path) -> None:
        """Write a sequence; the file appears under its name only when complete.

        Raises:
            OutputError: the name does not end in the suffix, or the place cannot be written.
        """
        if not path.name.endswith(self.suffix):
            raise OutputError(f"{path}: the name of a {self.kind} file ends in {self.suffix}")
        about = {"format": self._format, "version": VERSION}
        about |= {name: getattr(sequence, name) for name in ("size", self.source)}
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            arrays = {name: np.ascontiguousarray(getattr(sequence, name)) for name in self.arrays}
            content = save(arrays, metadata={"facereenact": json.dumps(about)})
            temporary.write_bytes(content)  # readable by whom umask says
            temporary.replace(path)
        except (OSError, SafetensorError) as error:
            raise OutputError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from error
        finally:
            temporary.unlink(missing_ok=True)

    def load(self, path: Path) -> Sequence:
        """Read a sequence.

        Raises:
            InputError: no such file, damaged, of another kind, or of another format version.
        """
        if not path.is_file():
            raise InputError(f"{path}: no such {self.kind} file")
        try:
            with safe_open(path, framework="numpy") as file:
                about = json.loads((file.metadata() or {}).get("facereenact", "{}"))
                if not isinstance(about, dict) or about.get("format") != self._format:
                    raise InputError(f"{path}: not a {self.kind} file; make one with `{self.maker}`")
                if about.get("version") != VERSION:
                    raise InputError(
                        f"{path}: format version {about.get('version')}, this program reads {VERSION}; "
                        "make it again from its video, or install the version of facereenact that wrote it"
                    )
                arrays = {name: file.get_tensor(name) for name in self.arrays}
            _check_arrays(arrays)
            about = {"size": _checked_size(about["size"]), self.source: str(about[self.source])}
            return self.sequence(**arrays, **about)
        except PermissionError as error:
            raise InputError(f"{path} may not be read; change its permissions") from error
        except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
            cause = " ".join(str(error).split())[:200]
            raise InputError(f"{path}: damaged {self.kind} file ({cause}); make it again from its video") from error

    @property
    def _format(self) -> str:
        return f"facereenact-{self.suffix.split('.')[1]}"


def _check_arrays(arrays: dict[str, NDArray[Any]]) -> None:
    """What a sequence takes for granted. Raises ValueError."""
    frames = {name: array.shape[:1] for name, array in arrays.items()}
    if len(set(frames.values())) != 1 or () in frames.values():
        raise ValueError("the arrays differ in their number of frames")
    for name, array in arrays.items():
        dtype = OTHER_TYPES.get(name, np.dtype(np.float32))
        if array.dtype != dtype:
            raise ValueError(f"{name} is {array.dtype}, expected {dtype}")
    if np.abs(np.nan_to_num(arrays["points"])).max(initial=0) > FARTHEST_PX:
        raise ValueError("points lie far outside any picture")
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
