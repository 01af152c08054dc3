"""Sheets, animations, drawings for the terminal, and rounding."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from inkgan.errors import OutputError, shown
from inkgan.images import arrange, curves, png_bytes, round_numbers, save_animation, save_png, sheet, slices, to_uint8


def images(n: int, height: int = 3, width: int = 4, channels: int = 1) -> np.ndarray:
    """Images without a pixel of 0."""
    return np.random.default_rng(n).integers(1, 256, (n, height, width, channels), dtype=np.uint8)


def test_rounding() -> None:
    """Numbers in [0, 1] become the nearest of 0 to 255; what lies outside is cut off."""
    given = np.array([-1, 0, 0.4 / 255, 0.6 / 255, 127.49 / 255, 127.51 / 255, 254.6 / 255, 1, 2], np.float32)
    assert to_uint8(given).tolist() == [0, 0, 0, 1, 127, 128, 255, 255, 255]
    assert to_uint8(np.array([math.nan, math.inf, -math.inf], np.float32)).tolist() == [0, 255, 0]
    every = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_uint8(every.astype(np.float32) / 255), every)


def test_a_picture_of_a_line_is_small() -> None:
    """A PNG file has the right pixels, and is hardly larger than Pillow's smallest, which takes many times as long."""
    draws = np.random.default_rng(0)
    ink = np.repeat(np.repeat(draws.integers(0, 6, (12, 40)) == 0, 8, 0), 8, 1) * draws.integers(150, 256, (96, 320))
    picture = Image.fromarray(255 - ink.astype(np.uint8))
    given = png_bytes(picture)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(given))), np.asarray(picture))
    smallest = io.BytesIO()
    picture.save(smallest, "PNG", optimize=True)
    assert len(given) < 1.02 * len(smallest.getvalue())


@settings(max_examples=50)
@given(st.integers(1, 9), st.integers(1, 5), st.sampled_from([1, 3]))
def test_arranging(n: int, columns: int, channels: int) -> None:
    """Image k stands in row k // columns, column k % columns; between and after them is paper."""
    given_images = images(n, channels=channels)
    canvas = arrange(given_images, columns)
    rows = -(-n // columns)
    assert canvas.shape == (rows * 5, columns * 6, channels)
    between = np.ones(canvas.shape, bool)
    for k, image in enumerate(given_images):
        top, left = k // columns * 5 + 1, k % columns * 6 + 1
        np.testing.assert_array_equal(canvas[top : top + 3, left : left + 4], image)
        between[top : top + 3, left : left + 4] = False
    assert (canvas[between] == (0 if channels == 1 else 255)).all()  # no ink, or white


def test_sheets() -> None:
    """Grey sheets show ink on paper, colour sheets the colours as they are; scaling turns pixels into squares."""
    grey, colour = images(4), images(4, channels=3)
    canvas = arrange(grey, 2)[:, :, 0]
    np.testing.assert_array_equal(np.asarray(sheet(grey, 2)), 255 - canvas)
    np.testing.assert_array_equal(np.asarray(sheet(colour, 2)), arrange(colour, 2))
    np.testing.assert_array_equal(np.asarray(sheet(grey, 2, scale=3)), np.kron(255 - canvas, np.ones((3, 3), np.uint8)))


def test_png_and_force(tmp_path: Path) -> None:
    """A picture is written whole; missing folders are created, and an existing file is replaced only if allowed."""
    path = tmp_path / "a" / "b" / "sheet.png"
    save_png(sheet(images(4), 2), path, force=False)
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        save_png(sheet(images(5), 2), path, force=False)
    assert path.read_bytes() == before
    save_png(sheet(images(5), 2), path)
    assert path.read_bytes() != before
    assert [entry.name for entry in path.parent.iterdir()] == ["sheet.png"]


@pytest.mark.parametrize("path", ["file/sheet.png", "file/a/b/sheet.png", "folder", "x" * 300 + ".png"])
def test_png_where_none_can_be(tmp_path: Path, path: str) -> None:
    """A path that cannot be written raises a one-line error, and nothing is left there."""
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError) as caught:
        save_png(sheet(images(4), 2), tmp_path / path)
    assert str(caught.value).startswith(f"cannot write {shown(tmp_path / path)}: ")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_animation(tmp_path: Path, count: int) -> None:
    """Every picture is a frame, in order; the last one rests for two seconds, then it begins again."""
    path = tmp_path / "learning.gif"
    pictures = [Image.fromarray(np.full((6, 8), 40 * k, np.uint8)) for k in range(count)]
    save_animation(pictures, path)
    with Image.open(path) as animation:
        assert getattr(animation, "n_frames", 1) == count
        for k in range(count):
            animation.seek(k)
            assert animation.convert("L").getpixel((0, 0)) == 40 * k
            if count > 1:
                assert animation.info["duration"] == (2000 if k == count - 1 else 120)
                assert animation.info["loop"] == 0


def inside(*series: Sequence[float], limits: tuple[float, float] | None = None) -> NDArray[np.uint8]:
    """Draw curves in a frame of 60 x 40 pixels, and cut it out."""
    return np.asarray(curves(*series, across=(0, 1), limits=limits, width=132, height=56))[:40, 56:116]


def test_curves_go_from_left_to_right_and_from_low_to_high() -> None:
    """The line of rising numbers goes from the lower left to the upper right; each line has its colour."""
    picture = inside([0, 1, 2], [2, 2, 2])
    blue = (picture == (0x25, 0x63, 0xEB)).all(2)
    rows, columns = np.nonzero(blue)
    assert rows[columns.argmin()] > 30
    assert rows[columns.argmax()] < 10
    orange = (picture == (0xEA, 0x7A, 0x17)).all(2)
    assert np.nonzero(orange)[0].max() < 10


def test_curves_of_nothing_finite_are_an_empty_frame() -> None:
    """A training that diverged at once still has a picture."""
    empty = inside([float("nan")] * 3, [float("inf")] * 2)
    assert (empty == inside([])).all()
    assert (empty[1:-1, 1:-1] >= 0xEC).all()  # paper, and the grey lines of round numbers


def test_curves_have_numbers_at_their_axes() -> None:
    """The numbers stand outside the frame, and their grey lines cross it where the curve has these values."""
    picture = np.asarray(curves([0, 10], limits=(0, 10), width=320, height=120, across=(2, 4)))
    frame = (picture == (0xC8, 0xCC, 0xD2)).all(2)
    bottom = 120 - 1 - 16
    frame_columns = np.flatnonzero(frame[: bottom + 1].all(0))
    assert frame_columns[0] > 40  # room for the numbers at the left
    left, right = int(frame_columns[0]), int(frame_columns[-1])
    assert 300 < right < 310  # and for half a number at the right
    assert frame[bottom, left : right + 1].all()
    blue = (picture == (0x25, 0x63, 0xEB)).all(2)
    rows, columns = np.nonzero(blue)
    assert left < columns.min() < columns.max() < right
    assert rows.max() < bottom
    grey = (picture == (0xEC, 0xEE, 0xF1)).all(2)
    (across_middle,) = (
        row for row in range(20, bottom - 20) if grey[row, left + 1 : right].mean() > 0.8 and abs(row - bottom / 2) < 9
    )
    upright = np.flatnonzero(grey[: bottom - 1].mean(0) > 0.8)  # at 2 and at 4, where the curve begins and ends
    assert abs(upright[0] - columns.min()) < 2
    assert abs(upright[-1] - columns.max()) < 2
    at_middle = columns[np.abs(rows - across_middle) < 1]
    assert abs(at_middle.mean() - (left + right) / 2) < 3  # half way up, half way across
    assert (picture[: bottom + 1, : left - 2] < 200).any()  # the numbers themselves
    assert (picture[bottom + 2 :, left:] < 200).any()


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 9))
def test_round_numbers_lie_between_the_ends_and_are_evenly_apart(low: float, span: float, most: int) -> None:
    """There are at most as many as asked for, and no gap is longer than 2.5 times the gap that was asked for."""
    found = round_numbers(low, low + span, most)
    assert len(found) <= most
    assert all(low - 1e-6 * span <= one <= low + span * (1 + 1e-6) for one in found)
    apart = np.diff(found)
    assert apart.size == 0 or np.allclose(apart, apart[0], rtol=1e-4)
    assert apart.size == 0 or apart[0] <= 2.5 * span / (most - 1) * 1.001


def test_round_numbers_of_known_ranges() -> None:
    """They are multiples of 1, 2 or 5 times a power of ten; a range without width has its one number."""
    assert round_numbers(0, 1, 5) == [0, 0.5, 1]
    assert np.allclose(round_numbers(0.1, 6.1, 3), [2, 4, 6])
    assert round_numbers(1, 30, 8) == [5, 10, 15, 20, 25, 30]
    assert round_numbers(-4, 4, 8) == [-4, -2, 0, 2, 4]
    assert round_numbers(3, 3, 5) == [3]


def test_curves_leave_a_gap_for_what_is_not_finite() -> None:
    """NaN and infinity neither raise an error nor move the limits."""
    picture = inside([0, 1, float("nan"), float("inf"), 1, 0])
    blue = (picture == (0x25, 0x63, 0xEB)).all(2)
    assert not blue[:, 18:40].any()
    assert blue[:, :15].any()
    assert blue[:, 44:].any()


def test_curves_show_a_number_without_neighbours_as_a_dot() -> None:
    """A series of one number, such as the loss of one step, and a number between two gaps can be seen."""
    nan = float("nan")
    for numbers, middle in (([0.5], 6), ([nan, 0.5, nan], 30)):
        picture = inside(numbers, limits=(0, 1))
        rows, columns = np.nonzero((picture == (0x25, 0x63, 0xEB)).all(2))
        assert abs(rows.mean() - 20) < 1
        assert abs(columns.mean() - middle) < 1
        assert 10 < len(rows) < 30
    assert (inside([0.5, 0.5]) == (0x25, 0x63, 0xEB)).all(2).sum(0).max() < 3


def test_slices_divide_every_item_once() -> None:
    assert list(slices(7, 3)) == [slice(0, 3), slice(3, 6), slice(6, 7)]
    assert list(slices(6, 3)) == [slice(0, 3), slice(3, 6)]
    assert list(slices(0, 3)) == []
