"""The networks of the recipes ``fast`` and ``best``: few layers, where a processor multiplies best.

Nearly all arithmetic is 3×3 convolutions at a seventh to a quarter of the image's side, with tens of channels: large
products, little memory between them. Full resolution is touched only by moving 2×2 blocks of pixels into channels and
back (sub-pixel convolution: Shi et al., "Real-Time Single Image and Video Super-Resolution", 2016, section 3.1). There
is no normalisation, so every image depends on its own latent and label alone. The latent and the label also scale the
channels of every map (Karras et al., "A Style-Based Generator Architecture", 2019, section 2, scale only).

Any height, width and number of channels: images are padded to a multiple of the coarsest grid's cell and cut back.
Maps are [N, H, W, C], contiguous in that order, which is what convolutions want ("channels last").
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inkgan.networks.blocks import blocks_to_channels, channels_to_blocks
from inkgan.networks.grid import EMBEDDING, SLOPE, fine_channels, grid_of


class Convolution(nn.Module):
    """A 3×3 convolution of maps [N, H, W, C], padded by one zero on each side."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, 3, 3).to(memory_format=torch.channels_last))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self._stride, self._gain = stride, gain

    def initialise(self, generator: torch.Generator) -> None:
        """He et al., "Delving Deep into Rectifiers", 2015, equation 10, times the gain; the bias is zero."""
        _draw(self.weight, self._gain, generator)

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve maps [N, H, W, C] to [N, H', W', O]."""
        result = F.conv2d(maps.permute(0, 3, 1, 2), self.weight, self.bias, stride=self._stride, padding=1)
        return result.permute(0, 2, 3, 1)


class Linear(nn.Module):
    """A linear function, initialised as :class:`Convolution` is."""

    def __init__(self, inputs: int, outputs: int, *, gain: float = 1.0) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(outputs, inputs)), nn.Parameter(torch.zeros(outputs))
        self._gain = gain

    def initialise(self, generator: torch.Generator) -> None:
        """As :meth:`Convolution.initialise`."""
        _draw(self.weight, self._gain, generator)

    def forward(self, inputs: Tensor) -> Tensor:
        """From [N, C] to [N, O]."""
        return F.linear(inputs, self.weight, self.bias)


class Generator(nn.Module):
    """Latents and labels to images.

    A linear layer makes the coarsest map; each finer one takes two convolutions, each followed by a scale for every
    channel that the latent and the label decide; the last convolution paints 2×2 pixels for each cell.

    Args:
        image_shape: height, width and channels.
        num_classes: 0 for images without labels.
        latent_dim: how many numbers a latent has.
        channels: of the coarsest map; see :func:`inkgan.networks.grid.fine_channels`.
    """

    def __init__(self, image_shape: tuple[int, int, int], num_classes: int, latent_dim: int, channels: int) -> None:
        super().__init__()
        self._shape, self._grid, self._channels = image_shape, grid_of(image_shape), channels
        self.embedding = nn.Parameter(torch.empty(num_classes, EMBEDDING)) if num_classes else None
        style, fine = latent_dim + (EMBEDDING if num_classes else 0), fine_channels(channels)
        self.first = Linear(style, self._grid.height * self._grid.width * channels, gain=0.8)
        widths = [channels] + [fine] * (self._grid.doublings - 1)
        self.grow = nn.ModuleList(Convolution(width, 4 * fine) for width in widths[:-1])
        self.refine = nn.ModuleList(Convolution(fine, fine) for _ in widths[1:])
        self.scales = nn.ModuleList(Linear(style, fine, gain=0.1) for _ in widths[1:] for _ in range(2))
        self.last = Convolution(widths[-1], 4 * image_shape[2], gain=0.3)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the weights; embeddings are N(0, 1). A fresh generator draws dark images, as most pixels are."""
        if self.embedding is not None:
            nn.init.normal_(self.embedding, generator=generator)
        _initialise_parts(self, generator)
        nn.init.constant_(self.last.bias, -2.0)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Draw images [N, H, W, C] in (0, 1), float32 at least, for latents [N, D] and labels int64 [N]."""
        style = latents
        if self.embedding is not None:
            assert labels is not None
            # A product, because the gradient of looking rows up adds in no fixed order on a GPU.
            one_hot = F.one_hot(labels, len(self.embedding)).to(latents.dtype)
            style = torch.cat([latents, one_hot @ self.embedding], 1)
        x = _leaky(self.first(style)).view(-1, self._grid.height, self._grid.width, self._channels)
        for level, (grow, refine) in enumerate(zip(self.grow, self.refine, strict=True)):
            x = channels_to_blocks(grow(x))
            x = _leaky(x * self._scale(2 * level, style))
            x = _leaky(refine(x) * self._scale(2 * level + 1, style))
        x = channels_to_blocks(self.last(x))
        height, width, _ = self._shape
        x = x[:, :height, :width]
        return torch.sigmoid(x if x.dtype == torch.float64 else x.float())

    def _scale(self, number: int, style: Tensor) -> Tensor:
        scale: Tensor = 1 + self.scales[number](style)  # [N, C]
        return scale[:, None, None]


class Discriminator(nn.Module):
    """Images to a logit for each class (the one asked for counts), and to class scores of an auxiliary classifier.

    Args:
        image_shape: height, width and channels.
        num_classes: 0 for images without labels.
        channels: of the coarsest map; see :func:`inkgan.networks.grid.fine_channels`.
    """

    def __init__(self, image_shape: tuple[int, int, int], num_classes: int, channels: int) -> None:
        super().__init__()
        self._shape, self._grid, self._classes = image_shape, grid_of(image_shape), num_classes
        fine, cells = fine_channels(channels), self._grid.height * self._grid.width
        widths = [fine] * (self._grid.doublings - 1) + [channels]
        self.first = Convolution(4 * image_shape[2], widths[0])
        self.shrink = nn.ModuleList(Convolution(*pair, stride=2) for pair in itertools.pairwise(widths))
        self.refine = Convolution(channels, channels)
        self.summary = Linear(cells * channels, 128, gain=0.7)
        self.last = Linear(128, 2 * num_classes or 1, gain=0.5)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the weights; biases are zero."""
        _initialise_parts(self, generator)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Judge images [N, H, W, C] in [0, 1] as images of their labels int64 [N].

        Returns:
            The logits [N], above 0 where an image looks real, and the auxiliary classifier's scores [N, classes], or
            None without labels; at least float32.
        """
        height, width, _ = self._shape
        cell = 2**self._grid.doublings
        x = F.pad(images * 2 - 1, (0, 0, 0, -width % cell, 0, -height % cell), value=-1.0)
        x = _leaky(self.first(blocks_to_channels(x)))
        for shrink in self.shrink:
            x = _leaky(shrink(x))
        x = _leaky(self.refine(x))
        x = self.last(_leaky(self.summary(x.flatten(1))))
        x = x if x.dtype == torch.float64 else x.float()
        if not self._classes:
            return x.squeeze(1), None
        assert labels is not None
        logits, scores = x[:, : self._classes], x[:, self._classes :]
        return logits.gather(1, labels[:, None]).squeeze(1), scores


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE)


def _draw(weight: Tensor, gain: float, generator: torch.Generator) -> None:
    nn.init.normal_(weight, std=gain * math.sqrt(2 / weight[0].numel()), generator=generator)


def _initialise_parts(network: nn.Module, generator: torch.Generator) -> None:
    for part in network.modules():
        if isinstance(part, Convolution | Linear):
            part.initialise(generator)
