"""Lines over two logarithmic axes, such as distance against seconds of training, drawn with Pillow alone."""

from __future__ import annotations

import math
import unicodedata
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

SIZE = (1500, 900)
BOX = (110, 70, 1180, 800)  # left, top, right and bottom of the axes
INK = "#222222"
PALE = "#dddddd"
#: Distinguishable with colour blindness, too (Okabe and Ito, 2008).
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"]


class Line(NamedTuple):
    """One line: its name and, at each point, the horizontal position and the lowest, median and highest value."""

    name: str
    points: list[tuple[float, float, float, float]]


class _Axes:
    """The mapping from seconds and distances to pixels."""

    def __init__(self, seconds: list[float], distances: list[float]) -> None:
        self.x = (math.log10(min(seconds)) - 0.05, math.log10(max(seconds)) + 0.05)
        self.y = (math.log10(min(distances)) - 0.15, math.log10(max(distances)) + 0.1)

    def place(self, seconds: float, distance: float) -> tuple[float, float]:
        """Return the pixel of a point."""
        left, top, right, bottom = BOX
        across = (math.log10(seconds) - self.x[0]) / (self.x[1] - self.x[0])
        up = (math.log10(distance) - self.y[0]) / (self.y[1] - self.y[0])
        return left + across * (right - left), bottom - up * (bottom - top)


def plot(
    lines: list[Line],
    levels: dict[str, float],
    title: str,
    path: Path,
    axes_names: tuple[str, str] = ("seconds of training", "Fréchet digit distance, lower is better"),
    font: Path | None = None,
) -> None:
    """Draw and store the picture.

    Args:
        lines: the contestants.
        levels: distances to mark across the picture, by name.
        title: printed above it.
        path: where the PNG goes.
        axes_names: the names of the horizontal and the vertical axis.
        font: a file with the font of title and names; without it Pillow's own, which has Latin letters only.
    """
    every = [point for line in lines for point in line.points]
    lowest, highest = min(p[1] for p in every), max(p[3] for p in every)
    distances = [lowest, highest, *levels.values()]
    axes = _Axes([point[0] for point in every], distances)
    picture = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(picture)
    write = _Writer(draw, font)
    _draw_axes(draw, axes)
    left, top, right, bottom = BOX
    write((left, 10), title, INK, 26)
    write(((left + right) / 2, bottom + 44), axes_names[0], INK, 22, "mt")
    write((left, top - 14), axes_names[1], INK, 20, "lm")
    labels = []
    for name, level in levels.items():
        start, end = (axes.place(10**x, level) for x in axes.x)
        for dash in range(int(start[0]), int(end[0]), 16):
            draw.line([(dash, start[1]), (dash + 8, start[1])], fill="#888888", width=2)
        labels.append((start[1], name, "#666666"))
    for line, colour in zip(lines, COLOURS, strict=False):
        middle = [axes.place(seconds, median) for seconds, _, median, _ in line.points]
        for seconds, low, _, high in line.points:
            draw.line([axes.place(seconds, low), axes.place(seconds, high)], fill=colour, width=2)
        draw.line(middle, fill=colour, width=4, joint="curve")
        for x, y in middle:
            draw.ellipse((x - 6, y - 6, x + 6, y + 6), fill=colour)
        labels.append((middle[-1][1], line.name, colour))
    _draw_labels(write, labels)
    picture.save(path, optimize=True)


class _Writer:
    """Writes words, in the given font or in Pillow's own."""

    def __init__(self, draw: ImageDraw.ImageDraw, font: Path | None) -> None:
        self._draw = draw
        self._path = font

    def __call__(self, place: tuple[float, float], text: str, colour: str, size: int, anchor: str = "la") -> None:
        if self._path is None:
            self._draw.text(place, _plain(text), fill=colour, font=_font(size), anchor=anchor)
        else:
            self._draw.text(place, text, fill=colour, font=ImageFont.truetype(self._path, size), anchor=anchor)


def _draw_axes(draw: ImageDraw.ImageDraw, axes: _Axes) -> None:
    left, top, right, bottom = BOX
    for number in _round_numbers(axes.x):
        x = axes.place(number, 1)[0]
        draw.line([(x, top), (x, bottom)], fill=PALE)
        draw.text((x, bottom + 8), f"{number:g}", fill=INK, font=_font(20), anchor="mt")
    for number in _round_numbers(axes.y):
        y = axes.place(1, number)[1]
        draw.line([(left, y), (right, y)], fill=PALE)
        draw.text((left - 10, y), f"{number:g}", fill=INK, font=_font(20), anchor="rm")
    draw.rectangle(BOX, outline=INK)


def _draw_labels(write: _Writer, labels: list[tuple[float, str, str]]) -> None:
    """Draw labels beside the axes, each at the height of its line, but never over each other."""
    free = float(BOX[1])
    for height, name, colour in sorted(labels):
        y = max(height, free)
        write((BOX[2] + 14, y), name, colour, 20, "lm")
        free = y + 26


def _round_numbers(span: tuple[float, float]) -> list[float]:
    """Return 1, 2 and 5 times each power of ten within a span of logarithms."""
    every = [m * 10.0**e for e in range(math.floor(span[0]), math.ceil(span[1]) + 1) for m in (1, 2, 5)]
    return [number for number in every if span[0] <= math.log10(number) <= span[1]]


def _plain(text: str) -> str:
    """Replace or drop the characters that Pillow's own font cannot draw."""
    return unicodedata.normalize("NFKD", text.replace("×", "x")).encode("ascii", "ignore").decode()


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
