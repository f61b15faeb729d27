import csv
import io
import socket

import numpy as np
import pytest

from checkpoints.errors import InputError
from landmarks.openseeface.csv_log import CsvLog, header
from landmarks.openseeface.packets import FACE, FACES_PER_DATAGRAM, FaceSender, pack, unpack
from tests.landmarks.openseeface.fabricated import face


def test_a_face_is_1785_bytes_at_known_places() -> None:
    sent = face(number=2)
    packet = pack(sent, time_s=1.7e9, size=(640, 480), first_number=10)
    assert len(packet) == 1785
    assert np.frombuffer(packet, "<f8", 1)[0] == 1.7e9
    assert np.frombuffer(packet, "<i4", 1, 8)[0] == 12
    np.testing.assert_array_equal(np.frombuffer(packet, "<f4", 4, 12), [640, 480, 0.75, 0.25])
    assert packet[28] == 1
    np.testing.assert_allclose(np.frombuffer(packet, "<f4", 136, 345), sent.points.ravel())
    np.testing.assert_allclose(np.frombuffer(packet, "<f4", 3, 889), sent.points_3d[0] * (1, -1, -1), rtol=1e-6)
    np.testing.assert_allclose(np.frombuffer(packet, "<f4", 14, 1729), sent.features, rtol=1e-6)


def test_packets_come_back() -> None:
    faces = [face(number, seed=number) for number in range(3)]
    received = unpack(b"".join(pack(each, time_s=5.0, size=(640, 480)) for each in faces))
    for sent, got in zip(faces, received, strict=True):
        assert (got.number, got.time_s, got.size, got.succeeded) == (sent.number, 5.0, (640, 480), True)
        for name in ("points", "scores", "points_3d", "features", "eye_blink"):
            np.testing.assert_allclose(getattr(got, name), getattr(sent, name), rtol=1e-5)
        np.testing.assert_allclose(got.quaternion, sent.sent.quaternion, rtol=1e-5)


@pytest.mark.parametrize("length", [0, 1, 1784, 1786])
def test_other_lengths_are_refused(length: int) -> None:
    with pytest.raises(InputError, match="1785 bytes a face"):
        unpack(bytes(length))


@pytest.mark.parametrize("count", [0, 1, 2, FACES_PER_DATAGRAM + 4])
def test_what_is_sent_arrives(count: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        with FaceSender(receiver.getsockname()) as sender:
            sender.send([face(number) for number in range(count)], time_s=1.0, size=(640, 480))
        numbers: list[int] = []
        while len(numbers) < count:
            numbers += [got.number for got in unpack(receiver.recv(65535))]
        assert numbers == list(range(count))


def test_the_log_names_its_columns() -> None:
    file = io.StringIO(newline="")
    log = CsvLog(file, fps=25)
    log.write([face(0), face(1)], frame=1, time_s=3.5, size=(640, 480))
    log.write([], frame=2, time_s=3.6, size=(640, 480))
    assert file.getvalue().count("\r\n") == 3
    names, first, second = csv.reader(io.StringIO(file.getvalue(), newline=""))
    assert len(names) == len(first) == len(second) == 453
    row = dict(zip(names, first, strict=True))
    assert float(row["Landmark[67].X"]) == pytest.approx(float(face(0).points[67, 0]))
    assert float(row["Point3D[69].Y"]) == pytest.approx(-face(0).points_3d[69, 1])
    assert float(row["mouth_wide"]) == pytest.approx(face(0).features[13])
    assert row["Success3D"] == "True"


def test_the_compatible_header_names_66() -> None:
    assert len(header((66, 66))) == 435
    assert FACE.size == 1785
