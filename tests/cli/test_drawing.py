"""Drawings made of text: what they show, and that they fit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.segment import Segment

from inkgan.cli.drawing import Arrangement, arrangement, drawn, in_characters, sparkline

QUARTERS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"


def pixels_of(lines: list[list[Segment]], across: int) -> NDArray[np.int64]:
    """The picture [2h, across · w, 3] that characters show."""
    rows: list[list[object]] = []
    for line in lines:
        halves: tuple[list[object], list[object]] = ([], [])
        for run in line:
            assert run.style is not None
            paper, ink = (colour and colour.triplet for colour in (run.style.bgcolor, run.style.color))
            for character in run.text:
                shape = QUARTERS.index(character)
                for quarter in (0, 1, 2, 3):
                    if quarter % 2 < across:
                        halves[quarter // 2].append(ink if shape >> quarter & 1 else paper)
        rows += halves
    return np.array(rows)


def images_of(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    """Images of noise."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_a_sparkline() -> None:
    """Larger values have higher bars, as many as fit; values that are not finite are blank, an extreme one is cut."""
    assert sparkline(range(8), 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([2.0, 2.0], 9) == "▅▅"
    assert sparkline([1, 1, 3, 3, 5, 5], 3) == "▁▅█"
    assert sparkline([0.0, math.nan, 1.0, math.inf], 9) == "▁ █ "
    assert sparkline([math.nan], 3) == " "
    assert sparkline([], 5) == sparkline([1.0], 0) == ""
    assert len(set(sparkline([*range(99), 1e9], 100))) == 8


def test_images_are_as_large_as_the_window_allows() -> None:
    """The images fit into every window, and no other number of lines makes them larger; a tiny window has none."""
    for columns in range(1, 300, 7):
        for rows in range(1, 60, 3):
            layout = arrangement(10, (28, 28), columns, rows)
            if layout is None:
                assert min(columns / 4, rows / 2) < 5
                continue
            assert layout.per_line * (layout.columns + 1) - 1 <= columns
            assert 10 // layout.per_line * layout.rows <= rows
            for lines in (1, 2, 5, 10):
                assert layout.columns >= min((columns + 1) * lines // 10 - 1, 2 * (rows // lines), 28)
    assert arrangement(10, (28, 28), 80, 17) == Arrangement(5, 15, 8)
    assert arrangement(10, (28, 28), 300, 14) == Arrangement(10, 28, 14)
    assert arrangement(10, (8, 8), 300, 50) == Arrangement(10, 24, 12)
    assert arrangement(10, (28, 28), 20, 1) is None


@pytest.mark.parametrize("channels", [1, 3])
def test_with_a_column_for_each_pixel_nothing_is_lost(channels: int) -> None:
    """Each pixel keeps its own colour, except for rounding; grey images become ink on paper."""
    images = images_of(4, 6, 5, channels)
    shown = pixels_of(drawn(images, Arrangement(2, 5, 3), colour=True), 1)
    assert shown.shape == (12, 11, 3)
    expected = 255 - np.broadcast_to(images, (4, 6, 5, 3)).astype(int) if channels == 1 else images.astype(int)
    for number, (top, left) in enumerate([(0, 0), (0, 6), (6, 0), (6, 6)]):
        assert abs(shown[top : top + 6, left : left + 5] - expected[number]).max() <= 255 / 31 / 2 + 0.5
    assert (shown[:, 5] == 255).all()  # between them


def test_quarters_are_the_closest_ones() -> None:
    """No other shape and no other two colours come closer to the four quarters; the test tries every shape."""
    images = images_of(1, 6, 10, 3, seed=3)
    shown = pixels_of(drawn(images, Arrangement(1, 5, 3), colour=True), 2)
    assert shown.shape == (6, 10, 3)
    for y in range(0, 6, 2):
        for x in range(0, 10, 2):
            wanted = images[0, y : y + 2, x : x + 2].reshape(4, 3).astype(float)
            best = min(
                sum(
                    ((wanted[part] - wanted[part].mean(axis=0)) ** 2).sum()
                    for part in ([q for q in range(4) if shape >> q & 1], [q for q in range(4) if not shape >> q & 1])
                    if part
                )
                for shape in range(16)
            )
            error = ((shown[y : y + 2, x : x + 2].reshape(4, 3) - wanted) ** 2).sum()
            assert error <= (math.sqrt(best) + math.sqrt(12) * (255 / 31 / 2 + 0.5)) ** 2  # colours are rounded


def test_without_colours_ink_is_what_is_drawn() -> None:
    """A quarter is filled if ink covers most of it."""
    image = np.zeros((1, 4, 4, 1), np.uint8)
    image[0, :2, 2:] = 255
    image[0, 3, 0] = 200
    (line, last), layout = drawn(image, Arrangement(1, 2, 2), colour=False), Arrangement(1, 2, 2)
    assert layout.columns == len(line[0].text) == 2
    assert [run.text for run in (*line, *last)] == [" █", "▖ "]
    assert line[0].style is None


def test_a_picture_is_shrunk_by_its_means() -> None:
    """At half the size, each quarter is the mean of four pixels."""
    image = np.kron([[0, 80], [160, 240]], np.ones((2, 2))).astype(np.uint8)[None, :, :, None]
    image[0, 0, 0] = 40
    shown = pixels_of(drawn(image, Arrangement(1, 1, 1), colour=True), 2)
    assert abs(shown[..., 0] - [[245, 175], [95, 15]]).max() <= 90  # two colours for four
    shown = pixels_of(drawn(image, Arrangement(1, 2, 2), colour=True), 2)
    assert abs(shown[..., 0] - (255 - image[0, ..., 0].astype(int))).max() <= 25


def test_a_picture_in_characters() -> None:
    """Two rows of pixels make a line of text; more ink makes a darker character; lines have no blanks at the end."""
    image = np.zeros((6, 6, 1), np.uint8)
    image[:2, 1:6, 0] = [[0, 50, 100, 150, 255]] * 2
    image[4, 0] = 255
    assert in_characters(image).split("\n") == ["  .:*#", "", ":"]


def test_coloured_images_are_grey_in_characters() -> None:
    image = np.zeros((2, 1, 3), np.uint8)
    image[0] = (255, 128, 7)
    assert in_characters(image) == "."
