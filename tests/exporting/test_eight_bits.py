"""Model weights rounded to eight bits."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose
from safetensors.numpy import save

from inkgan.exporting.page import to_eight_bits
from inkgan.generation.numpy_networks import in_fast_layout


def test_every_row_is_right_to_half_a_step_of_its_own() -> None:
    """Each row has its own scale, so small weights lose nothing to a row of large ones."""
    sizes = np.array([1e-3, 1.0, 100.0])
    kernel = np.random.default_rng(0).normal(size=(3, 4, 3, 3)) * sizes[:, None, None, None]
    kept = to_eight_bits({"first.weight": kernel})
    assert kept["first.weight"].dtype == np.int8
    back = kept["first.weight"] * kept["first.weight.scale"][:, None, None, None]
    steps = np.abs(kernel).reshape(3, -1).max(1) / 127
    assert (np.abs(back - kernel).reshape(3, -1).max(1) <= 0.5001 * steps).all()
    assert np.abs(kept["first.weight"].reshape(3, -1).astype(int)).max(1).tolist() == [127] * 3


def test_what_is_no_kernel_stays_as_it_is_and_a_row_of_zeros_stays_zero() -> None:
    """Biases and embeddings are so few that rounding them would save nothing."""
    arrays = {"first.bias": np.array([0.123456, 7.0], np.float32), "first.weight": np.zeros((2, 3), np.float32)}
    kept = to_eight_bits(arrays)
    assert set(kept) == {*arrays, "first.weight.scale"}
    assert_allclose(kept["first.bias"], arrays["first.bias"], rtol=0)
    assert not kept["first.weight"].any()
    assert np.isfinite(kept["first.weight.scale"]).all()


def test_the_order_in_memory_does_not_matter() -> None:
    """The library safetensors writes arrays in memory order, even if that is not the order of their indices."""
    kernel = np.random.default_rng(0).normal(size=(3, 1, 3, 3)).astype(np.float32)
    kept, kept_again = (save(to_eight_bits({"first.weight": one})) for one in (kernel, in_fast_layout(kernel)))
    assert kept == kept_again
