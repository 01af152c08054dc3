"""Adversarial losses as pure functions: logits in, one number out.

Logits are [N], real-valued, above 0 where the discriminator takes an image for real; every loss is a mean over N.
"""

from __future__ import annotations

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
