"""The losses against values computed by hand."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
import torch

from inkgan.config import resolve
from inkgan.config.schema import Loss
from inkgan.errors import ConfigError
from inkgan.training import losses


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
    """Each is the cross-entropy with the label in its name."""
    assert callable(loss)
    assert float(loss(torch.tensor(logits, dtype=torch.float64))) == pytest.approx(expected, rel=1e-12)


LOGITS_REAL, LOGITS_FAKE = torch.tensor([2.0, -0.5], dtype=torch.float64), torch.tensor([0.0, 1.0], dtype=torch.float64)


#: The losses of the discriminator and of the generator in every game, computed by hand.
BY_HAND = {
    "non-saturating": (
        (math.log1p(math.exp(-2)) + math.log1p(math.exp(0.5)) + math.log(2) + math.log1p(math.e)) / 2,
        (math.log(2) + math.log1p(math.exp(-1))) / 2,
    ),
    "least-squares": (((1 + 2.25) / 2 + (1 + 4) / 2) / 2, (1 + 0) / 4),
    "hinge": ((0 + 1.5) / 2 + (1 + 2) / 2, -0.5),
    "wgan-gp": (0.5 - 0.75, 0.75 - 0.5),
    "relativistic": (  # differences 2 and -3/2
        (math.log1p(math.exp(-2)) + math.log1p(math.exp(1.5))) / 2,
        (math.log1p(math.exp(2)) + math.log1p(math.exp(-1.5))) / 2,
    ),
}


def test_every_game_is_worked_out() -> None:
    """A new game needs its values here too."""
    assert BY_HAND.keys() == losses.ADVERSARIAL_LOSSES.keys(), "give its two losses to BY_HAND"


@pytest.mark.parametrize("name", BY_HAND)
def test_games(name: str) -> None:
    """Both losses match for logits of 2 and -1/2 for real images, and of 0 and 1 for generated ones."""
    game = losses.ADVERSARIAL_LOSSES[name]
    found = [float(loss(LOGITS_REAL, LOGITS_FAKE)) for loss in (game.discriminator, game.generator)]
    assert found == pytest.approx(BY_HAND[name], rel=1e-12)


@pytest.mark.parametrize("name", losses.ADVERSARIAL_LOSSES)
@pytest.mark.parametrize("seed", range(5))
def test_which_games_have_a_zero(name: str, seed: int) -> None:
    """A constant added to all logits changes the logged figures exactly if logits have a zero."""
    game = losses.ADVERSARIAL_LOSSES[name]
    source = torch.Generator().manual_seed(seed)
    real, fake = 3 * torch.randn(2, 7, generator=source, dtype=torch.float64)
    constant = 50 * torch.randn((), generator=source, dtype=torch.float64)

    def shown(real: torch.Tensor, fake: torch.Tensor) -> list[float]:
        figures = {"D": game.discriminator(real, fake), "G": game.generator(real, fake)}
        figures |= losses.mean_probabilities(real, fake) if game.has_zero else losses.comparison(real, fake)
        return [float(figure) for figure in figures.values()]

    for before, after in zip(shown(real, fake), shown(real + constant, fake + constant), strict=True):
        assert (after == pytest.approx(before, rel=1e-9, abs=1e-9)) != game.has_zero


def test_the_comparison_of_pairs() -> None:
    """Differences of 2 and -3/2 have a mean of 1/4, and one pair of two is in order."""
    found = losses.comparison(LOGITS_REAL, LOGITS_FAKE)
    assert {name: float(figure) for name, figure in found.items()} == {"margin": 0.25, "pairs_in_order": 0.5}


def test_equal_logits_are_not_in_order() -> None:
    """A pair counts only if the real image's logit is higher, by however little."""
    real, fake = torch.tensor([0.0, 0.5, 2.0]), torch.tensor([0.0, 0.0, 3.0])
    assert float(losses.comparison(real, fake)["pairs_in_order"]) == pytest.approx(1 / 3)


def test_mean_probabilities() -> None:
    """Logits of log 3 and 0 are probabilities of 3/4 and 1/2."""
    found = losses.mean_probabilities(torch.tensor([math.log(3), 0.0]), torch.tensor([0.0, -math.log(3)]))
    assert {name: float(figure) for name, figure in found.items()} == pytest.approx(
        {"score_real": 0.625, "score_fake": 0.375}
    )


@pytest.mark.parametrize("name", losses.ADVERSARIAL_LOSSES)
def test_a_game_is_what_its_formulas_say(name: str) -> None:
    """The formulas in docs/settings.md, evaluated in Python, have the loss as their mean over a batch."""
    game = losses.ADVERSARIAL_LOSSES[name]
    rng = np.random.default_rng(0)
    real, fake = 2 * rng.standard_normal((2, 9))
    own = {"softplus": lambda logits: np.logaddexp(0, logits), "max": np.maximum, "real": real, "fake": fake}
    meaning = {**vars(np), **own}
    for loss, formula in zip((game.discriminator, game.generator), game.formulas, strict=True):
        readable = formula.replace("D(G(z))", "fake").replace("D(x)", "real").replace("²", "**2")
        expected = np.mean(eval(readable, meaning))
        assert float(loss(torch.from_numpy(real), torch.from_numpy(fake))) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", losses.ADVERSARIAL_LOSSES)
def test_the_settings_know_the_penalty_of_every_game(name: str) -> None:
    """The penalty about a norm of one is that of WGAN-GP, without a choice; all others use R1 and R2, or R1 alone."""
    try:
        resolve(overrides=[f"loss={name}", "penalty.on=real"])
        refused = False
    except ConfigError:
        refused = True
    one_centered = losses.ADVERSARIAL_LOSSES[name].one_centered
    assert one_centered == refused, "see Config._penalty_is_that_of_the_loss in config/schema.py"


def test_the_settings_name_every_game() -> None:
    """--set loss= accepts exactly the games that exist."""
    assert set(get_args(Loss)) == losses.ADVERSARIAL_LOSSES.keys(), "name it in config.schema.Loss, too"


def test_penalties_of_a_linear_discriminator() -> None:
    """D(x) = w.x has the gradient w everywhere: R1 is |w|^2, WGAN-GP's penalty is (|w| - 1)^2, for pixels in [0, 1]."""
    images = torch.rand(5, 2, 2, 1, dtype=torch.float64, requires_grad=True)
    weight = torch.tensor([3.0, 0.0, 4.0, 0.0], dtype=torch.float64, requires_grad=True)
    gradients = losses.input_gradients(images.flatten(1) @ weight, images, "0..1")
    assert float(losses.zero_centered_penalty(gradients).detach()) == pytest.approx(25)
    assert float(losses.one_centered_penalty(gradients).detach()) == pytest.approx(16)
    (of_weight,) = torch.autograd.grad(losses.zero_centered_penalty(gradients), weight)
    assert of_weight.tolist() == pytest.approx([6, 0, 8, 0])


def test_penalties_refer_to_the_pixels_of_the_papers() -> None:
    """They equal, to the bit, those of a discriminator that gets pixels in [-1, 1]."""
    images = torch.rand(5, 2, 3, 1, dtype=torch.float64, requires_grad=True)
    papers = (2 * images.detach() - 1).requires_grad_()

    def discriminator(papers: torch.Tensor) -> torch.Tensor:
        return (3 * papers).sin().flatten(1).sum(1)

    gradients = losses.input_gradients(discriminator(2 * images - 1), images)
    (expected,) = torch.autograd.grad(discriminator(papers).sum(), papers)
    assert torch.equal(gradients.detach(), expected)


@pytest.mark.parametrize(
    ("given", "returned"), [("bfloat16", "float32"), ("float32", "float32"), ("float64", "float64")]
)
def test_penalties_are_computed_precisely(given: str, returned: str) -> None:
    """Gradients are squared and summed in float32 or better."""
    images = torch.rand(5, 4, dtype=getattr(torch, given), requires_grad=True)
    assert losses.input_gradients(images.square().sum(1), images).dtype == getattr(torch, returned)


def test_generator_gradient_does_not_vanish_where_the_discriminator_wins() -> None:
    """At a logit of -25, the gradient of the non-saturating loss still has its full size."""
    logits = torch.tensor([-25.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(losses.fake_as_real(logits), [logits])
    assert float(gradient) == pytest.approx(-1.0, abs=1e-9)
