"""Distances between all pairs of images in feature space, in blocks: nearest neighbours and k-neighbour radii.

Shapes: N query images, T reference images, D features (or pixels).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from inkgan.evaluation.metrics.checks import Float32, Float64, Int64, check_features, check_same_size

_BLOCK_BYTES = 16 * 2**20  # small enough for a processor's cache, whatever N


@dataclass(frozen=True)
class Nearest:
    """For each query, its k nearest references, nearest first."""

    distance: Float64  # N x k, Euclidean
    index: Int64  # N x k


def nearest_neighbours(queries: npt.NDArray[Any], references: npt.NDArray[Any], k: int = 1) -> Nearest:
    """The k nearest references of each query.

    Neighbours are ranked in float32. Their distances are then computed again in float64: a copy is at distance 0.

    Args:
        queries: floats [N, D]: features, or pixels.
        references: floats [T, D], T >= k.
        k: how many neighbours.

    Raises:
        EvaluationError: too few images, different D, wrong shape or dtype, or values that are not finite.
    """
    check_features(queries, "queries", 1)
    check_features(references, "references", max(1, k))
    check_same_size(queries, references)
    y, x = centred(references, queries)
    index = np.empty((len(x), k), np.int64)
    for block, distances in squared_distances(x, y):
        if k == 1:
            index[block, 0] = distances.argmin(axis=1)
        else:
            index[block] = np.argpartition(distances, k - 1, axis=1)[:, :k]
    distance = np.empty((len(x), k))
    for j in range(k):
        difference = queries.astype(np.float64) - references[index[:, j]]
        distance[:, j] = np.sqrt(np.einsum("nd,nd->n", difference, difference))
    order = distance.argsort(axis=1, kind="stable")
    return Nearest(np.take_along_axis(distance, order, 1), np.take_along_axis(index, order, 1))


def squared_radii(points: Float32, k: int) -> Float32:
    """The squared distance of each point [N, D] to its k-th nearest other point, float32 [N]."""
    radii = np.empty(len(points), np.float32)
    for block, distances in squared_distances(points, points):
        rows = np.arange(len(distances))
        distances[rows, block.start + rows] = np.inf  # a point is not its own neighbour
        radii[block] = np.partition(distances, k - 1, axis=1)[:, k - 1]
    return radii


def squared_distances(rows: Float32, columns: Float32) -> Iterator[tuple[slice, Float32]]:
    """|x - y|^2 of all pairs, a block of rows at a time: (the rows' slice, float32 [block, T]).

    One matrix product gives them: (-2x, |x|^2, 1).(y, 1, |y|^2). float32 is enough to rank neighbours. Rounding may
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
    """The sets as float32, all moved by the mean of the first, which becomes the origin."""
    origin = sets[0].mean(axis=0, dtype=np.float64)
    return tuple(np.ascontiguousarray(x - origin, dtype=np.float32) for x in sets)
