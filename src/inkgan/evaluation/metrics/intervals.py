"""Confidence intervals of figures.

An interval covers the figure's *expected value at this n*: the mean over many new samples of the same size from the
same generator. Most metrics (Fréchet distance, coverage, classifier score) are biased at finite n, in the same
direction for every generator. So compare figures at the same n, and with their floors at that n: both sides then have
the bias.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from inkgan.errors import EvaluationError
from inkgan.evaluation.metrics import Float64, Int64

#: The confidence of all intervals, unless another one is asked for.
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A two-sided confidence interval.

    Attributes:
        low: its lower end.
        high: its upper end.
        level: the confidence, such as 0.95.
    """

    low: float
    high: float
    level: float = LEVEL

    @property
    def width(self) -> float:
        """The distance between its ends."""
        return self.high - self.low


@dataclass(frozen=True)
class Estimate:
    """A figure with its standard error, its interval, and the number of images (or repeats) that it comes from."""

    value: float
    standard_error: float
    interval: Interval
    n: int


def binomial(successes: int, n: int, method: Literal["wilson", "exact"] = "wilson") -> Estimate:
    """Estimate a share of n independent images, with its standard error and its interval.

    Args:
        successes: the number of images in the share.
        n: the number of all images.
        method: ``wilson`` (1927), whose coverage is close to its level on average; or ``exact``, Clopper and Pearson's
            interval (1934), whose coverage is *at least* its level, for shares that may be 0, such as that of copies.
    """
    ends = stats.binomtest(successes, n).proportion_ci(LEVEL, method)
    p = successes / n
    return Estimate(p, math.sqrt(p * (1 - p) / n), Interval(float(ends.low), float(ends.high)), n)


def rate(hits: NDArray[np.bool_], method: Literal["wilson", "exact"] = "wilson") -> Estimate:
    """Estimate the share of n independent images, bool [n], that are hits; see :func:`binomial`."""
    return binomial(int(hits.sum()), len(hits), method)


def student(value: float, standard_error: float, freedom: float, n: int) -> Estimate:
    """Return an estimate from n images with Student's interval for ``freedom`` >= 1 degrees of freedom."""
    half = float(stats.t.ppf(0.5 + LEVEL / 2, freedom)) * standard_error
    return Estimate(value, standard_error, Interval(value - half, value + half), n)


def groups(n: int, num_groups: int, rng: np.random.Generator) -> Int64:
    """Assign n images to G groups (2 <= G <= n) whose sizes differ by at most one: int64 [n] in 0..G-1.

    The assignment is random because generated sets are often sorted by class or cycle through the classes.
    """
    return rng.permutation(np.arange(n) % num_groups)


def jackknife(value: float, left_out: Float64, n: int) -> Estimate:
    """Estimate the spread of a figure by the delete-a-group jackknife, from its values with one group left out.

    SE^2 = (G - 1)/G sum_g (v_(-g) - mean v_(-g))^2, Efron and Stein (1981), for groups. On average it is not below the
    true variance. For degenerate statistics, such as a distance between equal distributions, it is up to twice the true
    variance, so the intervals of figures near their floor are conservative. The interval is Student's with G - 1
    degrees of freedom.

    Args:
        value: the figure of all images.
        left_out: float64 [G], G >= 2, the figure without each group.
        n: the number of images.

    Raises:
        EvaluationError: a value is not finite.
    """
    if not np.isfinite(np.append(left_out, value)).all():
        raise EvaluationError("a figure is NaN or infinite, so it has no interval.")
    count = len(left_out)
    error = math.sqrt((count - 1) / count * float(((left_out - left_out.mean()) ** 2).sum()))
    return student(value, error, count - 1, n)


def jackknife_of_sums(
    statistic: Callable[..., Float64], rng: np.random.Generator, num_groups: int, *values: Float64
) -> Estimate:
    """Estimate a figure that depends on sums over the images, with its interval by the delete-a-group jackknife.

    Args:
        statistic: the figure as a function of the number of images, float64 [] or [G], and of each sum, [...] or
            [G, ...].
        rng: assigns the images to groups.
        num_groups: G.
        values: what to sum, float64 [n] or [n, ...].
    """
    n = np.asarray(len(values[0]), np.float64)
    group = groups(len(values[0]), num_groups, rng)
    sums = [np.zeros((num_groups, *value.shape[1:])) for value in values]
    for by_group, value in zip(sums, values, strict=True):
        np.add.at(by_group, group, value)
    whole = statistic(n, *(by_group.sum(axis=0) for by_group in sums))
    left_out = statistic(n - np.bincount(group), *(by_group.sum(axis=0) - by_group for by_group in sums))
    return jackknife(float(whole), left_out, len(values[0]))


def mean_over_repeats(values: Float64) -> Estimate:
    """Return the mean of a figure over independent repeats (seeds, samples), with Student's interval of that mean.

    Args:
        values: float64 [R], R >= 2, one figure for each repeat.
    """
    return student(float(values.mean()), float(stats.sem(values)), len(values) - 1, len(values))


def difference_of_figures(
    first: tuple[float, Interval], second: tuple[float, Interval], level: float = LEVEL
) -> Interval:
    """Return the interval of second - first, from two independent figures and their own intervals.

    Newcombe (1998), method 10, for any figures (Zou and Donner 2008, "MOVER"): with d = b - a,
    low = d - sqrt((b - b_low)^2 + (a_high - a)^2), and high likewise. The method needs no standard errors, which would
    be 0 for a share of 0, and it preserves asymmetric intervals. For another level, both intervals are scaled by the
    ratio of the normal quantiles.

    Args:
        first: a figure and its interval.
        second: the other figure, computed from as many images, and its interval.
        level: the confidence level.
    """
    (a, of_a), (b, of_b) = first, second
    quantile = stats.norm.ppf(0.5 + np.array([level, of_a.level, of_b.level]) / 2)
    a_scale, b_scale = (float(scale) for scale in quantile[0] / quantile[1:])
    below = math.hypot(b_scale * (b - of_b.low), a_scale * (of_a.high - a))
    above = math.hypot(b_scale * (of_b.high - b), a_scale * (a - of_a.low))
    return Interval(b - a - below, b - a + above, level)


def difference_of_means(first: Float64, second: Float64, level: float = LEVEL) -> Interval:
    """Return the interval of mean(second) - mean(first) over independent repeats, such as seeds of two recipes.

    Welch (1947). A group of one has no spread of its own. The other group's variance is then used for both (Student's
    test with equal variances), with that group's degrees of freedom.

    Args:
        first: float64 [R1], R1 >= 1.
        second: float64 [R2], R2 >= 1, R1 + R2 >= 3.
        level: the confidence level.
    """
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):  # groups without spread warn
        test = stats.ttest_ind(second, first, equal_var=min(len(first), len(second)) == 1)
        interval = test.confidence_interval(level)
    return Interval(float(interval.low), float(interval.high), level)
