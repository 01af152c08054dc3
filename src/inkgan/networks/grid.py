"""The division of images into a grid of cells, for the networks in PyTorch and in NumPy, and into 2×2 blocks.

Moving 2×2 blocks of pixels to channels and back makes sub-pixel convolutions: Shi et al., "Real-Time Single Image and
Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural Network", 2016, section 3.1. PyTorch's
``pixel_shuffle`` orders the channels differently, and trained weights depend on the order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:  # sampling in NumPy needs no PyTorch
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    Maps = TypeVar("Maps", Tensor, NDArray[np.float32])

#: The length of a label's embedding.
EMBEDDING_DIM = 64
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
    """Return the channels of the finer maps if the coarsest has ``channels``: three eighths, in multiples of 8."""
    return max(8, channels * 3 // 8 // 8 * 8)


def slope_of(description: Mapping[str, Any]) -> float:
    """Return the slope of the leaky ReLUs for negative numbers; 0.2 for models that were saved before it was a setting.

    Args:
        description: the content of ``model.json``.
    """
    return description.get("slope", 0.2)


def blocks_to_channels(maps: Tensor) -> Tensor:
    """Move each 2×2 block into the channels: [N, 2H, 2W, C] to [N, H, W, 4C]."""
    n, height, width, channels = maps.shape
    blocks = maps.reshape(n, height // 2, 2, width // 2, 2, channels).swapaxes(2, 3)
    return blocks.reshape(n, height // 2, width // 2, 4 * channels)


def channels_to_blocks(maps: Maps) -> Maps:
    """Move the channels into 2×2 blocks: [N, H, W, 4C] to [N, 2H, 2W, C], in PyTorch or NumPy."""
    n, height, width, channels = maps.shape
    blocks = maps.reshape(n, height, width, 2, 2, channels // 4).swapaxes(2, 3)
    return blocks.reshape(n, 2 * height, 2 * width, channels // 4)
