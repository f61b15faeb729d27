"""Files that cannot be used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
from PIL import Image as PillowImage
from safetensors.numpy import load_file, save_file

from landmarks.mediapipe_tracker import landmarks_of_image
from landmarks.storage import save_landmarks
from landmarks.types import ARRAYS
from tests.faces import hopper

TRACK = "in/a.landmarks.safetensors"


def text_file(path: str) -> Path:
    Path(path).write_text("no picture at all\n")
    return Path(path)


def cut_clip(path: str, share: float, *, faststart: bool) -> Path:
    """A clip that ends too early: with its index (which comes first) or without."""
    options = {"movflags": "+faststart"} if faststart else {}
    noise = np.random.default_rng(0).integers(0, 255, (20, 96, 96, 3), np.uint8)
    with av.open(path, "w", container_options=options) as output:
        stream = output.add_stream("libx264", rate=25, width=96, height=96)
        for image in noise:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        output.mux(stream.encode(None))
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[: int(share * len(content))])
    return Path(path)


def clip_without_frames(path: str) -> Path:
    with av.open(path, "w") as output:
        output.add_stream("libx264", rate=25, width=96, height=96)
        output.start_encoding()
    return Path(path)


def sound_alone(path: str) -> Path:
    with av.open(path, "w") as output:
        stream = output.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return Path(path)


def picture(path: str, size: tuple[int, int]) -> Path:
    PillowImage.new("1", size).save(path)  # one bit a pixel: quick to write at any size
    return Path(path)


def track_file(*, frames: int = 3, seen: tuple[int, ...] = (0, 1, 2)) -> Path:
    """A landmark file that shows the face in the frames `seen`."""
    one = landmarks_of_image(hopper().mesh, hopper().size)
    arrays = {name: np.repeat(getattr(one, name), frames, axis=0) for name in ARRAYS}
    arrays["timestamps_s"] = np.arange(frames) / 25
    arrays["detected"] = np.isin(np.arange(frames), seen)
    save_landmarks(replace(one, **arrays), Path(TRACK))
    return Path(TRACK)


def damaged_track() -> Path:
    path = track_file()
    path.write_bytes(path.read_bytes()[:-100])
    return path


def track_of_another_version() -> Path:
    path = track_file()
    about = '{"format": "facereenact-landmarks", "version": 99, "size": [512, 600], "tracker": "?"}'
    save_file(load_file(path), path, metadata={"facereenact": about})
    return path


def foreign_tensors() -> Path:
    save_file({"weight": np.zeros(3, np.float32)}, TRACK)
    return Path(TRACK)
