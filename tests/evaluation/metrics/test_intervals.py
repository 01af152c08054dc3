"""Intervals against closed forms, published tables and their coverage, summed exactly."""

from __future__ import annotations

from math import exp, fsum, lgamma, log, log1p
from statistics import NormalDist
from typing import Literal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from inkgan.errors import EvaluationError
from inkgan.evaluation.metrics.intervals import (
    Interval,
    binomial,
    difference_of_figures,
    difference_of_means,
    groups,
    jackknife,
    mean_over_repeats,
    student,
)


@pytest.mark.slow
@settings(max_examples=40)
@example(n=85, share=0.0156)  # one success: its low end is the least exact
@given(st.integers(1, 300), st.floats(0, 1))
def test_shares_have_the_ends_that_their_equations_give(n: int, share: float) -> None:
    successes = round(share * n)
    interval = binomial(successes, n).interval
    assert 0 <= interval.low <= successes / n <= interval.high <= 1
    z = NormalDist().inv_cdf(0.975)
    for p in (interval.low, interval.high):
        assert (successes / n - p) ** 2 == pytest.approx(z * z * p * (1 - p) / n, abs=1e-12)
    exact = binomial(successes, n, "exact").interval
    assert 0 <= exact.low <= successes / n <= exact.high <= 1
    tail = pytest.approx(0.025, rel=1e-5)  # SciPy finds the ends to within 2e-12
    assert exact.low == 0 if successes == 0 else at_least(successes, n, exact.low) == tail
    assert exact.high == 1 if successes == n else at_least(n - successes, n, 1 - exact.high) == tail


def at_least(successes: int, n: int, p: float) -> float:
    """The probability of at least this many successes, as the sum of its terms."""
    log_choose = [lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) for k in range(n + 1)]
    return fsum(exp(log_choose[k] + k * log(p) + (n - k) * log1p(-p)) for k in range(successes, n + 1))


@pytest.mark.parametrize(("freedom", "quantile"), [(1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (49, 2.0096)])
def test_student_has_the_quantiles_of_the_tables(freedom: float, quantile: float) -> None:
    estimate = student(10.0, 2.0, freedom, 7)
    assert (estimate.value, estimate.standard_error, estimate.n) == (10.0, 2.0, 7)
    ends = (estimate.interval.low, estimate.interval.high)
    assert ends == pytest.approx((10 - 2 * quantile, 10 + 2 * quantile), abs=2e-3)


@pytest.mark.slow
def test_the_exact_interval_covers_at_least_its_level_and_wilsons_about() -> None:
    """The coverage is exact: the sum of the binomial probabilities of the outcomes whose interval holds p."""
    n, outcomes = 60, np.arange(61)
    shares = np.linspace(0.02, 0.98, 49)
    covered = {}
    methods: tuple[Literal["exact", "wilson"], ...] = ("exact", "wilson")
    for method in methods:
        ends = [binomial(int(k), n, method).interval for k in outcomes]
        low, high = np.array([e.low for e in ends]), np.array([e.high for e in ends])
        covered[method] = np.array([stats.binom.pmf(outcomes, n, p)[(low <= p) & (p <= high)].sum() for p in shares])
    assert covered["exact"].min() >= 0.95
    assert covered["wilson"].mean() == pytest.approx(0.95, abs=0.01)


def test_groups_are_a_random_partition_into_equal_parts() -> None:
    group = groups(103, 10, np.random.default_rng(0))
    assert sorted(np.bincount(group)) == [10] * 7 + [11] * 3
    assert (group != np.arange(103) % 10).any()
    np.testing.assert_array_equal(group, groups(103, 10, np.random.default_rng(0)))


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    x = np.random.default_rng(0).standard_normal(50)
    estimate = jackknife(float(x.mean()), (x.sum() - x) / 49, 50)
    assert estimate.standard_error == pytest.approx(x.std(ddof=1) / np.sqrt(50))
    expected = stats.t.interval(0.95, 49, x.mean(), x.std(ddof=1) / np.sqrt(50))
    assert (estimate.interval.low, estimate.interval.high) == pytest.approx(expected, rel=1e-4)


def test_the_interval_over_repeats_is_students() -> None:
    values = np.array([3.0, 4.0, 6.0, 7.0, 5.5])
    estimate = mean_over_repeats(values)
    expected = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    assert estimate.value == values.mean()
    assert (estimate.interval.low, estimate.interval.high) == pytest.approx(expected, rel=1e-4)


def test_differences_of_shares_are_newcombes() -> None:
    """Newcombe's Table II, method 10: 56/70 - 48/80, 9/10 - 3/10, and 0/10 twice, which has standard errors of 0."""
    for (a, m), (b, n), low, high in (
        ((48, 80), (56, 70), 0.0524, 0.3339),
        ((3, 10), (9, 10), 0.1705, 0.8090),
        ((0, 10), (0, 10), -0.2775, 0.2775),
    ):
        interval = difference_of_figures((a / m, binomial(a, m).interval), (b / n, binomial(b, n).interval))
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=6e-5)


def test_half_widths_of_symmetric_figures_add_in_quadrature() -> None:
    """Half widths of 3 and 4 make 5. Another level scales it by normal quantiles; swapping changes the sign."""
    first, second = (10.0, Interval(7, 13)), (12.0, Interval(8, 16))
    same, swapped, sure = (
        difference_of_figures(first, second),
        difference_of_figures(second, first),
        difference_of_figures(first, second, 0.999),
    )
    assert (same.low, same.high) == pytest.approx((-3, 7))
    assert (swapped.low, swapped.high) == pytest.approx((-7, 3))
    wide = 5 * stats.norm.ppf(0.9995) / stats.norm.ppf(0.975)
    assert (sure.low, sure.high) == pytest.approx((2 - wide, 2 + wide))


@pytest.mark.slow
@settings(max_examples=40)
@given(
    st.lists(st.floats(-0.4, 0.4), min_size=2, max_size=6), st.lists(st.floats(-1, 1), min_size=2, max_size=6),
    st.sampled_from([0.8, 0.95, 0.999]),
)  # fmt: skip
def test_the_interval_of_a_difference_of_means_is_welchs(first: list[float], second: list[float], level: float) -> None:
    """Welch (1947): SE^2 = u + w, each s^2/n of one group, and Satterthwaite's degrees of freedom."""
    a, b = np.array(first) + 1.0 * np.arange(len(first)), np.array(second) + 3.0 * np.arange(len(second))
    u, w = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    freedom = (u + w) ** 2 / (u**2 / (len(a) - 1) + w**2 / (len(b) - 1))
    half = stats.t.ppf(0.5 + level / 2, freedom) * np.sqrt(u + w)
    interval = difference_of_means(a, b, level)
    middle = b.mean() - a.mean()
    assert (interval.low, interval.high) == pytest.approx((middle - half, middle + half), rel=1e-9, abs=1e-9)
    assert interval.level == level


def test_one_against_many_takes_their_spread() -> None:
    """SE^2 = s^2 (1 + 1/n) with n - 1 degrees of freedom, for a new value against the mean of n."""
    one, many = np.array([9.0]), np.array([3.0, 4.0, 6.0, 7.0, 5.5])
    half = 2.7764451 * many.std(ddof=1) * np.sqrt(1 + 1 / 5)
    interval, turned = difference_of_means(one, many), difference_of_means(many, one)
    assert (interval.low, interval.high) == pytest.approx((-3.9 - half, -3.9 + half))
    assert (turned.low, turned.high) == pytest.approx((3.9 - half, 3.9 + half))


def test_a_group_without_spread_counts_as_such() -> None:
    """Only the other group's variance counts, with its degrees of freedom, and no warning is raised."""
    same, varied = np.full(4, 9.0), np.array([3.0, 4.0, 6.0, 7.0, 5.5])
    half = 2.7764451 * varied.std(ddof=1) / np.sqrt(5)
    interval = difference_of_means(same, varied)
    assert (interval.low, interval.high) == pytest.approx((-3.9 - half, -3.9 + half))


@pytest.mark.parametrize("n", [1, 3])
def test_no_spread_at_all(n: int) -> None:
    assert difference_of_means(np.full(n, 10.0), np.full(2, 9.0)) == Interval(-1, -1)


def test_a_share_has_its_standard_error() -> None:
    estimate = binomial(30, 40)
    assert (estimate.value, estimate.n) == (0.75, 40)
    assert estimate.standard_error == pytest.approx(np.sqrt(0.75 * 0.25 / 40))


def test_the_smallest_inputs() -> None:
    assert (binomial(0, 1).interval.low, binomial(1, 1).interval.high) == (0, 1)
    assert sorted(groups(2, 2, np.random.default_rng(0))) == [0, 1]
    assert mean_over_repeats(np.array([0.0, 1.0])).interval.high == pytest.approx(0.5 + 12.706 * 0.5, abs=1e-3)
    assert difference_of_means(np.zeros(1), np.array([0.0, 2.0])).low < 0


def test_what_is_not_finite_has_no_interval() -> None:
    for value, left_out in ((0.0, [0, 1, 2, np.nan]), (np.inf, [0, 1, 2, 3])):
        with pytest.raises(EvaluationError, match="NaN or infin"):
            jackknife(value, np.array(left_out), 4)
