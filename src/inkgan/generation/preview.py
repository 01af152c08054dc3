"""A look at a data set before it is made."""

from __future__ import annotations

import time

from inkgan.generation.bulk import samples
from inkgan.generation.saving import filled_up
from inkgan.generation.spec import Spec
from inkgan.images import Images

#: How many images a preview shows.
SHOWN = 24


def preview(spec: Spec) -> tuple[Images, float]:
    """The first images of a data set, and how fast one process draws.

    Args:
        spec: the data set.

    Returns:
        Up to 24 images uint8 [N, H, W], or in colour [N, H, W, 3], filled up with paper on the right to the
        widest; and images a second, as PNG.

    Raises:
        ConfigError: a text cannot be written.
        CheckpointError: the model cannot write.
    """
    shown = range(min(SHOWN, spec.count))
    list(samples(spec, shown[:1]))  # what is done once does not count
    start = time.perf_counter()
    drawn = [(sample.writing, sample.png) for sample in samples(spec, shown)]
    seconds = time.perf_counter() - start
    return filled_up([writing.image for writing, _ in drawn]), len(drawn) / seconds
