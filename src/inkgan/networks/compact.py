"""The networks of the recipes ``fast`` and ``best``: few layers, of a kind that processors compute efficiently.

Nearly all arithmetic is in 3×3 convolutions with tens of channels, at half the image's side or less: large matrix
products on maps that take little memory. Full resolution is touched only by moving 2×2 blocks of pixels into channels
and back (see ``grid.py``). There is no normalisation, so every image depends only on its own latent and label. The
latent and the label also scale the channels of all maps but the coarsest (Karras et al., "A Style-Based Generator
Architecture", 2019, section 2, scale only).

Images may have any height, width and number of channels: they are padded to a multiple of the coarsest grid's cell, and
the padding is cut off again. Maps are [N, H, W, C] and contiguous in that order, which PyTorch calls "channels last".
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inkgan.networks import grid

#: The width of the discriminator's last hidden layer.
_SUMMARY = 128
#: The settings allow no more; a larger number in a file is damage, and would fill the memory.
_MOST_CHANNELS = 1024


class Linear(nn.Linear):
    """A linear layer whose initial weights have ``gain`` times the usual deviation (see :func:`_initialise`)."""

    def __init__(self, inputs: int, outputs: int, *, gain: float = 1.0) -> None:
        super().__init__(inputs, outputs)
        _initialise(self, gain)

    def reset_parameters(self) -> None:
        """Do nothing, because ``__init__`` draws the weights itself."""


class Convolution(nn.Conv2d):
    """A 3×3 convolution of maps [N, H, W, C], padded with one zero on each side; ``gain`` as of :class:`Linear`."""

    bias: nn.Parameter  # in other Conv2d layers it may be None

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, gain: float = 1.0) -> None:
        super().__init__(inputs, outputs, 3, stride=stride, padding=1)
        self.weight = nn.Parameter(self.weight.detach().contiguous(memory_format=torch.channels_last))
        _initialise(self, gain)

    def reset_parameters(self) -> None:
        """Do nothing, because ``__init__`` draws the weights itself."""

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve maps [N, H, W, C] to [N, H / stride, W / stride, O], rounded up."""
        return super().forward(maps.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class Generator(nn.Module):
    """From latents and labels to images.

    A linear layer makes the coarsest map. Each finer map takes two convolutions, and the latent and the label scale the
    channels after each. The last convolution makes the 2×2 pixels of each cell.

    Args:
        image_shape: height, width and channels.
        num_classes: 0 for images without labels.
        latent_dim: the number of values in a latent.
        channels: of the coarsest map; see :func:`inkgan.networks.grid.fine_channels`.
        slope: of the leaky ReLUs for negative numbers.
    """

    def __init__(
        self, image_shape: tuple[int, int, int], num_classes: int, latent_dim: int, channels: int, slope: float
    ) -> None:
        super().__init__()
        self._shape = image_shape
        self._grid = grid.grid_of(image_shape)
        self._channels = channels
        self._leaky = nn.LeakyReLU(slope)
        style = latent_dim + (grid.EMBEDDING_DIM if num_classes else 0)
        fine = grid.fine_channels(channels)
        widths = [channels] + [fine] * (self._grid.doublings - 1)
        self.embedding = nn.Parameter(torch.randn(num_classes, grid.EMBEDDING_DIM)) if num_classes else None
        self.first = Linear(style, self._grid.height * self._grid.width * channels, gain=0.8)
        self.grow = nn.ModuleList(Convolution(width, 4 * fine) for width in widths[:-1])
        self.refine = nn.ModuleList(Convolution(fine, fine) for _ in widths[1:])
        self.scales = nn.ModuleList(Linear(style, fine, gain=0.1) for _ in widths[1:] for _ in range(2))
        self.last = Convolution(widths[-1], 4 * image_shape[2], gain=0.3)
        nn.init.constant_(self.last.bias, -2.0)  # a fresh generator draws dark images, as most pixels are 0

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Generate images [N, H, W, C] in (0, 1), float32 at least, from latents [N, D] and labels int64 [N]."""
        style = self._style(latents, labels)  # [N, S]
        x = self._leaky(self.first(style))
        x = x.view(-1, self._grid.height, self._grid.width, self._channels)  # the coarsest map, [N, h, w, C]
        for level, (grow, refine) in enumerate(zip(self.grow, self.refine, strict=True)):
            x = grid.channels_to_blocks(grow(x))  # twice as high and wide
            x = self._leaky(x * self._scale(2 * level, style))
            x = self._leaky(refine(x) * self._scale(2 * level + 1, style))
        x = grid.channels_to_blocks(self.last(x))  # pixels, with padding
        height, width, _ = self._shape
        return torch.sigmoid(at_least_float32(x[:, :height, :width]))

    def extra_repr(self) -> str:
        """Describe the parameter that belongs to no layer, for ``print``."""
        return "" if self.embedding is None else f"(embedding): labels, {list(self.embedding.shape)}"

    def _style(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        """Return the latents, followed by the embeddings of their labels."""
        if self.embedding is None:
            return latents
        assert labels is not None, "this generator draws by labels"
        # A product, because on a GPU the gradient of a look-up of rows is summed in no fixed order.
        one_hot = F.one_hot(labels, len(self.embedding)).to(latents.dtype)
        return torch.cat([latents, one_hot @ self.embedding], 1)

    def _scale(self, number: int, style: Tensor) -> Tensor:
        return (1 + self.scales[number](style))[:, None, None]  # [N, 1, 1, C]


class Discriminator(nn.Module):
    """From images to a logit for each class and to the class scores of an auxiliary classifier.

    The logit of an image's own label says how real it looks.

    Args:
        image_shape: height, width and channels.
        num_classes: 0 for images without labels.
        channels: of the coarsest map; see :func:`inkgan.networks.grid.fine_channels`.
        slope: of the leaky ReLUs for negative numbers.
    """

    def __init__(self, image_shape: tuple[int, int, int], num_classes: int, channels: int, slope: float) -> None:
        super().__init__()
        self._shape = image_shape
        self._grid = grid.grid_of(image_shape)
        self._classes = num_classes
        self._leaky = nn.LeakyReLU(slope)
        widths = [grid.fine_channels(channels)] * (self._grid.doublings - 1) + [channels]
        self.first = Convolution(4 * image_shape[2], widths[0])
        self.shrink = nn.ModuleList(Convolution(*pair, stride=2) for pair in itertools.pairwise(widths))
        self.refine = Convolution(channels, channels)
        self.summary = Linear(self._grid.height * self._grid.width * channels, _SUMMARY, gain=0.7)
        self.last = Linear(_SUMMARY, 2 * num_classes or 1, gain=0.5)  # a logit and a score for each class, or one logit

    def forward(self, images: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Score images [N, H, W, C] in [0, 1] as images of their labels int64 [N].

        Returns:
            The logits [N], the larger the more real an image looks, and the auxiliary classifier's scores [N, classes],
            or None without labels; at least float32.
        """
        height, width, _ = self._shape
        cell = 2**self._grid.doublings
        x = F.pad(images * 2 - 1, (0, 0, 0, -width % cell, 0, -height % cell), value=-1.0)
        x = self._leaky(self.first(grid.blocks_to_channels(x)))  # half as high and wide
        for shrink in self.shrink:
            x = self._leaky(shrink(x))  # half as high and wide again
        x = self._leaky(self.refine(x))  # the coarsest map, [N, h, w, C]
        x = self.last(self._leaky(self.summary(x.flatten(1))))  # [N, 2 K] for K classes, [N, 1] without labels
        x = at_least_float32(x)
        if not self._classes:
            return x.squeeze(1), None
        assert labels is not None, "this discriminator scores by labels"
        logits, scores = x[:, : self._classes], x[:, self._classes :]
        return logits.gather(1, labels[:, None]).squeeze(1), scores


def build_generator(description: Mapping[str, Any]) -> Generator:
    """Make the generator that a ``model.json`` describes."""
    shape, classes = description["image_shape"], description["num_classes"]
    return Generator(shape, classes, description["latent_dim"], description["channels"], grid.slope_of(description))


def build_discriminator(description: Mapping[str, Any]) -> Discriminator:
    """Make the discriminator of the run that a ``model.json`` comes from, as wide as the run's settings say."""
    channels = description["config"]["discriminator"]["channels"]
    if channels not in range(1, _MOST_CHANNELS + 1):
        raise ValueError(f"discriminator.channels is {channels!r}")
    return Discriminator(description["image_shape"], description["num_classes"], channels, grid.slope_of(description))


def at_least_float32(x: Tensor) -> Tensor:
    """Return a float64 tensor as it is, and any other in float32."""
    return x if x.dtype == torch.float64 else x.float()


def split_output(output: Tensor | tuple[Tensor, Tensor | None]) -> tuple[Tensor, Tensor | None]:
    """Return a discriminator's logits and, if it classifies, its class scores; see :mod:`inkgan.networks`."""
    logits, scores = output if isinstance(output, tuple) else (output, None)
    return at_least_float32(logits), None if scores is None else at_least_float32(scores)


def _initialise(layer: Linear | Convolution, gain: float) -> None:
    """Draw weights by He et al., "Delving Deep into Rectifiers", 2015, equation 10, times a gain; set the bias to 0."""
    nn.init.normal_(layer.weight, std=gain * math.sqrt(2 / layer.weight[0].numel()))
    nn.init.zeros_(layer.bias)
