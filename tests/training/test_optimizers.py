"""TensorFlow's Adam against its definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inkgan.config import resolve
from inkgan.training.optimizers import TensorFlowAdam
from inkgan.training.recipe import Moment
from inkgan.training.recipes import build


def test_equals_the_definition_where_epsilon_matters() -> None:
    """With gradients of the size of epsilon, its place in the formula decides the update."""
    rng = np.random.default_rng(0)
    start = rng.standard_normal(50)
    parameter = torch.nn.Parameter(torch.tensor(start))
    optimizer = TensorFlowAdam([parameter], 3e-4)
    expected, m, v = start.copy(), np.zeros(50), np.zeros(50)
    for t in range(1, 8):
        gradient = rng.standard_normal(50) * 1e-8
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        expected -= 3e-4 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-8)
    assert np.abs(parameter.detach().numpy() - expected).max() < 1e-12
    assert np.abs(expected - start).max() > 1e-5


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["tutorial", "fast"])
def test_gradients_lie_as_their_parameters_do(name: str, dtype: torch.dtype) -> None:
    """The fused Adam reads memory in order, whatever the strides."""
    recipe = build(resolve(options={"recipe": name, "batch_size": 4}), (28, 28, 1), 10, torch.device("cpu"), dtype)
    recipe.step(Moment(0, 0, 0.0), torch.rand(4, 28, 28, 1), torch.tensor([3, 1, 4, 1]))
    parameters = [p for optimizer in recipe.optimizers.values() for g in optimizer.param_groups for p in g["params"]]
    assert len(parameters) > 10
    for parameter in parameters:
        assert parameter.grad is not None
        assert (parameter.grad.stride(), parameter.grad.dtype) == (parameter.stride(), torch.float32)
