"""Adversarial losses and gradient penalties as pure functions: logits or gradients in, one number out.

Logits are [N], real-valued, above 0 where the discriminator takes an image for real; every loss is a mean over N.
:data:`ADVERSARIAL` names pairs of losses with one interface, so that a recipe can train with any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


def real_as_real(logits_real: Tensor) -> Tensor:
    """Cross-entropy of real images against the label "real": ``mean(-log sigmoid(D(x)))``.

    Goodfellow et al., "Generative Adversarial Networks", 2014, equation 1, first term. ``softplus(-l)`` is
    ``-log sigmoid(l)`` without overflow.
    """
    return F.softplus(-logits_real).mean()


def fake_as_fake(logits_fake: Tensor) -> Tensor:
    """Cross-entropy of generated images against the label "fake": ``mean(-log(1 - sigmoid(D(G(z)))))``.

    Goodfellow et al., 2014, equation 1, second term.
    """
    return F.softplus(logits_fake).mean()


def fake_as_real(logits_fake: Tensor) -> Tensor:
    """The generator's non-saturating loss: ``mean(-log sigmoid(D(G(z))))``.

    Goodfellow et al., 2014, section 3: its gradient does not vanish while the discriminator wins.
    """
    return F.softplus(-logits_fake).mean()


class Adversarial(NamedTuple):
    """The two losses of a game; both take the logits of real and of generated images, [N] each, paired by place.

    Attributes:
        discriminator: what the discriminator minimises.
        generator: what the generator minimises; only its dependence on the generated images matters.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]


def _relativistic(winners: Tensor, losers: Tensor) -> Tensor:
    return F.softplus(losers - winners).mean()


#: The games by the names that ``--set loss=`` takes.
ADVERSARIAL: Mapping[str, Adversarial] = {
    # Goodfellow et al., 2014, equation 1 and section 3.
    "non-saturating": Adversarial(
        lambda real, fake: real_as_real(real) + fake_as_fake(fake),
        lambda real, fake: fake_as_real(fake),
    ),
    # Mao et al., "Least Squares Generative Adversarial Networks", 2017, equation 2 with a = -1, b = 1, c = 1: the
    # targets are 1 and -1 instead of 1 and 0, so that 0 stays the border between real and generated.
    "least-squares": Adversarial(
        lambda real, fake: ((real - 1).square().mean() + (fake + 1).square().mean()) / 2,
        lambda real, fake: (fake - 1).square().mean() / 2,
    ),
    # Lim and Ye, "Geometric GAN", 2017, equations 16 and 17.
    "hinge": Adversarial(
        lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
        lambda real, fake: -fake.mean(),
    ),
    # Gulrajani et al., "Improved Training of Wasserstein GANs", 2017, equation 3, without its penalty (`to_one`).
    "wgan-gp": Adversarial(
        lambda real, fake: fake.mean() - real.mean(),
        lambda real, fake: -fake.mean(),
    ),
    # Jolicoeur-Martineau, "The relativistic discriminator", 2018, section 4.2, with f = softplus: each generated image
    # against one real image, so that the generator must match all of the data and not only what is easiest.
    "relativistic": Adversarial(
        _relativistic,
        lambda real, fake: _relativistic(fake, real),
    ),
}


def to_zero(gradients: Tensor) -> Tensor:
    """The R1 penalty of gradients at real images, or R2 at generated ones: ``mean(|∇D|²)``.

    Mescheder et al., "Which Training Methods for GANs do actually Converge?", 2018, equations 9 and 10, without the
    factor γ/2.

    Args:
        gradients: of each image's logit with respect to its pixels, [N, ...].
    """
    return gradients.square().flatten(1).sum(1).mean()


def to_one(gradients: Tensor) -> Tensor:
    """The penalty of WGAN-GP: ``mean((|∇D| - 1)²)`` at points between real and generated images.

    Gulrajani et al., 2017, equation 3, without the factor λ.

    Args:
        gradients: of each image's logit with respect to its pixels, [N, ...].
    """
    norms: Tensor = torch.linalg.vector_norm(gradients.flatten(1), dim=1)
    return (norms - 1).square().mean()


def input_gradients(logits: Tensor, images: Tensor) -> Tensor:
    """The gradient of each image's logit with respect to its pixels, float32 at least, itself differentiable.

    Args:
        logits: [N], where logit i depends on image i alone.
        images: [N, ...], from which the logits were computed.
    """
    gradients: Tensor
    (gradients,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradients if gradients.dtype == torch.float64 else gradients.float()
