"""The interface of a recipe: the networks, losses, optimisers and update rules that make up one training step.

A recipe computes one step; :mod:`inkgan.training.loop` does everything around it. To add a recipe, derive a class from
:class:`Recipe`, name it in :func:`inkgan.training.start.build`, and add its settings to ``inkgan.config``.

A batch may be cut into ``slices`` equal parts. Every loss and figure is a mean over images, so its value for the batch
is the mean over slices, and so is its gradient. :func:`mean_over_slices` returns the same bits on one process or many.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from inkgan.errors import DivergenceError
from inkgan.training.team import Team


class StepInfo(NamedTuple):
    """Where in the run a step is.

    Attributes:
        step: the joint step; negative while the discriminator is pre-trained alone.
        number: the number of steps before this one, including pre-training. It selects the step's random numbers.
        fraction_done: the fraction of the run that is done, 0 to 1. Schedules depend on it.
    """

    step: int
    number: int
    fraction_done: float


class Optimizer(Protocol):
    """The part of an optimiser that a checkpoint needs.

    Most optimisers of ``torch.optim`` create their state in the first step. To use one, create its state beforehand.
    """

    @property
    def state(self) -> Mapping[Tensor, Mapping[str, Tensor]]:
        """For each parameter, every tensor that the optimiser keeps, by name. All must exist before the first step."""


class Recipe(ABC):
    """The base class of recipes, with everything that the training loop needs.

    Images are [N, H, W, C] in [0, 1], latents are float32 [N, D], labels are int64 [N].

    Attributes:
        networks: every network that a checkpoint stores, by file name. ``generator`` is the network that draws; if it
            is a moving average, ``learner`` is the network that learns.
        optimizers: every optimiser by name. Checkpoints store states under these names, so the names must not change.
        latent_dim: the size of a latent.
        num_classes: the number of classes to draw images of; 0 if images are drawn without labels.
        logits_have_zero: whether a logit above 0 means "real"; if not, only differences between logits have a meaning.
    """

    networks: Mapping[str, nn.Module]
    optimizers: Mapping[str, Optimizer]
    latent_dim: int
    num_classes: int
    logits_have_zero: bool

    @abstractmethod
    def step(self, info: StepInfo, real: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """Do one update and return its losses and figures, scalars that were computed before the update.

        Args:
            info: where in the run this step is.
            real: the real images of the step: a batch for each update of the discriminator.
            labels: their classes; None if the data have none.

        Raises:
            DivergenceError: a loss or gradient is not finite. The update was not made, except on a GPU, where this may
                be found one step later.
        """

    def settle(self) -> None:  # noqa: B027 - by default there is nothing to wait for
        """Wait until it is known whether the losses and gradients of the last step are finite.

        Raises:
            DivergenceError: one is not.
        """

    @abstractmethod
    def draw(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        """Draw images, float32; labels are None if ``num_classes`` is 0."""

    def draw_learner(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        """Draw images as :meth:`draw` does, but never with a moving average: with the generator that learns."""
        return self.draw(latents, labels)

    @abstractmethod
    def discriminate(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return the discriminator's logits [N] for images and, if it classifies, its class scores [N, classes]."""

    def after_load(self) -> None:  # noqa: B027 - by default there is nothing to do
        """Called after parameters and optimiser states were replaced in place."""

    def model_extras(self) -> dict[str, Any]:
        """Return NumPy arrays, by name, that sampling needs besides the generator's parameters; none by default."""
        return {}

    @abstractmethod
    def model_description(self) -> dict[str, Any]:
        """Return what is needed to read the generator's file: the kind of network, the image shape and so on."""


def parameter_norms(gradients: Sequence[Tensor]) -> Tensor:
    """Return the norm of each parameter's gradient, float32 [P]; the norm of this vector is that of all gradients."""
    return torch.stack(torch._foreach_norm(list(gradients))).float()


def require_finite(losses: Mapping[str, Tensor], norms: Mapping[str, Tensor]) -> None:
    """Check losses and gradients before an update uses them.

    Args:
        losses: scalars by name.
        norms: the norms [P] of each loss's gradients, by the loss's name; see :func:`parameter_norms`.

    Raises:
        DivergenceError: one is not finite; the message names it.
    """
    checked = {**losses, **{f"the gradient of {name}": norm.sum() for name, norm in norms.items()}}
    checked["the sum of the losses"] = torch.stack(list(losses.values())).sum()
    values = torch.stack(list(checked.values())).tolist()  # all at once: each transfer makes a GPU wait
    for name, value in zip(checked, values, strict=True):
        if not math.isfinite(value):
            raise DivergenceError(f"{name} is {value}; the update was not made")


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
    """Return the mean over all slices of a batch: the same bits on every process, for any number of processes.

    Args:
        team: the processes, each of which has ``slices / team.size`` slices.
        own: the contributions of this process's slices, in order.
        slices: the number of slices of the batch.
    """
    if slices == 1:
        return own[0]
    rows = torch.stack([_as_row(one) for one in own])
    mean = torch.zeros_like(rows[0])
    for row in team.gather(rows):  # one after the other, because rounding depends on the order of a sum
        mean += row
    mean /= slices
    first = own[0]
    *parts, last = torch.split(mean, [*(gradient.numel() for gradient in first.gradients), len(first.terms)])
    # Laid out in memory like the gradients of a slice.
    gradients = [torch.empty_like(g).copy_(part.view(g.shape)) for part, g in zip(parts, first.gradients, strict=True)]
    return Contribution(gradients, dict(zip(first.terms, last.unbind(), strict=True)))


def _as_row(one: Contribution) -> Tensor:
    """Return all numbers of a contribution, [M]."""
    return torch.cat([*(gradient.reshape(-1) for gradient in one.gradients), torch.stack(list(one.terms.values()))])
