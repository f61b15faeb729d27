"""A track as a picture of curves: head angles, lids and lips over time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from facereenact.errors import OutputError
from facereenact.images import write_image
from facereenact.landmark_tools.formats import read_track
from facereenact.landmark_tools.measures import Curves, Gap, end_s, find_blinks, find_gaps, measure, printable
from facereenact.landmark_tools.settings import PlotSettings
from facereenact.landmark_tools.text import font, width_px
from facereenact.output_target import OutputTarget
from facereenact.settings import IMAGE_OUTPUTS
from landmarks import LandmarkSequence

Colour = tuple[int, int, int]
Float = NDArray[np.float64]

FINE = 2  # everything is drawn this much larger and made smaller at the end: smooth lines
WIDTH = 1280  # pixels of the finished picture
LEFT, RIGHT, TOP, BOTTOM = 92, 28, 62, 58  # margins around the panels
PANEL, BETWEEN = 190, 46  # height of a panel, and from one to the next
SMALL, LARGE = 15, 20  # heights of letters
PAPER, INK, FAINT, GRID, SHADE = (255, 255, 255), (38, 42, 48), (110, 116, 124), (226, 229, 233), (240, 228, 205)

# M. Okabe, K. Ito, "Color Universal Design"
BLUE, VERMILLION, GREEN, ORANGE = (0, 114, 178), (213, 94, 0), (0, 158, 115), (230, 159, 0)


@dataclass(frozen=True, eq=False)
class Line:
    """One curve."""

    name: str
    values: Float  # (frames,), NaN where there is none
    colour: Colour


@dataclass(frozen=True, eq=False)
class Panel:
    """Curves of one unit over the common time."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    least_range: tuple[float, float]  # the axis shows at least this
    marks_s: tuple[float, ...] = ()  # small triangles at the top
    marks_name: str = ""


def plot_file(path: Path, settings: PlotSettings) -> None:
    """Draw the curves of a track into a picture.

    Raises:
        InputError: the track cannot be used.
        OutputError: the picture cannot be written.
    """
    assert settings.output is not None
    if settings.output.suffix.lower() not in IMAGE_OUTPUTS:
        raise OutputError(f"{settings.output}: a plot is a picture; end in one of {', '.join(IMAGE_OUTPUTS)}")
    OutputTarget(settings.output, suffixes=IMAGE_OUTPUTS, overwrite=settings.overwrite)
    write_image(settings.output, plot(read_track(path), title=path.name))


def plot(sequence: LandmarkSequence, *, title: str) -> NDArray[np.uint8]:
    """RGB picture (height, 1280, 3) of the curves of a track."""
    shown = panels(measure(sequence))
    sheet = _Sheet(len(shown), (float(sequence.timestamps_s[0]), end_s(sequence)))
    share = f"{100 * float(sequence.detected.mean()):.4g} % with a face"
    size = f"{sequence.size[0]}x{sequence.size[1]}"
    sheet.head(printable(title), f"{len(sequence)} frames, {share}, {size}, {printable(sequence.tracker)}")
    gaps = find_gaps(sequence)
    for index, panel in enumerate(shown):
        sheet.panel(index, panel, sequence.timestamps_s, gaps)
    sheet.time_axis(has_gaps=bool(gaps))
    return sheet.finished()


def panels(curves: Curves) -> tuple[Panel, ...]:
    """What a plot shows."""
    head = (
        Line("yaw (+ to the image's right)", curves.yaw_deg, BLUE),
        Line("pitch (+ down)", curves.pitch_deg, VERMILLION),
        Line("roll (+ clockwise)", curves.roll_deg, GREEN),
    )
    lids = (Line("right eye", curves.lids[:, 0], BLUE), Line("left eye", curves.lids[:, 1], ORANGE))
    blinks = tuple(find_blinks(curves))
    return (
        Panel("Head", "degrees", head, (-5, 5)),
        Panel("Lids", "gap / eye width", lids, (0, 0.3), blinks, f"blinks: {len(blinks)}"),
        Panel("Lips", "gap / eye distance", (Line("inner lips", curves.lips, VERMILLION),), (0, 0.1)),
    )


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most so many round numbers (steps of 1, 2 or 5) from `low` to `high`."""
    rough = max((high - low) / max(most, 1), 1e-9)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 10) + 0.0 for index in range(first, last + 1)]


def span(panel: Panel) -> tuple[float, float]:
    """Lower and upper end of a panel's axis, with a little room above the curves, and below those under zero."""
    values = np.concatenate([line.values[np.isfinite(line.values)] for line in panel.lines])
    low, high = panel.least_range
    if len(values):
        margin = 0.06 * max(float(np.ptp(values)), high - low)
        low, high = min(low, float(values.min()) - margin), max(high, float(values.max()) + margin)
    return max(low, 0.0) if panel.least_range[0] == 0 else low, high


class _Sheet:
    """The paper: panels one below the other over one time axis."""

    def __init__(self, count: int, time_s: tuple[float, float]) -> None:
        self._count = count
        self._begin_s, self._end_s = time_s
        height = TOP + count * (PANEL + BETWEEN) - BETWEEN + BOTTOM + 26
        self._picture = Image.new("RGB", (WIDTH * FINE, height * FINE), PAPER)
        self._draw = ImageDraw.Draw(self._picture)
        self._height = height

    def head(self, title: str, text: str) -> None:
        self._text(LEFT, 22, title, INK, LARGE, "lm")
        room = WIDTH - RIGHT - LEFT - width_px(title, LARGE) - 30
        if width_px(text, SMALL) < room:
            self._text(WIDTH - RIGHT, 22, text, FAINT, SMALL, "rm")

    def panel(self, index: int, panel: Panel, time_s: Float, gaps: tuple[Gap, ...]) -> None:
        top = TOP + 26 + index * (PANEL + BETWEEN)
        low, high = span(panel)

        def y(value: float) -> float:
            return top + PANEL * (1 - (value - low) / (high - low))

        for gap in gaps:
            self._draw.rectangle(
                self._fine(self._x(gap.start_s), top, max(self._x(gap.end_s), self._x(gap.start_s) + 1), top + PANEL),
                SHADE,
            )
        for value in ticks(low, high, 5):
            strong = value == 0 and low < 0
            self._line([(LEFT, y(value)), (WIDTH - RIGHT, y(value))], FAINT if strong else GRID, 1)
            self._text(LEFT - 9, y(value), f"{value:.10g}", FAINT, SMALL, "rm")
        for value in self._time_ticks():
            self._line([(self._x(value), top), (self._x(value), top + PANEL)], GRID, 1)
        for line in panel.lines:
            self._curve(line, time_s, y)
        for mark_s in panel.marks_s:
            x = self._x(mark_s)
            self._draw.polygon(self._fine(x - 5, top - 1, x + 5, top - 1, x, top + 8), INK)
        self._draw.rectangle(self._fine(LEFT, top, WIDTH - RIGHT, top + PANEL), outline=FAINT, width=FINE)
        self._legend(panel, top - 14)

    def time_axis(self, *, has_gaps: bool) -> None:
        bottom = TOP + 26 + self._count * (PANEL + BETWEEN) - BETWEEN
        for value in self._time_ticks():
            self._line([(self._x(value), bottom), (self._x(value), bottom + 5)], FAINT, 1)
            self._text(self._x(value), bottom + 17, f"{value:.10g}", FAINT, SMALL, "mm")
        self._text((LEFT + WIDTH - RIGHT) / 2, bottom + 42, "time (seconds)", INK, SMALL, "mm")
        if has_gaps:
            self._draw.rectangle(self._fine(LEFT, bottom + 35, LEFT + 22, bottom + 49), SHADE)
            self._text(LEFT + 30, bottom + 42, "no face found", FAINT, SMALL, "lm")

    def finished(self) -> NDArray[np.uint8]:
        small = self._picture.resize((WIDTH, self._height), Image.Resampling.LANCZOS)
        return np.array(small)

    def _legend(self, panel: Panel, y: float) -> None:
        title = f"{panel.title} "
        self._text(LEFT, y, title, INK, SMALL, "lm")
        self._text(LEFT + width_px(title, SMALL), y, f"({panel.unit})", FAINT, SMALL, "lm")
        x = float(WIDTH - RIGHT)
        if panel.marks_name:
            self._text(x, y, panel.marks_name, INK, SMALL, "rm")
            x -= width_px(panel.marks_name, SMALL) + 16
            self._draw.polygon(self._fine(x - 2, y - 4, x + 8, y - 4, x + 3, y + 5), INK)
            x -= 24
        for line in reversed(panel.lines):
            self._text(x, y, line.name, line.colour, SMALL, "rm")
            x -= width_px(line.name, SMALL) + 8
            self._line([(x - 22, y), (x, y)], line.colour, 3)
            x -= 44

    def _curve(self, line: Line, time_s: Float, y: object) -> None:
        assert callable(y)
        run: list[tuple[float, float]] = []
        for time, value in zip([*time_s.tolist(), 0.0], [*line.values.tolist(), math.nan], strict=True):
            if math.isfinite(value):
                run.append((self._x(time), y(value)))
                continue
            if len(run) > 1:
                self._line(run, line.colour, 1.7)
            elif run:
                x, height = run[0]
                self._draw.ellipse(self._fine(x - 2, height - 2, x + 2, height + 2), line.colour)
            run = []

    def _time_ticks(self) -> list[float]:
        return ticks(self._begin_s, self._end_s, 12)

    def _x(self, time_s: float) -> float:
        return LEFT + (WIDTH - RIGHT - LEFT) * (time_s - self._begin_s) / (self._end_s - self._begin_s)

    def _line(self, points: list[tuple[float, float]], colour: Colour, width: float) -> None:
        fine = [(FINE * x, FINE * y) for x, y in points]
        self._draw.line(fine, colour, max(1, round(FINE * width)), joint="curve" if len(fine) < 20000 else None)

    def _text(self, x: float, y: float, text: str, colour: Colour, height: int, anchor: str) -> None:
        self._draw.text((FINE * x, FINE * y), text, colour, font(FINE * height), anchor=anchor)

    def _fine(self, *numbers: float) -> list[float]:
        return [FINE * number for number in numbers]
