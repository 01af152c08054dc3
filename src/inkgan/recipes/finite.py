"""Stopping before an update that would ruin the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from inkgan.errors import DivergenceError


def require_finite(losses: Mapping[str, Tensor], gradients: Mapping[str, Sequence[Tensor]]) -> None:
    """Check losses and gradients before they are used.

    Args:
        losses: scalars by name.
        gradients: the gradients of each loss, by the loss's name.

    Raises:
        DivergenceError: one is not finite; the message names it.
    """
    # One number for everything: the sum is finite if and only if each part is (a norm cannot be negative).
    norms = {name: torch.stack(torch._foreach_norm(list(parts))).float() for name, parts in gradients.items()}
    total = torch.stack([*losses.values(), *(norm.sum() for norm in norms.values())]).sum()
    if torch.isfinite(total):
        return
    for name, loss in losses.items():
        if not torch.isfinite(loss):
            raise DivergenceError(f"{name} is {loss.item()}")
    for name, norm in norms.items():
        if not torch.isfinite(norm.sum()):
            raise DivergenceError(f"the gradient of {name} is not finite")
    raise DivergenceError("the losses and gradients overflow float32 together")
