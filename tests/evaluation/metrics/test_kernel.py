"""The kernel distance against torchmetrics, the double sum, a closed form and simulation."""

from __future__ import annotations

import importlib
import tracemalloc
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group  # type: ignore[import-untyped]

from inkgan.errors import EvaluationError
from inkgan.evaluation.metrics.intervals import groups, jackknife
from inkgan.evaluation.metrics.kernel import kernel_estimate

Array = npt.NDArray[np.float64]


def normal(seed: int, n: int, d: int, shift: float = 0.0) -> Array:
    return np.random.default_rng(seed).standard_normal((n, d)) + shift


def kernel_distance(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> float:
    """The value, which does not depend on the groups."""
    return kernel_estimate(x, y, np.random.default_rng(0), 2).value


class Pixels(torch.nn.Module):
    num_features = 16

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.double().flatten(1) / 255


def test_equals_torchmetrics() -> None:
    kid = importlib.import_module("torchmetrics.image.kid")  # which takes long
    rng = np.random.default_rng(0)
    real = torch.from_numpy(rng.integers(0, 256, (120, 1, 4, 4), dtype=np.uint8))
    fake = torch.from_numpy(rng.integers(0, 200, (120, 1, 4, 4), dtype=np.uint8))
    with pytest.warns(UserWarning, match="memory footprint"):
        oracle = kid.KernelInceptionDistance(feature=Pixels(), subsets=1, subset_size=120)
    oracle.update(real, real=True)
    oracle.update(fake, real=False)
    mean, _ = oracle.compute()
    ours = kernel_distance(Pixels()(real).numpy(), Pixels()(fake).numpy())
    assert ours == pytest.approx(float(mean), rel=1e-6)


def test_equals_the_double_sum() -> None:
    x, y = normal(0, 7, 3), normal(1, 5, 3, 1.0)

    def k(a: Array, b: Array) -> float:
        return float((a @ b / 3 + 1) ** 3)

    within_x = np.mean([k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
    within_y = np.mean([k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j])
    between = np.mean([k(a, b) for a in x for b in y])
    assert kernel_distance(x, y) == pytest.approx(within_x + within_y - 2 * between, rel=1e-12)


@pytest.mark.slow
@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(2, 5), st.floats(-2, 2))
def test_properties(seed: int, d: int, shift: float) -> None:
    """Symmetric, and blind to order and to a common rotation."""
    x, y = normal(seed, 30, d), normal(seed + 1, 40, d, shift)
    value = kernel_distance(x, y)
    assert kernel_distance(y, x) == pytest.approx(value, rel=1e-9, abs=1e-9)
    order = np.random.default_rng(seed).permutation(len(x))
    assert kernel_distance(x[order], y) == pytest.approx(value, rel=1e-9, abs=1e-9)
    rotation = ortho_group.rvs(d, random_state=seed)
    assert kernel_distance(x @ rotation, y @ rotation) == pytest.approx(value, rel=1e-9, abs=1e-9)


def expected_kernel(a: float, b: float) -> float:
    """E (xy + 1)^3 for independent x ~ N(a, 1), y ~ N(b, 1)."""
    (x1, x2, x3), (y1, y2, y3) = ((m, m * m + 1, m**3 + 3 * m) for m in (a, b))
    return x3 * y3 + 3 * x2 * y2 + 3 * x1 * y1 + 1


@pytest.mark.slow
@pytest.mark.parametrize(("shift", "least", "most"), [(0.4, 0.90, 0.99), (0.0, 0.95, 1.0)])
def test_unbiased_and_intervals_cover_the_truth(shift: float, least: float, most: float) -> None:
    """Nominal 95 %, 200 trials (standard error 1.5 %); conservative when the distributions are equal."""
    truth = expected_kernel(0, 0) + expected_kernel(shift, shift) - 2 * expected_kernel(0, shift)
    rng = np.random.default_rng(4)
    estimates = [kernel_estimate(normal(2 * i, 300, 1), normal(2 * i + 1, 300, 1, shift), rng, 10) for i in range(200)]
    values = np.array([e.value for e in estimates])
    assert abs(values.mean() - truth) < 4 * values.std() / np.sqrt(200)
    covered = np.mean([e.interval.low <= truth <= e.interval.high for e in estimates])
    assert least <= covered <= most


def test_the_groups_do_not_matter_for_the_value() -> None:
    x, y = normal(0, 130, 4), normal(1, 110, 4, 0.3)
    estimate = kernel_estimate(x, y, np.random.default_rng(0))
    assert estimate.value == pytest.approx(kernel_distance(x, y), rel=1e-9)
    assert estimate == kernel_estimate(x, y, np.random.default_rng(0))


def test_the_jackknife_computes_the_figure_without_each_group() -> None:
    """The jackknife from block sums equals distances computed afresh without each group."""
    x, y = normal(0, 42, 3), normal(1, 44, 3, 0.5)
    rng = np.random.default_rng(8)
    group_x, group_y = groups(42, 5, rng), groups(44, 5, rng)
    over_x = jackknife(0.0, np.array([kernel_distance(x[group_x != g], y) for g in range(5)]), 42)
    over_y = jackknife(0.0, np.array([kernel_distance(x, y[group_y != g]) for g in range(5)]), 42)
    estimate = kernel_estimate(x, y, np.random.default_rng(8), 5)
    assert estimate.standard_error == pytest.approx(np.hypot(over_x.standard_error, over_y.standard_error))
    quantile = 2.776  # of Student's distribution with 4 degrees of freedom
    assert estimate.interval.high - estimate.value == pytest.approx(quantile * estimate.standard_error, rel=1e-3)


def test_float32_features_are_computed_in_float64() -> None:
    """The results are the same to the last bit, and the inputs are not changed."""
    x, y = normal(0, 130, 3).astype(np.float32), normal(1, 110, 3, 0.5).astype(np.float32)
    before = x.copy(), y.copy()
    assert kernel_distance(x, y) == kernel_distance(x.astype(np.float64), y.astype(np.float64))
    precise = kernel_estimate(x.astype(np.float64), y.astype(np.float64), np.random.default_rng(0))
    assert kernel_estimate(x, y, np.random.default_rng(0)) == precise
    assert all(np.array_equal(now, then) for now, then in zip((x, y), before, strict=True))


def test_memory_is_bounded() -> None:
    """All 3,000 x 3,000 pairs at once would be 72 MB."""
    x = normal(0, 3000, 4)
    tracemalloc.start()
    kernel_estimate(x, x, np.random.default_rng(0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6


def test_refuses() -> None:
    x = normal(0, 99, 3)
    with pytest.raises(EvaluationError, match="at least 100 images"):
        kernel_estimate(x, normal(1, 200, 3), np.random.default_rng(0))
