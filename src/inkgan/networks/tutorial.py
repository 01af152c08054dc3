"""The tutorial's discriminator and generator.

T. O'Shea's and J. Bruner's networks as the tutorial's code has them; where its text says otherwise, the code wins (see
docs/tutorial.md). Parameters are in PyTorch's layout and named after the tutorial's variables (d_w1 is
``discriminator.w1``); features are flattened in TensorFlow's order (rows, columns, channels).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inkgan.networks.tutorial_exact_fast import (
    convolve_relu_pool,
    halving_kernel,
    halving_patches,
    linear,
    linear_relu_resize_convolve,
    linear_statistics,
    normalise_weights,
    whole_statistics,
)

IMAGE_SHAPE = (28, 28, 1)
LATENT_DIM = 100
_STDDEV = 0.02


def _drawn(*shape: int) -> nn.Parameter:
    """A parameter to be drawn from the truncated normal distribution."""
    return nn.Parameter(torch.empty(shape))


class Discriminator(nn.Module):
    """Two 5×5 convolutions with average pooling, then two fully connected layers: an image to one logit."""

    def __init__(self) -> None:
        super().__init__()
        self.w1, self.b1 = _drawn(32, 1, 5, 5), nn.Parameter(torch.zeros(32))
        self.w2, self.b2 = _drawn(64, 32, 5, 5), nn.Parameter(torch.zeros(64))
        self.w3, self.b3 = _drawn(1024, 7 * 7 * 64), nn.Parameter(torch.zeros(1024))
        self.w4, self.b4 = _drawn(1, 1024), nn.Parameter(torch.zeros(1))

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the weights from N(0, 0.02²) cut at two deviations; the biases are zero."""
        for parameter in (self.w1, self.w2, self.w3, self.w4):
            _truncated_normal(parameter, generator)

    def forward(self, images: Tensor) -> Tensor:
        """Score images [N, 28, 28, 1] in [0, 1]; the logits [N] are above 0 where an image looks real."""
        x = convolve_relu_pool(images.squeeze(3), self.w1, self.b1)  # [N, 14, 14, 32]
        x = x.permute(0, 3, 1, 2)  # channels last in memory
        x = F.avg_pool2d(F.conv2d(x, self.w2, self.b2, padding=2).relu_(), 2)  # [N, 64, 7, 7]
        x = x.permute(0, 2, 3, 1).flatten(1)
        x = F.relu(linear(x, self.w3, self.b3))
        return F.linear(x, self.w4, self.b4).squeeze(1)


class Generator(nn.Module):
    """A latent to an image: fully connected to 56×56, then three convolutions back to 28×28.

    The tutorial's batch normalisation always uses the statistics of the batch at hand, so an image depends on its
    neighbours. ``standing`` statistics, measured over many latents and kept with the weights, make images independent.
    """

    def __init__(self) -> None:
        super().__init__()
        self.w1, self.b1, self.beta1 = _drawn(3136, LATENT_DIM), _drawn(3136), nn.Parameter(torch.zeros(1))
        self.w2, self.b2, self.beta2 = _drawn(50, 1, 3, 3), _drawn(50), nn.Parameter(torch.zeros(50))
        self.w3, self.b3, self.beta3 = _drawn(25, 50, 3, 3), _drawn(25), nn.Parameter(torch.zeros(25))
        self.w4, self.b4 = _drawn(1, 25, 1, 1), _drawn(1)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw weights and biases from N(0, 0.02²) cut at two deviations; normalisation starts at offset zero."""
        for layer in "1234":
            _truncated_normal(getattr(self, f"w{layer}"), generator)
            _truncated_normal(getattr(self, f"b{layer}"), generator)

    def forward(self, latents: Tensor) -> Tensor:
        """Draw images [N, 28, 28, 1] in (0, 1) for latents [N, 100]."""
        # One channel of 56×56, whose 2×2 blocks the next layer wants side by side: ordering the weights is cheaper.
        w1, b1 = (p.view(28, 2, 28, 2, -1).transpose(1, 2).flatten(0, 3) for p in (self.w1, self.b1))
        x = F.linear(latents, w1, b1.squeeze(1))  # [N, 28·28·4]
        mean, variance = whole_statistics(x)
        scale = torch.rsqrt(variance + 1e-5)
        x = F.relu(x * scale.to(x.dtype) + (self.beta1 - mean * scale).to(x.dtype))
        x = halving_patches(x.view(-1, 28, 28, 4))  # [N, 29, 29, 16]
        kernel = halving_kernel(self.w2)
        normalised = normalise_weights(kernel, self.b2, self.beta2, linear_statistics(x, kernel, self.b2))
        # Seven channels of zeros, 25 to 32: vector instructions normalise the maps in a quarter of the time.
        w3 = F.pad(self.w3, (0, 0, 0, 0, 0, 0, 0, 7))
        b3, beta3, w4 = (F.pad(parameter, (0, 7)) for parameter in (self.b3, self.beta3, self.w4.view(1, 25)))
        x = linear_relu_resize_convolve(x, normalised, w3, b3)  # [N, 32, 28, 28]
        x = F.batch_norm(x, None, None, None, beta3, training=True, eps=1e-5).relu_()
        # The last resize doubles the map and the 1×1 convolution of stride 2 reads only what was there before.
        return torch.sigmoid(F.linear(x.permute(0, 2, 3, 1), w4, self.b4))


def _truncated_normal(parameter: Tensor, generator: torch.Generator) -> None:
    """tf.truncated_normal_initializer(stddev=0.02): redrawn beyond two standard deviations."""
    nn.init.trunc_normal_(parameter, std=_STDDEV, a=-2 * _STDDEV, b=2 * _STDDEV, generator=generator)
