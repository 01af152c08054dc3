"""Models for tests: one picks real MNIST digits by their look; one draws the digits of ``fast`` under other names."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import inkgan
from inkgan import data
from inkgan.generation.writing import Writing
from inkgan.runs import checkpoint

Floats = NDArray[np.float64]


def _look(images: NDArray[np.uint8]) -> Floats:
    """Slant, amount of ink and width of images [N, H, W], as [N, 3]."""
    ink = images / 255.0
    mass = ink.sum((1, 2))
    y, x = np.mgrid[: ink.shape[1], : ink.shape[2]]
    x = x - ((ink * x).sum((1, 2)) / mass)[:, None, None]
    y = y - ((ink * y).sum((1, 2)) / mass)[:, None, None]
    spread = (ink * y * y).sum((1, 2))
    return np.stack([(ink * x * y).sum((1, 2)) / spread, mass, (ink * x * x).sum((1, 2)) / spread], 1)


@cache
def _digits() -> list[tuple[NDArray[np.uint8], Floats]]:
    """For each class, 500 training digits and their looks; each feature of a look has mean 0 and variance 1."""
    train = data.load("mnist").train
    assert train.labels is not None
    result = []
    for label in range(10):
        images = train.images[np.flatnonzero(train.labels == label)[:500], :, :, 0]
        look = _look(images)
        result.append((images, (look - look.mean(0)) / look.std(0)))
    return result


class RealDigits:
    """A model that draws, for a latent, the MNIST digit with the look nearest to the latent's first three numbers."""

    name = "real digits"
    class_names = tuple("0123456789")
    latent_dim = 16
    image_shape = (28, 28, 1)

    def draw(self, latents: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Digits uint8 [N, 28, 28] for latents [N, 16] and labels [N]."""
        drawn = []
        for latent, label in zip(latents, labels, strict=True):
            images, looks = _digits()[int(self.class_names[label])]
            drawn.append(images[np.square(looks - latent[:3]).sum(1).argmin()])
        return np.stack(drawn)


def write(text: str, **options: Any) -> Writing:
    """Write with real digits, as they come."""
    return inkgan.write(text, **{"model": RealDigits(), "legible": 0, **options})


def renamed_digits(folder: Path, digits: str, class_names: Any) -> Path:
    """Write a model that draws some of the digits of ``fast``, in some order, under other names.

    Args:
        folder: where to write it; created if missing.
        digits: which digits, such as ``"123456789"``.
        class_names: the names in ``model.json``; None leaves them out, as old models do.
    """
    fast = inkgan.load("fast")
    weights = dict(fast._weights)
    weights["embedding"] = weights["embedding"][[int(digit) for digit in digits]]
    description = {**fast.description, "num_classes": len(digits), "class_names": class_names}
    if class_names is None:
        del description["class_names"]
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint.write_folder(folder, {"generator": weights}, {"model": description})
    return folder
