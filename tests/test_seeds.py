"""Random numbers by (seed, stream, index): the same whenever, and in whatever order, they are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import inkgan
from inkgan.generation.hands import hand_of
from inkgan.generation.shards import split_of
from inkgan.generation.spec import Spec
from inkgan.generation.templates import Templates
from inkgan.seeds import LARGEST_SEED, BatchOrder, Stream, latents, rng

SEEDS = st.integers(0, LARGEST_SEED)
PINNED_INTEGERS = [106500010600983629, 2227898105101312729]
PINNED_LATENTS = [0.5409456491470337, -0.5453727841377258, 2.1111462116241455, 1.0625468492507935]
PINNED_BATCH = [8, 5, 4, 5]
SIZES = st.tuples(st.integers(1, 30), st.integers(1, 40))


def test_pinned_values() -> None:
    """What a seed means never changes."""
    np.testing.assert_array_equal(rng(0, Stream.INITIALISATION).integers(2**63, size=2), PINNED_INTEGERS)
    np.testing.assert_array_equal(latents(7, Stream.SAMPLE_LATENTS, 3, 1, 4)[0], np.array(PINNED_LATENTS, np.float32))
    assert BatchOrder(1, 10, 4).batch(2).tolist() == PINNED_BATCH


def test_what_a_seed_means_in_a_data_set_is_pinned() -> None:
    """A data set that an earlier version began is continued: its texts, parts and writers must be the same."""
    texts = Templates(["{date:%d.%m.%Y}", "{int:1..9999}", "{digits:6}", "{amount:1,234.56}", "{time:%H:%M}"])
    assert [texts.text(3, number) for number in range(5)] == ["21.03.1990", "9246", "706306", "4.58", "12:38"]
    halves = [{"name": "a", "share": 0.5}, {"name": "b", "share": 0.5}]
    divided = Spec(texts=["1"], count=12, split=halves, seed=3)
    assert "".join(split_of(divided, writer) for writer in range(12)) == "babbabbababa"
    hand, gap = hand_of(5, seed=4, writer=2)
    pinned = [-0.358773, -0.586032, -0.203520, -0.417192, -1.411895, 0.107235]
    np.testing.assert_allclose([*hand, gap], pinned, atol=1e-6)
    written = inkgan.write("d.7d+dd:dd", model="fast", seed=4, writer=2, style=0.5, legible=0)
    assert written.text == "5.71+67:76"
    assert [box[0] for box in written.boxes] == pytest.approx([14, 69, 71, 111, 128, 168, 191, 237, 255, 282], abs=2)


def test_streams_are_numbered_for_ever() -> None:
    """The numbers of the streams are part of what a seed means."""
    assert [stream.name for stream in sorted(Stream)] == [
        "INITIALISATION",
        "DATA_ORDER",
        "DISCRIMINATOR_LATENTS",
        "GENERATOR_LATENTS",
        "SHOWN_LATENTS",
        "FIXED_LATENTS",
        "STANDING_LATENTS",
        "SAMPLE_LATENTS",
        "INTERPOLATION",
        "SHOWN_LABELS",
        "WRITER",
        "WRITING",
        "MEASURED_LATENTS",
        "TEXT",
        "SPLIT",
        "LOOK",
        "KNOBS",
        "CELLS",
        "GAPS",
        "LAYERS",
        "ELASTIC",
        "VARIETY",
    ]
    assert sorted(Stream) == list(range(22))


@pytest.mark.parametrize("seed", [0, 3, LARGEST_SEED])
@pytest.mark.parametrize("kind", [np.int64, np.uint64])
def test_numpy_seeds(seed: int, kind: type[np.integer[Any]]) -> None:
    """A seed and an index of NumPy's types mean what the same numbers of Python mean."""
    expected = rng(seed, Stream.WRITER, 5).integers(2**63, size=4)
    drawn = rng(kind(seed), Stream.WRITER, kind(5)).integers(2**63, size=4)  # type: ignore[arg-type]
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.slow
@given(SEEDS, st.sampled_from(Stream), st.integers(0, 10**9))
def test_something_else_each_time(seed: int, stream: Stream, index: int) -> None:
    """Another seed, another stream or another index draws other numbers."""
    others = [
        latents((seed + 1) % (LARGEST_SEED + 1), stream, index, 1, 8),
        latents(seed, Stream((stream + 1) % len(Stream)), index, 1, 8),
        latents(seed, stream, index + 1, 1, 8),
    ]
    drawn = latents(seed, stream, index, 1, 8)
    assert not any(np.isin(other, drawn).any() for other in others)


def test_latents_are_normal() -> None:
    """Latents are float32 of mean 0 and variance 1, within five standard errors."""
    drawn = latents(1, Stream.FIXED_LATENTS, 0, 1000, 100)
    assert drawn.dtype == np.float32
    assert drawn.shape == (1000, 100)
    assert abs(drawn.mean()) < 5 / np.sqrt(1e5)
    assert abs(drawn.var() - 1) < 5 * np.sqrt(2 / 1e5)


@pytest.mark.slow
@given(SEEDS, SIZES)
def test_each_epoch_is_a_permutation(seed: int, sizes: tuple[int, int]) -> None:
    """The batches laid end to end are permutations of all examples, even if an epoch ends inside a batch."""
    examples, batch_size = sizes
    order = BatchOrder(seed, examples, batch_size)
    batches = [order.batch(number) for number in range(-(-3 * examples // batch_size))]
    assert {len(batch) for batch in batches} == {batch_size}
    line = np.concatenate(batches)[: 3 * examples].reshape(3, examples)
    np.testing.assert_array_equal(np.sort(line, axis=1), np.tile(np.arange(examples), (3, 1)))


@settings(max_examples=25)
@given(SEEDS, SIZES, st.permutations(range(8)))
def test_batches_in_any_order(seed: int, sizes: tuple[int, int], numbers: list[int]) -> None:
    """A batch is the same whichever batches were asked for before it."""
    order = BatchOrder(seed, *sizes)
    for number in numbers:
        np.testing.assert_array_equal(order.batch(number), BatchOrder(seed, *sizes).batch(number))


def test_epochs_differ() -> None:
    """Each epoch and each seed has an order of its own."""
    order = BatchOrder(3, 1000, 1000)
    assert not np.array_equal(order.batch(0), order.batch(1))
    assert not np.array_equal(order.batch(0), BatchOrder(4, 1000, 1000).batch(0))


@pytest.mark.parametrize("number", [0, 10**9, 10**12])
def test_far_batches(number: int) -> None:
    """A batch far into a run is drawn at once, without those before it."""
    batch = BatchOrder(LARGEST_SEED, 55_000, 50).batch(number)
    assert batch.shape == (50,)
    assert len(set(batch.tolist())) == 50
    assert batch.min() >= 0
    assert batch.max() < 55_000
