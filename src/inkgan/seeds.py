"""Randomness as a pure function of (seed, stream, index): nothing to save, nothing to restore.

Every draw comes from Philox, a counter-based generator (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3",
2011): the seed and the stream are its key, the index is its counter. So the numbers for step 70,000 of a run, or for
image 12 of a sample, can be drawn without drawing those before, and a resumed run needs no saved random state. NumPy
draws them, so they are the same on every device and for every version of PyTorch.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkgan.errors import whole_number

#: Seeds run from 0 to this, both included.
LARGEST_SEED = 2**63 - 1


class Stream(IntEnum):
    """The purposes of random numbers. The values are part of what a seed means: never change one, only add."""

    INITIALISATION = 0  # the weights that a run starts with
    DATA_ORDER = 1  # the order of the training images in an epoch
    DISCRIMINATOR_LATENTS = 2  # of an update of the discriminator, in the tutorial
    GENERATOR_LATENTS = 3  # of an update of the generator; in `fast` and `best`, of both networks
    SHOWN_LATENTS = 4  # of the single image that is shown while a run trains
    FIXED_LATENTS = 5  # of the images that are drawn again and again
    STANDING_LATENTS = 6  # over which a saved generator's standing statistics are measured
    SAMPLE_LATENTS = 7  # of a sample; the index is the image
    INTERPOLATION = 8  # the points between real and generated images, for WGAN-GP
    SHOWN_LABELS = 9  # the class of the single image, and the real image that it is compared with
    WRITER = 10  # a writer's hand, which is the same in every text
    WRITING = 11  # the characters of a line
    MEASURED_LATENTS = 12  # of the images whose quality a run measures
    TEXT = 13  # the fields of a template
    SPLIT = 14  # the split that a writer belongs to
    LOOK = 15  # how a written page looks
    KNOBS = 16  # the same, for the knobs that were added later
    CELLS = 17  # where each character stands in its cell
    GAPS = 18  # the additional gap between the characters of a line
    LAYERS = 19  # layers such as dropout, in a network of the user's own
    ELASTIC = 20  # distortions of the digits
    VARIETY = 21  # the factor of the latents of a line's digits


def valid_seed(seed: Any) -> int:
    """Return a seed as an ``int``.

    Raises:
        ConfigError: it is not a whole number, or is out of range.
    """
    complaint = "the seed {} is not allowed. A seed is a whole number from 0 to 2^63 - 1."
    return whole_number(seed, complaint, 0, LARGEST_SEED)


def rng(seed: int, stream: Stream, index: int = 0) -> np.random.Generator:
    """Return the random number generator for a seed, a stream and an index (0 or above)."""
    # Python's integers, since NumPy rounds a uint64 and an int in one list to float64. The index takes the counter's
    # third word, so that two indices lie 2^128 draws apart.
    return np.random.Generator(np.random.Philox(key=[int(seed), int(stream)], counter=[0, 0, int(index), 0]))


def latents(seed: int, stream: Stream, index: int, count: int, size: int) -> NDArray[np.float32]:
    """Draw latents from the standard normal distribution, float32 [count, size]."""
    return rng(seed, stream, index).standard_normal((count, size), dtype=np.float32)


class BatchOrder:
    """The examples of each batch, drawn without replacement and shuffled anew each epoch.

    A batch depends on its number alone. One that begins at the end of an epoch is completed from the next epoch, as in
    the tutorial's reader.
    """

    def __init__(self, seed: int, examples: int, batch_size: int) -> None:
        self._seed = seed
        self._examples = examples
        self._batch_size = batch_size
        self._epoch = -1
        self._order: NDArray[np.int64] = np.empty(0, np.int64)

    def batch(self, number: int) -> NDArray[np.int64]:
        """Return the indices [batch_size] of batch ``number`` (0 or above)."""
        first, examples = number * self._batch_size, self._examples
        end = first + self._batch_size
        epochs = range(first // examples, -(-end // examples))
        return np.concatenate(
            [self._permutation(epoch)[max(0, first - epoch * examples) : end - epoch * examples] for epoch in epochs]
        )

    def _permutation(self, epoch: int) -> NDArray[np.int64]:
        if epoch != self._epoch:
            self._order = rng(self._seed, Stream.DATA_ORDER, epoch).permutation(self._examples)
            self._epoch = epoch
        return self._order
