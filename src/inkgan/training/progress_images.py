"""Images that show how far a run is: to be shown and to be measured. Drawing them does not change what it learns."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inkgan.data import Split
from inkgan.images import Images, Labels, to_uint8
from inkgan.seeds import Stream, latents, rng
from inkgan.training.recipe import Recipe
from inkgan.training.watching import Opinion

#: How many fixed latents there are; the pictures in ``pictures/`` show all of them.
FIXED = 100
#: How many images ``watch.evaluate_every`` measures: few enough to take about a second.
_MEASURED = 2000


class ProgressImages:
    """Draws images with a recipe.

    Args:
        recipe: what draws.
        real: the real images that one of them may be compared with.
        seed: the run's seed.
        device: where the recipe computes.
    """

    def __init__(self, recipe: Recipe, real: Split, seed: int, device: torch.device) -> None:
        self._recipe = recipe
        self._real = real
        self._seed = seed
        self._device = device
        self._fixed_latents = self._on_device(latents(seed, Stream.FIXED_LATENTS, 0, FIXED, recipe.latent_dim))
        self._fixed_labels = self._labels(np.arange(FIXED))

    def fixed(self, count: int = FIXED) -> Images:
        """Images uint8 [count, H, W, C] of the first fixed latents; image i is of class i modulo the classes."""
        labels = None if self._fixed_labels is None else self._fixed_labels[:count]
        return to_uint8(self._recipe.draw(self._fixed_latents[:count], labels).cpu().numpy())

    def single(self, number: int) -> tuple[Images, Opinion]:
        """An image uint8 [H, W, C], alone in its batch as in the tutorial, and what the discriminator says about it.

        Args:
            number: how many steps came before; each number has a latent, a class and a real image of its own.
        """
        latent = self._on_device(latents(self._seed, Stream.SHOWN_LATENTS, number, 1, self._recipe.latent_dim))
        source = rng(self._seed, Stream.SHOWN_LABELS, number)
        label = self._labels(source.integers(2**31, size=1))
        image = self._recipe.draw(latent, label)
        logit = self._recipe.discriminate(image, label)[0].item()
        if self._recipe.logits_have_zero:
            opinion = Opinion(estimate=logit)
        else:
            real = self._real_image(label, source)
            opinion = Opinion(margin=self._recipe.discriminate(real, label)[0].item() - logit)
        return to_uint8(image.cpu().numpy())[0], opinion

    def _real_image(self, label: Tensor | None, source: np.random.Generator) -> Tensor:
        """A real image float32 [1, H, W, C] in [0, 1], of a class if the recipe has classes."""
        candidates = np.arange(len(self._real))
        if label is not None and self._real.labels is not None:
            of_class = np.flatnonzero(self._real.labels == label.item())
            candidates = of_class if len(of_class) else candidates
        chosen = candidates[source.integers(len(candidates), size=1)]
        return self._on_device(self._real.images[chosen]).float() / 255

    def to_measure(self) -> tuple[Images, Labels | None]:
        """Images uint8 [N, H, W, C] and their classes [N], always of the same latents."""
        drawn = latents(self._seed, Stream.MEASURED_LATENTS, 0, _MEASURED, self._recipe.latent_dim)
        labels = self._labels(np.arange(_MEASURED))
        batches = [slice(start, start + 100) for start in range(0, _MEASURED, 100)]
        parts = [
            self._recipe.draw(self._on_device(drawn[batch]), None if labels is None else labels[batch])
            for batch in batches
        ]
        return to_uint8(torch.cat(parts).cpu().numpy()), None if labels is None else labels.cpu().numpy()

    def _labels(self, numbers: NDArray[np.int64]) -> Tensor | None:
        """Classes for numbers of any size, in turn; None for a recipe without labels."""
        classes = self._recipe.num_classes
        return self._on_device(numbers % classes) if classes else None

    def _on_device(self, array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(array).to(self._device)
