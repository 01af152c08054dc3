"""The metrics, as pure functions of arrays: features, class probabilities and distances in, figures with intervals out.

Every figure is biased or noisy at finite n, so read it next to its n and its floor, the same figure of as many held-out
real images. The metrics know nothing of data sets, models or files. All features that they get are finite floats of one
extractor; :func:`inkgan.evaluation.features.extract` checks them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkgan.errors import EvaluationError

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


def require_images(features: NDArray[Any], what: str, at_least: int) -> None:
    """Raise an :class:`EvaluationError` unless ``features`` [N, D] are those of enough images."""
    if len(features) < at_least:
        shape = list(features.shape)
        raise EvaluationError(f"{what} are {shape}; this metric needs at least {at_least} images. Use more.")
