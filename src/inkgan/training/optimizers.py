"""How weights are updated: Adam, as defined by PyTorch and by TensorFlow, and mixed precision.

In mixed precision the optimiser updates float32 weights, and the network computes with a copy of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call


class Adam:
    """Adam (Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1).

    ``torch.optim.Adam(fused=True)`` calls the same kernel and computes the same bits, but building it imports PyTorch's
    compiler, which takes as long as importing PyTorch.

    Args:
        parameters: the parameters to update.
        learning_rate: the step size.
        betas: decay rates of the first and second moment.
        capturable: also keep the step size on the device, where a CUDA graph reads its current value.

    Attributes:
        state: for each parameter ``step``, ``exp_avg`` and ``exp_avg_sq``, as in ``torch.optim.Adam``.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        learning_rate: float,
        betas: tuple[float, float],
        *,
        capturable: bool = False,
    ) -> None:
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
        self._rate_on_device = next(iter(self.state)).new_zeros(()) if capturable else None
        self.learning_rate = learning_rate

    @property
    def learning_rate(self) -> float:
        """The step size, which may be changed between steps."""
        return self._rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self._rate = rate
        if self._rate_on_device is not None:
            self._rate_on_device.fill_(rate)

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
            lr=self._rate if self._rate_on_device is None else self._rate_on_device,
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=0.0,
            eps=self.epsilon,
            amsgrad=False,
            maximize=False,
        )


class TensorFlowAdam(Adam):
    """Adam as defined by TensorFlow: epsilon is added before the bias correction ("epsilon hat").

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


class MixedPrecision:
    """A network that computes in a precision other than that of its weights.

    Micikevicius et al., "Mixed Precision Training", 2018, section 3.1: the optimiser updates the network's own float32
    weights, the master copy; the network computes with a copy of them in ``dtype``, and gradients are taken with
    respect to that copy. In float32 the copy shares the master's memory. Parameters that are frozen (``requires_grad``
    is off) stay as they are.

    Args:
        network: holds the master weights.
        dtype: the precision to compute in.

    Attributes:
        learning: the weights that it computes with by name, without frozen ones.
    """

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        self._network = network
        self._dtype = dtype
        self._masters = dict(network.named_parameters())
        self._weights = {
            name: master.detach().to(dtype).requires_grad_(master.requires_grad)
            for name, master in self._masters.items()
        }
        self.learning = {name: weight for name, weight in self._weights.items() if weight.requires_grad}
        self._detached = {name: weight.detach() for name, weight in self._weights.items()}

    def forward(self, inputs: Tensor, labels: Tensor | None = None) -> Any:
        """Return the network's output, which :meth:`gradients` can differentiate. None is not passed on as labels."""
        return self._call(self._weights, inputs, labels)

    def forward_frozen(self, inputs: Tensor, labels: Tensor | None = None) -> Any:
        """Return the network's output; gradients reach the inputs but not the weights, which saves time."""
        return self._call(self._detached, inputs, labels)

    def _call(self, weights: dict[str, Tensor], inputs: Tensor, labels: Tensor | None) -> Any:
        given = (inputs.to(self._dtype),) if labels is None else (inputs.to(self._dtype), labels)
        return functional_call(self._network, weights, given)

    def gradients(self, loss: Tensor) -> list[Tensor]:
        """Return the gradient of a loss for each parameter that learns, in its master's precision and memory layout.

        Convolutions return gradients that are channels last in memory whatever their weights are, while the fused Adam
        kernel walks memory in order.
        """
        gradients = torch.autograd.grad(loss, list(self.learning.values()))
        return [_laid_out_like(self._masters[name], g) for name, g in zip(self.learning, gradients, strict=True)]

    def unused(self, loss: Tensor) -> list[str]:
        """Return the names of the parameters that should learn, but that a loss does not depend on."""
        if not loss.requires_grad:
            return list(self.learning)
        gradients = torch.autograd.grad(loss, list(self.learning.values()), allow_unused=True)
        return [name for name, gradient in zip(self.learning, gradients, strict=True) if gradient is None]

    @torch.no_grad()
    def refresh(self) -> None:
        """Copy the master weights again, after an update; in place, because writing to fresh memory is slower.

        Weights that share the master's memory stay as they are.
        """
        torch._foreach_copy_(list(self._detached.values()), list(self._masters.values()))


def _laid_out_like(parameter: Tensor, gradient: Tensor) -> Tensor:
    same = gradient.dtype == parameter.dtype and gradient.stride() == parameter.stride()
    return gradient if same else torch.empty_like(parameter).copy_(gradient)
