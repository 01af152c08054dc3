"""A user's own PyTorch network: one module and its name are all that training and drawing need."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import Tensor, nn

import inkgan
import tiny_runs as runs
from documents import ROOT, blocks
from inkgan import networks
from inkgan.config import resolve
from inkgan.errors import CheckpointError, ConfigError, InkganWarning
from inkgan.runs import checkpoint
from inkgan.training.compact import Compact
from inkgan.training.processes import disagreement
from inkgan.training.recipe import Recipe, StepInfo
from inkgan.training.start import _shared_facts, build
from inkgan.training.team import Team

#: The network of a recipe that each function of a module builds and that learns.
_LEARNER = {"generator": "learner", "discriminator": "discriminator"}


class Generator(nn.Module):
    """A generator for any image shape: one linear layer and batch normalisation, which has buffers."""

    def __init__(self, shape: list[int], latent_dim: int) -> None:
        super().__init__()
        self.shape = shape
        self.layer = nn.Linear(latent_dim, math.prod(shape))
        self.norm = nn.BatchNorm1d(math.prod(shape))

    def forward(self, latents: Tensor) -> Tensor:
        """Images [N, H, W, C] in (0, 1)."""
        return torch.sigmoid(self.norm(self.layer(latents))).view(-1, *self.shape)


class Discriminator(nn.Module):
    """A discriminator that gives one logit for an image, and no classes."""

    def __init__(self, shape: list[int]) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), 8), nn.LeakyReLU(), nn.Linear(8, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N]."""
        logits: Tensor = self.layers(images)
        return logits.squeeze(1)


@pytest.fixture(autouse=True)
def mine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Register the module as a maintainer would."""
    module: Any = types.ModuleType("mine")
    module.build_generator = lambda about: Generator(about["image_shape"], about["latent_dim"])
    module.build_discriminator = lambda about: Discriminator(about["image_shape"])
    monkeypatch.setitem(sys.modules, "mine", module)
    monkeypatch.setitem(networks.NETWORKS, "mine", "mine")
    return module


def change(mine: Any, role: str, alter: Callable[[Any], object]) -> None:
    """Alter the networks that a function of the module builds."""
    make = getattr(mine, f"build_{role}")

    def altered(about: Any) -> nn.Module:
        network: nn.Module = make(about)
        alter(network)
        return network

    setattr(mine, f"build_{role}", altered)


def built(
    shape: tuple[int, int, int] = (5, 4, 3), classes: int = 0, team: Team | None = None, **settings: Any
) -> Recipe:
    """Build a recipe with the module's networks."""
    config = resolve(overrides={"network": "mine", **settings})
    return build(config, shape, classes, torch.device("cpu"), torch.float32, team or Team())


@pytest.mark.slow
def test_it_trains_resumes_and_draws(tmp_path: Path, small_data: Path) -> None:
    """A run in two parts equals one run to the bit, and the saved model draws by its name alone."""
    options: dict[str, Any] = {"settings": ["network=mine", "pretraining_steps=0"], "steps": 3}
    before = torch.get_rng_state()
    runs.train(tmp_path / "whole", small_data, **options)
    runs.train(tmp_path / "parts", small_data, stop_at=1, **options)
    runs.train(tmp_path / "parts", small_data, resume=True, **options)
    assert torch.equal(torch.get_rng_state(), before)
    assert runs.learned(tmp_path / "whole") == runs.learned(tmp_path / "parts")
    start, end = _initial(tmp_path / "whole"), _weights(runs.newest(tmp_path / "whole"))
    assert not np.array_equal(start["layer.weight"], end["layer.weight"])
    assert inkgan.load(tmp_path / "whole").sample(3).shape == (3, 12, 12)


def _weights(folder: Path) -> dict[str, Any]:
    return load_file(folder / "generator.safetensors")


def _initial(run: Path) -> dict[str, Any]:
    first = runs.steps_saved(run)[0]
    return _weights(run / "checkpoints" / checkpoint.checkpoint_name(first))


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex64, torch.float16, torch.uint8, torch.bool])
def test_a_buffer_of_any_type_is_saved(tmp_path: Path, small_data: Path, mine: Any, dtype: torch.dtype) -> None:
    """NumPy's functions return float64, so a buffer that was computed with them often is of this type."""
    change(mine, "generator", lambda network: network.register_buffer("grid", torch.linspace(0, 1, 3).to(dtype)))
    options: dict[str, Any] = {"settings": ["network=mine"], "steps": 2}
    runs.train(tmp_path / "run", small_data, stop_at=1, **options)
    assert runs.train(tmp_path / "run", small_data, resume=True, **options).complete
    assert inkgan.load(tmp_path / "run").sample(3).shape == (3, 12, 12)


@pytest.mark.parametrize("role", ["generator", "discriminator"])
@pytest.mark.parametrize(
    ("buffer", "said"),
    [
        (torch.zeros(3, dtype=torch.bfloat16), "is torch.bfloat16, which NumPy does not have"),
        (torch.tensor([0.0, -torch.inf]), "holds numbers that are not finite. If it is a constant, register it with"),
    ],
)
def test_a_network_that_cannot_be_saved_is_refused(mine: Any, role: str, buffer: Tensor, said: str) -> None:
    change(mine, role, lambda network: network.register_buffer("grid", buffer))
    with pytest.raises(ConfigError, match=rf"^the network 'mine' cannot be saved: grid of its {role} {said}"):
        built()


@pytest.mark.parametrize("role", ["generator", "discriminator"])
def test_a_network_without_a_parameter_to_train_is_refused(mine: Any, role: str) -> None:
    change(mine, role, lambda network: network.requires_grad_(False))
    with pytest.raises(ConfigError, match=rf"cannot learn: its {role} has no parameter that is trained\.$"):
        built()


@pytest.mark.parametrize("role", ["generator", "discriminator"])
def test_a_frozen_parameter_stays_as_it_is(mine: Any, role: str) -> None:
    change(mine, role, lambda network: next(network.parameters()).requires_grad_(False))
    recipe = built()
    before = {name: one.detach().clone() for name, one in recipe.networks[_LEARNER[role]].named_parameters()}
    recipe.step(StepInfo(0, 0, 0.0), torch.rand(64, 5, 4, 3, generator=torch.Generator().manual_seed(0)), None)
    now = dict(recipe.networks[_LEARNER[role]].named_parameters())
    frozen, *others = before
    assert torch.equal(now[frozen], before[frozen])
    # A relativistic loss has no gradient for the discriminator's last bias, except for rounding.
    assert {name for name in others if torch.equal(now[name], before[name])} <= {"layers.3.bias"}


def test_the_generator_that_draws_has_the_newest_statistics() -> None:
    """Batch normalisation keeps means of its own, so the average of the weights takes them as they are."""
    recipe = built()
    real = torch.rand(64, 5, 4, 3, generator=torch.Generator().manual_seed(0))
    for number in range(2):
        recipe.step(StepInfo(number, number, 0.0), real, None)
    drawing, learning = (dict(recipe.networks[name].named_buffers()) for name in ("generator", "learner"))
    assert drawing["norm.num_batches_tracked"] == 2
    for name, buffer in learning.items():
        assert torch.equal(drawing[name], buffer), name


def test_the_seed_of_the_run_decides_the_initial_weights() -> None:
    """This holds although the module uses PyTorch's default initialisation."""
    initial = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        initial[name] = built(seed=seed).networks["generator"].get_parameter("layer.weight").detach().numpy()
    assert np.array_equal(initial["a"], initial["b"])
    assert not np.array_equal(initial["a"], initial["c"])


class Forgetful(Discriminator):
    """A discriminator that drops half of its input pixels."""

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N]."""
        return super().forward(nn.functional.dropout(images, training=self.training))


def test_layers_that_draw_random_numbers(tmp_path: Path, small_data: Path, mine: Any) -> None:
    """Seed, step and slice decide what dropout drops, so a run repeats and resumes to the bit."""
    mine.build_discriminator = lambda about: Forgetful(about["image_shape"])
    options: dict[str, Any] = {"settings": ["network=mine", "batch_size=6", "slices=2"], "steps": 3}
    torch.manual_seed(1)
    runs.train(tmp_path / "whole", small_data, **options)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    runs.train(tmp_path / "parts", small_data, stop_at=1, **options)
    runs.train(tmp_path / "parts", small_data, resume=True, **options)
    assert torch.equal(torch.get_rng_state(), before)
    assert runs.learned(tmp_path / "whole") == runs.learned(tmp_path / "parts")


class Frozen(Discriminator):
    """A discriminator with a normalisation whose statistics its author fixed."""

    def __init__(self, shape: list[int]) -> None:
        super().__init__(shape)
        self.norm = nn.BatchNorm1d(math.prod(shape)).eval()

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N]."""
        return super().forward(self.norm(images.flatten(1)))


def test_layers_in_evaluation_mode_stay_in_it(tmp_path: Path, small_data: Path, mine: Any) -> None:
    """A new run shows pictures and looks before the first step, and a resumed one does not: neither may matter."""
    mine.build_discriminator = lambda about: Frozen(about["image_shape"])
    options: dict[str, Any] = {"settings": ["network=mine"], "steps": 3}
    runs.train(tmp_path / "whole", small_data, **options)
    runs.train(tmp_path / "parts", small_data, stop_at=1, **options)
    runs.train(tmp_path / "parts", small_data, resume=True, **options)
    assert runs.learned(tmp_path / "whole") == runs.learned(tmp_path / "parts")


def test_the_buffers_of_a_layer_in_evaluation_mode_do_not_change(mine: Any) -> None:
    """So several processes may train the network."""
    team = Team()
    team.size = 2
    change(mine, "generator", lambda network: setattr(network, "norm", nn.Identity()))
    mine.build_discriminator = lambda about: Frozen(about["image_shape"])
    assert isinstance(built(team=team, slices=2), Compact)


def test_slices_of_one_image_are_tried_as_such(mine: Any) -> None:
    """Batch normalisation cannot learn from a single vector, which would be noticed in the first step."""
    with pytest.raises(ConfigError, match="cannot learn these images: ValueError: Expected more than 1 value"):
        built(batch_size=2, slices=2)
    change(mine, "generator", lambda network: setattr(network, "norm", nn.Identity()))
    assert isinstance(built(batch_size=2, slices=2), Compact)


def test_each_part_of_a_step_has_its_own_random_numbers() -> None:
    recipe = built(slices=2)
    assert isinstance(recipe, Compact)
    drawn = set()
    for number, index, learner in itertools.product((0, 1), (0, 1), ("discriminator", "generator")):
        with recipe._seeded_layers(number, index, learner):
            drawn.add(torch.rand(()).item())
    assert len(drawn) == 8


def test_a_network_with_buffers_that_change_is_not_shared(mine: Any) -> None:
    """Each process would keep statistics of its own images; a network without statistics can be shared."""
    team = Team()
    team.size = 2
    with pytest.raises(ConfigError, match=r"changes its buffer norm\.running_mean with the images .*Start one process"):
        built(team=team, slices=2)
    without_statistics = nn.BatchNorm1d(math.prod((5, 4, 3)), track_running_stats=False)
    change(mine, "generator", lambda network: network.add_module("norm", without_statistics))
    built(team=team, slices=2)


def test_an_unknown_network_is_refused(tmp_path: Path, small_data: Path) -> None:
    with pytest.raises(CheckpointError, match=r"unknown network 'min'\. Did you mean 'mine'\?"):
        runs.train(tmp_path / "run", small_data, settings=["network=min"])
    assert not (tmp_path / "run").exists()


def test_a_network_that_does_not_fit_is_refused(tmp_path: Path, small_data: Path, mine: Any) -> None:
    """Other shapes or another signature are refused before anything is written."""
    good = mine.build_discriminator
    mine.build_discriminator = lambda about: nn.Sequential(nn.Flatten(), nn.Linear(144, 144))
    with pytest.raises(ConfigError, match=r"makes logits \[2, 144\] from 2 latents; needed are \[2\]"):
        runs.train(tmp_path / "run", small_data, settings=["network=mine"])
    mine.build_discriminator = good
    mine.build_generator = lambda about: nn.Bilinear(2, 2, 2)
    with pytest.raises(ConfigError, match="the network 'mine' cannot learn these images: TypeError: "):
        runs.train(tmp_path / "run", small_data, settings=["network=mine"])
    assert not (tmp_path / "run").exists()


class Untested(Generator):
    """A generator with a mistake in the part that only drawing reaches."""

    def forward(self, latents: Tensor) -> Tensor:
        """Images [N, H, W, C] in (0, 1), in training mode."""
        if not self.training:
            raise RuntimeError("a mistake")
        return super().forward(latents)


def test_a_network_that_could_not_draw_after_its_training_is_refused(mine: Any) -> None:
    mine.build_generator = lambda about: Untested(about["image_shape"], about["latent_dim"])
    with pytest.raises(ConfigError, match=r"the network 'mine' cannot learn these images: .*a mistake"):
        built()


class Classifier(Discriminator):
    """A discriminator that also gives a chosen number of class scores."""

    def __init__(self, shape: list[int], count: int) -> None:
        super().__init__(shape)
        self.classifier = nn.Linear(math.prod(shape), count)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Any:
        """Logits [N] and scores [N, count]."""
        return super().forward(images), self.classifier(images.flatten(1))


def test_an_auxiliary_classifier_needs_a_score_for_each_class(mine: Any) -> None:
    mine.build_generator = lambda about: WithLabels(about["image_shape"], about["latent_dim"])
    mine.build_discriminator = lambda about: Classifier(about["image_shape"], about["num_classes"])
    built(classes=3)
    mine.build_discriminator = lambda about: Classifier(about["image_shape"], about["num_classes"] + 1)
    with pytest.raises(ConfigError, match=r"makes class scores \[2, 4\] from 2 latents; needed are \[2, 3\]"):
        built(classes=3)


class Conditional(Discriminator):
    """A discriminator that accepts labels, ignores them, and gives no class scores."""

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits [N]."""
        return super().forward(images)


def test_class_scores_need_not_be_given_and_count_only_with_labels(mine: Any) -> None:
    mine.build_generator = lambda about: WithLabels(about["image_shape"], about["latent_dim"])
    mine.build_discriminator = lambda about: Conditional(about["image_shape"])
    built(classes=3)
    mine.build_discriminator = lambda about: Classifier(about["image_shape"], 3)
    with pytest.raises(ConfigError, match=r"do not depend on 2 parameters of its discriminator, such as classifier\."):
        built()


class WithLabels(Generator):
    """A generator that accepts labels and ignores them."""

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images [N, H, W, C] in (0, 1)."""
        return super().forward(latents)


class Detached(Generator):
    """A generator whose images have no gradient."""

    def forward(self, latents: Tensor) -> Tensor:
        """Images [N, H, W, C] in (0, 1)."""
        return super().forward(latents).detach()


@pytest.mark.parametrize("role", ["generator", "discriminator"])
def test_a_parameter_without_effect_is_refused(tmp_path: Path, small_data: Path, mine: Any, role: str) -> None:
    """It is refused by name before anything is written."""
    change(mine, role, lambda network: network.add_module("idle", nn.Linear(1, 1)))
    with pytest.raises(ConfigError, match=rf"do not depend on 2 parameters of its {role}, such as idle\.weight\."):
        runs.train(tmp_path / "run", small_data, settings=["network=mine"])
    assert not (tmp_path / "run").exists()


def test_images_without_a_gradient_are_refused(tmp_path: Path, small_data: Path, mine: Any) -> None:
    mine.build_generator = lambda about: Detached(about["image_shape"], about["latent_dim"])
    with pytest.raises(ConfigError, match=r"do not depend on 4 parameters of its generator, such as layer\.weight\."):
        runs.train(tmp_path / "run", small_data, settings=["network=mine"])
    assert not (tmp_path / "run").exists()


class DifferentiableOnce(torch.autograd.Function):
    """The identity, whose gradient has no gradient, as in fused kernels."""

    @staticmethod
    def forward(_context: Any, given: Tensor) -> Tensor:
        """Return a copy."""
        return given.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(_context: Any, gradient: Tensor) -> Tensor:
        """Return the gradient as it is."""
        return gradient.clone()


class Fused(Discriminator):
    """A discriminator that PyTorch can differentiate once only."""

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N]."""
        return super().forward(DifferentiableOnce.apply(images))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("weight", [0.4, 0.0])
def test_a_penalty_needs_the_gradient_of_a_gradient(small_data: Path, tmp_path: Path, mine: Any, weight: float) -> None:
    """A network without it is refused before anything is written; without a penalty it trains."""
    mine.build_discriminator = lambda about: Fused(about["image_shape"])
    settings = ["network=mine", f"penalty.weight={weight}"]
    if weight == 0:
        assert runs.train(tmp_path / "run", small_data, settings=settings).complete
        return
    with pytest.raises(ConfigError, match=r"^the network 'mine' cannot learn with a penalty, .* penalty\.weight=0\.$"):
        runs.train(tmp_path / "run", small_data, settings=settings)
    assert not (tmp_path / "run").exists()


def test_a_penalty_that_begins_later_needs_it_too(small_data: Path, tmp_path: Path, mine: Any) -> None:
    mine.build_discriminator = lambda about: Fused(about["image_shape"])
    settings = ["network=mine", "penalty.weight=0", 'changes=["2 penalty.weight=2"]']
    with pytest.raises(ConfigError, match="cannot learn with a penalty"):
        runs.train(tmp_path / "run", small_data, settings=settings)
    assert not (tmp_path / "run").exists()


class Constant(torch.autograd.Function):
    """The identity, with a gradient that PyTorch takes for a constant."""

    @staticmethod
    def forward(_context: Any, given: Tensor) -> Tensor:
        """Return a copy."""
        return given.clone()

    @staticmethod
    def backward(_context: Any, gradient: Tensor) -> Tensor:
        """Return the gradient, cut off from what it depends on."""
        return gradient.detach().requires_grad_()


class CutOff(Discriminator):
    """A discriminator whose gradient has a gradient, which reaches no parameter."""

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N]."""
        return super().forward(Constant.apply(images))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("is_partly_frozen", [False, True])
def test_a_gradient_of_the_gradient_that_reaches_no_parameter_is_refused(mine: Any, is_partly_frozen: bool) -> None:
    """Frozen parameters do not count: they need none."""
    mine.build_discriminator = lambda about: CutOff(about["image_shape"])
    change(mine, "discriminator", lambda network: next(network.parameters()).requires_grad_(not is_partly_frozen))
    with pytest.raises(ConfigError, match="none reaches a parameter"):
        built()


def test_what_a_penalty_cannot_differentiate_is_told() -> None:
    """The tutorial's fast networks compute gradients in place, which PyTorch says when it differentiates them."""
    with pytest.raises(ConfigError, match=r"^the network 'tutorial' cannot learn with a penalty, .*: RuntimeError: "):
        built((28, 28, 1), network="tutorial", conditional=False, class_weight=0.0, latent_dim=100)


@pytest.mark.parametrize("function", ["build_generator", "build_discriminator"])
def test_a_module_without_its_functions_is_refused(tmp_path: Path, small_data: Path, mine: Any, function: str) -> None:
    delattr(mine, function)
    with pytest.raises(CheckpointError, match=rf"^the module mine of the network 'mine' has no function {function}\."):
        runs.train(tmp_path / "run", small_data, settings=["network=mine"])
    assert not (tmp_path / "run").exists()


def test_a_module_that_is_not_there_is_named(tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(networks.NETWORKS, "mine", "no_such_module")
    with pytest.raises(CheckpointError, match=r"^cannot import the network 'mine': No module named 'no_such_module'\."):
        runs.train(tmp_path / "run", small_data, settings=["network=mine"])


def test_a_network_that_needs_float32_says_so(tmp_path: Path, small_data: Path) -> None:
    """Batch normalisation keeps float32 statistics, which PyTorch does not mix with bfloat16 weights."""
    with pytest.raises(ConfigError, match=r"Perhaps it can with --precision float32\.$"):
        runs.train(tmp_path / "run", small_data, settings=["network=mine"], precision="bfloat16")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the user's folder of networks: the example of docs/research.md, and a file that must not be imported."""
    folder = tmp_path / "networks"
    folder.mkdir()
    (example,) = [one for one in blocks(ROOT / "docs" / "research.md", "python") if "def build_generator" in one]
    (folder / "ours.py").write_text(example, "utf-8")
    (folder / "compact.py").write_text("raise SystemExit", "utf-8")
    (tmp_path / "outside.py").write_text(example, "utf-8")
    monkeypatch.setenv(networks.VARIABLE, str(folder))
    return folder


@pytest.mark.slow
def test_a_file_in_the_users_folder_is_a_network(
    folder: Path, tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It trains, resumes to the bit and draws; the run keeps its hash and warns if the file changes."""
    options: dict[str, Any] = {"settings": ["network=ours"], "steps": 3}
    runs.train(tmp_path / "whole", small_data, **options)
    runs.train(tmp_path / "parts", small_data, stop_at=1, **options)
    runs.train(tmp_path / "parts", small_data, resume=True, **options)
    assert runs.learned(tmp_path / "whole") == runs.learned(tmp_path / "parts")
    assert inkgan.load(tmp_path / "whole").sample(3).shape == (3, 12, 12)

    runs.train(tmp_path / "changed", small_data, stop_at=1, **options)
    with (folder / "ours.py").open("a", encoding="utf-8") as file:
        file.write("\n# another\n")
    noting = runs.RecordingWatcher()
    runs.train(tmp_path / "changed", small_data, resume=True, watcher=noting, **options)
    starts = json.loads((tmp_path / "changed" / "environment.json").read_text("utf-8"))
    hashes = [start["network_sha256"] for start in starts]
    assert len(set(hashes)) == 2
    assert any(f"network_sha256: {hashes[0]} -> {hashes[1]}" in message for message in noting.warnings)

    monkeypatch.delenv(networks.VARIABLE)
    with pytest.raises(CheckpointError, match=r"the unknown network 'ours'\. .* ours\.py in the folder that \$INKG"):
        inkgan.load(tmp_path / "whole")


def test_whoever_uses_a_network_learns_that_its_file_has_changed(
    folder: Path, tmp_path: Path, small_data: Path
) -> None:
    """Other code gives other images for the same weights, or does not fit them; models of before name no file."""
    file = folder / "ours.py"
    original = file.read_text("utf-8")
    run = tmp_path / "run"
    runs.train(run, small_data, settings=["network=ours"], steps=3, stop_at=1)
    inkgan.export(run, f"{tmp_path}/exported/")
    with warnings.catch_warnings(action="error"):
        before = inkgan.load(run).sample(3)
    changed = rf"ours\.py has changed since {run} was trained, so its images may differ\."
    file.write_text(original.replace("nn.Sigmoid()", "nn.Softmax(1)"), "utf-8")
    with pytest.warns(InkganWarning, match=changed):
        model = inkgan.load(run)
    assert (model.sample(3) != before).any()
    assert "has changed" in model.notes[0]
    with pytest.warns(InkganWarning, match="has changed since .*exported/ was trained"):
        inkgan.load(f"{tmp_path}/exported/")

    file.write_text(
        original.replace("self.classes = ", "self.more = nn.Linear(1, 1)\n        self.classes = "), "utf-8"
    )
    with pytest.raises(CheckpointError, match=f"does not fit this recipe: 'more.*{changed}"):
        inkgan.load(run)
    file.write_text(original.replace("self.score", "self.real"), "utf-8")
    with pytest.raises(CheckpointError, match=f"does not fit this recipe: .*{changed}"):
        runs.train(run, small_data, settings=["network=ours"], steps=3, resume=True)

    described = run / "checkpoints" / "step-0000001" / "model.json"
    earlier = json.loads(described.read_text("utf-8"))
    del earlier["network_sha256"]
    assert networks.note_of_change(earlier, run) == []


def test_a_name_finds_only_a_file_of_the_folder(folder: Path) -> None:
    """No run or model can name a file elsewhere, and no file replaces one of inkgan's own networks."""
    assert networks.own_networks() == {"ours": folder / "ours.py"}
    about = {"image_shape": [8, 8, 1], "num_classes": 0, "latent_dim": 4, "channels": 16, "slope": 0.1}
    assert type(networks.build_generator({"network": "compact", **about})).__module__ == "inkgan.networks.compact"
    for name in ("../outside", "outside", str(folder.parent / "outside"), "ours.py", "", None):
        with pytest.raises(
            CheckpointError, match=r"^unknown network .* Known networks are: compact, tutorial, mine, ours\. One "
        ):
            networks.build_generator({"network": name, **about})


def test_a_network_that_cannot_be_read(folder: Path, tmp_path: Path, small_data: Path) -> None:
    """A folder of a network's name is refused in one line, when a run begins and when its model is loaded."""
    (folder / "bad.py").mkdir()
    said = r"^cannot read the network 'bad' from .*bad\.py: .*\. It has to be a Python file\.$"
    with pytest.raises(CheckpointError, match=said):
        runs.train(tmp_path / "run", small_data, settings=["network=bad"])
    with pytest.raises(CheckpointError, match=said):
        networks.note_of_change({"network": "bad", "network_sha256": "0"}, tmp_path)


def test_the_path_of_the_folder_may_begin_with_a_tilde(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every program that sets environment variables replaces it as shells do."""
    (folder / "extra.py").touch()
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.setenv(networks.VARIABLE, f"~/{folder.name}")
    assert networks.own_networks()["extra"] == folder / "extra.py"


def test_a_folder_of_networks_that_is_not_there_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (folder / "ours.py", folder / "nowhere"):
        monkeypatch.setenv(networks.VARIABLE, str(place))
        with pytest.raises(CheckpointError, match=r"^\$INKGAN_NETWORKS is .* which is not a folder\."):
            networks.require_known("ours")
        assert networks.require_known("compact") == "compact"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def build_generator(:\n", r"cannot import the network 'bad' from .*SyntaxError: .*bad\.py, line 1\)\.$"),
        ("x = [][3]\n", r"cannot import the network 'bad' from .*IndexError: .* in bad\.py, line 1\.$"),
        ("import no_such_thing\n", r"cannot import the network 'bad': No module named 'no_such_thing'\.$"),
        ("", r"the module bad\.py of the network 'bad' has no function build_generator\."),
        (
            "def build_generator(about):\n    return about['with']\n",
            r"KeyError: 'with' in bad\.py, line 2\)\.$",
        ),
        ("\nimport sys\nsys.exit(0)\n", r"cannot import the network 'bad' from .*SystemExit: 0 in bad\.py, line 3\.$"),
        ("def build_generator(about):\n    assert not about\n", r"\(AssertionError in bad\.py, line 2\)\.$"),
        ("def build_generator(about):\n    raise SystemExit\n", r"\(SystemExit in bad\.py, line 2\)\.$"),
    ],
)
def test_the_line_of_a_mistake_is_told(folder: Path, text: str, message: str) -> None:
    (folder / "bad.py").write_text(text, "utf-8")
    with pytest.raises(CheckpointError, match=message):
        networks.build_generator({"network": "bad"})


def test_a_pipe_is_no_network(folder: Path) -> None:
    os.mkfifo(folder / "bad.py")
    with pytest.raises(CheckpointError, match=r"cannot import the network 'bad' from .* not a regular file"):
        networks.build_generator({"network": "bad"})
    assert "inkgan_own_networks.bad" not in sys.modules  # a reader of all modules' files would wait for ever


def test_a_name_that_no_network_can_have_is_told(folder: Path) -> None:
    (folder / "my-net.py").write_text("", "utf-8")
    with pytest.raises(
        CheckpointError, match=r"unknown network 'my-net'\. .* NAME\.py \(NAME: letters, digits and _\)"
    ):
        networks.require_known("my-net")


def test_processes_with_other_files_do_not_train_together(folder: Path, tmp_path: Path, small_data: Path) -> None:
    """This happens on machines whose network folders differ."""
    options: Any = {"data": small_data, "out": tmp_path / "run", "settings": {"network": "ours"}}
    facts = []
    for comment in ("", "# another\n"):
        with (folder / "ours.py").open("a", encoding="utf-8") as file:
            file.write(comment)
        facts.append(_shared_facts(runs.prepare(**options)))
    found = disagreement([{"identity": one} for one in facts])
    assert found is not None
    assert re.match(r"process 1 differs from process 0: the SHA-256 of the network's file is \w{64} there and", found)


def test_processes_find_the_same_data_at_different_paths(folder: Path, tmp_path: Path, small_data: Path) -> None:
    """The images are compared, not their paths."""
    copy = tmp_path / "copy.npz"
    copy.write_bytes(small_data.read_bytes())
    options: Any = {"out": tmp_path / "run", "settings": {"network": "ours"}}
    facts = [_shared_facts(runs.prepare(data=data, **options)) for data in (small_data, copy)]
    assert disagreement([{"identity": one} for one in facts]) is None


def test_an_edited_file_counts_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook uses an edited file even within the same second, and dataclasses work in it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    for width in (3, 5):
        (folder / "ours.py").write_text(
            "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom torch import nn\n"
            "@dataclass\nclass Sizes:\n    width: int\n"
            f"def build_generator(about):\n    return nn.Linear(2, Sizes({width}).width)\n",
            "utf-8",
        )
        os.utime(folder / "ours.py", (10**9, 10**9))
        assert networks.build_generator({"network": "ours"}).get_parameter("weight").shape == (width, 2)
    assert not (folder / "__pycache__").exists()
