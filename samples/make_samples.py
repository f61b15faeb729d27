"""Make the samples: `python samples/make_samples.py [FOLDER]` writes the files of NAMES, by default beside itself.

The portrait is a crop; the clip is another portrait that speaks, blinks and turns by a script; the body clip is a pose
sequence. The pictures come with packages of the `dev` extra, so nothing is downloaded.
"""

from __future__ import annotations

import sys
import tempfile
import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from body_motion import body_clip
from matplotlib.cbook import get_sample_data
from motion import FRAME_RATE_HZ, act, cues_of
from numpy.typing import NDArray
from skimage.data import astronaut
from speech import SAMPLE_RATE_HZ, Speech, synthesise_speech

from body.storage import save_pose
from facereenact.images import read_image, write_image
from facereenact.renderers.warp import WarpRenderer
from facereenact.video import VideoWriter
from landmarks.face_mesh import FaceMesh
from landmarks.mediapipe_tracker import choose_face, find_faces, landmarks_of_image, settle
from landmarks.types import LandmarkSequence

Image = NDArray[np.uint8]

NAMES = ("face.png", "talk.mp4", "person.jpg", "sway.pose.safetensors")
FACE_XYXY = (64, 6, 448, 390)  # in the 512x600 picture
FACE_SIDE_PX = 512
TALK_XYXY = (96, 4, 352, 260)  # in the 512x512 picture
TALK_SIDE_PX = 384
SUPERSAMPLING = 2  # drawn larger, then averaged: smooth edges
CRF = 19


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    write_image(folder / "face.png", portrait())
    write_clip(folder / "talk.mp4")
    write_image(folder / "person.jpg", hopper())
    save_pose(body_clip(), folder / "sway.pose.safetensors")
    for name in NAMES:
        sys.stdout.write(f"{folder / name}: {(folder / name).stat().st_size / 1000:.0f} kB\n")


def hopper() -> Image:
    """Grace Hopper, (600, 512, 3)."""
    return read_image(get_sample_data("grace_hopper.jpg", asfileobj=False))[0]


def portrait() -> Image:
    """Her face, (512, 512, 3)."""
    left, top, right, bottom = FACE_XYXY
    cropped = hopper()[top:bottom, left:right]
    return np.asarray(cv2.resize(cropped, (FACE_SIDE_PX, FACE_SIDE_PX), interpolation=cv2.INTER_CUBIC), np.uint8)


def write_clip(path: Path) -> None:
    """The whole clip: picture by script, sound by synthesis, one clock for both."""
    speech = synthesise_speech()
    image, face, source = actor()
    motion = act(source, cues_of(speech))
    size, rate = (TALK_SIDE_PX, TALK_SIDE_PX), Fraction(FRAME_RATE_HZ)
    with tempfile.TemporaryDirectory() as folder:
        voice = Path(folder) / "voice.wav"
        write_wave(voice, speech)
        frames = _small(WarpRenderer(image, face, source).render(motion))
        with VideoWriter(path, size, rate, audio_from=voice, crf=CRF, overwrite=True) as video:
            for frame, timestamp_s in zip(frames, motion.timestamps_s, strict=True):
                video.write(frame, float(timestamp_s))


def actor() -> tuple[Image, FaceMesh, LandmarkSequence]:
    """Eileen Collins: the picture at the size that it is drawn in, her face and its landmarks."""
    left, top, right, bottom = TALK_XYXY
    side_px = SUPERSAMPLING * TALK_SIDE_PX
    picture: Image = astronaut()[top:bottom, left:right]  # type: ignore[no-untyped-call]
    image = np.asarray(cv2.resize(picture, (side_px, side_px), interpolation=cv2.INTER_CUBIC), np.uint8)
    face = settle(image, choose_face(find_faces(image)))
    return image, face, landmarks_of_image(face, (side_px, side_px))


def write_wave(path: Path, speech: Speech) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(np.round(speech.samples * 32767).astype("<i2").tobytes())


def _small(frames: Iterator[Image]) -> Iterator[Image]:
    size = (TALK_SIDE_PX, TALK_SIDE_PX)
    return (np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8) for frame in frames)


if __name__ == "__main__":
    main()
