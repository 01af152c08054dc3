"""The page before the camera: pixels and boxes move by the same map, and no character leaves the image."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import inkgan
from inkgan.generation.geometry import (
    clipping,
    homography,
    magnification,
    moved_boxes,
    moved_corners,
    page_corners,
    transformed,
    warped,
)


@pytest.mark.parametrize("box", [(10, 8, 30, 50), (40, 20, 44, 24), (100, 5, 140, 60)])
def test_boxes_follow_a_map(box: tuple[int, int, int, int]) -> None:
    """A black rectangle moved by Pillow fills the computed box to the pixel."""
    left, top, right, bottom = box
    image = np.zeros((64, 160), np.uint8)
    image[top:bottom, left:right] = 255
    for number in range(20):
        draws = np.random.default_rng(number)
        corners = moved_corners(160, 64, draws.uniform(-0.1, 0.1), draws.uniform(0, 8, (2, 4)))
        assert (corners >= -1e-9).all()
        assert (corners <= np.array([[160 + 1e-9], [64 + 1e-9]])).all()
        matrix = homography(page_corners(160, 64), corners)
        found = Image.fromarray((warped(image, matrix) > 20).astype(np.uint8)).getbbox()
        assert found
        assert np.abs(np.subtract(found, moved_boxes(np.array([box]), matrix, 160, 64)[0])).max() <= 1


def test_a_thin_line_stays_whole_where_the_page_gets_small() -> None:
    """A line one pixel wide keeps its ink along its length; bicubic sampling alone would break it into dashes."""
    image = np.zeros((64, 400), np.uint8)
    image[50, 20:380] = 255
    matrix = homography(page_corners(400, 64), moved_corners(400, 64, np.radians(12), np.zeros((2, 4))))
    ends = transformed(np.array([[40.0, 360.0], [50.5, 50.5]]), matrix)[0]
    ink = warped(image, matrix)[:, int(ends[0]) : int(ends[1])].sum(0)
    assert ink.min() > 0.8 * ink.max()


@pytest.mark.parametrize("angle", [2, 5])
def test_a_page_of_about_its_size_is_moved_by_pillow_alone(angle: float) -> None:
    """Thin lines are repaired only on pages that shrink; all others are exactly what Pillow draws."""
    image = inkgan.write("12 345.67", model="fast", height=48, seed=3, legible=0).image
    height, width = image.shape
    matrix = homography(page_corners(width, height), moved_corners(width, height, np.radians(angle), np.zeros((2, 4))))
    back = np.linalg.inv(matrix)
    numbers = (back / back[2, 2]).ravel()[:8].tolist()
    way, cubic = Image.Transform.PERSPECTIVE, Image.Resampling.BICUBIC
    expected = Image.fromarray(image).transform((width, height), way, numbers, cubic)
    np.testing.assert_array_equal(warped(image, matrix), np.asarray(expected))


def test_the_sizes_of_a_map() -> None:
    """They are the local scales at the centre, checked by finite differences, such as 1/2 across and 1/3 down."""
    np.testing.assert_allclose(magnification(np.diag([1 / 2, 1 / 3, 1]), 150, 96), [1 / 2, 1 / 3])
    matrix = np.array([[1.1, 0.2, 3], [-0.1, 0.9, 5], [1e-3, 2e-3, 1]])
    around = transformed(np.array([[75, 75 + 1e-5, 75], [48, 48, 48 + 1e-5]]), matrix)
    expected = np.linalg.norm(around[:, 1:] - around[:, :1], axis=0) / 1e-5
    np.testing.assert_allclose(magnification(matrix, 150, 96), expected, rtol=1e-4)


def test_a_homography() -> None:
    """It maps four points as asked, and a known matrix is recovered from them."""
    draws = np.random.default_rng(0)
    before, after = draws.uniform(0, 100, (2, 2, 4))
    np.testing.assert_allclose(transformed(before, homography(before, after)), after, rtol=1e-6)
    known = np.array([[1.1, 0.2, 3], [-0.1, 0.9, 5], [1e-3, 2e-3, 1]])
    np.testing.assert_allclose(homography(before, transformed(before, known)), known, rtol=1e-6)


def test_a_page_that_does_not_move() -> None:
    """Whatever its size, it keeps its place to the last bit: rounding errors would make every box larger by a pixel."""
    for width in range(20, 1000, 7):
        for height in (24, 33, 96):
            after = moved_corners(width, height, 0.0, np.zeros((2, 4)))
            np.testing.assert_array_equal(homography(page_corners(width, height), after), np.eye(3))


def test_rounding_errors_move_no_side_of_a_box() -> None:
    """A side that falls on a whole pixel stays there, also in a page that turns, whatever the machine's last bits."""
    box = (3, 4, 15, 19)
    for error in (-1e-13, 1e-13):
        assert moved_boxes(np.array([box], float), np.diag([1 + error, 1 + error, 1]), 18, 24) == (box,)


def test_half_of_each_character_stays() -> None:
    """Cuts through or past a character stop at its middle; cuts in the margin are not changed."""
    boxes = np.array([[4, 30, 28, 70], [60, 16, 70, 76], [90, 78, 90, 78], [106, 40, 146, 60]], float)
    matrix = clipping(boxes, np.array([24, 9, 24, 60]), 150, 96)
    left, top, right, bottom = 16, 9, 126, 50  # the middles of the first and the last, and of the lowest
    cut = homography(np.array([[left, right, right, left], [top, top, bottom, bottom]]), page_corners(150, 96))
    np.testing.assert_allclose(matrix, cut, atol=1e-9)
