"""How far a figure may be off: confidence intervals without distributional tables.

What an interval here covers: the figure's *expected value at this n*, that is, what the mean over many fresh
samples of the same size from the same generator would be. Most measures (Fréchet, coverage, classifier score)
are biased at finite n, in the same direction for every generator; so compare figures at one n, with the floor
(held-out real images) at that n, and the bias is on both sides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from inkgan.errors import EvaluationError
from inkgan.evaluation.metrics._checks import Float64, Int64


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


def student_quantile(level: float, freedom: float) -> float:
    """The half-width of a two-sided Student interval in standard errors, ``freedom`` >= 1 degrees of freedom.

    With t = sqrt(v) tan(u), Student's density is proportional to cos(u)^(v - 1), whose integral is tabulated.
    """
    _check_level(level)
    if freedom < 1:
        raise EvaluationError(f"{freedom} degrees of freedom; at least 1 is needed. Repeat more often.")
    u = np.linspace(0, math.pi / 2, 20_001)
    density = np.cos(u) ** (freedom - 1)
    integral = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return math.sqrt(freedom) * math.tan(float(np.interp(level, integral / integral[-1], u)))


def student(value: float, standard_error: float, freedom: float, level: float = 0.95) -> Estimate:
    """The estimate ``value`` with Student's interval about it, ``freedom`` >= 1 degrees of freedom."""
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
        left_out: float64 [G], G >= 2, the figure without each group.
        level: of confidence.

    Raises:
        EvaluationError: fewer than 2 groups, or a value that is not finite.
    """
    count = len(left_out)
    if not (math.isfinite(value) and np.isfinite(left_out).all()):
        raise EvaluationError("a figure is not finite, so it has no interval.")
    error = math.sqrt((count - 1) / count * float(((left_out - left_out.mean()) ** 2).sum()))
    return student(value, error, count - 1, level)


def repeated(values: Float64, level: float = 0.95) -> Estimate:
    """The mean of a figure over independent repeats (seeds, samples), with Student's interval of that mean.

    Args:
        values: float64 [R], R >= 2, one figure a repeat.
        level: of confidence.

    Raises:
        EvaluationError: fewer than 2 repeats, or a value that is not finite.
    """
    if not np.isfinite(values).all():
        raise EvaluationError("a figure is not finite, so it has no interval.")
    if len(values) < 2:
        raise EvaluationError(f"{len(values)} repeats have no spread; at least 2 are needed.")
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return student(float(values.mean()), error, len(values) - 1, level)


def apart(first: tuple[float, Interval], second: tuple[float, Interval], level: float = 0.95) -> Interval:
    """The interval of second - first, two independent figures that have intervals of their own.

    Newcombe (1998), method 10, for any figures (Zou and Donner 2008, "MOVER"): with d = b - a,
    low = d - sqrt((b - b_low)^2 + (a_high - a)^2) and high likewise. It needs no standard errors, which a share of 0
    has not, and keeps intervals that are not symmetric. Another level widens both by the ratio of normal quantiles.

    Args:
        first: a figure and its interval.
        second: the other, of as many images.
        level: of confidence.
    """
    _check_level(level)
    normal = NormalDist()
    (a, of_a), (b, of_b) = first, second
    a_wide, b_wide = (normal.inv_cdf(0.5 + level / 2) / normal.inv_cdf(0.5 + own.level / 2) for own in (of_a, of_b))
    below = math.hypot(b_wide * (b - of_b.low), a_wide * (of_a.high - a))
    above = math.hypot(b_wide * (of_b.high - b), a_wide * (a - of_a.low))
    return Interval(b - a - below, b - a + above, level)


def welch(first: Float64, second: Float64, level: float = 0.95) -> Interval:
    """The interval of mean(second) - mean(first) over independent repeats, such as seeds of two recipes.

    Welch (1947): Student's with SE^2 = u + w, u = s1^2/n1, w = s2^2/n2, and (u + w)^2 / (u^2/(n1 - 1) + w^2/(n2 - 1))
    degrees of freedom. A group of one has no spread of its own: the other's variance is then taken for both, with
    n - 1 degrees of freedom.

    Args:
        first: float64 [R1], R1 >= 1.
        second: float64 [R2], R2 >= 1, R1 + R2 >= 3.
        level: of confidence.

    Raises:
        EvaluationError: too few repeats, or a value that is not finite.
    """
    both = (np.asarray(first, np.float64), np.asarray(second, np.float64))
    sizes = [len(x) for x in both]
    if min(sizes) < 1 or sum(sizes) < 3 or not all(np.isfinite(x).all() for x in both):
        raise EvaluationError(
            f"{sizes[0]} and {sizes[1]} repeats; needed are finite figures, 1 and 2 of them at least."
        )
    variances = [float(x.var(ddof=1)) if len(x) > 1 else None for x in both]
    known = [(v, n) for v, n in zip(variances, sizes, strict=True) if v is not None]
    shares = [(known[0][0] if v is None else v) / n for v, n in zip(variances, sizes, strict=True)]
    difference, square = float(both[1].mean() - both[0].mean()), sum(shares)
    if square == 0:
        return Interval(difference, difference, level)
    freedom = float(known[0][1] - 1)
    if len(known) == 2:
        freedom = square**2 / sum(share**2 / (n - 1) for share, n in zip(shares, sizes, strict=True))
    return student(difference, math.sqrt(square), freedom, level).interval
