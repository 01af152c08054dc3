"""Precision, recall, density and coverage: fidelity and diversity by nearest neighbours in feature space.

A set's manifold is estimated by balls about its points x_i, each reaching to its k-th nearest neighbour in
the same set, of radius r_k(x_i). With real X = {x_i}, n of them, and generated Y = {y_j}, m of them:

    precision = 1/m sum_j 1[y_j in some ball of X]        Kynkaanniemi et al. (2019), eq. 1 and 2
    recall    = 1/n sum_i 1[x_i in some ball of Y]        the same with the roles exchanged
    density   = 1/(k m) sum_j sum_i 1[y_j in ball of x_i] Naeem et al. (2020)
    coverage  = 1/n sum_i 1[some y_j in ball of x_i]      the same

None of them is 1 for a perfect generator except, nearly, density and coverage: read them beside their floor,
and always at the same n and m. A point on the edge of a ball is in it (<=), as in the first paper.

Shapes: n real and m generated images, D features, G groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from inkgan.errors import EvaluationError
from inkgan.evaluation.metrics._checks import (
    Float32,
    Float64,
    Int64,
    centred,
    check_features,
    check_pair,
    squared_distances,
)
from inkgan.evaluation.metrics.intervals import Estimate, binomial, groups, jackknife

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Manifold:
    """The four figures, each with its interval over generated samples of this size; the real set is given."""

    precision: Estimate
    recall: Estimate
    density: Estimate
    coverage: Estimate


def manifold(
    real: npt.NDArray[Any],
    generated: npt.NDArray[Any],
    rng: np.random.Generator,
    *,
    k: int = 5,
    num_groups: int = 50,
    level: float = 0.95,
) -> Manifold:
    """Precision, recall, density and coverage of generated features, with intervals.

    Given the real set, precision is a plain share of independent images: Wilson's interval. For the others it
    is the delete-a-group jackknife.

    Recall's leave-out values keep the generated balls' radii as they are: nearest neighbours change little
    when one group in 50 goes.

    Args:
        real: floating point [n, D].
        generated: floating point [m, D].
        rng: deals the generated images to groups.
        k: the neighbour that a ball reaches to.
        num_groups: G.
        level: of confidence.

    Raises:
        EvaluationError: fewer than 2 G generated or k + 1 images of either kind, different D, wrong shape or
            dtype, or values that are not finite.
    """
    if k < 1:
        raise EvaluationError(f"k is {k}; it must be at least 1 (the papers use 3 and 5).")
    check_features(real, "real features", k + 1)
    check_features(generated, "generated features", max(k + 1, 2 * num_groups))
    check_pair(real, generated)
    x, y = centred(real, generated)
    group = groups(len(y), num_groups, rng)
    # Generated images in the order of their groups, so that a group is a range of columns.
    order = np.argsort(group, kind="stable")
    y, group = y[order], group[order]
    hits = _hits(x, y, group, num_groups=num_groups, real_radii=squared_radii(x, k), radii=squared_radii(y, k))
    size = np.bincount(group, minlength=num_groups)

    def share_of_generated(per_image: Float64) -> Estimate:
        total = np.bincount(group, per_image, num_groups)
        return jackknife(float(per_image.mean()), (total.sum() - total) / (len(y) - size), level)

    def share_of_real(by_group: Bool) -> Estimate:  # n x G
        others = by_group.sum(axis=1, keepdims=True) - by_group
        return jackknife(float(by_group.any(axis=1).mean()), (others > 0).mean(axis=0), level)

    return Manifold(
        precision=binomial(int((hits.real_balls > 0).sum()), len(y), level),
        recall=share_of_real(hits.in_generated_balls),
        density=share_of_generated(hits.real_balls / k),
        coverage=share_of_real(hits.covered),
    )


def squared_radii(points: Float32, k: int) -> Float32:
    """The squared distance of each point to its k-th nearest other point, float32 [N]."""
    radii = np.empty(len(points), np.float32)
    for block, distances in squared_distances(points, points):
        rows = np.arange(len(distances))
        distances[rows, block.start + rows] = np.inf  # a point is not its own neighbour
        radii[block] = np.partition(distances, k - 1, axis=1)[:, k - 1]
    return radii


@dataclass(frozen=True)
class _Hits:
    real_balls: Int64  # m: in how many real balls each generated image lies
    in_generated_balls: Bool  # n x G: whether each real image lies in a ball of each group
    covered: Bool  # n x G: whether an image of each group lies in each real image's ball


def _hits(
    real: Float32, generated: Float32, group: Int64, *, num_groups: int, real_radii: Float32, radii: Float32
) -> _Hits:
    starts = np.searchsorted(group, np.arange(num_groups))
    real_balls = np.zeros(len(generated), np.int64)
    in_generated_balls = np.empty((len(real), num_groups), np.bool_)
    covered = np.empty((len(real), num_groups), np.bool_)
    for block, squared in squared_distances(real, generated):
        real_balls += np.count_nonzero(squared <= real_radii[block, None], axis=0)
        covered[block] = np.minimum.reduceat(squared, starts, axis=1) <= real_radii[block, None]
        np.subtract(squared, radii, out=squared)
        in_generated_balls[block] = np.minimum.reduceat(squared, starts, axis=1) <= 0
    return _Hits(real_balls, in_generated_balls, covered)
