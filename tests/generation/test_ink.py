"""Ink: specks are removed as SciPy's labelling of connected pieces would, and digits are enlarged as Pillow would."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import interpolate, ndimage  # type: ignore[import-untyped]

from inkgan import data
from inkgan.generation import ink

_EIGHT = np.ones((3, 3))


def expected(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the image without pieces of less than a tenth of its ink, by SciPy."""
    dark = image > 64
    pieces, count = ndimage.label(dark, _EIGHT)
    sizes = ndimage.sum_labels(dark, pieces, np.arange(1, count + 1))
    large = np.flatnonzero(sizes >= 0.1 * dark.sum()) + 1
    kept = ndimage.binary_dilation(np.isin(pieces, large), _EIGHT)
    return np.where(kept, image, 0).astype(np.uint8)


def test_digits_lose_the_specks_that_they_lose_by_scipy() -> None:
    """The pixels are equal for clean and for dirty digits, all at once and one by one."""
    digits = data.load("mnist").test.images[:500, :, :, 0]
    rng = np.random.default_rng(0)
    dirty = np.maximum(digits, np.where(rng.random(digits.shape) < 0.02, 200, 0).astype(np.uint8))
    for images in (digits, dirty):
        cleaned = ink.without_specks(images)
        np.testing.assert_array_equal(cleaned, [expected(image) for image in images])
        np.testing.assert_array_equal(cleaned[:50], [ink.without_specks(image[None])[0] for image in images[:50]])
    assert (ink.without_specks(dirty) != dirty).any((1, 2)).mean() > 0.9


@pytest.mark.slow
@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 40), st.floats(0, 1))
def test_any_image(seed: int, height: int, width: int, share: float) -> None:
    """The same holds for noise of any density and size, up to the edge of the image."""
    rng = np.random.default_rng(seed)
    image = np.where(rng.random((height, width)) < share, rng.integers(0, 256, (height, width)), 0).astype(np.uint8)
    np.testing.assert_array_equal(ink.without_specks(image[None])[0], expected(image))


@pytest.mark.parametrize("size", [9, 28, 61])
def test_a_spiral_is_one_piece(size: int) -> None:
    """Ink stays connected along a long path, and the speck in the middle is removed."""
    image = np.zeros((size, size), np.uint8)
    top, left, bottom, right = 0, 0, size - 1, size - 1
    while top <= bottom and left <= right:
        image[top, left : right + 1] = image[top : bottom + 1, right] = 255
        image[bottom, left + 2 : right + 1] = image[top + 2 : bottom + 1, left + 2 if left + 2 <= right else left] = 255
        top, left, bottom, right = top + 2, left + 2, bottom - 2, right - 2
    np.testing.assert_array_equal(ink.without_specks(image[None])[0], expected(image))


@pytest.mark.slow
def test_enlarging() -> None:
    """Four times as large and smooth: equal to Pillow's bicubic resizing and Gaussian blur except for rounding."""
    digits = data.load("mnist").test.images[:40, :, :, 0]
    large = ink.enlarged(digits)
    assert large.shape == (40, 112, 112)
    for digit, one in zip(digits, large, strict=True):
        resized = Image.fromarray(digit).resize((112, 112), Image.Resampling.BICUBIC)
        theirs = np.asarray(resized.filter(ImageFilter.GaussianBlur(2.4)), int)
        assert np.abs(one - theirs).max() <= 16
        assert np.abs(one - theirs).mean() < 1.2
    np.testing.assert_array_equal(large[7], ink.enlarged(digits[7:8])[0])
    full = ink.enlarged(np.full((1, 9, 13), 255, np.uint8))
    assert full.shape == (1, 36, 52)
    assert full.min() >= 253  # up to the edge of the image


def test_enlarging_is_exact_in_float32() -> None:
    """Products and sums equal those in float64, so every processor rounds in the same way."""
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28)).astype(np.uint8)
    images[:3] = np.indices((28, 28)).sum(0) % 2 * 255
    weights = ink._enlarging(28).astype(np.float64)
    across = np.rint(images.astype(np.float64) @ weights.T * 16) / 16
    np.testing.assert_array_equal(ink.enlarged(images), np.clip(np.rint(weights @ across), 0, 255))


@pytest.mark.parametrize(("height", "width"), [(28, 28), (9, 13)])
def test_distorting(height: int, width: int) -> None:
    """SciPy's spline and linear interpolation with the same moves give the same image except for rounding."""
    draws = np.random.default_rng(0)
    images = ndimage.gaussian_filter(draws.integers(0, 256, (6, height, width)).astype(float), (0, 1, 1)).astype(
        np.uint8
    )
    moves = 0.05 * draws.standard_normal((6, *ink.MOVES))
    moves[0] = 0
    ours = ink.distorted(images, moves)
    np.testing.assert_array_equal(ours[0], images[0])
    np.testing.assert_array_equal(ours[3], ink.distorted(images[3:4], moves[3:4])[0])

    def spline(length: int) -> NDArray[np.float64]:
        basis = interpolate.BSpline(np.arange(-2, 9), np.eye(7), 3)((np.arange(length) + 0.5) / length * 4 + 1)
        return basis / np.sqrt((basis**2).sum(1).mean())

    for image, move, one in zip(images, moves, ours, strict=True):
        down, across = spline(height) @ move @ spline(width).T * height * 20 / 28
        y, x = np.indices(image.shape)
        theirs = ndimage.map_coordinates(image.astype(float), [y + down, x + across], order=1, mode="nearest")
        assert np.abs(one - theirs).max() < 6
        assert np.abs(one - theirs).mean() < 1


def test_how_far_digits_are_distorted() -> None:
    """Independent moves of a given standard deviation displace the ink by about that much, and never whole digits."""
    ramp = np.broadcast_to(np.arange(0, 224, 8, dtype=np.uint8)[:, None], (400, 28, 28))  # 8 grey levels for each row
    moves = 0.03 * np.random.default_rng(0).standard_normal((400, *ink.MOVES))
    moved = (
        (ink.distorted(ramp, moves)[:, 7:-7, 7:-7].astype(float) - ramp[:, 7:-7, 7:-7]) / 8 / 20
    )  # heights of a digit
    assert moved.std() == pytest.approx(0.03, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("lean", [-1.0, 0.0, 0.4])
def test_a_digit_is_drawn_in_the_part_of_the_line_that_it_reaches(lean: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing over the whole line gives the same strips, even for digits that touch the edge of their images."""
    line = ink.Line(48, 37.4, 27.8)
    digits = ink.without_specks(data.load("mnist").test.images[:30, :, :, 0])
    digits[20:] = np.roll(digits[20:], 6, 2)
    rng = np.random.default_rng(1)
    turn, grow, lift = rng.uniform(-0.12, 0.12, 30), rng.uniform(0.9, 1.1, 30), rng.uniform(-1, 1, 30)

    def drawn() -> list[NDArray[np.uint8]]:
        return ink.digits(digits, line, lean=lean, turn=turn, grow=grow, lift=lift)

    narrow = drawn()
    monkeypatch.setattr(ink, "_windows", lambda images, *_: np.tile([-120, 0, 120, 48], (len(images), 1)))
    for one, other in zip(narrow, drawn(), strict=True):
        np.testing.assert_array_equal(one, other)
