"""The images of a data set, drawn as they are asked for; and a preview of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import SupportsIndex

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from inkgan.errors import ConfigError, whole_number
from inkgan.generation import writing
from inkgan.generation.formats.sample import Sample
from inkgan.generation.model import Model
from inkgan.generation.model import load as load_model
from inkgan.generation.saving import filled_up
from inkgan.generation.spec import Spec
from inkgan.generation.templates import InTurn
from inkgan.generation.texts import Texts, read_texts
from inkgan.generation.writing import Writing
from inkgan.images import Images

#: How many images a preview shows.
_PREVIEWED = 24


def write_many(spec: Spec, part: SupportsIndex = 0, parts: SupportsIndex = 1) -> Iterator[Writing]:
    """The images of a data set one after the other, drawn as they are asked for.

    Args:
        spec: the data set; its ``shards``, ``format`` and ``split`` are left aside.
        part: of several readers that share the images, the number of this one, from 0.
        parts: how many readers there are. Each image goes to one of them.

    Yields:
        Images part, part + parts, part + 2 · parts, ... of the data set.

    Raises:
        ConfigError: a text cannot be written, or there is no such part.
        CheckpointError: the model cannot write.
    """
    parts = whole_number(parts, "there cannot be {} parts. Give 1 or more.", 1, 2**31)
    part = whole_number(part, f"there is no part {{}} of {parts}. Parts are numbered from 0.", 0, parts - 1)
    return (sample.writing for sample in samples(spec, range(part, spec.count, parts)))


def samples(spec: Spec, numbers: Sequence[int]) -> Iterator[Sample]:
    """Draw some images of a data set; on one thread, since the rounding of matrix products depends on their number."""
    model = model_of(spec)
    texts = texts_of(spec)
    threads = ThreadpoolController()
    written = writing.in_batches(
        ((texts.text(spec.seed, number), number) for number in numbers),
        model=model,
        seed=spec.seed,
        style=spec.style,
        slant=spec.slant,
        height=spec.height,
        background=spec.background,
        legible=spec.legible,
        look=spec.look,
    )
    for number in numbers:
        with threads.limit(limits=1):
            one = next(written)
        yield Sample(number, one)


def preview(spec: Spec) -> tuple[Images, float]:
    """The first images of a data set, and how fast one process draws.

    Returns:
        Up to 24 images uint8 [N, H, W], or in colour [N, H, W, 3], filled up with paper on the right to the
        widest; and images a second, as PNG.

    Raises:
        ConfigError: a text cannot be written.
        CheckpointError: the model cannot write.
    """
    numbers = range(min(_PREVIEWED, spec.count))
    list(samples(spec, numbers[:1]))  # what is done once does not count
    start = time.perf_counter()
    drawn = [(sample.writing, sample.png) for sample in samples(spec, numbers)]
    seconds = time.perf_counter() - start
    return filled_up([writing.image for writing, _ in drawn]), len(drawn) / seconds


@lru_cache(maxsize=2)
def model_of(spec: Spec) -> Model:
    """The model of a data set.

    Raises:
        CheckpointError: there is none, or it cannot write.
    """
    model = load_model(spec.model)
    writing.loaded(model)
    return model


@lru_cache(maxsize=2)
def texts_of(spec: Spec) -> Texts:
    """The texts of a data set.

    Raises:
        ConfigError: they cannot be read or written, or come from standard input, which cannot be read twice.
    """
    if spec.texts_file is None:
        return InTurn(spec.texts)
    if spec.texts_file == "-":
        raise ConfigError("a data set cannot take its texts from standard input. Put them into a file.")
    return read_texts(spec.texts_file)


def files_of(spec: Spec) -> list[Path]:
    """The files that the texts of a data set come from."""
    own = [] if spec.texts_file is None else [Path(spec.texts_file)]
    return own + texts_of(spec).files
