"""The record of a clip, `clip.json`: what was found in it and with what, and nothing of name, time and machine."""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import version
from typing import Any

from facereenact import __version__
from facereenact.preprocessing.settings import key_of
from facereenact.preprocessing.shot_tracking import Sequence, Tracking
from facereenact.preprocessing.stores import Output
from landmarks.guides import find_face_crop

FORMAT = "facereenact-clip"
PACKAGES = ("mediapipe", "numpy", "opencv-contrib-python", "av", "onnxruntime-gpu", "onnxruntime")


def record_of(content: str, tracking: Tracking, making: dict[str, Any], files: set[str]) -> dict[str, Any]:
    """The record of a clip.

    Args:
        content: its SHA-256.
        tracking: what was found.
        making: what the files depend on besides the content.
        files: the names of those that were written.
    """
    return {
        "format": FORMAT,
        "hash": content,
        "key": key_of(making),
        "settings": making,
        "tracker": tracking.tracker,
        "versions": versions(),
        "size": list(tracking.size),
        "rate": str(tracking.rate),
        "frames": tracking.frames,
        "shots": list(tracking.shots),
        "sequences": [_of_sequence(sequence, files) for sequence in tracking.sequences],
    }


def _of_sequence(sequence: Sequence, files: set[str]) -> dict[str, Any]:
    return {
        "shot": sequence.shot,
        "person": sequence.person,
        "first_frame": sequence.first_frame,
        "frames": len(sequence.landmarks),
        "start_s": sequence.start_s,
        "crop_xyxy": list(find_face_crop(sequence.landmarks).xyxy),
        "figures": sequence.values,
        **{kind: name if name in files else None for kind, name in sequence.files.items()},
    }


def complete_record(output: Output, content: str, key: str) -> dict[str, Any] | None:
    """The record of a clip that is complete as the key says."""
    try:
        record = json.loads(output.record(content) or b"null")
    except ValueError:
        return None
    is_same = isinstance(record, dict) and (record.get("format"), record.get("key")) == (FORMAT, key)
    return record if is_same else None


@cache
def versions() -> dict[str, str]:
    """Of what the numbers come from."""
    found = {"facereenact": __version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except ImportError:  # of the two builds of ONNX Runtime there is one
            continue
    return found
