"""Intervals against scipy, closed forms and simulated coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from inkgan.errors import EvaluationError
from inkgan.evaluation.metrics import (
    Interval,
    apart,
    binomial,
    clopper_pearson,
    groups,
    jackknife,
    repeated,
    student_quantile,
    welch,
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


@pytest.mark.parametrize("freedom", [1, 1.5, 2, 3, 4, 9, 19, 49, 9999])
@pytest.mark.parametrize("level", [0.5, 0.8, 0.95, 0.99])
def test_student_equals_scipys(freedom: float, level: float) -> None:
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


def test_two_shares_are_apart_as_newcombe_has_it() -> None:
    """His Table II, method 10: 56/70 - 48/80, 9/10 - 3/10, and 0/10 twice, where standard errors are 0."""
    for (a, m), (b, n), low, high in (
        ((48, 80), (56, 70), 0.0524, 0.3339),
        ((3, 10), (9, 10), 0.1705, 0.8090),
        ((0, 10), (0, 10), -0.2775, 0.2775),
    ):
        interval = apart((a / m, wilson(a, m)), (b / n, wilson(b, n)))
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=6e-5)


def test_symmetric_figures_are_apart_by_the_root_of_their_squares() -> None:
    """3, 4 and 5, at the level of the intervals and, by normal quantiles, at another; swapping changes the sign."""
    first, second = (10.0, Interval(7, 13)), (12.0, Interval(8, 16))
    same, swapped, sure = apart(first, second), apart(second, first), apart(first, second, 0.999)
    assert (same.low, same.high) == pytest.approx((-3, 7))
    assert (swapped.low, swapped.high) == pytest.approx((-7, 3))
    wide = 5 * stats.norm.ppf(0.9995) / stats.norm.ppf(0.975)
    assert (sure.low, sure.high) == pytest.approx((2 - wide, 2 + wide))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(-0.4, 0.4), min_size=2, max_size=6), st.lists(st.floats(-1, 1), min_size=2, max_size=6),
    st.sampled_from([0.8, 0.95, 0.999]),
)  # fmt: skip
def test_welch_equals_scipys(first: list[float], second: list[float], level: float) -> None:
    a, b = np.array(first) + 1.0 * np.arange(len(first)), np.array(second) + 3.0 * np.arange(len(second))
    interval = welch(a, b, level)
    expected = stats.ttest_ind(b, a, equal_var=False).confidence_interval(level)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), rel=1e-2, abs=1e-9)


def test_one_against_many_takes_their_spread() -> None:
    """Student's with equal variances, as scipy has it for a group of one."""
    one, many = np.array([9.0]), np.array([3.0, 4.0, 6.0, 7.0, 5.5])
    expected = stats.ttest_ind(many, one, equal_var=True).confidence_interval()
    interval, turned = welch(one, many), welch(many, one)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), rel=1e-4)
    assert (turned.low, turned.high) == pytest.approx((-expected.high, -expected.low), rel=1e-4)


def test_no_spread_at_all() -> None:
    assert welch(np.full(3, 10.0), np.full(2, 9.0)) == Interval(-1, -1)


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
        student_quantile(0.95, 0.5)
    with pytest.raises(EvaluationError, match="cannot be put into"):
        groups(3, 4, rng)
    with pytest.raises(EvaluationError, match="degrees of freedom"):
        jackknife(0.0, np.zeros(1))
    with pytest.raises(EvaluationError, match="not finite"):
        jackknife(0.0, np.array([0, 1, 2, np.nan]))
    with pytest.raises(EvaluationError, match="not finite"):
        repeated(np.array([0, 1, 2, np.inf]))
    with pytest.raises(EvaluationError, match="at least 2"):
        repeated(np.zeros(1))
    for first, second in ((np.zeros(1), np.zeros(1)), (np.zeros(0), np.zeros(5)), (np.zeros(2), np.array([np.nan, 1]))):
        with pytest.raises(EvaluationError, match="repeats"):
            welch(first, second)
    with pytest.raises(EvaluationError, match="between 0 and 1"):
        apart((0, Interval(0, 0)), (0, Interval(0, 0)), 95)
