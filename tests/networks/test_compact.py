"""The compact networks: images of any size, and agreement with their NumPy form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from inkgan.generation import numpy_networks
from inkgan.generation.numpy_networks import compact_shapes, convolved, draw_compact, in_fast_layout
from inkgan.networks.compact import Discriminator, Generator
from inkgan.networks.grid import blocks_to_channels, channels_to_blocks

SHAPES = [((28, 28, 1), 10), ((64, 48, 3), 3), ((9, 21, 1), 0), ((5, 3, 3), 2)]


@pytest.fixture(autouse=True)
def same_weights() -> None:
    """Networks draw their weights from PyTorch's default generator."""
    torch.manual_seed(1)


@pytest.mark.parametrize(("shape", "classes"), SHAPES)
def test_numpy_draws_what_torch_draws(shape: tuple[int, int, int], classes: int) -> None:
    """The images agree to 1e-5, in any size, with labels and without; the weights have the declared shapes."""
    generator = Generator(shape, classes, 5, 16, 0.3)
    weights = {name: tensor.detach().numpy() for name, tensor in generator.state_dict().items()}
    assert {name: array.shape for name, array in weights.items()} == compact_shapes(shape, classes, 5, 16)
    latents = np.random.default_rng(2).standard_normal((7, 5), dtype=np.float32)
    labels = np.arange(7) % classes if classes else None
    drawn = generator(torch.from_numpy(latents), None if labels is None else torch.from_numpy(labels))
    about = {"image_shape": shape, "slope": 0.3}
    ours = draw_compact({n: np.ascontiguousarray(a) for n, a in weights.items()}, about, latents, labels)
    assert ours.shape == (7, *shape)
    assert np.abs(ours - drawn.detach().numpy()).max() < 1e-5
    assert ours.std() > 1e-3


@pytest.mark.parametrize(("shape", "classes"), SHAPES)
def test_an_image_has_the_same_bits_wherever_it_stands(shape: tuple[int, int, int], classes: int) -> None:
    """Alone, first, last, or among others: no bit of a drawn image depends on the batch."""
    state = Generator(shape, classes, 5, 32, 0.3).state_dict()
    weights = {name: np.ascontiguousarray(tensor.numpy()) for name, tensor in state.items()}
    latents = np.random.default_rng(2).standard_normal((13, 5), dtype=np.float32)
    labels = np.arange(13) % classes if classes else None
    about = {"image_shape": shape, "slope": 0.3}
    together = draw_compact(weights, about, latents, labels)
    backwards = draw_compact(weights, about, latents[::-1], None if labels is None else labels[::-1])
    np.testing.assert_array_equal(together, backwards[::-1])
    for i in (0, 5, 12):
        alone = draw_compact(weights, about, latents[i : i + 1], None if labels is None else labels[i : i + 1])
        np.testing.assert_array_equal(alone[0], together[i])


@pytest.mark.parametrize("outputs", [1, 4, 12, 20, 48])
@pytest.mark.parametrize("small", [1, 10**6])
def test_numpy_convolves_as_torch_does(outputs: int, small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """This holds for few channels and for many, which are computed in different ways, in one product or in several."""
    monkeypatch.setattr(numpy_networks, "_SMALL", small)
    rng = np.random.default_rng(outputs)
    maps = rng.standard_normal((3, 5, 9, 7), np.float32)
    weight = rng.standard_normal((outputs, 7, 3, 3), np.float32)
    expected = F.conv2d(torch.from_numpy(maps).permute(0, 3, 1, 2), torch.from_numpy(weight), padding=1)
    np.testing.assert_allclose(convolved(maps, weight), expected.permute(0, 2, 3, 1).numpy(), atol=1e-4)


@pytest.mark.parametrize("cached", [1, 300, 2**17])
def test_maps_are_convolved_in_groups(cached: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With stride 2, groups of one, two or all maps and kernels laid out before give the same bits; PyTorch agrees."""
    rng = np.random.default_rng(0)
    maps = rng.standard_normal((5, 5, 7, 1), np.float32)
    weight = rng.standard_normal((20, 1, 3, 3), np.float32)
    whole = convolved(maps, weight, 2)
    expected = F.conv2d(torch.from_numpy(maps).permute(0, 3, 1, 2), torch.from_numpy(weight), stride=2, padding=1)
    np.testing.assert_allclose(whole, expected.permute(0, 2, 3, 1).numpy(), atol=1e-5)
    monkeypatch.setattr(numpy_networks, "_CACHED", cached)
    np.testing.assert_array_equal(convolved(maps, weight, 2), whole)
    np.testing.assert_array_equal(in_fast_layout(weight), weight)
    np.testing.assert_array_equal(convolved(maps, in_fast_layout(weight), 2), whole)


@pytest.mark.parametrize(("shape", "classes"), SHAPES)
def test_the_discriminator_looks_at_every_pixel(shape: tuple[int, int, int], classes: int) -> None:
    """No pixel of any size is cut off, and each logit depends on its own image alone."""
    discriminator = Discriminator(shape, classes, 8, 0.1).double()
    images = torch.rand(2, *shape, dtype=torch.float64, requires_grad=True)
    logits, scores = discriminator(images, torch.tensor([0, 1]) % max(classes, 1))
    assert logits.shape == (2,)
    assert (None if scores is None else scores.shape) == ((2, classes) if classes else None)
    (gradient,) = torch.autograd.grad(logits[0], images)
    assert (gradient[0] != 0).all()
    assert (gradient[1] == 0).all()


def test_an_image_is_padded_with_paper_to_whole_cells() -> None:
    """To the networks, an image of 9×21 pixels is the same as one of 12×24 with paper to the right and below."""
    small = Discriminator((9, 21, 1), 2, 8, 0.1).double()
    large = Discriminator((12, 24, 1), 2, 8, 0.1).double()
    large.load_state_dict(small.state_dict())
    source = torch.Generator().manual_seed(2)
    images, labels = torch.rand(3, 9, 21, 1, dtype=torch.float64, generator=source), torch.tensor([0, 1, 1])
    padded = F.pad(images, (0, 0, 0, 3, 0, 3))
    assert torch.allclose(small(images, labels)[0], large(padded, labels)[0], atol=1e-12)
    assert not torch.allclose(small(images, labels)[0], large(1 - padded, labels)[0], atol=1e-3)
    generator = Generator((9, 21, 1), 0, 4, 8, 0.1)
    wider = Generator((12, 24, 1), 0, 4, 8, 0.1)
    wider.load_state_dict(generator.state_dict())
    latents = torch.randn(3, 4, generator=source)
    assert torch.allclose(generator(latents), wider(latents)[:, :9, :21], atol=1e-6)


def test_blocks_go_into_channels_and_back() -> None:
    """Nothing is lost, and a block's four pixels stand side by side."""
    maps = torch.arange(2 * 4 * 6 * 3.0).view(2, 4, 6, 3)
    assert torch.equal(channels_to_blocks(blocks_to_channels(maps)), maps)
    assert torch.equal(blocks_to_channels(maps)[0, 0, 0].view(4, 3), maps[0, :2, :2].reshape(4, 3))


def test_weights_start_with_the_spread_that_keeps_the_scale_of_activations() -> None:
    """He's deviation times each layer's gain; biases are zero, except the last one, which starts images dark."""
    generator = Generator((28, 28, 1), 10, 64, 64, 0.1)
    discriminator = Discriminator((28, 28, 1), 10, 64, 0.1)
    deviations = [
        (generator, "embedding", 1.0),
        (generator, "first.weight", 0.8 * np.sqrt(2 / 128)),
        (generator, "grow.0.weight", np.sqrt(2 / (9 * 64))),
        (generator, "scales.1.weight", 0.1 * np.sqrt(2 / 128)),
        (generator, "last.weight", 0.3 * np.sqrt(2 / (9 * 24))),
        (discriminator, "shrink.0.weight", np.sqrt(2 / (9 * 24))),
        (discriminator, "summary.weight", 0.7 * np.sqrt(2 / (49 * 64))),
        (discriminator, "last.weight", 0.5 * np.sqrt(2 / 128)),
    ]
    for network, name, deviation in deviations:
        assert float(network.get_parameter(name).detach().std()) == pytest.approx(deviation, rel=0.06), name
    assert not discriminator.first.bias.any()
    assert generator.last.bias.tolist() == [-2] * 4
