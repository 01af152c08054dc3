"""Adversarial losses and gradient penalties as pure functions: logits or their gradients in, one number out.

An *adversarial loss* is a pair of losses, one for each network. All those in :data:`ADVERSARIAL_LOSSES` have the same
signature, so that a recipe can train with any of them. Terms that need more than logits, such as a penalty, are added
in ``compact.py``, in ``discriminator_losses`` or ``generator_losses``.

Logits are [N]: any real numbers, larger for images that look more real. Every loss is a mean over N, so the loss of a
batch is the mean of the losses of its slices. A loss that compares each image with the mean of others, such as a
relativistic average, works too, but its result depends on the setting ``slices``.

With some losses the logits have a zero, above which the discriminator takes an image for real. With the others only
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
    return F.softplus(-logits_real).mean()  # E[-log σ(D(x))]


def fake_as_fake(logits_fake: Tensor) -> Tensor:
    """Cross-entropy of generated images against the label "fake": ``mean(-log(1 - sigmoid(D(G(z)))))``.

    Goodfellow et al., 2014, equation 1, second term.
    """
    return F.softplus(logits_fake).mean()  # E[-log(1 - σ(D(G(z))))]


def fake_as_real(logits_fake: Tensor) -> Tensor:
    """The generator's non-saturating loss: ``mean(-log sigmoid(D(G(z))))``.

    Goodfellow et al., 2014, section 3: its gradient does not vanish while the discriminator wins.
    """
    return F.softplus(-logits_fake).mean()  # E[-log σ(D(G(z)))]


class AdversarialLoss(NamedTuple):
    """The losses of both networks. Each takes the logits of pairs of real and generated images, [N] and [N].

    Attributes:
        discriminator: the loss that the discriminator minimises.
        generator: the loss that the generator minimises.
        idea: what sets it apart, for ``inkgan help training``.
        formulas: both losses as text, for docs/settings.md: means over a batch of real images x and latents z. A test
            evaluates them, so they may contain D(x), D(G(z)), numbers, + - * / ( ) ², ``softplus``, ``max(a, b)`` and
            NumPy's functions by name, such as ``exp`` and ``mean``.
        paper: the source of the loss.
        has_zero: whether a single logit has a meaning: above 0 for real, below it for generated.
        one_centered: whether the gradient penalty is that of WGAN-GP, which pulls gradient norms between real and
            generated images to 1, instead of R1 and R2; see :func:`one_centered_penalty`.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    idea: str
    formulas: tuple[str, str]
    paper: str
    has_zero: bool = True
    one_centered: bool = False


#: The losses by the names that the setting ``loss`` takes. ``real`` is D(x), and ``fake`` is D(G(z)).
ADVERSARIAL_LOSSES: Mapping[str, AdversarialLoss] = {
    "non-saturating": AdversarialLoss(
        discriminator=lambda real, fake: real_as_real(real) + fake_as_fake(fake),
        generator=lambda real, fake: fake_as_real(fake),
        idea="the loss of the first GAN",
        formulas=("softplus(-D(x)) + softplus(D(G(z)))", "softplus(-D(G(z)))"),
        paper="Goodfellow et al. 2014, eq. 1 and section 3",
    ),
    # The targets are 1 and -1 instead of 1 and 0, so that 0 remains the boundary between real and generated.
    "least-squares": AdversarialLoss(
        discriminator=lambda real, fake: ((real - 1).square().mean() + (fake + 1).square().mean()) / 2,
        generator=lambda real, fake: (fake - 1).square().mean() / 2,
        idea="squared errors instead of logarithms",
        formulas=("((D(x) - 1)² + (D(G(z)) + 1)²) / 2", "(D(G(z)) - 1)² / 2"),
        paper="Mao et al. 2017, eq. 2 with a = -1, b = c = 1",
    ),
    "hinge": AdversarialLoss(
        discriminator=lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
        generator=lambda real, fake: -fake.mean(),
        idea="no further gradient once an image is on the right side of a margin",
        formulas=("max(0, 1 - D(x)) + max(0, 1 + D(G(z)))", "-D(G(z))"),
        paper="Lim and Ye 2017, eq. 16 and 17",
    ),
    # The generator's loss includes the mean logit of real images, which does not depend on the generator. Without it,
    # the loss would change if a number were added to every logit, which has no meaning here.
    "wgan-gp": AdversarialLoss(
        discriminator=lambda real, fake: fake.mean() - real.mean(),
        generator=lambda real, fake: real.mean() - fake.mean(),
        idea="a distance between distributions instead of a probability",
        formulas=("D(G(z)) - D(x)", "D(x) - D(G(z))"),
        paper="Gulrajani et al. 2017, eq. 3",
        has_zero=False,
        one_centered=True,
    ),
    # With f = softplus: each generated image is compared with one real image, so that the generator must match all of
    # the data and not only what is easiest.
    "relativistic": AdversarialLoss(
        discriminator=lambda real, fake: F.softplus(fake - real).mean(),
        generator=lambda real, fake: F.softplus(real - fake).mean(),
        idea="a real image should look more real than the generated image it is paired with",
        formulas=("softplus(D(G(z)) - D(x))", "softplus(D(x) - D(G(z)))"),
        paper="Jolicoeur-Martineau 2018, RSGAN",
        has_zero=False,
    ),
}


def mean_probabilities(logits_real: Tensor, logits_fake: Tensor) -> dict[str, Tensor]:
    """Return the mean probabilities for "real" of real and of generated images, if their logits [N] have a zero."""
    return {"score_real": logits_real.sigmoid().mean(), "score_fake": logits_fake.sigmoid().mean()}


def comparison(logits_real: Tensor, logits_fake: Tensor) -> dict[str, Tensor]:
    """Compare the logits of real and of generated images in pairs; this needs no zero, so it works for every loss.

    Args:
        logits_real: of real images [N].
        logits_fake: of the generated images [N] that they are paired with.

    Returns:
        ``margin``, the mean of D(real) - D(generated) over the pairs, and ``pairs_in_order``, the share of pairs in
        which the real image has the larger logit: 1 if the discriminator is always right, 0.5 if it guesses.
    """
    ahead = logits_real - logits_fake
    return {"margin": ahead.mean(), "pairs_in_order": (ahead > 0).to(torch.float32).mean()}


#: The factor that turns a gradient with respect to pixels x in [0, 1], which images have here, into one with respect to
#: pixels of another range: for x' = 2x - 1 in [-1, 1], as in the papers, d/dx' = (d/dx) / 2. Multiplying by a power of
#: two does not round.
PIXEL_UNITS: Mapping[str, float] = {"-1..1": 0.5, "0..1": 1.0}


def input_gradients(logits: Tensor, images: Tensor, pixels: str = "-1..1") -> Tensor:
    """Return the gradient of each image's logit with respect to its pixels, itself differentiable.

    Args:
        logits: [N]; logit i depends on image i alone.
        images: [N, ...] with pixels in [0, 1], from which the logits were computed.
        pixels: the range of pixels that the gradient refers to; see :data:`PIXEL_UNITS`.

    Returns:
        [N, ...], float32, or float64 if the images are.
    """
    gradients: Tensor
    (gradients,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return PIXEL_UNITS[pixels] * (gradients if gradients.dtype == torch.float64 else gradients.float())


def zero_centered_penalty(gradients: Tensor) -> Tensor:
    """R1 of gradients at real images, or R2 at generated ones: ``mean(|∇D|²)``.

    Mescheder et al., "Which Training Methods for GANs do actually Converge?", 2018, equations 9 and 10, without the
    factor γ/2.

    Args:
        gradients: [N, ...], as :func:`input_gradients` returns them.
    """
    return gradients.square().flatten(1).sum(1).mean()  # E[‖∇D‖²]


def one_centered_penalty(gradients: Tensor) -> Tensor:
    """The gradient penalty of WGAN-GP at points between real and generated images: ``mean((|∇D| - 1)²)``.

    Gulrajani et al., "Improved Training of Wasserstein GANs", 2017, equation 3, without the factor λ.

    Args:
        gradients: [N, ...], as :func:`input_gradients` returns them.
    """
    norms: Tensor = torch.linalg.vector_norm(gradients.flatten(1), dim=1)  # ‖∇D‖
    return (norms - 1).square().mean()  # E[(‖∇D‖ - 1)²]
