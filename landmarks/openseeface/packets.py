"""OpenSeeFace's UDP packets, which avatar programs read: 1785 bytes a face, little-endian, no padding."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from checkpoints.errors import InputError
from landmarks.openseeface.face import Face

FACE = struct.Struct("<di2f2fBf4f3f3f68f136f210f14f")
DEFAULT_ADDRESS = ("127.0.0.1", 11573)
LARGEST_DATAGRAM = 65507  # bytes of UDP over IPv4
FACES_PER_DATAGRAM = LARGEST_DATAGRAM // FACE.size
SIGNS_3D = np.array([1, -1, -1])  # points in space are sent with y and z turned round


@dataclass(frozen=True, eq=False)
class SentFace:
    """A face as a receiver reads it."""

    time_s: float  # seconds since 1970
    number: int
    size: tuple[float, float]  # width, height of the frame, pixels
    eye_blink: NDArray[np.float32]  # (2,), right and left eye: 1 open, 0 closed
    succeeded: bool
    error: float
    quaternion: NDArray[np.float32]  # (4,), x, y, z, w
    euler_deg: NDArray[np.float32]  # (3,)
    translation: NDArray[np.float32]  # (3,)
    scores: NDArray[np.float32]  # (68,)
    points: NDArray[np.float32]  # (68, 2), pixels (x, y)
    points_3d: NDArray[np.float32]  # (70, 3), signs as in `Face`
    features: NDArray[np.float32]  # (14,)


def pack(face: Face, *, time_s: float, size: tuple[int, int], first_number: int = 0) -> bytes:
    """A face in a frame of (width, height) at a time in seconds since 1970; `first_number` is added to its number."""
    sent = face.sent
    arrays = (
        sent.quaternion,
        sent.euler_deg,
        sent.translation,
        face.scores,
        face.points,
        face.points_3d * SIGNS_3D,
        face.features,
    )
    numbers = np.concatenate([np.ravel(array) for array in arrays]).tolist()
    number = face.number + first_number
    return FACE.pack(time_s, number, *size, *face.eye_blink.tolist(), sent.succeeded, sent.error, *numbers)


def unpack(datagram: bytes) -> list[SentFace]:
    """The faces of a datagram.

    Raises:
        InputError: its length is not that of whole faces.
    """
    if not datagram or len(datagram) % FACE.size:
        raise InputError(f"a packet of {len(datagram)} bytes is no OpenSeeFace packet: {FACE.size} bytes a face")
    return [_sent_face(values) for values in FACE.iter_unpack(datagram)]


class FaceSender:
    """Sends the faces of each frame to an avatar program."""

    def __init__(self, address: tuple[str, int] = DEFAULT_ADDRESS) -> None:
        self._address = address
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def send(self, faces: list[Face], *, time_s: float, size: tuple[int, int], first_number: int = 0) -> None:
        """One datagram, or more where the faces do not fit; none without a face."""
        packets = [pack(face, time_s=time_s, size=size, first_number=first_number) for face in faces]
        for first in range(0, len(packets), FACES_PER_DATAGRAM):
            self._socket.sendto(b"".join(packets[first : first + FACES_PER_DATAGRAM]), self._address)

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _sent_face(values: tuple[float, ...]) -> SentFace:
    time_s, number, width, height, right, left, succeeded, error = values[:8]
    numbers = np.array(values[8:], np.float32)
    quaternion, euler_deg, translation, scores, points, points_3d, features = np.split(
        numbers, np.cumsum([4, 3, 3, 68, 136, 210])
    )
    return SentFace(
        time_s=time_s,
        number=int(number),
        size=(width, height),
        eye_blink=np.array([right, left], np.float32),
        succeeded=bool(succeeded),
        error=error,
        quaternion=quaternion,
        euler_deg=euler_deg,
        translation=translation,
        scores=scores,
        points=points.reshape(68, 2),
        points_3d=points_3d.reshape(70, 3) * SIGNS_3D.astype(np.float32),
        features=features,
    )
