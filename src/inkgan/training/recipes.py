"""The recipes that a configuration can name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from inkgan.config import Config, RecipeName
from inkgan.training.compact import Compact
from inkgan.training.recipe import Recipe
from inkgan.training.tutorial import Tutorial

#: The class of each recipe that a configuration can name; called as in :func:`build`.
RECIPES: Mapping[RecipeName, Callable[..., Recipe]] = {"fast": Compact, "best": Compact, "tutorial": Tutorial}


def build(
    config: Config, image_shape: tuple[int, int, int], num_classes: int, device: torch.device, dtype: torch.dtype
) -> Recipe:
    """Make the recipe that a configuration names, freshly initialised.

    Args:
        config: the settings.
        image_shape: height, width and channels of the data's images.
        num_classes: how many classes their labels name; 0 without labels.
        device: where to compute.
        dtype: the arithmetic of the networks.

    Raises:
        ConfigError: the recipe cannot learn images of this shape.
    """
    return RECIPES[config.recipe](config, image_shape, num_classes, dtype=dtype, device=device)
