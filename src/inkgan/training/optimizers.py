"""Adam, as PyTorch has it and as TensorFlow has it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


class Adam:
    """Adam (Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1).

    ``torch.optim.Adam(fused=True)`` calls the same kernel and computes the same bits, but building it imports PyTorch's
    compiler, which takes as long as importing PyTorch.

    Args:
        parameters: what to update.
        learning_rate: the step size; may be changed between steps.
        betas: decay rates of the first and second moment.

    Attributes:
        state: for each parameter ``step``, ``exp_avg`` and ``exp_avg_sq``, as in ``torch.optim.Adam``.
    """

    def __init__(self, parameters: Iterable[Tensor], learning_rate: float, betas: tuple[float, float]) -> None:
        self.learning_rate = learning_rate
        self.betas = betas
        self.epsilon = 1e-8
        self.state = {
            parameter: {
                "step": torch.zeros((), device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
            for parameter in parameters
        }

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor]) -> None:
        """Update every parameter once.

        Args:
            gradients: one for each parameter, in order, with its shape, type and strides: the kernel walks memory in
                order and does not look at strides.
        """
        states = self.state.values()
        steps = [state["step"] for state in states]
        torch._foreach_add_(steps, 1)
        torch._fused_adam_(
            list(self.state),
            list(gradients),
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            steps,
            lr=self.learning_rate,
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=0.0,
            eps=self.epsilon,
            amsgrad=False,
            maximize=False,
        )


class TensorFlowAdam(Adam):
    """Adam as TensorFlow has it: epsilon stands outside the bias correction ("epsilon hat").

    Kingma and Ba, 2015, end of section 2: ``θ -= lr √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + ε̂)``. Algorithm 1 divides by
    ``√(v / (1 - β₂ᵗ)) + ε``; the two are equal with ``ε = ε̂ / √(1 - β₂ᵗ)``, which each step sets.
    """

    def __init__(self, parameters: Iterable[Tensor], learning_rate: float) -> None:
        super().__init__(parameters, learning_rate, (0.9, 0.999))

    def step(self, gradients: Sequence[Tensor]) -> None:
        """Update every parameter once; see :meth:`Adam.step`."""
        t = int(next(iter(self.state.values()))["step"]) + 1
        self.epsilon = 1e-8 / math.sqrt(1 - self.betas[1] ** t)
        super().step(gradients)
