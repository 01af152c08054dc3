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

    INITIALISATION = 0
    DATA_ORDER = 1
    DISCRIMINATOR_LATENTS = 2
    GENERATOR_LATENTS = 3
    SHOWN_LATENTS = 4
    FIXED_LATENTS = 5
    STANDING_LATENTS = 6
    SAMPLE_LATENTS = 7
    INTERPOLATION = 8
    SHOWN_LABELS = 9
    WRITER = 10
    WRITING = 11
    MEASURED_LATENTS = 12
    TEXT = 13
    SPLIT = 14
    LOOK = 15
    KNOBS = 16
    CELLS = 17
    GAPS = 18
    LAYERS = 19
    ELASTIC = 20
    VARIETY = 21


def valid_seed(seed: Any) -> int:
    """Return a seed as an ``int``.

    Raises:
        ConfigError: it is not a whole number, or is out of range.
    """
    return whole_number(seed, "the seed {} is out of range. Seeds run from 0 to 2^63 - 1.", 0, LARGEST_SEED)


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
        epoch, start = divmod(number * self._batch_size, self._examples)
        parts: list[NDArray[np.int64]] = []
        missing = self._batch_size
        while missing:
            part = self._permutation(epoch)[start : start + missing]
            parts.append(part)
            missing -= len(part)
            epoch += 1
            start = 0
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _permutation(self, epoch: int) -> NDArray[np.int64]:
        if epoch != self._epoch:
            self._order = rng(self._seed, Stream.DATA_ORDER, epoch).permutation(self._examples)
            self._epoch = epoch
        return self._order
