"""Recipes: what one step of training computes.

A recipe owns its networks, losses, optimisers and update rules; the trainer owns everything around a step. To add one,
write a class with the attributes and methods of :class:`Recipe`, and name it in :func:`build` and in
``inkgan.config.RECIPES``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from inkgan.config import Config
from inkgan.errors import ConfigError
from inkgan.networks.tutorial import IMAGE_SHAPE
from inkgan.recipes.tutorial import Tutorial


class Recipe(Protocol):
    """What the trainer asks of a recipe. Images are [N, H, W, C] in [0, 1]; all terms are scalars."""

    @property
    def generator(self) -> nn.Module:
        """The network that draws."""

    @property
    def discriminator(self) -> nn.Module:
        """The network that judges."""

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """Every optimiser by a name that never changes: checkpoints hold their states under it."""

    @property
    def latent_dim(self) -> int:
        """How many numbers a latent has."""

    def step(self, step: int, number: int, real: Tensor) -> dict[str, Tensor]:
        """Do one update on a batch of real images and return its named terms, taken before the update.

        Args:
            step: the joint step, below 0 while the discriminator is trained alone.
            number: how many steps came before, pre-training included; randomness is drawn by it.
            real: images [N, H, W, C] in [0, 1].

        Raises:
            DivergenceError: a loss or a gradient is not finite; nothing was updated by it.
        """

    def draw(self, latents: Tensor) -> Tensor:
        """Draw images in [0, 1], float32, as training does, for latents [N, D]."""

    def judge(self, images: Tensor) -> Tensor:
        """The discriminator's logits [N], float32, for images."""

    def after_load(self) -> None:
        """Take notice that parameters and optimiser states were replaced."""

    def model_arrays(self) -> dict[str, Any]:
        """The generator as it is saved: its parameters by name, and what else sampling needs, as NumPy arrays."""

    def model_description(self) -> dict[str, Any]:
        """What a reader of those arrays must know: the network's name, the images' shape and so on."""


def build(config: Config, image_shape: tuple[int, int, int], device: torch.device, dtype: torch.dtype) -> Recipe:
    """Make the recipe that a configuration names, freshly initialised.

    Raises:
        ConfigError: the recipe cannot learn images of this shape.
    """
    if image_shape != IMAGE_SHAPE:
        height, width, channels = image_shape
        raise ConfigError(
            f"the tutorial's networks are made for 28×28 grey images; {config.data.name} has {height}×{width} with "
            f"{channels} channels. Resize the images, or choose --data mnist, fashion-mnist, kmnist or emnist-digits."
        )
    return Tutorial(config, dtype=dtype, device=device)


def as_arrays(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """Everything that a recipe has learned, as NumPy arrays: file stem -> name -> array."""
    return {
        "generator": recipe.model_arrays(),
        "discriminator": {name: _array(tensor) for name, tensor in recipe.discriminator.state_dict().items()},
        "optimizers": {name: _array(state[key]) for name, state, key in _optimizer_state(recipe)},
    }


def from_arrays(recipe: Recipe, arrays: Mapping[str, Mapping[str, Any]]) -> None:
    """Put back what :func:`as_arrays` gave."""
    weights = {name: arrays["generator"][name] for name in recipe.generator.state_dict()}
    for network, source in ((recipe.generator, weights), (recipe.discriminator, arrays["discriminator"])):
        network.load_state_dict({name: torch.from_numpy(array) for name, array in source.items()})
    for name, state, key in _optimizer_state(recipe):
        state[key].copy_(torch.from_numpy(arrays["optimizers"][name]))
    recipe.after_load()


def _array(tensor: Tensor) -> Any:
    return tensor.detach().cpu().numpy()


def _optimizer_state(recipe: Recipe) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Each tensor that the optimisers keep: a name for it, the table it is in, and its key there."""
    names = {
        id(parameter): name
        for network in (recipe.generator, recipe.discriminator)
        for name, parameter in network.named_parameters()
    }
    for optimizer_name, optimizer in recipe.optimizers.items():
        for parameter in (parameter for group in optimizer.param_groups for parameter in group["params"]):
            for key in optimizer.state[parameter]:
                yield f"{optimizer_name}.{names[id(parameter)]}.{key}", optimizer.state[parameter], key
