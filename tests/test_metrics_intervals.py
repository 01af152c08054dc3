"""Intervals against scipy, closed forms and simulated coverage."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from inkgan.errors import EvaluationError
from inkgan.metrics import (
    binomial,
    bootstrap,
    clopper_pearson,
    groups,
    jackknife,
    repeated,
    student_quantile,
    wilson,
)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3000), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_shares_equal_scipys(n: int, share: float, level: float) -> None:
    successes = round(share * n)
    for ours, method in ((clopper_pearson, "exact"), (wilson, "wilson")):
        expected = stats.binomtest(successes, n).proportion_ci(level, method)
        interval = ours(successes, n, level)
        assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
        assert 0 <= interval.low <= successes / n <= interval.high <= 1


@pytest.mark.parametrize("freedom", [3, 4, 9, 19, 49, 9999])
@pytest.mark.parametrize("level", [0.5, 0.8, 0.95, 0.99])
def test_student_equals_scipys(freedom: int, level: float) -> None:
    assert student_quantile(level, freedom) == pytest.approx(stats.t.ppf(0.5 + level / 2, freedom), rel=1e-4)


def test_clopper_pearson_covers_at_least_its_level_and_wilson_about() -> None:
    """Exactly, by summing the binomial probabilities of the outcomes whose interval holds p."""
    n, outcomes = 60, np.arange(61)
    shares = np.linspace(0.02, 0.98, 49)
    covered = {}
    for method in (clopper_pearson, wilson):
        ends = [method(int(k), n) for k in outcomes]
        low, high = np.array([e.low for e in ends]), np.array([e.high for e in ends])
        covered[method.__name__] = np.array(
            [stats.binom.pmf(outcomes, n, p)[(low <= p) & (p <= high)].sum() for p in shares]
        )
    assert covered["clopper_pearson"].min() >= 0.95
    assert covered["wilson"].mean() == pytest.approx(0.95, abs=0.01)


def test_groups_are_a_random_partition_into_equal_parts() -> None:
    group = groups(103, 10, np.random.default_rng(0))
    assert sorted(np.bincount(group)) == [10] * 7 + [11] * 3
    assert (group != np.arange(103) % 10).any()
    np.testing.assert_array_equal(group, groups(103, 10, np.random.default_rng(0)))


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    x = np.random.default_rng(0).standard_normal(50)
    estimate = jackknife(float(x.mean()), (x.sum() - x) / 49)
    assert estimate.standard_error == pytest.approx(x.std(ddof=1) / np.sqrt(50))
    expected = stats.t.interval(0.95, 49, x.mean(), x.std(ddof=1) / np.sqrt(50))
    assert (estimate.interval.low, estimate.interval.high) == pytest.approx(expected, rel=1e-4)


def test_repeated_is_students_interval() -> None:
    values = np.array([3.0, 4.0, 6.0, 7.0, 5.5])
    estimate = repeated(values, 0.9)
    expected = stats.t.interval(0.9, 4, values.mean(), stats.sem(values))
    assert estimate.value == values.mean()
    assert (estimate.interval.low, estimate.interval.high) == pytest.approx(expected, rel=1e-4)


def test_bootstrap_covers_a_mean() -> None:
    """Nominal 90 %, 200 trials (standard error 2.1 %), n = 80."""
    rng = np.random.default_rng(0)

    def covers(x: npt.NDArray[np.float64]) -> bool:
        interval = bootstrap(lambda index: float(x[index].mean()), 80, rng, 200, 0.9).interval
        return interval.low <= 1 <= interval.high

    assert 0.82 <= np.mean([covers(rng.exponential(size=80)) for _ in range(200)]) <= 0.96


def test_bootstrap_says_what_the_statistic_is_of_all() -> None:
    x = np.arange(10.0)
    estimate = bootstrap(lambda index: float(x[index].mean()), 10, np.random.default_rng(0))
    assert estimate.value == 4.5
    assert estimate.standard_error == pytest.approx(x.std() / np.sqrt(10), rel=0.1)


def test_binomial_is_wilsons() -> None:
    estimate = binomial(30, 40)
    assert estimate.value == 0.75
    assert estimate.standard_error == pytest.approx(np.sqrt(0.75 * 0.25 / 40))
    assert estimate.interval == wilson(30, 40)


def test_refuses() -> None:
    rng = np.random.default_rng(0)
    for share in (wilson, clopper_pearson):
        for successes, n in ((1, 0), (-1, 5), (6, 5)):
            with pytest.raises(EvaluationError, match="not a share"):
                share(successes, n)
        with pytest.raises(EvaluationError, match="between 0 and 1"):
            share(1, 5, 95)
    with pytest.raises(EvaluationError, match="degrees of freedom"):
        student_quantile(0.95, 2)
    with pytest.raises(EvaluationError, match="cannot be put into"):
        groups(3, 4, rng)
    with pytest.raises(EvaluationError, match="degrees of freedom"):
        jackknife(0.0, np.zeros(3))
    with pytest.raises(EvaluationError, match="not finite"):
        jackknife(0.0, np.array([0, 1, 2, np.nan]))
    with pytest.raises(EvaluationError, match="not finite"):
        repeated(np.array([0, 1, 2, np.inf]))
    with pytest.raises(EvaluationError, match="at least 4"):
        repeated(np.zeros(3))
    with pytest.raises(EvaluationError, match="at least 2"):
        bootstrap(lambda _: 0.0, 1, rng)
