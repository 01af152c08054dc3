"""Optimisers, where PyTorch's own differ from what a recipe asks for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class Adam(torch.optim.Adam):
    """PyTorch's fused Adam (Kingma and Ba, 2015, algorithm 1) whose state is whole before the first step.

    The fused update on a processor walks memory in order: gradients must lie as their parameters do.
    """

    def __init__(self, parameters: Iterable[Tensor], learning_rate: float, betas: tuple[float, float]) -> None:
        super().__init__(parameters, lr=learning_rate, betas=betas, eps=1e-8, fused=True)
        for group in self.param_groups:
            for parameter in group["params"]:  # what the first step would make
                self.state[parameter] = {
                    "step": torch.zeros((), device=parameter.device),
                    "exp_avg": torch.zeros_like(parameter),
                    "exp_avg_sq": torch.zeros_like(parameter),
                }

    def set_learning_rate(self, learning_rate: float) -> None:
        """Take another step size from now on."""
        for group in self.param_groups:
            group["lr"] = learning_rate


class TensorFlowAdam(Adam):
    """Adam as TensorFlow has it: epsilon stands outside the bias correction ("epsilon hat").

    Kingma and Ba, "Adam", 2015, end of section 2: ``θ -= lr √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + ε̂)``. PyTorch divides by
    ``√(v / (1 - β₂ᵗ)) + ε``; with ``ε = ε̂ / √(1 - β₂ᵗ)``, set before each step, the two are the same.
    """

    def __init__(self, parameters: Iterable[Tensor], learning_rate: float) -> None:
        super().__init__(parameters, learning_rate, (0.9, 0.999))
        self.steps_done = 0

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Update the parameters once from their ``grad``."""
        self.steps_done += 1
        for group in self.param_groups:
            group["eps"] = 1e-8 / math.sqrt(1 - group["betas"][1] ** self.steps_done)
        return super().step(closure)

    def count_steps(self) -> None:
        """Take over how many steps were done from a state that was put back."""
        self.steps_done = max(int(state["step"]) for state in self.state.values())
