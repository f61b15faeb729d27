"""The curves of a track, as a picture and in a terminal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facereenact.errors import OutputError
from facereenact.images import read_image
from facereenact.landmark_tools.plots import SHADE, plot_file, ticks
from facereenact.landmark_tools.plots import plot as plot_picture
from facereenact.landmark_tools.settings import PlotSettings
from facereenact.landmark_tools.terminal_plot import braille, terminal_plot
from landmarks import LandmarkSequence
from tests.facereenact.tracks import turning, with_gaps


def test_a_plot_shades_gaps_and_shows_curves() -> None:
    image = plot_picture(with_gaps(turning(), *range(10, 20)), title="a.landmarks.safetensors")
    assert image.dtype == np.uint8
    assert image.shape[1:] == (1280, 3)
    shaded = (image == np.array(SHADE)).all(axis=2)[:600].sum(axis=0) > 200
    left, right = np.flatnonzero(shaded)[[0, -1]]
    assert (left, right) == (pytest.approx(92 + 1160 * 0.25, abs=4), pytest.approx(92 + 1160 * 0.5, abs=4))
    coloured = np.ptp(image.astype(int), axis=2) > 100
    assert coloured[100:270, 100:350].any(axis=0).mean() > 0.95  # the curves of the head
    assert not coloured[100:270, 390:665].any()


@pytest.mark.parametrize("track", [turning(1), replace(turning(3), detected=np.zeros(3, bool))], ids=["one", "none"])
def test_any_track_can_be_plotted(track: LandmarkSequence) -> None:
    assert plot_picture(track, title="x" * 300).shape[1] == 1280
    assert terminal_plot(track, columns=80)


def test_a_plot_is_written_once(tmp_path: Path, track_file: Path) -> None:
    for name in ("a.png", "a.jpg"):
        plot_file(track_file, PlotSettings(tmp_path / name))
        assert read_image(tmp_path / name)[0].shape[1] == 1280
    with pytest.raises(OutputError, match="exists"):
        plot_file(track_file, PlotSettings(tmp_path / "a.png"))
    with pytest.raises(OutputError, match="a plot is a picture"):
        plot_file(track_file, PlotSettings(tmp_path / "a.mp4"))


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [(0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]), (-14, 14, 5, [-10, 0, 10]), (0.01, 0.31, 5, [0.1, 0.2, 0.3])],
)
def test_ticks_are_round(low: float, high: float, most: int, expected: list[float]) -> None:
    assert ticks(low, high, most) == pytest.approx(expected)


@pytest.mark.parametrize("columns", [10, 80, 500])
def test_a_terminal_plot_fits_and_leaves_gaps_empty(columns: int) -> None:
    text = terminal_plot(with_gaps(turning(), *range(10, 20)), columns=columns)
    assert max(map(len, text.splitlines())) <= max(min(columns, 180), 40)
    assert [name for name in ("yaw", "pitch", "roll", "right lids", "left lids", "lips") if name not in text] == []
    assert "\u2591" in text
    yaw = text.splitlines()[:3]
    curves = [line.partition("\u2502")[2].ljust(60, "\u2800") for line in yaw]
    width = len(curves[0])
    if columns == 80:
        middle = "".join(line[width // 4 + 1 : width // 2 - 1] for line in curves)
        assert set(middle) == {"\u2800"}


def test_dots_rise_and_fall_with_the_values() -> None:
    values, times = np.array([0.0, 1.0]), np.array([0.0, 1.0])
    rows = braille(values, times, (0, 1.0001), (0, 1), width=6)
    assert [len(row) for row in rows] == [6, 6, 6]
    assert rows[0][-1] != "\u2800"
    assert rows[2][0] != "\u2800"
    assert rows[0][0] == rows[2][-1] == "\u2800"
    assert "".join(braille(np.array([np.nan, np.nan]), times, (0, 1), (0, 1), width=3)) == "\u2800" * 9
