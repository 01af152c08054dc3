"""Networks made from descriptions, fresh networks, and what ``print`` shows of them."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn

import inkgan
from fresh_process import modules_after
from inkgan import networks
from inkgan.config import Config
from inkgan.errors import CheckpointError
from inkgan.generation.numpy_networks import NUMPY_NETWORKS
from inkgan.images import to_uint8
from inkgan.networks import compact, tutorial, tutorial_exact_fast

_MODELS = Path(inkgan.__file__).parent / "models"
_FRESH: Mapping[str, Callable[[], nn.Module]] = {
    "tutorial generator": tutorial.Generator,
    "tutorial discriminator": tutorial.Discriminator,
    "fast tutorial generator": tutorial_exact_fast.Generator,
    "fast tutorial discriminator": tutorial_exact_fast.Discriminator,
    "compact generator": lambda: compact.Generator((20, 33, 3), 4, 6, 16, 0.1),
    "compact generator without labels": lambda: compact.Generator((8, 8, 1), 0, 6, 16, 0.1),
    "compact discriminator": lambda: compact.Discriminator((20, 33, 3), 4, 16, 0.1),
    "compact discriminator without labels": lambda: compact.Discriminator((8, 8, 1), 0, 16, 0.1),
}
every_network = pytest.mark.parametrize("make", _FRESH.values(), ids=_FRESH)


def _description(name: str) -> dict[str, Any]:
    return json.loads((_MODELS / name / "model.json").read_text("utf-8"))


@pytest.fixture
def _empty_memory_is_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have PyTorch fill the memory of new parameters with NaN."""
    empty = torch.empty
    monkeypatch.setattr("torch.empty", lambda *args, **kwargs: empty(*args, **kwargs).fill_(torch.nan))


@pytest.mark.slow
@every_network
@pytest.mark.usefixtures("_empty_memory_is_nan")
def test_a_fresh_network_has_drawn_its_weights(make: Callable[[], nn.Module]) -> None:
    """No parameter keeps what the memory held before, and the values of each weight vary."""
    for name, parameter in make().named_parameters():
        assert parameter.isfinite().all(), name
        assert parameter.ndim == 1 or parameter.std() > 0, name


@pytest.mark.slow
@pytest.mark.usefixtures("_empty_memory_is_nan")
def test_a_fresh_generator_draws_images_that_a_fresh_discriminator_scores() -> None:
    images = tutorial.Generator()(torch.randn(3, 100))
    assert ((images > 0) & (images < 1)).all()
    assert tutorial.Discriminator()(images).isfinite().all()


@pytest.mark.slow
@every_network
def test_print_shows_every_layer(make: Callable[[], nn.Module]) -> None:
    """Each parameter's layer has a line with its name; the shapes stand beside the names."""
    network = make()
    lines = repr(network).splitlines()
    for name, parameter in network.named_parameters():
        if "." in name:  # a layer of PyTorch's: (first): Linear(in_features=70, ...
            assert any(line.strip().startswith(f"({name.split('.')[0]}): ") for line in lines), name
        else:
            assert any(name in line and str(list(parameter.shape)) in line for line in lines), name


@pytest.mark.parametrize("name", ["best", "fast", "tutorial"])
def test_the_generator_of_a_model_takes_its_weights(name: str) -> None:
    """A description suffices to make the network that the saved weights fit, and it draws what the model draws."""
    description = _description(name)
    saved = load_file(_MODELS / name / "generator.safetensors")
    weights = {key: array.astype(np.float32) for key, array in saved.items() if not key.startswith("standing.")}
    network = networks.build_generator(description)
    network.load_state_dict({key: torch.from_numpy(array) for key, array in weights.items()})
    if name == "tutorial":
        return
    latents = np.random.default_rng(0).standard_normal((10, description["latent_dim"])).astype(np.float32)
    with torch.no_grad():
        drawn = to_uint8(network(torch.from_numpy(latents), torch.arange(10)).numpy())
    by_numpy = inkgan.load(name).draw(latents, np.arange(10))
    assert np.abs(drawn[..., 0].astype(int) - by_numpy).max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["best", "fast", "tutorial"])
def test_the_discriminator_of_a_model_is_as_wide_as_its_settings_say(name: str) -> None:
    description = _description(name)
    if name != "tutorial":
        description["config"]["discriminator"]["channels"] = 32
    network = networks.build_discriminator(description)
    output = network(torch.rand(2, 28, 28, 1), *([] if name == "tutorial" else [torch.tensor([3, 9])]))
    logits = output if isinstance(output, torch.Tensor) else output[0]
    assert logits.shape == (2,)
    assert name == "tutorial" or network.get_parameter("refine.weight").shape == (32, 32, 3, 3)


def test_a_network_of_ones_own_is_built_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module with two functions and an entry in the table are all that a new network needs."""
    module = types.ModuleType("mine")
    vars(module).update(
        build_generator=lambda description: nn.Linear(description["latent_dim"], description["extra"]),
        build_discriminator=lambda description: nn.Linear(description["extra"], 1),
    )
    monkeypatch.setitem(sys.modules, "mine", module)
    monkeypatch.setitem(networks.NETWORKS, "mine", "mine")
    description = {"network": "mine", "latent_dim": 3, "extra": 5}
    assert networks.build_generator(description).get_parameter("weight").shape == (5, 3)
    assert networks.build_discriminator(description).get_parameter("weight").shape == (1, 5)


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_every_network_draws_and_scores(name: str) -> None:
    """With and without labels: images in [0, 1], a logit for each, and a gradient for every parameter."""
    numpy_form = NUMPY_NETWORKS.get(name)
    for classes in (0, 10):
        description: dict[str, Any] = {"network": name, "image_shape": [28, 28, 1], "num_classes": classes}
        description |= {"latent_dim": 7, "channels": 16, "slope": 0.1, "config": Config().model_dump()}
        description |= {} if numpy_form is None else numpy_form.fixed
        generator = networks.build_generator(description)
        discriminator = networks.build_discriminator(description)
        labels = [torch.tensor([3, 9])] if description["num_classes"] else []
        images = generator(torch.randn(2, description["latent_dim"]), *labels)
        assert images.shape == (2, *description["image_shape"])
        assert ((images >= 0) & (images <= 1)).all()
        output = discriminator(images, *labels)
        logits, scores = output if isinstance(output, tuple) else (output, None)
        assert logits.shape == (2,)
        assert scores is None or scores.shape == (2, classes)
        (logits.sum() + (0 if scores is None else scores[:, 0].sum())).backward()
        for network in (generator, discriminator):
            assert [key for key, parameter in network.named_parameters() if parameter.grad is None] == []


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(
        CheckpointError, match=r"unknown network 'compakt'. Did you mean 'compact'\? Known networks are"
    ):
        networks.build_generator({"network": "compakt"})
    with pytest.raises(CheckpointError, match="unknown network None"):
        networks.build_discriminator({})
    with pytest.raises(CheckpointError, match="unknown network"):
        networks.build_generator({"network": ["compact"]})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"image_shape": [28, 28]}, "ValueError"),
        ({"num_classes": "ten"}, "TypeError"),
        ({"config": {}}, "KeyError: 'discriminator'"),
        ({"config": {"discriminator": {"channels": 10**9}}}, "discriminator.channels is 1000000000"),
        ({"config": {"discriminator": {"channels": "64"}}}, "discriminator.channels is '64'"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(CheckpointError, match=reason):
        networks.build_discriminator(_description("fast") | change)


@pytest.mark.parametrize("description", [None, "best", []])
def test_what_is_no_description_is_refused(description: Any) -> None:
    """The content of a model.json is a mapping; the message says where one is."""
    with pytest.raises(CheckpointError, match=r"does not describe a network\. Give the content of a model\.json"):
        networks.build_generator(description)


def test_a_missing_size_is_named() -> None:
    description = _description("fast")
    del description["channels"]
    with pytest.raises(CheckpointError, match="KeyError: 'channels'"):
        networks.build_generator(description)


def test_importing_the_wing_does_not_import_pytorch() -> None:
    assert "torch" not in modules_after("import inkgan.networks, inkgan.networks.grid")
