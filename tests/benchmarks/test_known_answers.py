"""The extrapolation of the Fréchet distance to infinitely many images."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from inkgan.evaluation.metrics.frechet import GaussianStatistics, frechet_estimate


@pytest.mark.slow
def test_extrapolation_removes_the_bias() -> None:
    """The true distance is 6 (1.3 - 1)^2 = 0.54; at n = 300 the plain figure is too large."""
    extrapolated = importlib.import_module("known_answers").frechet_extrapolated
    rng = np.random.default_rng(3)
    truth = GaussianStatistics(np.zeros(6), np.eye(6), 10**9)
    samples = [1.3 * rng.standard_normal((300, 6)) for _ in range(200)]
    plain = np.mean([frechet_estimate(one, truth, rng, 20).value for one in samples])
    found = np.array([extrapolated(one, truth, rng, 20).value for one in samples])
    error = found.std() / np.sqrt(200)
    assert plain > 0.54 + 4 * error
    assert abs(found.mean() - 0.54) < 4 * error
