"""The losses against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from inkgan import losses


@pytest.mark.parametrize(
    ("loss", "logits", "expected"),
    [
        (losses.real_as_real, [0.0], math.log(2)),
        (losses.fake_as_fake, [0.0], math.log(2)),
        (losses.fake_as_real, [0.0], math.log(2)),
        (losses.real_as_real, [math.log(3)], math.log(4 / 3)),  # sigmoid is 3/4
        (losses.fake_as_fake, [math.log(3)], math.log(4)),
        (losses.fake_as_real, [math.log(3), 0.0], (math.log(4 / 3) + math.log(2)) / 2),
        (losses.real_as_real, [-1000.0], 1000.0),  # no overflow
        (losses.fake_as_fake, [1000.0], 1000.0),
    ],
)
def test_value(loss: object, logits: list[float], expected: float) -> None:
    """Cross-entropy with the label that the loss is named for."""
    assert callable(loss)
    assert float(loss(torch.tensor(logits, dtype=torch.float64))) == pytest.approx(expected, rel=1e-12)


def test_generator_gradient_does_not_vanish_where_the_discriminator_wins() -> None:
    """At a logit of -25 the non-saturating loss still pulls with its full strength."""
    logits = torch.tensor([-25.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(losses.fake_as_real(logits), [logits])
    assert float(gradient) == pytest.approx(-1.0, abs=1e-9)
