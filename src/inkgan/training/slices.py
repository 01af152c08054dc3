"""The mean over the slices of a batch, computed by one process or several, with the same bits.

A slice is one of ``slices`` equal parts of a batch. Every loss and figure is a mean over images, so its value for the
batch is the mean over slices, and so is its gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from inkgan.training.team import Team


class Contribution(NamedTuple):
    """What one slice contributes to an update.

    Attributes:
        gradients: of the loss, one for each parameter.
        terms: losses and figures, scalars by name.
    """

    gradients: list[Tensor]
    terms: Mapping[str, Tensor]


@torch.no_grad()
def mean_over_slices(team: Team, own: Sequence[Contribution], slices: int) -> Contribution:
    """The mean over all slices of a batch, the same bits on every process of a team and for any size of it.

    Args:
        team: the processes, each of which has ``slices / team.size`` slices.
        own: those of this process, in order.
        slices: how many there are in all.
    """
    if slices == 1:
        return own[0]
    rows = torch.stack([_as_row(one) for one in own])
    mean = torch.zeros_like(rows[0])
    for row in team.gather(rows):  # one after the other, because the order of a sum decides on its rounding
        mean += row
    mean /= slices
    return _from_row(mean, own[0])


def _as_row(one: Contribution) -> Tensor:
    """All numbers of a contribution, [M]."""
    return torch.cat([*(gradient.reshape(-1) for gradient in one.gradients), torch.stack(list(one.terms.values()))])


def _from_row(row: Tensor, like: Contribution) -> Contribution:
    """The contribution of these numbers, whose gradients lie in memory as another's do."""
    *parts, last = torch.split(row, [*(gradient.numel() for gradient in like.gradients), len(like.terms)])
    gradients = [
        torch.empty_like(other).copy_(part.view(other.shape)) for part, other in zip(parts, like.gradients, strict=True)
    ]
    return Contribution(gradients, dict(zip(like.terms, last.unbind(), strict=True)))
