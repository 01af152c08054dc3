"""Recipes that others have published for small images, rebuilt from their description to compare them with inkgan.

Each class is one published recipe with its own sizes and settings, and nothing of inkgan's: float32, no average of the
generator, no schedule. Open choices were made in the peer's favour: images come from one tensor in memory, PyTorch does
the resizing, and pictures, logs and checkpoints are left out. Images are drawn with the statistics of their own batch,
because moving averages would lag behind after the few steps that are trained here.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm


class DCGAN:
    """The DCGAN of PyTorch's examples with its default settings.

    Radford, Metz and Chintala, "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
    Networks", 2015, as configured in github.com/pytorch/examples, ``dcgan/main.py``: 64×64 images, 64 channels at the
    finest map, latents of 100, batches of 64, Adam with 2e-4 and β1 0.5, weights from N(0, 0.02).

    For MNIST the example resizes images to 64×64 (bilinear) and trains with one channel, and so does this class. The
    images that it draws are resized back to 28×28 with antialiasing.
    """

    batch_size = 64
    latent_dim = 100

    def __init__(self, seed: int) -> None:
        torch.manual_seed(seed)
        widths = [512, 256, 128, 64]
        up: list[nn.Module] = [nn.ConvTranspose2d(self.latent_dim, 512, 4, bias=False), *_normalised(512, nn.ReLU())]
        down: list[nn.Module] = [nn.Conv2d(1, 64, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
        for wide, narrow in itertools.pairwise(widths):
            up += [nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False), *_normalised(narrow, nn.ReLU())]
        for narrow, wide in itertools.pairwise(reversed(widths)):
            down += [nn.Conv2d(narrow, wide, 4, 2, 1, bias=False), *_normalised(wide, nn.LeakyReLU(0.2))]
        self.generator = nn.Sequential(*up, nn.ConvTranspose2d(64, 1, 4, 2, 1, bias=False), nn.Tanh())
        self.discriminator = nn.Sequential(*down, nn.Conv2d(512, 1, 4, bias=False), nn.Flatten(0))
        for network in (self.generator, self.discriminator):
            network.apply(_normal_weights)
        self.optimizers = [
            torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999))
            for network in (self.discriminator, self.generator)
        ]

    def step(self, real: Tensor) -> None:
        """Update the discriminator, then the generator, on images [N, 28, 28, 1] in [0, 1]."""
        of_discriminator, of_generator = self.optimizers
        real = to_64(real.permute(0, 3, 1, 2)) * 2 - 1
        fake = self.generator(self._latents())
        of_discriminator.zero_grad()
        _cross_entropy(self.discriminator(real), 1).backward()  # type: ignore[no-untyped-call]
        _cross_entropy(self.discriminator(fake.detach()), 0).backward()  # type: ignore[no-untyped-call]
        of_discriminator.step()
        of_generator.zero_grad()
        _cross_entropy(self.discriminator(fake), 1).backward()  # type: ignore[no-untyped-call]
        of_generator.step()

    def draw(self) -> Tensor:
        """A batch of images [N, 28, 28] in [0, 1]."""
        with torch.no_grad():
            images = self.generator(self._latents()) / 2 + 0.5
        return from_64(images)[:, 0]

    def _latents(self) -> Tensor:
        return torch.randn(self.batch_size, self.latent_dim, 1, 1)


class TFGAN:
    """The unconditional MNIST example of TF-GAN with its default settings.

    github.com/tensorflow/gan, ``tensorflow_gan/examples/mnist``: the generator has layers of 1024 and 7·7·128, two
    transposed 4×4 convolutions with 64 and 32 channels and a last convolution; the discriminator has two 4×4
    convolutions of stride 2 with 64 and 128 channels and a layer of 1024, all three under spectral normalisation
    (Miyato et al., 2018), and a last layer. Latents of 64, batches of 32, the Wasserstein loss that is TF-GAN's
    default, L2 of 2.5e-5, Adam with β1 0.5 and 1e-3 for the generator, 1e-4 for the discriminator, both updated at
    once. Adam is PyTorch's fused one, because TensorFlow's is one kernel, too.
    """

    batch_size = 32
    latent_dim = 64

    def __init__(self, seed: int) -> None:
        torch.manual_seed(seed)
        hidden, map_size = 1024, 7 * 7 * 128
        self.generator = nn.Sequential(
            nn.Linear(self.latent_dim, hidden, bias=False), nn.BatchNorm1d(hidden, eps=1e-3), nn.ReLU(),
            nn.Linear(hidden, map_size, bias=False), nn.BatchNorm1d(map_size, eps=1e-3), nn.ReLU(),
            nn.Unflatten(1, (128, 7, 7)),
            nn.ConvTranspose2d(128, 64, 4, 2, 1), nn.BatchNorm2d(64, eps=1e-3), nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.BatchNorm2d(32, eps=1e-3), nn.ReLU(),
            nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(32, 1, 4), nn.Tanh(),
        )  # fmt: skip
        layers = [nn.Conv2d(1, 64, 4, 2, 1), nn.Conv2d(64, 128, 4, 2, 1), nn.Linear(map_size, hidden, bias=False)]
        last = nn.Linear(hidden, 1)
        for part in (self.generator, *layers, last):
            part.apply(_glorot_weights)
        first, second, third = map(spectral_norm, layers)
        self.discriminator = nn.Sequential(
            first, nn.LeakyReLU(0.01), second, nn.LeakyReLU(0.01), nn.Flatten(),
            third, nn.BatchNorm1d(hidden, eps=1e-3), nn.LeakyReLU(0.01), last, nn.Flatten(0),
        )  # fmt: skip
        self.optimizers = [_adam_with_l2(self.discriminator, 1e-4), _adam_with_l2(self.generator, 1e-3)]

    def step(self, real: Tensor) -> None:
        """Update both networks from the same point, on images [N, 28, 28, 1] in [0, 1]."""
        fake = self.generator(torch.randn(self.batch_size, self.latent_dim))
        logits_real = self.discriminator(real.permute(0, 3, 1, 2) * 2 - 1)
        logits_fake = self.discriminator(fake)
        losses = (logits_fake.mean() - logits_real.mean(), -logits_fake.mean())
        for loss, network in zip(losses, (self.discriminator, self.generator), strict=True):
            parameters = list(network.parameters())
            gradients = torch.autograd.grad(loss, parameters, retain_graph=True)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
        for optimizer in self.optimizers:
            optimizer.step()

    def draw(self) -> Tensor:
        """A batch of images [N, 28, 28] in [0, 1]."""
        with torch.no_grad():
            images: Tensor = self.generator(torch.randn(self.batch_size, self.latent_dim))
        return images[:, 0] / 2 + 0.5


def to_64(images: Tensor) -> Tensor:
    """Resize images [N, 1, 28, 28] to 64×64 as PyTorch's example does."""
    return F.interpolate(images, (64, 64), mode="bilinear")


def from_64(images: Tensor) -> Tensor:
    """Resize images [N, 1, 64, 64] back to 28×28."""
    return F.interpolate(images, (28, 28), mode="bilinear", antialias=True)


def _normalised(channels: int, activation: nn.Module) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), activation]


def _normal_weights(part: nn.Module) -> None:
    if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(part.weight, 0.0, 0.02)
    elif isinstance(part, nn.BatchNorm2d):
        nn.init.normal_(part.weight, 1.0, 0.02)


def _glorot_weights(part: nn.Module) -> None:
    """Initialise as TensorFlow does by default: Glorot and Bengio's uniform weights, and biases of zero."""
    if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.xavier_uniform_(part.weight)
        if part.bias is not None:
            nn.init.zeros_(part.bias)


def _adam_with_l2(network: nn.Module, learning_rate: float) -> torch.optim.Adam:
    """Return Adam with L2: the gradient of 2.5e-5 times a kernel's sum of squares is a weight decay of 5e-5."""
    kernels = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim == 1]
    groups: list[dict[str, Any]] = [{"params": kernels, "weight_decay": 5e-5}, {"params": others}]
    return torch.optim.Adam(groups, learning_rate, (0.5, 0.999), fused=True)


def _cross_entropy(logits: Tensor, label: int) -> Tensor:
    """Return the cross-entropy of the sigmoid's probabilities, computed from the logits to avoid overflow."""
    loss = F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
    if not math.isfinite(loss.item()):
        raise FloatingPointError("a loss is not finite")
    return loss
