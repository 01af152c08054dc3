"""The kernel distance: the squared maximum mean discrepancy under a polynomial kernel.

Binkowski, Sutherland, Arbel and Gretton (2018), section 4: k(x, y) = (x.y/D + 1)^3, and the unbiased
estimator of Gretton et al. (2012), eq. 3,

    MMD^2_u = mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j)

It has no bias at any n, so it may be negative when the two sets are alike. Unlike the usual implementation,
which averages over small random subsets, all pairs are used once: less noise, and no choice of subsets in the
figure.

Shapes: N and M images, D features, G groups.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from inkgan.evaluation.metrics._checks import Float64, Int64, check_features, check_pair
from inkgan.evaluation.metrics.intervals import Estimate, groups, jackknife, student

_TILE = 256  # the kernel is summed in tiles that fit in a processor's cache: little memory at any N


def polynomial_kernel(first: Float64, second: Float64) -> Float64:
    """(x.y/D + 1)^3 of all pairs: float64 [N, D] and [M, D] to [N, M]."""
    k = first @ second.T
    k /= first.shape[1]
    k += 1
    k *= k * k
    return k


def kernel_distance(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    """The unbiased estimate of MMD^2 between two sets of features.

    Args:
        first: floating point [N, D], N >= 2.
        second: floating point [M, D], M >= 2.

    Raises:
        EvaluationError: too few images, different D, wrong shape or dtype, or values that are not finite.
    """
    x, y = _prepared(first, second, 2)
    parts_x, parts_y = ([z[i : i + _TILE] for i in range(0, len(z), _TILE)] for z in (x, y))
    between = _between(parts_x, parts_y).sum()
    return _mmd(_within(parts_x).sum(), len(x), _within(parts_y).sum(), len(y), between)


def kernel_estimate(
    first: npt.NDArray[Any],
    second: npt.NDArray[Any],
    rng: np.random.Generator,
    num_groups: int = 50,
    level: float = 0.95,
) -> Estimate:
    """The kernel distance with its standard error and interval, both sets being samples.

    Standard error: the delete-a-group jackknife over each set, the two variances added; from sums of the
    kernel over pairs of groups it costs nothing more than the distance. The interval covers the true MMD^2.

    Args:
        first: floating point [N, D].
        second: floating point [M, D].
        rng: deals the images of each set to groups.
        num_groups: G; N and M must be at least 2 G.
        level: of confidence.

    Raises:
        EvaluationError: too few images, different D, wrong shape or dtype, or values that are not finite.
    """
    x, y = _prepared(first, second, 2 * num_groups)
    group_x, group_y = groups(len(x), num_groups, rng), groups(len(y), num_groups, rng)
    parts_x, parts_y = _split(x, group_x, num_groups), _split(y, group_y, num_groups)
    within_x, within_y, between = _within(parts_x), _within(parts_y), _between(parts_x, parts_y)
    size_x, size_y = (np.bincount(group, minlength=num_groups) for group in (group_x, group_y))
    value = _mmd(within_x.sum(), len(x), within_y.sum(), len(y), between.sum())
    # Without group g, a symmetric sum over pairs loses row g and column g, and had lost (g, g) twice.
    kept_x = within_x.sum() - 2 * within_x.sum(axis=1) + within_x.diagonal()
    kept_y = within_y.sum() - 2 * within_y.sum(axis=1) + within_y.diagonal()
    without_x = [
        _mmd(kept_x[g], len(x) - size_x[g], within_y.sum(), len(y), between.sum() - between[g].sum())
        for g in range(num_groups)
    ]
    without_y = [
        _mmd(within_x.sum(), len(x), kept_y[g], len(y) - size_y[g], between.sum() - between[:, g].sum())
        for g in range(num_groups)
    ]
    errors = [jackknife(value, np.array(without), level).standard_error for without in (without_x, without_y)]
    return student(value, math.hypot(*errors), num_groups - 1, level)


def _prepared(first: npt.NDArray[Any], second: npt.NDArray[Any], at_least: int) -> tuple[Float64, Float64]:
    check_features(first, "features", at_least)
    check_features(second, "reference features", at_least)
    check_pair(first, second)
    return first.astype(np.float64), second.astype(np.float64)


def _mmd(within_x: float, n: int, within_y: float, m: int, between: float) -> float:
    return float(within_x / (n * (n - 1)) + within_y / (m * (m - 1)) - 2 * between / (n * m))


def _split(x: Float64, group: Int64, num_groups: int) -> list[Float64]:
    return [x[group == g] for g in range(num_groups)]


def _within(parts: list[Float64]) -> Float64:
    """Sums of k over the pairs i != j of each two groups, [G, G]."""
    sums = np.zeros((len(parts), len(parts)))
    for g, part in enumerate(parts):
        for h in range(g, len(parts)):
            sums[g, h] = sums[h, g] = polynomial_kernel(part, parts[h]).sum()
        own = np.einsum("nd,nd->n", part, part) / part.shape[1] + 1
        sums[g, g] -= (own**3).sum()
    return sums


def _between(first: list[Float64], second: list[Float64]) -> Float64:
    """Sums of k over the pairs of each group of the first and each group of the second, [G, G]."""
    return np.array([[polynomial_kernel(x, y).sum() for y in second] for x in first])
