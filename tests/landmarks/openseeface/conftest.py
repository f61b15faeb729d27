"""Fixtures of what is too large for the repository: published networks, and tracks made by the original."""

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

SHARED = Path(__file__).resolve().parents[4] / "shared"


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """OpenSeeFace's networks: FACEREENACT_MODELS names the folder of checkpoints that holds them."""
    folder = Path(os.environ.get("FACEREENACT_MODELS") or SHARED / "checkpoints") / "openseeface"
    if not (folder / "lm_model0_opt.onnx").is_file():
        pytest.skip(f"needs OpenSeeFace's networks in {folder}; name your checkpoints in FACEREENACT_MODELS")
    return folder


@pytest.fixture(scope="session")
def original_tracks() -> Path:
    """Tracks, packets and a log made by OpenSeeFace 1.20.4: FACEREENACT_TRACKS names their folder."""
    folder = Path(os.environ.get("FACEREENACT_TRACKS") or SHARED / "openseeface")
    if not folder.is_dir():
        pytest.skip(f"needs the folder {folder} of tracks made by OpenSeeFace; name yours in FACEREENACT_TRACKS")
    return folder


def clip(media: Path, name: str) -> Iterator[NDArray[np.uint8]]:
    """RGB frames of a clip as OpenCV decodes them, like the original."""
    path = next(
        folder / f"{name}.mp4" for folder in (media / "driving", media / "people") if (folder / f"{name}.mp4").is_file()
    )
    capture = cv2.VideoCapture(str(path))
    while True:
        is_read, image = capture.read()
        if not is_read:
            return
        yield np.ascontiguousarray(image[..., ::-1])
