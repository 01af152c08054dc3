"""What every measure asks of its arrays, and the blocked distances that several of them share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from inkgan.errors import EvaluationError

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_BLOCK_BYTES = 16 * 2**20  # a block of distances: small enough for a processor's cache, whatever N


def check_features(features: npt.NDArray[Any], what: str, at_least: int) -> None:
    """Raise an :class:`EvaluationError` unless ``features`` are finite floats [N >= at_least, D >= 1]."""
    if not isinstance(features, np.ndarray) or features.dtype.kind != "f" or features.ndim != 2:
        given = (
            f"{features.dtype} {list(features.shape)}" if isinstance(features, np.ndarray) else type(features).__name__
        )
        raise EvaluationError(f"{what} are {given}; needed are floating-point numbers [N, D].")
    if len(features) < at_least or features.shape[1] == 0:
        raise EvaluationError(
            f"{what} are {list(features.shape)}: this measure needs at least {at_least} images. Use more."
        )
    if not np.isfinite(features).all():
        raise EvaluationError(f"{what} are not all finite (NaN or infinity).")


def check_pair(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> None:
    """Raise an :class:`EvaluationError` unless both have the same number of features."""
    if first.shape[1] != second.shape[1]:
        raise EvaluationError(
            f"the two sets have {first.shape[1]} and {second.shape[1]} features; "
            "both must come from the same extractor."
        )


def check_labels(labels: npt.NDArray[Any], what: str, num_classes: int, at_least: int = 1) -> None:
    """Raise an :class:`EvaluationError` unless labels are integers [N >= at_least] in 0..num_classes-1."""
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise EvaluationError(f"{what} must be integers [N].")
    if len(labels) < at_least:
        raise EvaluationError(f"there are {len(labels)} {what}; this measure needs at least {at_least}.")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise EvaluationError(
            f"{what} go from {labels.min()} to {labels.max()}; they must lie in 0 to {num_classes - 1}."
        )


def squared_distances(rows: Float32, columns: Float32) -> Iterator[tuple[slice, Float32]]:
    """|x - y|^2 of all pairs, a block of rows at a time: (the rows' slice, float32 [block, M]).

    One matrix product gives them: (-2x, |x|^2, 1).(y, 1, |y|^2). float32 is enough to rank neighbours; where
    a distance itself is reported it is computed again from its pair. Rounding may leave a distance of 0 a
    little below 0. Subtracting a common point first (see :func:`centred`) keeps the terms from cancelling.
    """
    row_norms, column_norms = (np.einsum("nd,nd->n", x, x)[:, None] for x in (rows, columns))
    left = np.hstack([-2 * rows, row_norms, np.ones_like(row_norms)])
    right = np.hstack([columns, np.ones_like(column_norms), column_norms]).T
    size = max(1, _BLOCK_BYTES // (4 * len(columns)))
    for start in range(0, len(rows), size):
        block = slice(start, min(start + size, len(rows)))
        yield block, left[block] @ right


def centred(*sets: npt.NDArray[Any]) -> tuple[Float32, ...]:
    """The sets as float32, moved together so that the mean of the first is the origin."""
    origin = sets[0].mean(axis=0, dtype=np.float64)
    return tuple(np.ascontiguousarray(x - origin, dtype=np.float32) for x in sets)
