"""The literal networks against TensorFlow's golden vectors, the fast ones against the literal, NumPy's against both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import golden
from inkgan.data import load
from inkgan.generation import numpy_networks as drawing
from inkgan.networks import tutorial
from inkgan.networks import tutorial_exact_fast as fast

_GOLDEN = Path(__file__).parents[1] / "references" / "tutorial_tf.npz"

#: The largest difference between the fast form and the literal one in float64, of values in (-1, 1) and of gradients.
_LIMITS = {torch.float32: 1e-6, torch.float64: 1e-12}
both_precisions = pytest.mark.parametrize("dtype", _LIMITS)


def _away_from_the_start(network: nn.Module) -> nn.Module:
    """The network with every parameter, biases and offsets too, well away from its initial value."""
    source = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=source) * 0.05)
    return network


def _both_forms(name: str, dtype: torch.dtype) -> tuple[nn.Module, nn.Module]:
    """The fast form in a precision and the literal one in float64, with the same parameters."""
    literal = _away_from_the_start(getattr(tutorial, name)(torch.Generator().manual_seed(7)))
    ours = getattr(fast, name)()
    ours.load_state_dict(literal.state_dict())
    return ours.to(dtype), literal.double()


@pytest.fixture(scope="module")
def forms() -> dict[tuple[str, torch.dtype], tuple[nn.Module, nn.Module]]:
    """Both forms of both networks in both precisions. Read them only."""
    return {(name, dtype): _both_forms(name, dtype) for name in ("Generator", "Discriminator") for dtype in _LIMITS}


def _inputs(name: str, batch: int, seed: int) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    if name == "Generator":
        return torch.randn(batch, 100, generator=source)
    return torch.rand(batch, 28, 28, 1, generator=source)


def _difference(ours: Tensor, theirs: Tensor) -> float:
    return float((ours.detach().double() - theirs.detach()).abs().max())


def _gradients(network: nn.Module, inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The output, and the gradients of its weighted mean for the inputs and every parameter."""
    inputs = inputs.clone().requires_grad_()
    output = network(inputs)
    weights = torch.linspace(-1, 1, output.numel(), dtype=output.dtype).view(output.shape)
    return output, list(torch.autograd.grad((output * weights).mean(), [inputs, *network.parameters()]))


@pytest.mark.slow
def test_the_literal_networks_are_tensorflows() -> None:
    """Images, logits, losses and gradients are those that the tutorial's own graph computed."""
    with np.load(_GOLDEN, allow_pickle=False) as file:
        vectors = {key: file[key] for key in file.files}
    rng, batch = np.random.default_rng(int(vectors["rng_seed"])), int(vectors["batch_size"])
    generator, discriminator = tutorial.Generator(), tutorial.Discriminator()
    golden.set_weights(generator, discriminator, rng)
    latents = torch.from_numpy(rng.standard_normal((batch, 100)).astype(np.float32))
    real = torch.from_numpy(load("mnist").test.images[:batch].astype(np.float32) / 255)
    with torch.no_grad():
        found: dict[str, Any] = {
            "generated": generator(latents),
            "generated_alone": generator(latents[:1]),
            "logits_real": discriminator(real)[:, None],
            "logits_fake": discriminator(generator(latents))[:, None],
        }
    found |= golden.losses_and_gradients(generator, discriminator, real, latents)
    differences = golden.compare({key: vectors[key] for key in found}, found)
    assert len(differences) == 61
    assert max(differences.values()) < golden.BEFORE


@pytest.mark.slow
@both_precisions
@pytest.mark.parametrize("name", ["Generator", "Discriminator"])
def test_fast_equals_literal_for_any_batch(
    forms: dict[tuple[str, torch.dtype], tuple[nn.Module, nn.Module]], name: str, dtype: torch.dtype
) -> None:
    """The output is the same, whatever the number of images and the inputs; in float64, so are the gradients."""
    ours, literal = forms[name, dtype]

    @settings(max_examples=6)
    @given(st.integers(1, 9), st.integers(0, 2**32))
    def same(batch: int, seed: int) -> None:
        inputs = _inputs(name, batch, seed)
        if dtype == torch.float32:
            assert _difference(ours(inputs), literal(inputs.double())) < _LIMITS[dtype]
            return
        output, gradients = _gradients(ours, inputs.double())
        expected, theirs = _gradients(literal, inputs.double())
        assert output.shape == expected.shape == ((batch, 28, 28, 1) if name == "Generator" else (batch,))
        assert _difference(output, expected) < _LIMITS[dtype]
        assert max(map(_difference, gradients, theirs)) < _LIMITS[dtype]
        assert max(float(gradient.abs().max()) for gradient in theirs) > 1e-3  # there is something to compare

    same()


@pytest.mark.parametrize(
    ("name", "batch", "seed"), [("Generator", 7, 1), ("Discriminator", 1, 5), ("Discriminator", 5, 5)]
)
def test_fast_gradients_in_float32(
    forms: dict[tuple[str, torch.dtype], tuple[nn.Module, nn.Module]], name: str, batch: int, seed: int
) -> None:
    """In float32, the fast form takes faster paths; their gradients are right, too.

    The inputs are chosen: where a ReLU lies within rounding of its kink, gradients in two precisions differ.
    """
    ours, literal = forms[name, torch.float32]
    inputs = _inputs(name, batch, seed)
    _, gradients = _gradients(ours, inputs)
    _, theirs = _gradients(literal, inputs.double())
    assert max(map(_difference, gradients, theirs)) < _LIMITS[torch.float32]


def test_the_border_matters(forms: dict[tuple[str, torch.dtype], tuple[nn.Module, nn.Module]]) -> None:
    """The last row of an image depends on the border of the resized maps, which the fast form corrects for."""
    _, literal = forms["Generator", torch.float64]
    latents = _inputs("Generator", 2, 1).double()
    middle = literal.get_parameter("w3").detach().clone()
    middle[:, :, 1] *= 1.5
    changed = torch.func.functional_call(literal, {"w3": middle}, (latents,))
    assert float((changed - literal(latents)).detach()[:, -1].abs().max()) > 1e-3


@both_precisions
def test_resize_is_the_legacy_bilinear(dtype: torch.dtype) -> None:
    """TensorFlow 1's closed form: x[i], then the mean of x[i] and x[i+1]; the last repeats."""
    maps = torch.tensor([[0, 1, 3, 7], [2, 3, 5, 9]], dtype=dtype).view(1, 1, 2, 4)
    assert tutorial.resize_to_double(maps)[0, 0].tolist() == [
        [0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 7.0],
        [1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 8.0],
        [2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 9.0, 9.0],
        [2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 9.0, 9.0],
    ]


@pytest.mark.slow
def test_initialisation_is_a_truncated_normal() -> None:
    """Deviation 0.02 before the cut at two deviations (0.0176 after it); D's biases and G's offsets are zero."""
    rng = torch.Generator().manual_seed(0)
    discriminator, generator = tutorial.Discriminator(rng), tutorial.Generator(rng)
    for drawn in (discriminator.w3.detach(), generator.w1.detach(), generator.b1.detach()):
        assert float(drawn.abs().max()) <= 0.04
        assert float(drawn.std()) == pytest.approx(0.0176, abs=0.0005)
        assert float(drawn.mean()) == pytest.approx(0.0, abs=0.001)
    for zero in (discriminator.b1, discriminator.b4, generator.beta1, generator.beta3):
        assert not zero.any()


def test_numpy_draws_what_training_draws() -> None:
    """The NumPy generator with batch statistics is the network."""
    network = _away_from_the_start(fast.Generator(torch.Generator().manual_seed(7)))
    weights = {name: parameter.detach().numpy() for name, parameter in network.named_parameters()}
    latents = np.random.default_rng(0).standard_normal((9, 100)).astype(np.float32)
    images, _ = drawing.draw_tutorial(weights, latents)
    with torch.no_grad():
        expected = network(torch.from_numpy(latents)).numpy()
    assert np.abs(images - expected).max() < 1e-5


@pytest.mark.slow
def test_standing_statistics_of_one_batch_reproduce_it() -> None:
    """Normalising a batch by its own measured statistics changes nothing; by those of several batches, it does."""
    network = _away_from_the_start(fast.Generator(torch.Generator().manual_seed(7)))
    weights = {name: parameter.detach().numpy() for name, parameter in network.named_parameters()}
    batches = list(np.random.default_rng(0).standard_normal((3, 20, 100)).astype(np.float32))
    own = weights | drawing.measure_standing_statistics(weights, batches[:1])
    average = weights | drawing.measure_standing_statistics(weights, batches)
    expected, _ = drawing.draw_tutorial(weights, batches[0])
    by_own, _ = drawing.draw_tutorial(own, batches[0], standing=True)
    by_average, _ = drawing.draw_tutorial(average, batches[0], standing=True)
    assert np.abs(by_own - expected).max() < 1e-5
    assert np.abs(by_average - expected).max() > 1e-3
