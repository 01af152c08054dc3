"""Nearest neighbours, and the figures that come from balls about them: precision, recall, density and coverage.

The manifold of a set is estimated by balls about its points x_i, each with the radius r_k(x_i), the distance to its
k-th nearest neighbour in the same set. With n real images X = {x_i} and m generated ones Y = {y_j}:

    precision = 1/m sum_j 1[y_j in some ball of X]         Kynkäänniemi et al. (2019), eq. 1 and 2
    recall    = 1/n sum_i 1[x_i in some ball of Y]         the same with the roles exchanged
    density   = 1/(k m) sum_j sum_i 1[y_j in ball of x_i]  Naeem et al. (2020)
    coverage  = 1/n sum_i 1[some y_j in ball of x_i]       the same

For a perfect generator, only density and coverage are near 1. So read all four next to their floors, and always at the
same n and m. A point on the edge of a ball counts as inside (<=), as in the first paper.

Distances of all pairs are computed in blocks.

Shapes: n real and m generated images, N query and T reference images, D features (or pixels), G groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from inkgan.evaluation.metrics import Float32, Float64, Int64, check_features, check_same_size
from inkgan.evaluation.metrics.intervals import Estimate, binomial, clopper_pearson, groups, jackknife

_BLOCK_BYTES = 16 * 2**20  # small enough for a processor's cache, whatever N


@dataclass(frozen=True)
class Nearest:
    """For each query, the nearest reference."""

    distance: Float64  # N, Euclidean
    index: Int64  # N


def nearest_neighbours(queries: npt.NDArray[Any], references: npt.NDArray[Any]) -> Nearest:
    """Find the nearest reference of each query.

    References are ranked in float32. The distance is then computed again in float64, so a copy is at distance 0.

    Args:
        queries: floats [N, D]: features, or pixels.
        references: floats [T, D].

    Raises:
        EvaluationError: no images, different D, wrong shape or dtype, or values that are not finite.
    """
    check_features(queries, "queries", 1)
    check_features(references, "references", 1)
    check_same_size(queries, references)
    y, x = centred(references, queries)
    index = np.empty(len(x), np.int64)
    for block, distances in squared_distances(x, y):
        index[block] = distances.argmin(axis=1)
    difference = queries.astype(np.float64) - references[index]
    return Nearest(np.sqrt(np.einsum("nd,nd->n", difference, difference)), index)


def squared_radii(points: Float32, k: int) -> Float32:
    """Return the squared distance of each point [N, D] to its k-th nearest other point, float32 [N]."""
    radii = np.empty(len(points), np.float32)
    for block, distances in squared_distances(points, points):
        rows = np.arange(len(distances))
        distances[rows, block.start + rows] = np.inf  # a point is not its own neighbour
        radii[block] = np.partition(distances, k - 1, axis=1)[:, k - 1]
    return radii


def squared_distances(rows: Float32, columns: Float32) -> Iterator[tuple[slice, Float32]]:
    """Yield ``|x - y|^2`` of all pairs, a block of rows at a time: (the rows' slice, float32 [block, T]).

    One matrix product gives them: ``(-2x, |x|^2, 1).(y, 1, |y|^2)``. float32 is enough to rank neighbours. Rounding may
    leave a distance of 0 a little below 0. Centre the points first (:func:`centred`), so that the terms do not cancel.
    """
    row_norms, column_norms = (np.einsum("nd,nd->n", x, x)[:, None] for x in (rows, columns))
    left = np.hstack([-2 * rows, row_norms, np.ones_like(row_norms)])
    right = np.hstack([columns, np.ones_like(column_norms), column_norms]).T
    size = max(1, _BLOCK_BYTES // (4 * len(columns)))
    for start in range(0, len(rows), size):
        block = slice(start, min(start + size, len(rows)))
        yield block, left[block] @ right


def centred(*sets: npt.NDArray[Any]) -> tuple[Float32, ...]:
    """Return the sets as float32, all moved by the mean of the first, which becomes the origin."""
    origin = sets[0].mean(axis=0, dtype=np.float64)
    return tuple(np.ascontiguousarray(x - origin, dtype=np.float32) for x in sets)


@dataclass(frozen=True)
class Manifold:
    """The four figures, each with its interval over generated samples of this size; the real set is fixed."""

    precision: Estimate
    recall: Estimate
    density: Estimate
    coverage: Estimate


def manifold_estimates(
    real: npt.NDArray[Any],
    generated: npt.NDArray[Any],
    rng: np.random.Generator,
    *,
    k: int = 5,
    num_groups: int = 50,
) -> Manifold:
    """Estimate precision, recall, density and coverage of generated features, with intervals.

    The real set is fixed, so precision is a share of independent images and has Wilson's interval. The other three use
    the delete-a-group jackknife. When it leaves out a group, recall keeps the radii of the other generated balls, since
    nearest neighbours change little without one group in 50. If no real image counts, or if all count whichever group
    is left out, the jackknife's interval would have no width. Recall and coverage then have Clopper and Pearson's.

    Args:
        real: floats [n, D].
        generated: floats [m, D].
        rng: assigns the generated images to groups.
        k: a ball reaches to the k-th nearest neighbour of its centre.
        num_groups: G.

    Raises:
        EvaluationError: fewer than 2 G generated or k + 1 images of either kind, different D, wrong shape or
            dtype, or values that are not finite.
    """
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
        balls_of_x += np.count_nonzero(squared <= radii, axis=0)  # |x_i - y_j| <= r_k(x_i)
        ball_has_y[block] = np.minimum.reduceat(squared, starts, axis=1) <= radii
        np.subtract(squared, generated_radii, out=squared)
        in_ball_of_y[block] = np.minimum.reduceat(squared, starts, axis=1) <= 0  # |x_i - y_j| <= r_k(y_j)

    def mean_over_generated(per_image: Float64) -> Estimate:
        total = np.bincount(group, per_image, num_groups)
        return jackknife(float(per_image.mean()), (total.sum() - total) / (len(y) - size))

    def share_of_real(by_group: npt.NDArray[np.bool_]) -> Estimate:  # n x G
        by_other_groups = by_group.sum(axis=1, keepdims=True) - by_group
        found = int(by_group.any(axis=1).sum())
        share = jackknife(found / len(x), (by_other_groups > 0).mean(axis=0))
        if found in (0, len(x)) and share.standard_error == 0:  # other samples would not all give exactly this
            return replace(share, interval=clopper_pearson(found, len(x)))
        return share

    return Manifold(
        precision=binomial(int((balls_of_x > 0).sum()), len(y)),  # 1/m sum_j 1[y_j in some ball of X]
        recall=share_of_real(in_ball_of_y),  # 1/n sum_i 1[x_i in some ball of Y]
        density=mean_over_generated(balls_of_x / k),  # 1/(k m) sum_j sum_i 1[y_j in ball of x_i]
        coverage=share_of_real(ball_has_y),  # 1/n sum_i 1[some y_j in ball of x_i]
    )
