"""Spacing: lines set together are spaced as each is alone, checked against an oracle that sets one at a time."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inkgan.generation.ink import Line, Strip
from inkgan.generation.spacing import side_by_side

LINE = Line(40, 31.2, 23.2)


def blobs(rng: np.random.Generator, text: str) -> list[Strip]:
    """Return a strip of random shape for each character: none for a space, and sometimes none for a digit."""
    strips = []
    for character in text:
        strip = np.zeros((LINE.height, 0 if character == " " or rng.random() < 0.1 else rng.integers(1, 20)), np.uint8)
        for row in range(rng.integers(0, 15), rng.integers(20, 38)):
            if strip.shape[1] and rng.random() < 0.8:
                first = rng.integers(strip.shape[1])
                strip[row, first : rng.integers(first, strip.shape[1]) + 1] = 200
        columns = np.flatnonzero(strip.any(0))
        strips.append(strip[:, columns[0] : columns[-1] + 1] if len(columns) else strip[:, :0])
    return strips


def expected(text: str, strips: list[Strip], gaps: NDArray[np.float64]) -> tuple[list[int], int]:
    """Return the left edges and the line's width: each strip moves left until a row is as near as its gap allows."""
    margin, left = round(0.25 * LINE.size), []
    edge = margin
    placed: list[tuple[int, int]] = []
    for k, (character, strip, gap) in enumerate(zip(text, strips, gaps, strict=True)):
        if not strip.shape[1]:
            left.append(edge)
            if character == " ":
                edge, placed = edge + round(0.45 * LINE.size), []
            continue
        nearest = edge - 0.15 * LINE.size if k else edge
        for y, x in zip(*np.nonzero(strip), strict=True):
            for other_y, other_x in placed:
                if abs(y - other_y) <= max(gap, 0):
                    around = np.sqrt(gap**2 - (y - other_y) ** 2) if gap > 0 else gap
                    nearest = max(nearest, other_x + around - x)
        at = round(nearest)
        left.append(at)
        rows = np.flatnonzero(strip.any(1)).tolist()
        placed += [(row, at + int(np.flatnonzero(strip[row])[-1]) + 1) for row in rows]
        edge = max(edge, at + strip.shape[1])
    return left, edge + margin


@pytest.mark.parametrize("seed", range(6))
def test_many_lines_stand_as_each_does_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    texts = ["12 3", "4", " 56", "7 8", "901234", "5  "][: 1 + seed]
    strips = [blobs(rng, text) for text in texts]
    least, most = (-3, 1) if seed % 2 else (0.5, 14)
    gaps = [rng.uniform(least, most, len(text)) for text in texts]
    for text, row, gap, setting in zip(texts, strips, gaps, side_by_side(texts, strips, LINE, gaps), strict=True):
        lefts, width = expected(text, row, gap)
        assert setting.width == width
        for box, left, strip in zip(setting.boxes, lefts, row, strict=True):
            rows = np.flatnonzero(strip.any(1))
            top, bottom = (rows[0], rows[-1] + 1) if len(rows) else (31, 31)
            assert box == (left, top, left + strip.shape[1], bottom)
