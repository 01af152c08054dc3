"""The Fréchet distance against torchmetrics, scipy, closed forms and simulation."""

from __future__ import annotations

import importlib
import warnings

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm  # type: ignore[import-untyped]
from scipy.stats import ortho_group  # type: ignore[import-untyped]

from inkgan.errors import EvaluationError
from inkgan.evaluation.metrics.frechet import GaussianStatistics, frechet_distance, frechet_estimate
from inkgan.evaluation.metrics.intervals import groups, jackknife

Array = npt.NDArray[np.float64]


def sample(seed: int, n: int, d: int, shift: float = 0.0, scale: float = 1.0) -> Array:
    """Correlated, skewed features."""
    rng = np.random.default_rng(seed)
    x = rng.gamma(2.0, size=(n, d)) @ np.random.default_rng(99).standard_normal((d, d))
    return scale * x + shift


def distance(x: Array, y: Array) -> float:
    return frechet_distance(GaussianStatistics.of(x), GaussianStatistics.of(y))


class Flat(torch.nn.Module):
    """An extractor for torchmetrics: uint8 images to fixed random features."""

    num_features = 12

    def __init__(self) -> None:
        super().__init__()
        matrix = torch.randn(64, 12, generator=torch.Generator().manual_seed(5)).double() / 255
        self.register_buffer("matrix", matrix)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.double().flatten(1) @ self.get_buffer("matrix")


def test_equals_torchmetrics() -> None:
    fid = importlib.import_module("torchmetrics.image.fid")  # which takes long
    rng = np.random.default_rng(0)
    real = rng.integers(0, 256, (200, 1, 8, 8), dtype=np.uint8)
    fake = (rng.integers(0, 256, (150, 1, 8, 8)) * 0.8).astype(np.uint8)
    oracle = fid.FrechetInceptionDistance(feature=Flat(), input_img_size=(1, 8, 8)).set_dtype(torch.float64)
    oracle.update(torch.from_numpy(real), real=True)
    oracle.update(torch.from_numpy(fake), real=False)
    ours = distance(*(Flat()(torch.from_numpy(images)).numpy() for images in (real, fake)))
    assert ours == pytest.approx(float(oracle.compute()), rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_formula_with_scipys_matrix_root(seed: int) -> None:
    a, b = (GaussianStatistics.of(sample(seed + i, 100, 7, shift=i)) for i in (0, 10))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about arguments of sqrtm that are going to change
        root = sqrtm(a.covariance @ b.covariance).real
    expected = ((a.mean - b.mean) ** 2).sum() + np.trace(a.covariance + b.covariance - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)


def test_statistics_are_numpys() -> None:
    x = sample(1, 60, 5) + 1e4  # a mean far from 0 must not spoil the covariance
    statistics = GaussianStatistics.of(x)
    np.testing.assert_allclose(statistics.mean, x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(statistics.covariance, np.cov(x.T), rtol=1e-9, atol=1e-9)
    assert statistics.n == 60


def test_closed_forms_on_gaussians() -> None:
    """Commuting covariances: |m|^2 + sum (s1 - s2)^2 over the axes."""
    mean, s1, s2 = np.array([1.0, -2.0, 0.5]), np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 0.0])
    a = GaussianStatistics(np.zeros(3), np.diag(s1**2), 10)
    b = GaussianStatistics(mean, np.diag(s2**2), 10)
    assert frechet_distance(a, b) == pytest.approx((mean**2).sum() + ((s1 - s2) ** 2).sum(), abs=1e-12)
    assert frechet_distance(a, GaussianStatistics(mean, a.covariance, 10)) == pytest.approx(5.25, abs=1e-12)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 6), st.floats(-3, 3), st.floats(0.1, 3))
def test_properties(seed: int, d: int, shift: float, scale: float) -> None:
    """Symmetric, 0 on itself, and blind to order, to a common rotation and to a common shift."""
    x, y = sample(seed, 40, d), sample(seed + 1, 50, d, shift, scale)
    value = distance(x, y)
    size = np.trace(np.cov(x.T).reshape(d, d)) + np.trace(np.cov(y.T).reshape(d, d)) + shift**2
    near = {"rel": 1e-6, "abs": 1e-7 * size}
    assert value >= 0
    assert distance(y, x) == pytest.approx(value, **near)
    assert distance(x, x) == pytest.approx(0, abs=1e-6 * size)
    order = np.random.default_rng(seed).permutation(len(x))
    assert distance(x[order], y) == pytest.approx(value, **near)
    rotation = ortho_group.rvs(d, random_state=seed) if d > 1 else -np.eye(1)
    assert distance(x @ rotation + 5, y @ rotation + 5) == pytest.approx(value, **near)


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "least", "most"), [(1.3, 0.91, 0.99), (1.0, 0.95, 1.0)])
def test_intervals_cover_the_expected_value_at_n(scale: float, least: float, most: float) -> None:
    """Nominal 95 %, 300 trials (standard error 1.3 %); conservative when the distributions are equal."""
    rng = np.random.default_rng(3)
    truth = GaussianStatistics(np.zeros(6), np.eye(6), 10**9)
    estimates = [frechet_estimate(scale * rng.standard_normal((300, 6)), truth, rng, 20) for _ in range(300)]
    mean = np.mean([one.value for one in estimates])
    covered = np.mean([one.interval.low <= mean <= one.interval.high for one in estimates])
    assert least <= covered <= most


def test_the_estimate_is_the_distance() -> None:
    x, reference = sample(0, 200, 4), GaussianStatistics.of(sample(1, 300, 4))
    estimate = frechet_estimate(x, reference, np.random.default_rng(0), 10)
    plain = frechet_distance(GaussianStatistics.of(x), reference)
    assert estimate.value == pytest.approx(plain, rel=1e-9)
    assert frechet_estimate(x, reference, np.random.default_rng(0), 10) == estimate


def test_float32_features_are_computed_in_float64() -> None:
    """The results are the same to the last bit, and the inputs are not changed."""
    x = sample(0, 200, 4, shift=500).astype(np.float32)
    before, precise = x.copy(), x.astype(np.float64)
    found, expected = GaussianStatistics.of(x), GaussianStatistics.of(precise)
    assert (found.mean == expected.mean).all()
    assert (found.covariance == expected.covariance).all()
    estimates = [frechet_estimate(one, expected, np.random.default_rng(0), 10) for one in (x, precise)]
    assert estimates[0] == estimates[1]
    assert np.array_equal(x, before)


def test_the_jackknife_computes_the_figure_without_each_group() -> None:
    """The jackknife uses the distances of the remaining images."""
    x, reference = sample(0, 40, 3, shift=5.0), GaussianStatistics.of(sample(1, 60, 3))
    estimate = frechet_estimate(x, reference, np.random.default_rng(0), 5)
    group = groups(40, 5, np.random.default_rng(0))
    left_out = [frechet_distance(GaussianStatistics.of(x[group != g]), reference) for g in range(5)]
    expected = jackknife(frechet_distance(GaussianStatistics.of(x), reference), np.array(left_out), len(x))
    assert estimate.standard_error == pytest.approx(expected.standard_error, rel=1e-6)


@pytest.mark.parametrize(
    ("features", "message"), [(np.zeros((5, 5)), "at least 6 images"), (np.zeros((1, 1)), "at least 2 images")]
)
def test_refuses(features: Array, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        GaussianStatistics.of(features)


def test_refuses_what_does_not_fit() -> None:
    a = GaussianStatistics.of(sample(0, 60, 3))
    with pytest.raises(EvaluationError, match="at least 100 images"):
        frechet_estimate(sample(0, 99, 3), a, np.random.default_rng(0))
    with pytest.raises(EvaluationError, match="at least 6 images"):
        frechet_estimate(sample(0, 5, 3), a, np.random.default_rng(0), 2)
