"""The fast networks against the literal graph, and the NumPy generator against both."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inkgan.generation import numpy_networks as drawing
from inkgan.networks.tutorial import Discriminator, Generator
from references import tutorial_graph

_LIMITS = {torch.float32: 1e-6, torch.float64: 1e-12}
both_precisions = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def _trained(make: Callable[[], Generator | Discriminator], dtype: torch.dtype) -> Generator | Discriminator:
    """A network whose every parameter, biases and offsets too, is well away from its initial value."""
    source = torch.Generator().manual_seed(7)
    network = make()
    network.initialise(source)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=source) * 0.05)
    return network.to(dtype)


def _parameters(network: nn.Module) -> dict[str, Tensor]:
    return dict(network.named_parameters())


def _largest_difference(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> float:
    return max(float((a - b).detach().abs().max()) for a, b in zip(ours, theirs, strict=True))


@both_precisions
@pytest.mark.parametrize("batch", [1, 2, 7])
def test_generator_equals_the_literal_graph(dtype: torch.dtype, batch: int) -> None:
    """Folding the resize into the kernel, borders included, changes neither images nor gradients."""
    network = _trained(Generator, dtype)
    latents = torch.randn(batch, 100, dtype=dtype, generator=torch.Generator().manual_seed(1)).requires_grad_()
    fast, literal = network(latents), tutorial_graph.generator(latents, _parameters(network))
    assert fast.shape == (batch, 28, 28, 1)
    assert _largest_difference([fast], [literal]) < _LIMITS[dtype]
    weights = torch.rand(fast.shape, dtype=dtype, generator=torch.Generator().manual_seed(2))
    wanted = [latents, *network.parameters()]
    ours = torch.autograd.grad((fast * weights).mean(), wanted)
    theirs = torch.autograd.grad((literal * weights).mean(), wanted)
    assert max(float(gradient.detach().abs().max()) for gradient in theirs) > 1e-3  # there is something to compare
    assert _largest_difference(ours, theirs) < _LIMITS[dtype]


@both_precisions
@pytest.mark.parametrize("batch", [1, 5])
def test_discriminator_equals_the_literal_graph(dtype: torch.dtype, batch: int) -> None:
    """Patches and pooling by products change neither logits nor gradients, those of the images included.

    The images are chosen: where a ReLU sits within rounding of its kink, float32 gradients of the two forms differ.
    """
    network = _trained(Discriminator, dtype)
    images = torch.rand(batch, 28, 28, 1, dtype=dtype, generator=torch.Generator().manual_seed(5)).requires_grad_()
    # In float64, whatever the fast form computes in: the literal form's own rounding may be larger than the limit.
    precise = {name: p.detach().double().requires_grad_() for name, p in network.named_parameters()}
    pixels = images.detach().double().requires_grad_()
    fast, literal = network(images), tutorial_graph.discriminator(pixels, precise)
    assert fast.shape == (batch,)
    assert _largest_difference([fast], [literal]) < _LIMITS[dtype]
    ours = torch.autograd.grad(fast.square().mean(), [images, *network.parameters()])
    theirs = torch.autograd.grad(literal.square().mean(), [pixels, *precise.values()])
    assert max(float(gradient.detach().abs().max()) for gradient in theirs) > 1e-3  # there is something to compare
    assert _largest_difference(ours, theirs) < _LIMITS[dtype]


def test_the_reference_sees_the_border() -> None:
    """The middle taps decide the last row and column, which the fast form must correct: the reference feels them."""
    parameters = {
        name: parameter.detach() for name, parameter in _parameters(_trained(Generator, torch.float64)).items()
    }
    latents = torch.randn(2, 100, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    middle = parameters["w3"].clone()
    middle[:, :, 1] *= 1.5
    changed = tutorial_graph.generator(latents, parameters | {"w3": middle})
    literal = tutorial_graph.generator(latents, parameters)
    assert float((changed - literal)[:, -1].abs().max()) > 1e-3


@both_precisions
def test_resize_is_the_legacy_bilinear(dtype: torch.dtype) -> None:
    """The literal resize has the closed form of its first version: x[i], then the mean of x[i] and x[i+1]."""
    maps = torch.arange(4, dtype=dtype).view(1, 1, 4, 1).expand(1, 1, 4, 4)
    rows = tutorial_graph.resize_to_double(maps)[0, 0, :, 0]
    assert rows.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.0]


def test_initialisation_is_a_truncated_normal() -> None:
    """Deviation 0.02 before the cut at two deviations (0.0176 after it); D's biases and G's offsets are zero."""
    source = torch.Generator().manual_seed(0)
    discriminator, generator = Discriminator(), Generator()
    discriminator.initialise(source)
    generator.initialise(source)
    for drawn in (discriminator.w3.detach(), generator.w1.detach(), generator.b1.detach()):
        assert float(drawn.abs().max()) <= 0.04
        assert float(drawn.std()) == pytest.approx(0.0176, abs=0.0005)
        assert float(drawn.mean()) == pytest.approx(0.0, abs=0.001)
    for zero in (discriminator.b1, discriminator.b4, generator.beta1, generator.beta3):
        assert not zero.any()


def test_numpy_draws_what_training_draws() -> None:
    """The NumPy generator with batch statistics is the network."""
    network = _trained(Generator, torch.float32)
    weights = {name: parameter.detach().numpy() for name, parameter in network.named_parameters()}
    latents = np.random.default_rng(0).standard_normal((9, 100)).astype(np.float32)
    images, _ = drawing.draw_tutorial(weights, latents)
    with torch.no_grad():
        expected = network(torch.from_numpy(latents)).numpy()
    assert np.abs(images - expected).max() < 1e-5


def test_standing_statistics_of_one_batch_reproduce_it() -> None:
    """Normalising a batch by its own measured statistics changes nothing; by those of others it does."""
    network = _trained(Generator, torch.float32)
    weights = {name: parameter.detach().numpy() for name, parameter in network.named_parameters()}
    batches = list(np.random.default_rng(0).standard_normal((3, 20, 100)).astype(np.float32))
    own = weights | drawing.measure_standing_statistics(weights, batches[:1])
    average = weights | drawing.measure_standing_statistics(weights, batches)
    expected, _ = drawing.draw_tutorial(weights, batches[0])
    by_own, _ = drawing.draw_tutorial(own, batches[0], drawing.standing_statistics(own))
    by_average, _ = drawing.draw_tutorial(average, batches[0], drawing.standing_statistics(average))
    assert np.abs(by_own - expected).max() < 1e-5
    assert np.abs(by_average - expected).max() > 1e-3
