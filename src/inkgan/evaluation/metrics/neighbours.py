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
from numpy.typing import NDArray

from inkgan.evaluation.metrics import Float32, Float64, Int64, require_images
from inkgan.evaluation.metrics.intervals import Estimate, groups, jackknife, rate
from inkgan.images import slices

_BLOCK_BYTES = 16 * 2**20  # small enough for a processor's cache, whatever N
_ROWS = 1024  # of a set that are centred at a time


@dataclass(frozen=True)
class Nearest:
    """For each query, the nearest reference."""

    distance: Float64  # [N], Euclidean
    index: Int64  # [N]


def nearest_neighbours(queries: NDArray[Any], references: NDArray[Any]) -> Nearest:
    """Find the nearest reference of each query.

    References are ranked in float32. The distance is then computed again in float64, so a copy is at distance 0.

    Args:
        queries: floats [N, D]: features, or pixels.
        references: floats [T, D], T >= 1.
    """
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
    for block in slices(len(rows), size):
        yield block, left[block] @ right


def centred(*sets: NDArray[Any]) -> tuple[Float32, ...]:
    """Return the sets as float32, all moved by the mean of the first, which becomes the origin."""
    origin = sets[0].mean(axis=0, dtype=np.float64)
    moved = tuple(np.empty(x.shape, np.float32) for x in sets)
    for x, result in zip(sets, moved, strict=True):
        for part in slices(len(x), _ROWS):  # the differences are float64; those of a whole set may take gigabytes
            result[part] = x[part] - origin
    return moved


def manifold_estimates(
    real: NDArray[Any], generated: NDArray[Any], rng: np.random.Generator, *, k: int = 5, num_groups: int = 50
) -> dict[str, Estimate]:
    """Estimate precision, recall, density and coverage of generated features, with intervals.

    The real set is fixed, so precision is a share of independent images and has Wilson's interval. The other three use
    the delete-a-group jackknife. When it leaves out a group, recall keeps the radii of the other generated balls, since
    nearest neighbours change little without one group in 50. If they are the same whichever group is left out, such as
    0 for images far away, the jackknife's interval would have no width. Recall and coverage then have Clopper and
    Pearson's, and so has a density of 0.

    Args:
        real: floats [n, D].
        generated: floats [m, D].
        rng: assigns the generated images to groups.
        k: a ball reaches to the k-th nearest neighbour of its centre.
        num_groups: G.

    Returns:
        The four figures by name, each with its interval over generated samples of this size.

    Raises:
        EvaluationError: fewer than 2 G generated or k + 1 images of either kind.
    """
    require_images(real, "real features", k + 1)
    require_images(generated, "generated features", max(k + 1, 2 * num_groups))
    x, y = centred(real, generated)
    group = groups(len(y), num_groups, rng)
    order = np.argsort(group, kind="stable")
    y, group = y[order], group[order]
    starts = np.flatnonzero(np.diff(group, prepend=-1))  # so a group is a range of columns
    radii_of_x, radii_of_y = squared_radii(x, k), squared_radii(y, k)
    balls_around = np.zeros(len(y), np.int64)  # the number of balls of X in which each y_j lies
    holds_y = np.empty((len(x), num_groups), np.bool_)  # whether the ball of x_i holds a y_j of each group
    held_by_y = np.empty((len(x), num_groups), np.bool_)  # whether x_i lies in the ball of a y_j of each group
    for block, squared in squared_distances(x, y):
        radii = radii_of_x[block, None]
        balls_around += np.count_nonzero(squared <= radii, axis=0)  # |x_i - y_j| <= r_k(x_i)
        holds_y[block] = np.minimum.reduceat(squared, starts, axis=1) <= radii
        np.subtract(squared, radii_of_y, out=squared)
        held_by_y[block] = np.minimum.reduceat(squared, starts, axis=1) <= 0  # |x_i - y_j| <= r_k(y_j)
    return {
        "precision": rate(balls_around > 0),  # 1/m sum_j 1[y_j in some ball of X]
        "recall": _share_of_real(held_by_y, len(y)),  # 1/n sum_i 1[x_i in some ball of Y]
        "density": _mean_over_generated(balls_around / k, group),  # 1/(k m) sum_j sum_i 1[y_j in ball of x_i]
        "coverage": _share_of_real(holds_y, len(y)),  # 1/n sum_i 1[some y_j in ball of x_i]
    }


def _mean_over_generated(values: Float64, group: Int64) -> Estimate:
    """Estimate the mean of the values of the generated images, [m], where 0 is an image that lies in no ball."""
    total, size = np.bincount(group, values), np.bincount(group)
    mean = jackknife(float(values.mean()), (total.sum() - total) / (len(group) - size), len(values))
    if not values.any():  # the share of images in balls may be above 0; a real one there adds about 1 to the density
        return replace(mean, interval=rate(values > 0, "exact").interval)
    return mean


def _share_of_real(by_group: NDArray[np.bool_], generated: int) -> Estimate:
    """Estimate the share of real images that are True for any group of generated ones; ``by_group`` is [n, G]."""
    share = rate(np.logical_or.reduce(by_group, axis=1), "exact")
    by_other_groups = by_group.sum(axis=1, keepdims=True) - by_group
    left_out = (by_other_groups > 0).mean(axis=0)
    estimate = jackknife(share.value, left_out, generated)
    if np.ptp(left_out) == 0:  # other samples would not all give exactly this
        return replace(estimate, interval=share.interval)
    return estimate
