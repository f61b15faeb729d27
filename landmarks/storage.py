"""Landmark files: `NAME.landmarks.safetensors`."""

from __future__ import annotations

from pathlib import Path

from landmarks.sequence_file import SequenceFile
from landmarks.types import ARRAYS, LandmarkSequence

SUFFIX = ".landmarks.safetensors"
FILE = SequenceFile(
    "landmark", SUFFIX, LandmarkSequence, ARRAYS, source="tracker", maker="facereenact drive --save-landmarks"
)


def save_landmarks(sequence: LandmarkSequence, path: Path) -> None:
    """Write a sequence; the file appears under its name only when complete.

    Raises:
        OutputError: the name does not end in `.landmarks.safetensors`, or the place cannot be written.
    """
    FILE.save(sequence, path)


def load_landmarks(path: Path) -> LandmarkSequence:
    """Read a sequence.

    Raises:
        InputError: no such file, damaged, no landmark file, or of another format version.
    """
    return FILE.load(path)
