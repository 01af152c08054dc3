"""Move 2×2 blocks of pixels into channels and back.

Sub-pixel convolution: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
Convolutional Neural Network", 2016, section 3.1. PyTorch's ``pixel_shuffle`` orders the channels differently, and
trained weights depend on the order.
"""

from __future__ import annotations

from torch import Tensor


def blocks_to_channels(maps: Tensor) -> Tensor:
    """Move each 2×2 block into the channels: [N, 2H, 2W, C] to [N, H, W, 4C]."""
    n, height, width, channels = maps.shape
    blocks = maps.reshape(n, height // 2, 2, width // 2, 2, channels).permute(0, 1, 3, 2, 4, 5)
    return blocks.reshape(n, height // 2, width // 2, 4 * channels)


def channels_to_blocks(maps: Tensor) -> Tensor:
    """Move the channels into 2×2 blocks: [N, H, W, 4C] to [N, 2H, 2W, C]."""
    n, height, width, channels = maps.shape
    blocks = maps.reshape(n, height, width, 2, 2, channels // 4).permute(0, 1, 3, 2, 4, 5)
    return blocks.reshape(n, 2 * height, 2 * width, channels // 4)
