"""A checkpoint keeps everything of a recipe, even one that inkgan does not have: any optimiser, any buffers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import Tensor, nn

import tiny_runs as runs
from inkgan.errors import CheckpointError
from inkgan.runs import checkpoint
from inkgan.training.optimizers import Adam
from inkgan.training.recipe import Optimizer, Recipe, StepInfo
from inkgan.training.state import RunState, as_arrays, from_arrays


class Mixture(Recipe):
    """A recipe with batch normalisation, integer and boolean buffers, and PyTorch's own optimiser."""

    latent_dim = 3
    num_classes = 0
    logits_have_zero = True

    def __init__(self, *_: Any, **__: Any) -> None:
        torch.manual_seed(0)
        self.generator = nn.Sequential(nn.Linear(3, 12 * 12), nn.BatchNorm1d(12 * 12), nn.Unflatten(1, (12, 12, 1)))
        self.discriminator = nn.Sequential(nn.Flatten(), nn.Linear(12 * 12, 1), nn.Flatten(0))
        self.discriminator.register_buffer("seen", torch.zeros(2, dtype=torch.bool))
        self.discriminator.register_buffer("count", torch.tensor(2**40))
        self.sgd = torch.optim.SGD(self.discriminator.parameters(), lr=0.1, momentum=0.9)
        for parameter in self.discriminator.parameters():  # the state exists before the first step
            self.sgd.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        self.adam = Adam(self.generator.parameters(), 0.1, (0.0, 0.9))
        self.optimizers: dict[str, Optimizer] = {"generator": self.adam, "discriminator": self.sgd}
        self.networks = {"generator": self.generator, "discriminator": self.discriminator}

    def step(self, info: StepInfo, real: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """Update every parameter and buffer."""
        source = torch.Generator().manual_seed(info.number)
        fake = self.generator(torch.randn(len(real), 3, generator=source))
        loss = self.discriminator(real).mean() - self.discriminator(fake).mean()
        self.sgd.zero_grad()
        gradients = torch.autograd.grad(-loss, list(self.generator.parameters()), retain_graph=True)
        loss.backward(inputs=list(self.discriminator.parameters()))
        self.sgd.step()
        self.adam.step(gradients)
        buffers = dict(self.discriminator.named_buffers())
        buffers["seen"].logical_not_()
        buffers["count"] += 3
        return {"loss": loss.detach()}

    def draw(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        """Draw in evaluation mode, with the running statistics."""
        self.generator.eval()
        with torch.no_grad():
            images: Tensor = self.generator(latents).sigmoid()
        self.generator.train()
        return images

    def discriminate(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, None]:
        """Return the discriminator's output, without classes."""
        return self.discriminator(images).detach(), None

    def model_description(self) -> dict[str, Any]:
        """Describe a network that is not one of inkgan's."""
        return {"network": "mixture", "image_shape": [12, 12, 1], "latent_dim": 3, "num_classes": 0}


@pytest.mark.slow
def test_whole_numbers_and_truth_values_are_saved_and_read(
    tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N + N steps equal 2N with batch normalisation, integer and boolean buffers, and PyTorch's optimisers."""
    monkeypatch.setattr("inkgan.training.compact.Compact", Mixture)
    options: dict[str, Any] = {"settings": ["batch_size=4"]}
    runs.train(tmp_path / "whole", small_data, **options)
    runs.train(tmp_path / "parts", small_data, stop_at=3, **options)
    runs.train(tmp_path / "parts", small_data, resume=True, **options)
    whole = runs.learned(tmp_path / "whole")
    assert runs.learned(tmp_path / "parts") == whole
    steps = 2 + runs.STEPS  # of pre-training, and joint ones
    saved = load_file(runs.newest(tmp_path / "whole") / "discriminator.safetensors")
    assert saved["count"] == 2**40 + 3 * steps
    assert (saved["count"].dtype.name, saved["seen"].dtype.name) == ("int64", "bool")
    assert load_file(runs.newest(tmp_path / "whole") / "generator.safetensors")["1.num_batches_tracked"] == steps


@pytest.mark.slow
def test_what_is_copied_stays(small_data: Path) -> None:
    """Further training does not change the arrays that were taken, and restoring them undoes the training."""
    recipe = Mixture()
    before = as_arrays(recipe)
    kept = {stem: {name: array.copy() for name, array in group.items()} for stem, group in before.items()}
    recipe.step(StepInfo(0, 0, 0.0), torch.rand(4, 12, 12, 1), None)
    for stem, group in kept.items():
        assert all(np.array_equal(before[stem][name], array) for name, array in group.items())
    assert not np.array_equal(as_arrays(recipe)["generator"]["0.weight"], before["generator"]["0.weight"])
    from_arrays(recipe, before)
    for stem, group in as_arrays(recipe).items():
        assert all(np.array_equal(kept[stem][name], array) for name, array in group.items())


@pytest.mark.slow
def test_a_buffer_of_another_type_is_refused(tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Integers that were saved as floats do not fit the recipe's buffer."""
    monkeypatch.setattr("inkgan.training.compact.Compact", Mixture)
    options: dict[str, Any] = {"settings": ["batch_size=4"]}
    runs.train(tmp_path / "run", small_data, stop_at=3, **options)
    folder = runs.newest(tmp_path / "run")
    stems = ("generator", "discriminator", "optimizers")
    tensors = {stem: load_file(folder / f"{stem}.safetensors") for stem in stems}
    tensors["discriminator"]["count"] = tensors["discriminator"]["count"].astype(np.float32)
    documents = {stem: checkpoint.read_document(folder, stem) for stem in ("state", "model")}
    for path in folder.iterdir():
        path.unlink()
    checkpoint.write_folder(folder, tensors, documents)
    with pytest.raises(CheckpointError, match="count"):
        runs.train(tmp_path / "run", small_data, resume=True, **options)


def test_the_best_measurement_is_kept() -> None:
    """Only a lower value replaces it."""
    state = RunState(0)
    best = []
    for value in (math.inf, 3.0, 3.0, math.nan, 4.0, 2.0):
        state.step += 1
        state.keep_best(value)
        best.append((state.best_step, state.best_value))
    kept = (2, 3.0)
    assert best == [(None, math.inf), kept, kept, kept, kept, (6, 2.0)]
