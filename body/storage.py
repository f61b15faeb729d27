"""Pose files: `NAME.pose.safetensors`."""

from __future__ import annotations

from pathlib import Path

from body.types import ARRAYS, PoseSequence
from landmarks.sequence_file import SequenceFile

SUFFIX = ".pose.safetensors"
FILE = SequenceFile("pose", SUFFIX, PoseSequence, ARRAYS, source="estimator", maker="facereenact pose track")


def save_pose(sequence: PoseSequence, path: Path) -> None:
    """Write a sequence; the file appears under its name only when complete.

    Raises:
        OutputError: the name does not end in `.pose.safetensors`, or the place cannot be written.
    """
    FILE.save(sequence, path)


def load_pose(path: Path) -> PoseSequence:
    """Read a sequence.

    Raises:
        InputError: no such file, damaged, no pose file, or of another format version.
    """
    return FILE.load(path)
