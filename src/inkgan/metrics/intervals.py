"""How far a figure may be off: confidence intervals without distributional tables.

What an interval here covers: the figure's *expected value at this n*, that is, what the mean over many fresh
samples of the same size from the same generator would be. Most measures (Fréchet, coverage, classifier score)
are biased at finite n, in the same direction for every generator; so compare figures at one n, with the floor
(held-out real images) at that n, and the bias is on both sides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from inkgan.errors import EvaluationError
from inkgan.metrics._checks import Float64, Int64


@dataclass(frozen=True)
class Interval:
    """A two-sided confidence interval."""

    low: float
    high: float
    level: float = 0.95


@dataclass(frozen=True)
class Estimate:
    """A figure with its standard error and its interval."""

    value: float
    standard_error: float
    interval: Interval


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise EvaluationError(f"the confidence level is {level}; it must lie between 0 and 1, as 0.95 does.")


def _check_share(successes: int, n: int, level: float) -> None:
    _check_level(level)
    if n < 1 or not 0 <= successes <= n:
        raise EvaluationError(f"{successes} of {n} is not a share; needed is 0 <= successes <= n and n >= 1.")


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """The interval of a share by Wilson (1927), solved for p: close to its level on average, and never empty.

    Raises:
        EvaluationError: not 0 <= successes <= n, or n < 1, or a level outside (0, 1).
    """
    _check_share(successes, n, level)
    z = NormalDist().inv_cdf(0.5 + level / 2)
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(low, high, level)


def binomial(successes: int, n: int, level: float = 0.95) -> Estimate:
    """A share of ``n`` independent images, with its standard error and Wilson's interval."""
    interval = wilson(successes, n, level)
    p = successes / n
    return Estimate(p, math.sqrt(p * (1 - p) / n), interval)


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> Interval:
    """The exact interval of a share by Clopper and Pearson (1934): covers *at least* as often as it says.

    Its ends are the p at which seeing so many, or so few, successes has probability (1 - level) / 2.

    Raises:
        EvaluationError: not 0 <= successes <= n, or n < 1, or a level outside (0, 1).
    """
    _check_share(successes, n, level)
    tail = (1 - level) / 2
    log_factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    k = np.arange(n + 1)
    log_choose = log_factorials[n] - log_factorials - log_factorials[::-1]

    def probability(p: float, outcomes: slice) -> float:
        logs = log_choose[outcomes] + k[outcomes] * math.log(p) + (n - k[outcomes]) * math.log1p(-p)
        return float(np.exp(logs).sum())

    def bisect(outcomes: slice, *, rising: bool) -> float:
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            if (probability(middle, outcomes) < tail) == rising:
                low = middle
            else:
                high = middle
        return (low + high) / 2

    low = 0.0 if successes == 0 else bisect(slice(successes, None), rising=True)
    high = 1.0 if successes == n else bisect(slice(0, successes + 1), rising=False)
    return Interval(low, high, level)


def student_quantile(level: float, freedom: int) -> float:
    """The half-width of a two-sided Student interval in standard errors, ``freedom`` >= 3 degrees of freedom.

    With t = sqrt(v) tan(u), Student's density is proportional to cos(u)^(v - 1), whose integral is tabulated.
    """
    _check_level(level)
    if freedom < 3:
        raise EvaluationError(f"{freedom} degrees of freedom; at least 3 are needed. Repeat more often.")
    u = np.linspace(0, math.pi / 2, 20_001)
    density = np.cos(u) ** (freedom - 1)
    integral = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return math.sqrt(freedom) * math.tan(float(np.interp(level, integral / integral[-1], u)))


def student(value: float, standard_error: float, freedom: int, level: float = 0.95) -> Estimate:
    """The estimate ``value`` with Student's interval about it, ``freedom`` >= 3 degrees of freedom."""
    half = student_quantile(level, freedom) * standard_error
    return Estimate(value, standard_error, Interval(value - half, value + half, level))


def groups(n: int, num_groups: int, rng: np.random.Generator) -> Int64:
    """A random partition of n images into groups of equal size (give or take one), int64 [n] in 0..G-1.

    Random, because generated sets are often sorted by class, or repeat the classes in turn.
    """
    if not 2 <= num_groups <= n:
        raise EvaluationError(f"{n} images cannot be put into {num_groups} groups; use more images.")
    return rng.permutation(np.arange(n) % num_groups)


def jackknife(value: float, left_out: Float64, level: float = 0.95) -> Estimate:
    """The delete-a-group jackknife: the spread of a figure from its values with one group left out.

    SE^2 = (G - 1)/G sum_g (v_(-g) - mean v_(-g))^2 (Efron and Stein 1981, for groups); on average it
    is not below the true variance, and for degenerate statistics (a distance of two equal distributions) it
    is up to twice that: intervals of figures near their floor are conservative. The interval is Student's
    with G - 1 degrees of freedom.

    Args:
        value: the figure of all images.
        left_out: float64 [G], G >= 4, the figure without each group.
        level: of confidence.

    Raises:
        EvaluationError: fewer than 4 groups, or a value that is not finite.
    """
    count = len(left_out)
    if not (math.isfinite(value) and np.isfinite(left_out).all()):
        raise EvaluationError("a figure is not finite, so it has no interval.")
    error = math.sqrt((count - 1) / count * float(((left_out - left_out.mean()) ** 2).sum()))
    return student(value, error, count - 1, level)


def repeated(values: Float64, level: float = 0.95) -> Estimate:
    """The mean of a figure over independent repeats (seeds, samples), with Student's interval of that mean.

    Args:
        values: float64 [R], R >= 4, one figure a repeat.
        level: of confidence.

    Raises:
        EvaluationError: fewer than 4 repeats, or a value that is not finite.
    """
    if not np.isfinite(values).all():
        raise EvaluationError("a figure is not finite, so it has no interval.")
    if len(values) < 4:
        raise EvaluationError(f"{len(values)} repeats have no useful spread; at least 4 are needed.")
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return student(float(values.mean()), error, len(values) - 1, level)


def bootstrap(
    statistic: Callable[[Int64], float],
    n: int,
    rng: np.random.Generator,
    repeats: int = 1000,
    level: float = 0.95,
) -> Estimate:
    """The percentile bootstrap (Efron 1979) of a figure that is a smooth function of means.

    Do not use it for distances between sets: resampling with replacement repeats images, which moves every
    nearest neighbour and inflates every distance; use :func:`jackknife`.

    Args:
        statistic: the figure of the images with the given indices (int64 [n], with repeats).
        n: the number of images.
        rng: the source of randomness.
        repeats: how many resamples.
        level: of confidence.
    """
    _check_level(level)
    if n < 2 or repeats < 2:
        raise EvaluationError(f"{n} images and {repeats} resamples; a bootstrap needs at least 2 of each.")
    values = np.array([statistic(rng.integers(0, n, n)) for _ in range(repeats)], dtype=np.float64)
    low, high = np.quantile(values, [0.5 - level / 2, 0.5 + level / 2])
    value = statistic(np.arange(n))
    return Estimate(value, float(values.std(ddof=1)), Interval(float(low), float(high), level))
