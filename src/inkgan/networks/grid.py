"""How the compact networks take an image apart; shared by PyTorch's form and NumPy's."""

from __future__ import annotations

import math
from typing import NamedTuple

#: How many numbers stand for a label.
EMBEDDING = 64
#: What a leaky ReLU does to negative numbers.
SLOPE = 0.2
#: The coarsest grid has at most this many cells on its longer side.
_COARSEST = 8


class Grid(NamedTuple):
    """``doublings`` of a grid of ``height`` × ``width`` cells cover an image."""

    height: int
    width: int
    doublings: int


def grid_of(image_shape: tuple[int, int, int]) -> Grid:
    """The coarsest grid for images of a shape (H, W, C)."""
    height, width, _ = image_shape
    doublings = max(1, math.ceil(math.log2(max(height, width) / _COARSEST)))
    return Grid(-(-height // 2**doublings), -(-width // 2**doublings), doublings)


def fine_channels(channels: int) -> int:
    """How many channels the finer maps have where the coarsest has ``channels``: three eighths, in multiples of 8."""
    return max(8, channels * 3 // 64 * 8)
