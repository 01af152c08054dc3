"""The kernel distance (KID): the squared maximum mean discrepancy (MMD) under a polynomial kernel.

Bińkowski, Sutherland, Arbel and Gretton (2018), section 4: k(x, y) = (x.y/D + 1)^3, and the unbiased estimator of
Gretton et al. (2012), eq. 3,

    MMD^2_u = mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j)

It has no bias at any n, so it may be negative when the two sets are alike. The usual implementation averages over small
random subsets. This one uses every pair once, which is less noisy and does not depend on a choice of subsets.

Shapes: N and M images, D features, G groups.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkgan.evaluation.metrics import Float64, require_images
from inkgan.evaluation.metrics.intervals import Estimate, groups, jackknife, student


def polynomial_kernel(first: Float64, second: Float64) -> Float64:
    """Return (x.y/D + 1)^3 of all pairs: float64 [N, D] and [M, D] to [N, M]."""
    k = first @ second.T
    k /= first.shape[1]
    k += 1
    k *= k * k
    return k


def kernel_estimate(
    first: NDArray[Any], second: NDArray[Any], rng: np.random.Generator, num_groups: int = 50
) -> Estimate:
    """Estimate the kernel distance, with its standard error and interval; both sets are samples.

    The variance is the sum of two delete-a-group jackknife variances, one for each set. They reuse the kernel sums over
    pairs of groups, so they cost no more than the distance. The interval covers the true MMD^2.

    Args:
        first: floats [N, D].
        second: floats [M, D].
        rng: assigns the images of each set to groups.
        num_groups: G; N and M must be at least 2 G.

    Raises:
        EvaluationError: too few images.
    """
    require_images(first, "features", 2 * num_groups)
    require_images(second, "reference features", 2 * num_groups)
    n, m = len(first), len(second)
    group_x, group_y = groups(n, num_groups, rng), groups(m, num_groups, rng)
    x = [first[group_x == g].astype(np.float64) for g in range(num_groups)]
    y = [second[group_y == g].astype(np.float64) for g in range(num_groups)]
    xx, yy, xy = _within(x), _within(y), _between(x, y)  # sums over pairs of groups, [G, G]
    xx_sum, yy_sum, xy_sum = xx.sum(), yy.sum(), xy.sum()
    value = float(_mmd(xx_sum, n, yy_sum, m, xy_sum))
    # Leaving out group g removes row g and column g of a symmetric sum. Both contain (g, g), which is added back.
    xx_left = xx_sum - 2 * xx.sum(axis=1) + xx.diagonal()
    yy_left = yy_sum - 2 * yy.sum(axis=1) + yy.diagonal()
    without_x = _mmd(xx_left, n - np.bincount(group_x), yy_sum, m, xy_sum - xy.sum(axis=1))
    without_y = _mmd(xx_sum, n, yy_left, m - np.bincount(group_y), xy_sum - xy.sum(axis=0))
    errors = [jackknife(value, without, n).standard_error for without in (without_x, without_y)]
    return student(value, math.hypot(*errors), num_groups - 1, n)


def _mmd(xx: Any, n: Any, yy: Any, m: Any, xy: Any) -> Float64:
    """Compute Gretton et al., eq. 3, from sums over pairs: xx and yy over i != j, xy over all. All may be arrays."""
    return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m)


def _within(parts: list[Float64]) -> Float64:
    """Sum k over the pairs i != j between every two groups of one set, [G, G]."""
    sums = np.zeros((len(parts), len(parts)))
    for g, part in enumerate(parts):
        for h in range(g, len(parts)):
            sums[g, h] = sums[h, g] = polynomial_kernel(part, parts[h]).sum()
        diagonal = (np.einsum("nd,nd->n", part, part) / part.shape[1] + 1) ** 3  # k(x_i, x_i)
        sums[g, g] -= diagonal.sum()
    return sums


def _between(first: list[Float64], second: list[Float64]) -> Float64:
    """Sum k over the pairs between each group of the first set and each group of the second, [G, G]."""
    return np.array([[polynomial_kernel(x, y).sum() for y in second] for x in first])
