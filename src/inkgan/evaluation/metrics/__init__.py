"""The metrics, as pure functions of arrays: features, class probabilities and distances in, figures with intervals out.

Every figure is biased or noisy at finite n, so read it next to its n and its floor, the same figure of as many held-out
real images. The metrics know nothing of data sets, models or files.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkgan.errors import EvaluationError

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


def require_features(features: NDArray[Any], what: str, at_least: int) -> None:
    """Raise an :class:`EvaluationError` unless ``features`` are finite floats [N >= at_least, D >= 1]."""
    if not isinstance(features, np.ndarray):
        raise EvaluationError(f"{what} are of type {type(features).__name__}; give an array of floats [N, D].")
    shape = list(features.shape)
    if features.dtype.kind != "f" or features.ndim != 2:
        raise EvaluationError(f"{what} are {features.dtype} {shape}; give floats [N, D].")
    if len(features) < at_least or features.shape[1] == 0:
        raise EvaluationError(f"{what} are {shape}; this metric needs at least {at_least} images. Use more.")
    if not np.isfinite(features).all():
        raise EvaluationError(f"{what} hold NaN or infinity; give finite numbers.")


def require_same_size(first: NDArray[Any], second: NDArray[Any]) -> None:
    """Raise an :class:`EvaluationError` unless both have the same number of features (their last axis)."""
    if first.shape[-1] != second.shape[-1]:
        raise EvaluationError(
            f"the two sets have {first.shape[-1]} and {second.shape[-1]} features; take both from one extractor."
        )
