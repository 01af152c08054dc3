"""Adversarial losses as pure functions: logits in, one number out.

Logits are [N], any real numbers, the larger the more real an image looks. Every loss is a mean over N.
:data:`ADVERSARIAL_LOSSES` has pairs of losses with one signature, so that a recipe can train with any of them.

In some games the logits have a zero, above which the discriminator takes an image for real. In the others only
differences count: adding a number to every logit changes no loss and no gradient, so a single logit says nothing.
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


class AdversarialLoss(NamedTuple):
    """The losses of both networks, functions of the logits of real and of generated images, [N] each, in pairs.

    Attributes:
        discriminator: what the discriminator minimises.
        generator: what the generator minimises.
        has_zero: whether a single logit has a meaning: above 0 for real, below it for generated.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    has_zero: bool


#: The losses by the names that the setting ``loss`` takes.
ADVERSARIAL_LOSSES: Mapping[str, AdversarialLoss] = {
    # Goodfellow et al., 2014, equation 1 and section 3.
    "non-saturating": AdversarialLoss(
        discriminator=lambda real, fake: real_as_real(real) + fake_as_fake(fake),
        generator=lambda real, fake: fake_as_real(fake),
        has_zero=True,
    ),
    # Mao et al., "Least Squares Generative Adversarial Networks", 2017, equation 2 with a = -1, b = 1, c = 1: the
    # targets are 1 and -1 instead of 1 and 0, so that 0 remains the boundary between real and generated.
    "least-squares": AdversarialLoss(
        discriminator=lambda real, fake: ((real - 1).square().mean() + (fake + 1).square().mean()) / 2,
        generator=lambda real, fake: (fake - 1).square().mean() / 2,
        has_zero=True,
    ),
    # Lim and Ye, "Geometric GAN", 2017, equations 16 and 17.
    "hinge": AdversarialLoss(
        discriminator=lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
        generator=lambda real, fake: -fake.mean(),
        has_zero=True,
    ),
    # Gulrajani et al., "Improved Training of Wasserstein GANs", 2017, equation 3; its last term is
    # inkgan.training.penalties.one_centered_penalty. The generator's loss has the mean of real images added, which does
    # not depend on the generator: without it, the loss would change with the zero that this game does not have.
    "wgan-gp": AdversarialLoss(
        discriminator=lambda real, fake: fake.mean() - real.mean(),
        generator=lambda real, fake: real.mean() - fake.mean(),
        has_zero=False,
    ),
    # Jolicoeur-Martineau, "The relativistic discriminator", 2018, section 4.2, with f = softplus: each generated image
    # is compared with one real image, so that the generator must match all of the data and not only what is easiest.
    "relativistic": AdversarialLoss(
        discriminator=lambda real, fake: F.softplus(fake - real).mean(),
        generator=lambda real, fake: F.softplus(real - fake).mean(),
        has_zero=False,
    ),
}


def scores(logits_real: Tensor, logits_fake: Tensor) -> dict[str, Tensor]:
    """The discriminator's mean probability for "real", for games whose logits have a zero.

    Args:
        logits_real: of real images [N].
        logits_fake: of generated images [N].
    """
    return {"score_real": logits_real.sigmoid().mean(), "score_fake": logits_fake.sigmoid().mean()}


def comparison(logits_real: Tensor, logits_fake: Tensor) -> dict[str, Tensor]:
    """How far real images are ahead of generated ones, for every game: it needs no zero.

    Args:
        logits_real: of real images [N].
        logits_fake: of the generated images [N] that they are paired with.

    Returns:
        ``margin``, the mean of D(real) - D(generated) over the pairs, and ``pairs_in_order``, the share of pairs in
        which the real image has the larger logit: 1 if the discriminator is always right, 0.5 if it guesses.
    """
    ahead = logits_real - logits_fake
    return {"margin": ahead.mean(), "pairs_in_order": (ahead > 0).to(torch.float32).mean()}
