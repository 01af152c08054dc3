"""The images that show how far a run has come: of fixed latents, single ones, and those that are measured."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inkgan.data import Split
from inkgan.device import to_device
from inkgan.generation.classes import are_unequal, in_proportion
from inkgan.images import Images, Labels, slices, to_uint8
from inkgan.seeds import Stream, latents, rng
from inkgan.training.recipe import Recipe
from inkgan.training.watching import Opinion

#: The number of fixed latents; the pictures in ``pictures/`` show all of them.
FIXED = 100
#: The number of images that ``watch.evaluate_every`` measures: few enough to take about a second.
_MEASURED = 2000


class ProgressImages:
    """Draws the images that show the progress of a run, and those that are measured. It never changes the run.

    Args:
        recipe: draws them.
        real: real images, for the discriminator to compare a drawn one with.
        seed: the run's seed.
        device: where the recipe computes.
    """

    def __init__(self, recipe: Recipe, real: Split, seed: int, device: torch.device) -> None:
        self._recipe = recipe
        self._real = real
        self._seed = seed
        self._device = device
        self._fixed_latents = to_device(latents(seed, Stream.FIXED_LATENTS, 0, FIXED, recipe.latent_dim), device)
        self._fixed_labels = self._labels(np.arange(FIXED))

    def fixed(self, count: int = FIXED) -> Images:
        """Draw images uint8 [count, H, W, C] of the first fixed latents; image i has class i modulo ``num_classes``."""
        labels = None if self._fixed_labels is None else self._fixed_labels[:count]
        return to_uint8(self._recipe.draw(self._fixed_latents[:count], labels).cpu().numpy())

    def single(self, number: int) -> tuple[Images, Opinion]:
        """Draw an image uint8 [H, W, C], alone in its batch as in the tutorial, and ask the discriminator about it.

        Args:
            number: the number of steps so far; each number has its own latent, class and real image.
        """
        latent = to_device(latents(self._seed, Stream.SHOWN_LATENTS, number, 1, self._recipe.latent_dim), self._device)
        draws = rng(self._seed, Stream.SHOWN_LABELS, number)
        label = self._labels(draws.integers(2**31, size=1))
        image = self._recipe.draw(latent, label)
        logit = self._recipe.discriminate(image, label)[0].item()
        if self._recipe.logits_have_zero:
            opinion = Opinion(estimate=logit)
        else:
            real = self._real_image(label, draws)
            margin = self._recipe.discriminate(real, label)[0].item() - logit
            opinion = Opinion(margin=margin, same_class=label is not None)
        return to_uint8(image.cpu().numpy())[0], opinion

    def _real_image(self, label: Tensor | None, draws: np.random.Generator) -> Tensor:
        """Choose a real image float32 [1, H, W, C] in [0, 1], of the given class if there is one."""
        candidates = np.arange(len(self._real))
        if label is not None and self._real.labels is not None:
            of_class = np.flatnonzero(self._real.labels == label.item())
            candidates = of_class if len(of_class) else candidates
        chosen = candidates[draws.integers(len(candidates), size=1)]
        return to_device(self._real.images[chosen], self._device).float() / 255

    def to_measure(self) -> tuple[Images, Labels | None]:
        """Draw images uint8 [N, H, W, C] of classes [N], always with the same latents and classes."""
        drawn = latents(self._seed, Stream.MEASURED_LATENTS, 0, _MEASURED, self._recipe.latent_dim)
        labels = self._labels(np.arange(_MEASURED))
        if self._recipe.num_classes and self._real.labels is not None:
            # As `inkgan evaluate` asks for classes: in turn, or in the data's proportions if unequal.
            counts = np.bincount(self._real.labels, minlength=self._recipe.num_classes)
            if are_unequal(counts):
                labels = to_device(in_proportion(_MEASURED, counts), self._device)
        parts = [
            self._recipe.draw(to_device(drawn[batch], self._device), None if labels is None else labels[batch])
            for batch in slices(_MEASURED, 100)
        ]
        return to_uint8(torch.cat(parts).cpu().numpy()), None if labels is None else labels.cpu().numpy()

    def _labels(self, numbers: NDArray[np.int64]) -> Tensor | None:
        """Return each number modulo the number of classes; None for a recipe without labels."""
        classes = self._recipe.num_classes
        return to_device(numbers % classes, self._device) if classes else None
