"""Morphing: the ten digits of several writers, and of the hands between them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import SupportsFloat, SupportsIndex

import numpy as np

from inkgan.errors import ConfigError, quantity, whole_number
from inkgan.generation.legibility import DIGITS, LEGIBLE, made_legible, valid_legible
from inkgan.generation.writing import DEFAULT, Generator, digit_classes, hand_of, load_for_writing, slerp
from inkgan.images import Images
from inkgan.seeds import valid_seed

MOST_HANDS = 1000


def morph(
    seeds: Sequence[SupportsIndex],
    *,
    steps: SupportsIndex = 8,
    model: str | Path | Generator = DEFAULT,
    legible: SupportsFloat = LEGIBLE,
) -> Images:
    """Draw the ten digits of one writer after another, and of the hands between them.

    Args:
        seeds: one or more, 0 to 2^63 - 1; the first writer of each.
        steps: steps from one writer to the next, 1 or above; 1 draws the writers alone.
        model: as in :func:`write`.
        legible: as in :func:`write`.

    Returns:
        uint8 [R, 10, H, W], 0 paper to 255 ink, with R = (writers - 1) · steps + 1 hands.

    Raises:
        ConfigError: a seed or the steps are out of range, or there would be more than 1,000 hands.
        CheckpointError: as in :func:`write`.
    """
    numbers = [valid_seed(seed) for seed in seeds]
    hands = number_of_hands(numbers, steps)
    legible = valid_legible(legible)
    generator = load_for_writing(model)
    writers = [hand_of(generator.latent_dim, seed, 0)[0] for seed in numbers]
    shares = [step / int(steps) for step in range(int(steps))]
    ways = [slerp(a, b, share) for a, b in pairwise(writers) for share in shares]
    latents = np.repeat([*ways, writers[-1]], len(DIGITS), axis=0)
    labels = np.tile(digit_classes(generator), hands)
    digits = np.tile(np.arange(len(DIGITS)), hands)
    images = generator.draw(latents, labels)
    images = made_legible(generator.draw, images, latents, labels, digits, legible).images
    return images.reshape(hands, len(DIGITS), *images.shape[1:])


def number_of_hands(seeds: Sequence[SupportsIndex], steps: SupportsIndex) -> int:
    """Return the number of hands that :func:`morph` draws.

    Raises:
        ConfigError: it is 0, or more than 1,000.
    """
    steps = whole_number(steps, f"cannot morph in {{}} steps. Ask for 1 to {MOST_HANDS:,}.", 1, MOST_HANDS)
    hands = (len(seeds) - 1) * steps + 1
    if not len(seeds) or hands > MOST_HANDS:
        raise ConfigError(
            f"cannot show {quantity(len(seeds), 'writer')} in {quantity(steps, 'step')} each. Ask for 1 writer or "
            f"more, and at most {MOST_HANDS:,} hands in all."
        )
    return hands
