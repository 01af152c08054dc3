"""Hands: the latents of writers, and of the hands between two writers; generators that can draw digits in any hand.

A hand is a latent. Drawn from one latent, the ten digits look as if one person had written them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Protocol, SupportsFloat, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from inkgan.errors import CheckpointError, ConfigError, as_given, listed_names, quantity, whole_number
from inkgan.generation.legibility import LEGIBLE, made_legible, valid_legible, warn_of_illegible
from inkgan.generation.model import load
from inkgan.generation.texts import DIGITS
from inkgan.images import Images
from inkgan.seeds import Stream, rng, valid_seed

Latent = NDArray[np.float32]

#: The bundled model that writes unless another one is named.
DEFAULT_MODEL = "best"
#: The most hands that :func:`morph` draws.
MOST_HANDS = 1000


class Generator(Protocol):
    """A generator that draws the digit that it is asked for, as :class:`inkgan.generation.model.Model` does.

    Attributes:
        name: the name that messages give it.
        class_names: the names of its classes; it can write if they are the ten digits, in any order.
        latent_dim: the length of a latent.
        image_shape: height, width and channels of its images; it can write if they have one channel.
    """

    name: str
    class_names: tuple[str, ...]
    latent_dim: int
    image_shape: tuple[int, int, int]

    def draw(self, latents: NDArray[np.float32], labels: NDArray[np.int64]) -> Images:
        """Draw images uint8 [N, H, W], 0 paper to 255 ink, for latents [N, latent_dim] and indices of classes [N]."""


def load_for_writing(model: str | Path | Generator) -> Generator:
    """Return a model that can write (see :func:`inkgan.generation.writing.write`); load it if it is given by name."""
    if isinstance(model, str | Path) or not hasattr(model, "class_names"):
        model = load(model)  # type: ignore[arg-type]  # load refuses what is not a name
    if obstacle := obstacle_to_writing(model):
        raise CheckpointError(f"{model.name} cannot write: {obstacle}. Name a model such as {DEFAULT_MODEL}.")
    return model


def obstacle_to_writing(model: Generator) -> str:
    """Return the reason why a model cannot write; empty if it can."""
    channels = model.image_shape[2]
    if sorted(model.class_names) == list(DIGITS) and channels == 1:
        return ""
    return (
        f"its classes are {listed_names(model.class_names, 12) or 'none'}, and its images have "
        f"{quantity(channels, 'channel')}; writing needs the classes 0 to 9 and 1 channel"
    )


def digit_classes(generator: Generator) -> NDArray[np.int64]:
    """Return the index of the class of each digit, int64 [10]."""
    return np.array([generator.class_names.index(digit) for digit in DIGITS], np.int64)


def hand_of(latent_dim: int, seed: int, writer: int) -> tuple[Latent, float]:
    """Return a writer's latent, and the gap between its characters in heights of a digit."""
    draws = rng(seed, Stream.WRITER, writer)
    return draws.standard_normal(latent_dim, dtype=np.float32), draws.uniform(0.07, 0.13)


def slerp(a: Latent, b: Latent, t: float) -> Latent:
    """Spherical linear interpolation: the latent at ``t`` of the way from ``a`` to ``b``, along an arc.

    Latents on the straight line are shorter than the generator's training latents from N(0, 1). Shoemake,
    "Animating rotation with quaternion curves", 1985; for latents White, "Sampling generative networks", 2016.

    Args:
        a: float32 [D], or [N, D] for N ways.
        b: as ``a``.
        t: 0 to 1.
    """
    if t == 0:  # below, rounding would change the last bits of some numbers
        return a
    # Sums, because a row of a matrix product may depend on the number of rows in its last bits.
    lengths = np.sqrt(np.square(a).sum(-1) * np.square(b).sum(-1))
    angle = np.arccos(np.clip((a * b).sum(-1) / lengths, -1, 1))[..., None]
    # Parallel or opposite; if opposite, the arc is not unique.
    is_parallel = np.sin(angle) < 1e-6
    sine = np.where(is_parallel, np.float32(1), np.sin(angle))
    mixed = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / sine
    return np.where(is_parallel, a if t < 0.5 else b, mixed).astype(np.float32)


def morph(
    seeds: Sequence[SupportsIndex],
    *,
    steps: SupportsIndex = 8,
    model: str | Path | Generator = DEFAULT_MODEL,
    legible: SupportsFloat = LEGIBLE,
) -> Images:
    """Draw the ten digits of one writer after another, and of the hands between them.

    Args:
        seeds: one or more, 0 to 2^63 - 1; the first writer of each.
        steps: steps from one writer to the next, 1 or above; 1 draws the writers alone.
        model: as in :func:`inkgan.generation.writing.write`.
        legible: as in :func:`inkgan.generation.writing.write`.

    Returns:
        uint8 [R, 10, H, W], 0 paper to 255 ink, with R = (writers - 1) · steps + 1 hands.

    Raises:
        ConfigError: the seeds are no list, a seed or the steps are out of range, or there would be more than 1,000
            hands.
        CheckpointError: as in :func:`inkgan.generation.writing.write`.

    Warns:
        InkganWarning: as in :func:`inkgan.generation.writing.write`.
    """
    if not isinstance(seeds, Iterable):
        raise ConfigError(f"seeds is {as_given(seeds)}. Give a list of the writers' seeds, such as [3, 5].")
    numbers = [valid_seed(seed) for seed in seeds]
    hands = number_of_hands(numbers, steps)
    legible = valid_legible(legible)
    generator = load_for_writing(model)
    writers = [hand_of(generator.latent_dim, seed, 0)[0] for seed in numbers]
    shares = [step / int(steps) for step in range(int(steps))]
    between = [slerp(a, b, share) for a, b in pairwise(writers) for share in shares]  # each begins with its writer
    latents = np.repeat([*between, writers[-1]], len(DIGITS), axis=0)
    labels = np.tile(digit_classes(generator), hands)
    digits = np.tile(np.arange(len(DIGITS)), hands)
    images = generator.draw(latents, labels)
    chosen = made_legible(generator.draw, images, latents, labels, digits, legible)
    warn_of_illegible(chosen.probabilities.tolist(), legible)
    return chosen.images.reshape(hands, len(DIGITS), *images.shape[1:])


def number_of_hands(seeds: Sequence[SupportsIndex], steps: SupportsIndex) -> int:
    """Return the number of hands that :func:`morph` draws.

    Raises:
        ConfigError: it is 0, or more than 1,000.
    """
    steps = whole_number(steps, f"cannot morph in {{}} steps. Ask for 1 to {MOST_HANDS:,}.", 1, MOST_HANDS)
    hands = (len(seeds) - 1) * steps + 1
    if not len(seeds) or hands > MOST_HANDS:
        writers = quantity(len(seeds), "writer")
        raise ConfigError(f"cannot morph {writers} in {steps:,} steps. Ask for 1 to {MOST_HANDS:,} hands in all.")
    return hands
