"""The tutorial's discriminator and generator, layer by layer as its code has them.

Jon Bruner and Adit Deshpande wrote that code for TensorFlow 1; its generator builds on Tim O'Shea's KerasGAN.
docs/tutorial.md lists where the tutorial's text and code differ (the code decides), and which conventions of TensorFlow
matter. Parameters are named after the tutorial's variables (``d_w1`` is ``w1`` of the discriminator) and have PyTorch's
layout. Training uses ``tutorial_exact_fast.py``, which computes the same functions faster with the same parameters;
tests compare it with the forms here.

The shape at the end of a line is that of its result. N is the number of images in the batch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

IMAGE_SHAPE = (28, 28, 1)
LATENT_DIM = 100
EPSILON = 1e-5  # of batch normalisation
_DEVIATION = 0.02  # of the initial weights


class _Network(nn.Module):
    """A module that ``print`` shows with the name and shape of each parameter."""

    def extra_repr(self) -> str:
        return "\n".join(f"{name}: {list(parameter.shape)}" for name, parameter in self.named_parameters())


class Discriminator(_Network):
    """Two 5×5 convolutions with average pooling, then two fully connected layers: from an image to a logit.

    Args:
        rng: draws the initial weights; PyTorch's default generator if None.
    """

    def __init__(self, rng: torch.Generator | None = None) -> None:
        super().__init__()
        self.w1 = _drawn(rng, 32, 1, 5, 5)
        self.b1 = _zero(32)
        self.w2 = _drawn(rng, 64, 32, 5, 5)
        self.b2 = _zero(64)
        self.w3 = _drawn(rng, 1024, 7 * 7 * 64)
        self.b3 = _zero(1024)
        self.w4 = _drawn(rng, 1, 1024)
        self.b4 = _zero(1)

    def forward(self, images: Tensor) -> Tensor:
        """Score images [N, 28, 28, 1] in [0, 1]: logits [N], above 0 where an image looks real."""
        d1 = images.permute(0, 3, 1, 2)  # [N, 1, 28, 28]
        d1 = F.conv2d(d1, self.w1, self.b1, padding=2)  # [N, 32, 28, 28]
        d1 = F.relu(d1)  # [N, 32, 28, 28]
        d1 = F.avg_pool2d(d1, 2)  # [N, 32, 14, 14]

        d2 = F.conv2d(d1, self.w2, self.b2, padding=2)  # [N, 64, 14, 14]
        d2 = F.relu(d2)  # [N, 64, 14, 14]
        d2 = F.avg_pool2d(d2, 2)  # [N, 64, 7, 7]

        d3 = d2.permute(0, 2, 3, 1).flatten(1)  # [N, 3136]: rows, columns, channels, as TensorFlow flattens
        d3 = F.linear(d3, self.w3, self.b3)  # [N, 1024]
        d3 = F.relu(d3)  # [N, 1024]

        d4 = F.linear(d3, self.w4, self.b4)  # [N, 1]
        return d4.squeeze(1)  # [N]


class Generator(_Network):
    """A fully connected layer to 56×56, then three convolutions of stride 2: from a latent to an image.

    Batch normalisation always uses the statistics of the batch at hand, so an image depends on the others in its batch.
    Saved models also hold standing statistics, measured over many latents, that make images independent.

    Args:
        rng: draws the initial weights; PyTorch's default generator if None.
    """

    def __init__(self, rng: torch.Generator | None = None) -> None:
        super().__init__()
        self.w1 = _drawn(rng, 56 * 56, LATENT_DIM)
        self.b1 = _drawn(rng, 56 * 56)
        self.beta1 = _zero(1)
        self.w2 = _drawn(rng, 50, 1, 3, 3)
        self.b2 = _drawn(rng, 50)
        self.beta2 = _zero(50)
        self.w3 = _drawn(rng, 25, 50, 3, 3)
        self.b3 = _drawn(rng, 25)
        self.beta3 = _zero(25)
        self.w4 = _drawn(rng, 1, 25, 1, 1)
        self.b4 = _drawn(rng, 1)

    def forward(self, latents: Tensor) -> Tensor:
        """Generate images [N, 28, 28, 1] in (0, 1) from latents [N, 100]."""
        g1 = F.linear(latents, self.w1, self.b1)  # [N, 3136]
        g1 = g1.view(-1, 1, 56, 56)  # [N, 1, 56, 56]
        g1 = batch_norm(g1, self.beta1)  # [N, 1, 56, 56]
        g1 = F.relu(g1)  # [N, 1, 56, 56]

        g2 = F.conv2d(pad_same(g1), self.w2, self.b2, stride=2)  # [N, 50, 28, 28]
        g2 = batch_norm(g2, self.beta2)  # [N, 50, 28, 28]
        g2 = F.relu(g2)  # [N, 50, 28, 28]
        g2 = resize_to_double(g2)  # [N, 50, 56, 56]

        g3 = F.conv2d(pad_same(g2), self.w3, self.b3, stride=2)  # [N, 25, 28, 28]
        g3 = batch_norm(g3, self.beta3)  # [N, 25, 28, 28]
        g3 = F.relu(g3)  # [N, 25, 28, 28]
        g3 = resize_to_double(g3)  # [N, 25, 56, 56]

        g4 = F.conv2d(g3, self.w4, self.b4, stride=2)  # [N, 1, 28, 28]
        g4 = torch.sigmoid(g4)  # [N, 1, 28, 28]
        return g4.permute(0, 2, 3, 1)  # [N, 28, 28, 1]


def pad_same(maps: Tensor) -> Tensor:
    """Pad as TensorFlow's SAME does for a 3×3 kernel of stride 2: a row and a column of zeros, at the end."""
    return F.pad(maps, (0, 1, 0, 1))


def batch_norm(maps: Tensor, offset: Tensor) -> Tensor:
    """Normalise each channel of maps [N, C, H, W] by the batch's mean and variance, and add an offset [C]; no scale.

    Ioffe and Szegedy, "Batch Normalization", 2015, algorithm 1 with gamma = 1.
    """
    # On a GPU, PyTorch computes no gradient for an offset without a scale.
    return F.batch_norm(maps, None, None, torch.ones_like(offset), offset, training=True, eps=EPSILON)


def resize_to_double(maps: Tensor) -> Tensor:
    """Resize [N, C, H, W] to [N, C, 2H, 2W] as TensorFlow 1's bilinear ``resize_images``: position i reads i / 2.

    The last row and column repeat. PyTorch reads the same positions if it aligns the corners of a grid of H + 1 and one
    of 2H + 1 positions.
    """
    height, width = maps.shape[2:]
    repeated = F.pad(maps, (0, 1, 0, 1), mode="replicate")  # [N, C, H + 1, W + 1]
    size = (2 * height + 1, 2 * width + 1)
    resized = F.interpolate(repeated, size, mode="bilinear", align_corners=True)  # [N, C, 2H + 1, 2W + 1]
    return resized[:, :, :-1, :-1]


def _drawn(rng: torch.Generator | None, *shape: int) -> nn.Parameter:
    """Draw as ``tf.truncated_normal_initializer(stddev=0.02)``, which redraws values beyond two standard deviations."""
    values = torch.empty(shape)
    nn.init.trunc_normal_(values, std=_DEVIATION, a=-2 * _DEVIATION, b=2 * _DEVIATION, generator=rng)
    return nn.Parameter(values)


def _zero(size: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(size))
