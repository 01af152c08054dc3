"""Looks: each knob does what its name says, and boxes follow the ink."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import inkgan
from inkgan.generation import paper
from inkgan.generation.looks import KNOBS, LOOKS, Look, LookLike, look_of
from inkgan.generation.paper import with_look
from inkgan.generation.writing import Writing

WORN = [name for name in LOOKS if name != "clean"]
#: Knobs that move ink.
GEOMETRY = {"turn": (-5, 5), "perspective": (0, 10), "clip": (0, 20)}


@pytest.fixture(scope="module")
def line() -> Writing:
    """A line on clean paper."""
    return inkgan.write("12 345.67", model="fast", height=48, seed=3, legible=0)


@pytest.fixture(scope="module")
def bars() -> Writing:
    """Three black rectangles as if they were characters."""
    boxes = ((4, 30, 28, 70), (60, 16, 70, 76), (106, 40, 146, 60))
    image = np.zeros((96, 150), np.uint8)
    for left, top, right, bottom in boxes:
        image[top:bottom, left:right] = 255
    return Writing("123", image, boxes)


def only(bars: Writing, k: int) -> Writing:
    """Return the ink of one rectangle with the boxes of all."""
    left, top, right, bottom = bars.boxes[k]
    image = np.zeros_like(bars.image)
    image[top:bottom, left:right] = 255
    return Writing(bars.text, image, bars.boxes)


def looked(line: Writing, seed: int, writer: int, look: Look) -> Writing:
    """Return the line in a look, as if by a writer of this number."""
    return with_look(replace(line, writer=writer), seed, look)


def extent(image: NDArray[np.uint8], least: int = 20) -> tuple[int, int, int, int]:
    """Return the box of all pixels darker than a level."""
    rows, columns = np.nonzero(image > least)
    return (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("text", ["1", "."])
@pytest.mark.parametrize("number", range(5))
def test_a_lone_character_survives_the_extremes(text: str, number: int) -> None:
    """Part of the character is always left, even on a page so narrow that corners and edges nearly meet."""
    look = {"look": "photo", "turn": 15, "perspective": 24, "clip": 24}
    drawn = inkgan.write(text, model="fast", height=24, seed=number, legible=0, look=look)
    left, top, right, bottom = drawn.boxes[0]
    assert left < right
    assert top < bottom


@pytest.mark.parametrize("look", [*WORN, {"clip": 24}])
def test_a_line_without_ink(look: LookLike) -> None:
    """A generator may draw blank images. The page then has its size, and the boxes stay without area."""
    blank = Writing("22", np.zeros((96, 53), np.uint8), ((14, 75, 14, 75), (39, 75, 39, 75)))
    seen = looked(blank, 0, 0, look_of(look))
    assert seen.image.shape == (96, 53)
    assert all((left, top) == (right, bottom) for left, top, right, bottom in seen.boxes)


def test_a_lone_character_without_ink() -> None:
    """Its page is so narrow that cuts at both sides meet in its middle. A page is left, and the box stays in it."""
    blank = Writing("2", np.zeros((96, 28), np.uint8), ((14, 75, 14, 75),))
    seen = looked(blank, 0, 0, look_of({"clip": 24}))
    assert not seen.image.any()
    ((left, top, right, bottom),) = seen.boxes
    assert 0 <= left == right <= 28
    assert 0 <= top == bottom <= 96


@pytest.mark.parametrize("name", WORN)
def test_a_pure_function(line: Writing, name: str) -> None:
    """The same numbers give the same image and other numbers another one; text and size stay."""
    look = LOOKS[name]
    first, again = (looked(line, 5, 8, look) for _ in range(2))
    np.testing.assert_array_equal(first.image, again.image)
    assert first.boxes == again.boxes
    assert (first.text, first.image.shape, first.image.dtype) == (line.text, line.image.shape, line.image.dtype)
    for other in ((6, 8), (5, 9)):
        assert not np.array_equal(looked(line, *other, look).image, first.image)


@pytest.mark.parametrize("name", WORN)
def test_ink_is_in_its_boxes(line: Writing, name: str) -> None:
    """In every look, the boxes hold most dark pixels, paper is bright, and a space's box has no area."""
    for number in range(6):
        seen = looked(line, 1, number, LOOKS[name])
        height, width = seen.image.shape
        inside = np.zeros(seen.image.shape, bool)
        for (left, top, right, bottom), character in zip(seen.boxes, seen.text, strict=True):
            assert 0 <= left <= right <= width
            assert 0 <= top <= bottom <= height
            assert (left == right) == (character == " ")
            inside[top:bottom, left:right] = True
        ink, blank = seen.image[inside], seen.image[~inside]
        assert np.percentile(ink, 95) > np.percentile(blank, 60) + 40
        if name != "field":
            assert (blank > np.percentile(ink, 90)).mean() < 0.01


@pytest.mark.parametrize("knobs", [{name: GEOMETRY[name]} for name in GEOMETRY] + [GEOMETRY])
def test_boxes_follow_every_knob(bars: Writing, knobs: dict[str, Any]) -> None:
    """A black rectangle moved by one knob or by all still fills its box to the pixel, and about half of it stays."""
    moved = 0
    for number in range(4):
        for k in range(3):
            seen = looked(only(bars, k), 2, number, look_of(knobs))
            assert np.abs(np.subtract(extent(seen.image), seen.boxes[k])).max() <= 1
            before, after = (box[k] for box in (bars.boxes, seen.boxes))
            assert after[2] - after[0] > 0.45 * (before[2] - before[0])
            assert after[3] - after[1] > 0.45 * (before[3] - before[1])
            moved += np.abs(np.subtract(before, after)).max() > 1
    assert moved > 5


@pytest.mark.parametrize("stroke", [-1.0, 0.6, 2.5, 4.0])
def test_boxes_follow_the_stroke(line: Writing, bars: Writing, stroke: float) -> None:
    """A rectangle grows by the stroke on each side, and no ink of a line lies outside its boxes."""
    look = Look(stroke=(stroke, stroke))
    seen = looked(only(bars, 0), 0, 0, look)
    expected = np.add(bars.boxes[0], stroke * np.array([-1, -1, 1, 1]))
    assert np.abs(np.subtract(extent(seen.image, 127), expected)).max() <= 0.6
    for number in range(4):
        seen = looked(line, 0, number, look)
        outside = seen.image.copy()
        for left, top, right, bottom in seen.boxes:
            outside[top:bottom, left:right] = 0
        assert not outside.any()


def test_a_wider_stroke_is_that_of_a_wider_pen() -> None:
    """A disc of radius 10 has the area of one of radius 12.5, or of 9."""
    y, x = np.mgrid[:40, :40] - 19.5
    disc = np.rint(255 * np.clip(10.5 - np.hypot(x, y), 0, 1)).astype(np.uint8)
    for by in (2.5, -1):
        assert paper.stroked(disc, by).sum() / 255 == pytest.approx(np.pi * (10 + by) ** 2, rel=0.05)
    assert paper.stroked(disc, 0) is disc


def brightness(seen: NDArray[np.uint8], line: Writing) -> float:
    """Return the mean brightness of the paper, 0 to 255."""
    return float((255 - seen[line.image == 0]).mean())


def unevenness(seen: NDArray[np.uint8], line: Writing) -> float:
    """Return the standard deviation of the paper's brightness."""
    return float(seen[line.image == 0].std())


def sharpness(seen: NDArray[np.uint8], _: Writing) -> float:
    """Return the energy of the horizontal gradient."""
    return float(np.square(np.diff(seen.astype(float), axis=1)).mean())


def change(seen: NDArray[np.uint8], line: Writing) -> float:
    """Return the mean difference from the clean image."""
    return float(np.abs(seen.astype(float) - line.image).mean())


def darkness(seen: NDArray[np.uint8], line: Writing) -> float:
    """Return the mean darkness of full ink, 0 to 255."""
    return float(seen[line.image == 255].mean())


def weight(seen: NDArray[np.uint8], _: Writing) -> float:
    """Return the total amount of ink."""
    return float(seen.sum())


#: Values of a knob, a measure that they change, and whether it grows.
MEASURES: dict[str, tuple[tuple[float, ...], Callable[[NDArray[np.uint8], Writing], float], int]] = {
    "ink": ((0.3, 0.6, 1), darkness, 1),
    "pressure": ((0, 0.4, 0.8), darkness, -1),
    "stroke": ((-1, 0, 1, 3), weight, 1),
    "paper": ((0.4, 0.8, 1), brightness, 1),
    "texture": ((0, 0.02, 0.05), unevenness, 1),
    "light": ((0, 0.3, 0.8), unevenness, 1),
    "resolution": ((0.25, 0.5, 1), sharpness, 1),
    "blur": ((0, 0.5, 1, 2), sharpness, -1),
    "noise": ((0, 5, 20), unevenness, 1),
    "quality": ((5, 30, 95), change, -1),
}


def test_every_knob_is_measured() -> None:
    """Knobs for geometry, print and colour have their own tests here; those for characters are in test_looks.py."""
    assert set(KNOBS) == {*MEASURES, *GEOMETRY, "form", "pen", "tint", "gap", "variety", "elastic"}, (
        "give it to MEASURES"
    )


@pytest.mark.parametrize("knob", MEASURES)
def test_more_of_a_knob_is_more(line: Writing, knob: str) -> None:
    """A measure independent of the knob's implementation grows with it, or falls, for any random draw."""
    values, measure, sign = MEASURES[knob]
    for number in range(2):
        measured = [measure(looked(line, 0, number, look_of({knob: value})).image, line) for value in values]
        assert (sign * np.diff(measured) > 1e-3 * max(measured)).all(), measured


def test_single_knobs(line: Writing) -> None:
    """Paper, light, blur, noise and JPEG each have as much effect as they say."""
    draws = np.random.default_rng(0)
    assert np.ptp(paper.light(20, 60, (0, 0), draws)) == 0
    lit = paper.light(20, 60, (0.5, 0.5), draws)
    assert (lit.min(), lit.max()) == (0.5, 1.0)
    spotted = paper.spots(200, 600, 0.02, draws)
    assert abs(spotted.mean() - 1) < 0.01
    assert 0.005 < spotted.std() < 0.04
    page = np.full((64, 64), 0.5)
    noisy = paper.through_camera(page, 0, 6, 1, draws)
    assert abs(noisy.mean() - 127.5) < 1
    assert 5.5 < noisy.std() < 6.5
    assert paper.through_camera(page, 0, 0, 0.25, draws).shape == (16, 16)
    page[:, 32:] = 1
    sharp, soft = (paper.through_camera(page, blur, 0, 1, draws).astype(int) for blur in (0, 3))
    assert np.abs(np.diff(sharp, axis=1)).max() > 100
    # The steepest slope of a step of height h blurred by a Gaussian is h / (σ · sqrt(2π)).
    assert np.abs(np.diff(soft, axis=1)).max() == pytest.approx(127.5 / (3 * np.sqrt(2 * np.pi)), rel=0.1)
    errors = [np.abs(paper.through_jpeg(line.image, quality).astype(int) - line.image).mean() for quality in (30, 95)]
    assert errors[0] > 2 * errors[1] > 0
    assert paper.through_jpeg(line.image, 100) is line.image


def test_knobs_that_do_nothing_change_nothing(line: Writing) -> None:
    """A look without a visible difference from the clean one keeps the pixels and the boxes."""
    seen = looked(line, 0, 0, Look(pen=("black", "black"), quality=(100, 100)))
    np.testing.assert_array_equal(seen.image, line.image)
    assert seen.boxes == line.boxes


@pytest.mark.parametrize(
    "other",
    [{"pen": "blue,red"}, {"texture": 0.2}, {"resolution": 0.5}, {"pressure": 0.5}, {"quality": 9}, {"form": "line"}],
)
def test_no_knob_changes_another(line: Writing, other: dict[str, Any]) -> None:
    """Setting one knob does not change the random draws of another: here, how the page lies."""
    assert looked(line, 3, 4, LOOKS["photo"]).boxes == looked(line, 3, 4, look_of("photo", other)).boxes


def test_a_frame_and_a_line(line: Writing) -> None:
    """They are printed around the line without covering any of it."""
    for printed, rows in (
        (paper.printed_on(line.image, "frame", (), 3, 99), 3),
        (paper.printed_on(line.image, "line", (), 0, 99), 1),
    ):
        assert (printed >= line.image).all()
        added = (printed > line.image).mean(1)
        assert (added > 0.5).sum() >= rows  # above, below, and the rule


def test_colours(line: Writing) -> None:
    """Full ink has the pen's colour and paper its tint; every pen of a list is used; grey pens keep images grey."""
    look = look_of({"pen": "#1f3a93", "tint": "cream"})
    seen = looked(line, 0, 0, look)
    assert seen.image.shape == (*line.image.shape, 3)
    assert (seen.image[line.image == 255] == np.rint(np.array([0x1F, 0x3A, 0x93]) * [246, 237, 211] / 255)).all()
    assert (seen.image[line.image == 0] == [246, 237, 211]).all()
    assert seen.picture.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(seen.picture), seen.image)
    assert seen.image.flags.writeable  # as in other looks; PyTorch warns of an array that is not
    pens = [
        tuple(looked(line, 0, number, look_of({"pen": "black,red,#00ff00"})).image[line.image == 255][0].tolist())
        for number in range(15)
    ]
    assert {pen: pens.count(pen) >= 2 for pen in pens} == dict.fromkeys([(0, 0, 0), (179, 32, 44), (0, 255, 0)], True)
    grey = looked(line, 0, 0, look_of({"pen": "#404040"}))
    assert grey.image.shape == line.image.shape
    assert (grey.image[line.image == 255] == 255 - 0x40).all()


def test_cells() -> None:
    """Each character is in a cell of its own with all of its ink, and the printed cells are where the labels say."""
    text = "12 345.67"
    clean = inkgan.write(text, model="fast", height=64, seed=3, legible=0)
    seen = inkgan.write(text, model="fast", height=64, seed=3, legible=0, look={"form": "cells"})
    widths = {right - left for left, _, right, _ in seen.cells}
    assert (len(seen.cells), len(widths)) == (len(text), 1)
    assert [cell[2] for cell in seen.cells[:-1]] == [cell[0] for cell in seen.cells[1:]]
    for k, (box, cell, before) in enumerate(zip(seen.boxes, seen.cells, clean.boxes, strict=True)):
        assert cell[0] <= box[0] <= box[2] <= cell[2], k
        assert cell[1] <= box[1] <= box[3] <= cell[3], k
        assert (box[2] - box[0], box[1], box[3]) == (before[2] - before[0], before[1], before[3]), k
        left, top, right, bottom = cell
        for stripe in (seen.image[top, left:right], seen.image[bottom, left:right], seen.image[top:bottom, left]):
            assert (stripe > 40).all(), k
        inside = seen.image[top + 1 : bottom, left + 1 : right].copy()
        inside[box[1] - top - 1 : box[3] - top - 1, box[0] - left - 1 : box[2] - left - 1] = 0
        assert not inside.any(), k


def test_cells_follow_the_geometry(bars: Writing) -> None:
    """Moved by all knobs at once, the printed cell fills the cell's box."""
    for number in range(3):
        for k in range(3):
            writing = Writing(bars.text, np.zeros_like(bars.image), bars.boxes, cells=(bars.boxes[k],))
            seen = looked(writing, 4, number, look_of(GEOMETRY, {"form": "cells"}))
            assert np.abs(np.subtract(extent(seen.image), seen.cells[0])).max() <= 2  # half of the print's width
