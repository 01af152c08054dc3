"""The tutorial's graph, literally: every resize built, every stride taken. What the fast form must equal.

Parameters are a mapping in inkgan's names and PyTorch's layout; images are [N, 28, 28, 1].
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

Parameters = Mapping[str, Tensor]


def resize_to_double(maps: Tensor) -> Tensor:
    """TensorFlow's ``resize_images`` of version 1 from [N, C, 28, 28] to [N, C, 56, 56]: position i reads i / 2."""
    for dim in (2, 3):
        size = maps.shape[dim]
        position = torch.arange(2 * size, dtype=maps.dtype) / 2
        lower = position.floor().long()
        upper = torch.minimum(lower + 1, torch.tensor(size - 1))
        fraction = (position - lower).view([-1 if d == dim else 1 for d in range(4)])
        maps = maps.index_select(dim, lower) * (1 - fraction) + maps.index_select(dim, upper) * fraction
    return maps


def convolve_same(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A convolution with stride 2 and TensorFlow's SAME padding: of an odd number of zeros, the last is at the end."""
    size = maps.shape[2]
    total = max((-(-size // 2) - 1) * 2 + weight.shape[2] - size, 0)
    before, after = total // 2, total - total // 2
    return F.conv2d(F.pad(maps, (before, after, before, after)), weight, bias, stride=2)


def batch_norm(maps: Tensor, offset: Tensor) -> Tensor:
    """Normalise [N, C, H, W] by the batch's own mean and biased variance; no scale."""
    mean = maps.mean((0, 2, 3), keepdim=True)
    variance = ((maps - mean) ** 2).mean((0, 2, 3), keepdim=True)
    return (maps - mean) / torch.sqrt(variance + 1e-5) + offset.view(1, -1, 1, 1)


def generator(latents: Tensor, p: Parameters) -> Tensor:
    """Latents [N, 100] to images [N, 28, 28, 1]."""
    x = (latents @ p["w1"].T + p["b1"]).view(-1, 1, 56, 56)
    x = torch.relu(batch_norm(x, p["beta1"]))
    x = torch.relu(batch_norm(convolve_same(x, p["w2"], p["b2"]), p["beta2"]))
    x = resize_to_double(x)
    x = torch.relu(batch_norm(convolve_same(x, p["w3"], p["b3"]), p["beta3"]))
    x = resize_to_double(x)
    return torch.sigmoid(convolve_same(x, p["w4"], p["b4"])).permute(0, 2, 3, 1)


def discriminator(images: Tensor, p: Parameters) -> Tensor:
    """Images [N, 28, 28, 1] to logits [N]."""
    x = images.permute(0, 3, 1, 2)
    x = F.avg_pool2d(torch.relu(F.conv2d(x, p["w1"], p["b1"], padding=2)), 2)
    x = F.avg_pool2d(torch.relu(F.conv2d(x, p["w2"], p["b2"], padding=2)), 2)
    x = x.permute(0, 2, 3, 1).flatten(1)
    x = torch.relu(x @ p["w3"].T + p["b3"])
    return (x @ p["w4"].T + p["b4"]).squeeze(1)
