"""How the compact networks divide an image into a grid of cells; shared by their forms in PyTorch and NumPy."""

from __future__ import annotations

import math
from typing import NamedTuple

#: The number of values that stand for a label.
EMBEDDING = 64
#: The slope of a leaky ReLU for negative numbers.
SLOPE = 0.2
#: The coarsest grid has at most this many cells on its longer side.
_COARSEST = 8


class Grid(NamedTuple):
    """The coarsest grid of an image: ``height`` × ``width`` cells of ``2**doublings`` × ``2**doublings`` pixels."""

    height: int
    width: int
    doublings: int


def grid_of(image_shape: tuple[int, int, int]) -> Grid:
    """Find the coarsest grid that covers images [H, W, C], from their shape."""
    height, width, _ = image_shape
    doublings = max(1, math.ceil(math.log2(max(height, width) / _COARSEST)))
    cell = 2**doublings
    return Grid(math.ceil(height / cell), math.ceil(width / cell), doublings)


def fine_channels(channels: int) -> int:
    """The channels of the finer maps where the coarsest has ``channels``: three eighths, in multiples of 8."""
    return max(8, channels * 3 // 64 * 8)
