"""Computing a network with a copy of its parameters, in another precision or without their gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call


class Copy:
    """A network computed with a copy of its parameters in another precision; gradients go to the copy.

    The parameters themselves stay in float32 and are what the optimisers update. In float32 the copy shares their
    memory.
    """

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        self._network, self._dtype = network, dtype
        self._masters = dict(network.named_parameters())
        self._copies = {name: master.detach().to(dtype).requires_grad_() for name, master in self._masters.items()}
        self._constants = {name: copy.detach() for name, copy in self._copies.items()}
        self._apart = [name for name, copy in self._copies.items() if copy.data_ptr() != self._masters[name].data_ptr()]

    def refresh(self) -> None:
        """Copy the parameters anew, after an update; into the same memory, as fresh memory would be written slowly."""
        with torch.no_grad():
            for name in self._apart:
                self._constants[name].copy_(self._masters[name])

    def __call__(self, inputs: Tensor, *labels: Tensor | None) -> Any:
        """The network's output, through which :meth:`gradients` can go back."""
        return functional_call(self._network, self._copies, (inputs.to(self._dtype), *labels))

    def constant(self, inputs: Tensor, *labels: Tensor | None) -> Any:
        """The network's output; gradients reach the inputs but not the parameters, which saves computing them."""
        return functional_call(self._network, self._constants, (inputs.to(self._dtype), *labels))

    def gradients(self, loss: Tensor) -> list[Tensor]:
        """The gradient of a loss with respect to every parameter, each in its precision and layout.

        A convolution's kernel has its gradient channels last whether or not it lies so itself, and the fused Adam reads
        memory in order, whatever the strides.
        """
        gradients = torch.autograd.grad(loss, list(self._copies.values()))
        return [_laid_out_like(master, g) for master, g in zip(self._masters.values(), gradients, strict=True)]


def _laid_out_like(parameter: Tensor, gradient: Tensor) -> Tensor:
    same = gradient.dtype == parameter.dtype and gradient.stride() == parameter.stride()
    return gradient if same else torch.empty_like(parameter).copy_(gradient)
