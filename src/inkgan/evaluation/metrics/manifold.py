"""Precision, recall, density and coverage: fidelity and diversity by nearest neighbours in feature space.

The manifold of a set is estimated by balls about its points x_i, each with the radius r_k(x_i), the distance to its
k-th nearest neighbour in the same set. With n real images X = {x_i} and m generated ones Y = {y_j}:

    precision = 1/m sum_j 1[y_j in some ball of X]         Kynkäänniemi et al. (2019), eq. 1 and 2
    recall    = 1/n sum_i 1[x_i in some ball of Y]         the same with the roles exchanged
    density   = 1/(k m) sum_j sum_i 1[y_j in ball of x_i]  Naeem et al. (2020)
    coverage  = 1/n sum_i 1[some y_j in ball of x_i]       the same

Of a perfect generator only density and coverage are near 1: read all four beside their floor, and always at the same n
and m. A point on the edge of a ball is in it (<=), as in the first paper.

Shapes: n real and m generated images, D features, G groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from inkgan.errors import EvaluationError
from inkgan.evaluation.metrics.checks import Float64, check_features, check_same_size
from inkgan.evaluation.metrics.intervals import Estimate, binomial, groups, jackknife
from inkgan.evaluation.metrics.neighbours import centred, squared_distances, squared_radii


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
) -> Manifold:
    """Precision, recall, density and coverage of generated features, with intervals.

    Given the real set, precision is a plain share of independent images: Wilson's interval. The others have that of the
    delete-a-group jackknife. Recall without a group keeps the radii of the other generated balls as they are: nearest
    neighbours change little when one group in 50 goes.

    Args:
        real: floats [n, D].
        generated: floats [m, D].
        rng: deals the generated images to groups.
        k: the neighbour at whose distance a ball ends.
        num_groups: G.

    Raises:
        EvaluationError: fewer than 2 G generated or k + 1 images of either kind, different D, wrong shape or
            dtype, or values that are not finite.
    """
    if k < 1:
        raise EvaluationError(f"k is {k}; it must be at least 1 (the papers use 3 and 5).")
    check_features(real, "real features", k + 1)
    check_features(generated, "generated features", max(k + 1, 2 * num_groups))
    check_same_size(real, generated)
    x, y = centred(real, generated)
    group = groups(len(y), num_groups, rng)
    # Generated images in the order of their groups, so that a group is a range of columns.
    order = np.argsort(group, kind="stable")
    y, group = y[order], group[order]
    starts = np.searchsorted(group, np.arange(num_groups))
    size = np.bincount(group, minlength=num_groups)

    real_radii, generated_radii = squared_radii(x, k), squared_radii(y, k)
    balls_of_x = np.zeros(len(y), np.int64)  # in how many real balls each generated image lies
    in_ball_of_y = np.empty((len(x), num_groups), np.bool_)  # whether each real image lies in a ball of each group
    ball_has_y = np.empty((len(x), num_groups), np.bool_)  # whether each real ball has an image of each group
    for block, squared in squared_distances(x, y):
        radii = real_radii[block, None]
        balls_of_x += np.count_nonzero(squared <= radii, axis=0)
        ball_has_y[block] = np.minimum.reduceat(squared, starts, axis=1) <= radii
        np.subtract(squared, generated_radii, out=squared)
        in_ball_of_y[block] = np.minimum.reduceat(squared, starts, axis=1) <= 0

    def mean_over_generated(per_image: Float64) -> Estimate:
        total = np.bincount(group, per_image, num_groups)
        return jackknife(float(per_image.mean()), (total.sum() - total) / (len(y) - size))

    def share_of_real(by_group: npt.NDArray[np.bool_]) -> Estimate:  # n x G
        by_other_groups = by_group.sum(axis=1, keepdims=True) - by_group
        return jackknife(float(by_group.any(axis=1).mean()), (by_other_groups > 0).mean(axis=0))

    return Manifold(
        precision=binomial(int((balls_of_x > 0).sum()), len(y)),
        recall=share_of_real(in_ball_of_y),
        density=mean_over_generated(balls_of_x / k),
        coverage=share_of_real(ball_has_y),
    )
