"""Mixed precision: float32 master weights, and a copy of them in the precision that the network computes in."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call


class MixedPrecision:
    """A network that computes in another precision than its weights are kept in.

    Micikevicius et al., "Mixed Precision Training", 2018, section 3.1: the optimiser updates the network's own float32
    weights, the master copy; the network computes with a copy of them in ``dtype``, and gradients are taken with
    respect to that copy. In float32 the copy shares the master's memory.

    Args:
        network: holds the master weights.
        dtype: the precision to compute in.
    """

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        self._network = network
        self._dtype = dtype
        self._masters = dict(network.named_parameters())
        self._weights = {name: master.detach().to(dtype).requires_grad_() for name, master in self._masters.items()}
        self._frozen = {name: weight.detach() for name, weight in self._weights.items()}
        self._separate = [
            name for name, weight in self._weights.items() if weight.data_ptr() != self._masters[name].data_ptr()
        ]

    def forward(self, inputs: Tensor, labels: Tensor | None = None) -> Any:
        """The network's output; :meth:`gradients` can go back through it. Labels that are None are not passed on."""
        return self._call(self._weights, inputs, labels)

    def forward_frozen(self, inputs: Tensor, labels: Tensor | None = None) -> Any:
        """The network's output; gradients reach the inputs but not the weights, which saves computing those."""
        return self._call(self._frozen, inputs, labels)

    def _call(self, weights: dict[str, Tensor], inputs: Tensor, labels: Tensor | None) -> Any:
        given = (inputs.to(self._dtype),) if labels is None else (inputs.to(self._dtype), labels)
        return functional_call(self._network, weights, given)

    def gradients(self, loss: Tensor) -> list[Tensor]:
        """The gradient of a loss with respect to each parameter, in the master weight's precision and memory layout.

        Convolutions return gradients that are channels last in memory whatever their weights are, while the fused Adam
        kernel walks memory in order.
        """
        gradients = torch.autograd.grad(loss, list(self._weights.values()))
        return [_laid_out_like(master, g) for master, g in zip(self._masters.values(), gradients, strict=True)]

    @torch.no_grad()
    def refresh(self) -> None:
        """Copy the master weights again, after an update; in place, because writing to fresh memory is slower."""
        for name in self._separate:
            self._frozen[name].copy_(self._masters[name])


def _laid_out_like(parameter: Tensor, gradient: Tensor) -> Tensor:
    same = gradient.dtype == parameter.dtype and gradient.stride() == parameter.stride()
    return gradient if same else torch.empty_like(parameter).copy_(gradient)
