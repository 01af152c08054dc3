"""Recipes: what one step of training computes.

A recipe owns its networks, losses, optimisers and update rules; the trainer owns everything around a step. To add one,
write a class with the attributes and methods of :class:`Recipe`, name it in :data:`RECIPES`, and its settings in
``inkgan.config.PRESETS``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from inkgan.errors import DivergenceError


class Moment(NamedTuple):
    """The time of a step, as a recipe needs it.

    Attributes:
        step: the joint step, below 0 while the discriminator is trained alone.
        number: how many steps came before, pre-training included; randomness is drawn by it.
        progress: how much of the run is done, 0 to 1; schedules refer to it.
    """

    step: int
    number: int
    progress: float


class Recipe(Protocol):
    """What the trainer asks of a recipe. Images are [N, H, W, C] in [0, 1]; all terms are scalars."""

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """Every network by the stem of its file; ``generator`` is the one that draws."""

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """Every optimiser by a name that never changes: checkpoints hold their states under it."""

    @property
    def latent_dim(self) -> int:
        """How many numbers a latent has."""

    @property
    def num_classes(self) -> int:
        """How many classes can be asked for; 0 where images are drawn without labels."""

    def step(self, at: Moment, real: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """Do one update on a batch of real images and return its named terms, taken before the update.

        Args:
            at: the time of the step; randomness is drawn by it.
            real: images [N, H, W, C] in [0, 1].
            labels: int64 [N], or None where the data have none.

        Raises:
            DivergenceError: a loss or a gradient is not finite; nothing was updated by it.
        """

    def draw(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        """Draw images in [0, 1], float32, for latents [N, D] and labels int64 [N] (None if num_classes is 0)."""

    def judge(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """The discriminator's logits [N], float32, for images."""

    def after_load(self) -> None:
        """Take notice that parameters and optimiser states were replaced."""

    def model_extras(self) -> dict[str, Any]:
        """What sampling needs besides the generator's parameters, as NumPy arrays by name."""

    def model_description(self) -> dict[str, Any]:
        """What a reader of those arrays must know: the network's name, the images' shape and so on."""


def as_arrays(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """Everything that a recipe has learned, as NumPy arrays: file stem -> name -> array."""
    arrays = {
        stem: {name: _array(tensor) for name, tensor in network.state_dict().items()}
        for stem, network in recipe.networks.items()
    }
    arrays["generator"] |= recipe.model_extras()
    return arrays | {"optimizers": {name: _array(state[key]) for name, state, key in _optimizer_state(recipe)}}


def from_arrays(recipe: Recipe, arrays: Mapping[str, Mapping[str, Any]]) -> None:
    """Put back what :func:`as_arrays` gave."""
    for stem, network in recipe.networks.items():
        network.load_state_dict({name: torch.from_numpy(arrays[stem][name]) for name in network.state_dict()})
    for name, state, key in _optimizer_state(recipe):
        state[key].copy_(torch.from_numpy(arrays["optimizers"][name]))
    recipe.after_load()


def _array(tensor: Tensor) -> Any:
    return tensor.detach().cpu().contiguous().numpy()  # contiguous: kernels may lie channels last


def _optimizer_state(recipe: Recipe) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Each tensor that the optimisers keep: a name for it, the table it is in, and its key there."""
    names = {
        id(parameter): name for network in recipe.networks.values() for name, parameter in network.named_parameters()
    }
    for optimizer_name, optimizer in recipe.optimizers.items():
        for parameter in (parameter for group in optimizer.param_groups for parameter in group["params"]):
            for key in optimizer.state[parameter]:
                yield f"{optimizer_name}.{names[id(parameter)]}.{key}", optimizer.state[parameter], key


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
