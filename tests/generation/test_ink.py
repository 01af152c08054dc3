"""Specks: pieces of ink that are left out, by an oracle that labels connected pieces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage  # type: ignore[import-untyped]

from inkgan import data
from inkgan.generation import ink

_EIGHT = np.ones((3, 3))


def expected(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image without pieces of less than a tenth of its ink, by SciPy."""
    dark = image > 64
    pieces, count = ndimage.label(dark, _EIGHT)
    sizes = ndimage.sum_labels(dark, pieces, np.arange(1, count + 1))
    large = np.flatnonzero(sizes >= 0.1 * dark.sum()) + 1
    kept = ndimage.binary_dilation(np.isin(pieces, large), _EIGHT)
    return np.where(kept, image, 0).astype(np.uint8)


@pytest.mark.slow
def test_two_thousand_digits() -> None:
    """The same pixels as the oracle's, for digits as they are and with dirt, at once and one by one."""
    digits = data.load("mnist").test.images[:2000, :, :, 0]
    rng = np.random.default_rng(0)
    dirty = np.maximum(digits, np.where(rng.random(digits.shape) < 0.02, 200, 0).astype(np.uint8))
    for images in (digits, dirty):
        cleaned = ink.without_specks(images)
        np.testing.assert_array_equal(cleaned, [expected(image) for image in images])
        np.testing.assert_array_equal(cleaned[:50], [ink.without_specks(image[None])[0] for image in images[:50]])
    assert (ink.without_specks(dirty) != dirty).any((1, 2)).mean() > 0.9


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 40), st.floats(0, 1))
def test_any_image(seed: int, height: int, width: int, share: float) -> None:
    """Also noise of any density and size, up to the edge of the image."""
    rng = np.random.default_rng(seed)
    image = np.where(rng.random((height, width)) < share, rng.integers(0, 256, (height, width)), 0).astype(np.uint8)
    np.testing.assert_array_equal(ink.without_specks(image[None])[0], expected(image))


@pytest.mark.parametrize("size", [9, 28, 61])
def test_a_spiral_is_one_piece(size: int) -> None:
    """A long way through the ink still connects, and the speck in its middle goes."""
    image = np.zeros((size, size), np.uint8)
    top, left, bottom, right = 0, 0, size - 1, size - 1
    while top <= bottom and left <= right:
        image[top, left : right + 1] = image[top : bottom + 1, right] = 255
        image[bottom, left + 2 : right + 1] = image[top + 2 : bottom + 1, left + 2 if left + 2 <= right else left] = 255
        top, left, bottom, right = top + 2, left + 2, bottom - 2, right - 2
    np.testing.assert_array_equal(ink.without_specks(image[None])[0], expected(image))
