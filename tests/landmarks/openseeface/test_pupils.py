"""Pupils of one face and of many at once."""

from pathlib import Path

import numpy as np
import pytest

from landmarks.openseeface import FacePoints
from landmarks.openseeface.pupils import Eyes, PupilFinder, cut_eyes
from tests.faces import hopper

IMAGE = hopper().image


def face(dx: float = 0.0, dy: float = 0.0) -> FacePoints:
    points = (hopper().landmarks.points[0] + (dx, dy)).astype(np.float32)
    low, high = points[:66].min(axis=0), points[:66].max(axis=0)
    return FacePoints(0, points, np.ones(68, np.float32), 0.8, np.concatenate([low, high - low]))


def eyes(count: int) -> list[Eyes]:
    """Of one face in several places beside its own."""
    return [cut_eyes(IMAGE, face(0.3 * index, 0.2 * index)) for index in range(count)]


def test_a_cut_knows_where_its_pixels_lay() -> None:
    cut = cut_eyes(IMAGE, face())
    for place, picture in zip(cut.cuts, cut.pictures, strict=True):
        assert place is not None
        cells = [(x, y) for x in range(32) for y in range(32)]
        frame = np.rint([place.to_frame(x + 0.5, y + 0.5) for x, y in cells]).astype(int)
        own, other = np.array([picture[y, x] for x, y in cells]), IMAGE[frame[:, 1], frame[:, 0]]
        assert np.corrcoef(own.ravel(), other.ravel())[0, 1] > 0.9


def test_pupils_lie_in_their_eyes(models_dir: Path) -> None:
    ((points, scores),) = PupilFinder(models_dir)([cut_eyes(IMAGE, face())])
    expected = hopper().landmarks.points[0, 66:]
    assert np.linalg.norm(points - expected, axis=1).max() < 0.05 * hopper().landmarks.eye_distance_px[0]
    assert (scores > 0.5).all()


@pytest.mark.parametrize("count", [0, 1, 7, 8, 19])
def test_many_at_once_see_what_one_by_one_see(count: int, models_dir: Path) -> None:
    one, many = PupilFinder(models_dir), PupilFinder(models_dir, faces=8)
    found, expected = many(eyes(count)), one(eyes(count))
    assert len(found) == len(expected) == count
    for own, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(own[0], other[0], atol=1e-3)
        np.testing.assert_allclose(own[1], other[1], atol=1e-5)


def test_an_eye_out_of_view_has_no_pupil(models_dir: Path) -> None:
    width = IMAGE.shape[1]
    aside = face(dx=width - hopper().landmarks.points[0, 39, 0] - 2)  # the left eye lies beyond the border
    ((points, scores),) = PupilFinder(models_dir)([cut_eyes(IMAGE, aside)])
    assert scores[0] > 0 and scores[1] == 0 and not points[1].any()
