"""Adam against PyTorch's own, and TensorFlow's Adam against its definition."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from inkgan.config import resolve
from inkgan.training.optimizers import Adam, TensorFlowAdam
from inkgan.training.recipe import StepInfo
from inkgan.training.start import build


def test_equals_the_definition_where_epsilon_matters() -> None:
    """For gradients of about the size of epsilon, its place in the formula decides the update."""
    rng = np.random.default_rng(0)
    start = rng.standard_normal(50)
    parameter = torch.nn.Parameter(torch.tensor(start))
    optimizer = TensorFlowAdam([parameter], 3e-4)
    expected, m, v = start.copy(), np.zeros(50), np.zeros(50)
    for t in range(1, 8):
        gradient = rng.standard_normal(50) * 1e-8
        optimizer.step([torch.tensor(gradient)])
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        expected -= 3e-4 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-8)
    assert np.abs(parameter.detach().numpy() - expected).max() < 1e-12
    assert np.abs(expected - start).max() > 1e-5


@pytest.mark.slow
def test_equals_pytorchs_fused_adam_bit_for_bit() -> None:
    """Weights and state are the same after several steps with changing learning rates."""
    source = torch.Generator().manual_seed(0)
    start = [torch.randn(shape, generator=source) for shape in ((3, 5), (7,), ())]
    ours = [tensor.clone() for tensor in start]
    theirs = [torch.nn.Parameter(tensor.clone()) for tensor in start]
    adam = Adam(ours, 1e-2, (0.5, 0.95))
    reference = torch.optim.Adam(theirs, lr=1e-2, betas=(0.5, 0.95), eps=1e-8, fused=True)
    for number in range(6):
        gradients = [torch.randn(tensor.shape, generator=source) for tensor in start]
        adam.learning_rate = reference.param_groups[0]["lr"] = 1e-2 / (number + 1)
        adam.step(gradients)
        for parameter, gradient in zip(theirs, gradients, strict=True):
            parameter.grad = gradient.clone()
        reference.step()
    for mine, parameter in zip(ours, theirs, strict=True):
        assert torch.equal(mine, parameter)
        assert adam.state[mine].keys() == reference.state[parameter].keys()
        assert all(torch.equal(tensor, reference.state[parameter][key]) for key, tensor in adam.state[mine].items())


@pytest.mark.slow
def test_building_it_does_not_import_the_compiler() -> None:
    """torch._dynamo, which makes PyTorch's own Adam slow to build, is not imported."""
    code = (
        "import sys, torch; from inkgan.training.optimizers import Adam; p = torch.ones(2);"
        "Adam([p], 0.1, (0.0, 0.9)).step([torch.ones(2)]); print('torch._dynamo' in sys.modules, float(p[0]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    compiler, moved = done.stdout.split()
    assert compiler == "False"
    assert float(moved) == pytest.approx(0.9)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["tutorial", "fast"])
def test_gradients_lie_as_their_parameters_do(name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fused kernel reads memory in order, so gradients must have their parameters' strides."""
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    real_step = Adam.step

    def step(self: Adam, gradients: Sequence[torch.Tensor]) -> None:
        seen.extend(zip(self.state, gradients, strict=True))
        real_step(self, gradients)

    monkeypatch.setattr(Adam, "step", step)
    recipe = build(resolve(options={"recipe": name, "batch_size": 4}), (28, 28, 1), 10, torch.device("cpu"), dtype)
    recipe.step(StepInfo(0, 0, 0.0), torch.rand(4, 28, 28, 1), torch.tensor([3, 1, 4, 1]))
    assert len(seen) > 10
    for parameter, gradient in seen:
        assert (gradient.stride(), gradient.dtype) == (parameter.stride(), torch.float32)
