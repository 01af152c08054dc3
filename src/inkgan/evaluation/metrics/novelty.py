"""Novelty: are the images new, or copies of training images? Their distances to the nearest training image say it.

A generator that copies draws images nearer to its training images than held-out real images are. No other metric in
this package sees it: a perfect copyist has a perfect Fréchet distance, precision and recall.

Shapes: N generated images, T training images, H held-out images.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats  # type: ignore[import-untyped]

from inkgan.errors import EvaluationError
from inkgan.evaluation.metrics.checks import Float32, Float64, Int64, check_features, check_labels
from inkgan.evaluation.metrics.intervals import Interval, clopper_pearson

_SMALLEST_CELL = 20


def pixels(images: npt.NDArray[np.uint8]) -> Float32:
    """uint8 images [N, H, W, C] as float32 [N, H*W*C] in [0, 1], the pixel space of novelty."""
    if images.dtype != np.uint8 or images.ndim != 4:
        raise EvaluationError(f"images are {images.dtype} {list(images.shape)}; give uint8 [N, H, W, C].")
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


@dataclass(frozen=True)
class Novelty:
    """Distances of generated images to their nearest training image, against those of held-out images."""

    near_copies: float
    """The share of generated images whose distance is at most ``threshold``."""
    interval: Interval
    """Clopper and Pearson's, of that share."""
    expected: float
    """That share among held-out images: what a generator of new images has."""
    threshold: float
    """The distance up to which an image counts as a near-copy."""
    z: float
    """C_T of Meehan et al. (2020): far below 0 the generator copies, far above 0 it underfits; near 0 its images are as
    new as held-out ones."""
    closest: Int64
    """The indices of the generated images, closest to the training set first."""
    n: int


def novelty(
    generated: npt.NDArray[Any],
    held_out: npt.NDArray[Any],
    expected: float = 0.01,
    cells: tuple[npt.NDArray[Any], npt.NDArray[Any]] | None = None,
) -> Novelty:
    """Compare generated and held-out distances to the nearest training image.

    A near-copy is an image whose distance is at most the ``expected`` quantile of the held-out distances. That
    threshold is itself estimated from H images: take H >= 100 / expected for a share that is right to a tenth.

    Args:
        generated: floats [N], from ``nearest_neighbours(generated, training).distance``.
        held_out: floats [H], the same of real images that were not trained on.
        expected: the quantile, between 0 and 1; H must be at least 1 / expected.
        cells: classes of the generated and of the held-out images, integers [N] and [H]; C_T then compares
            within classes (the paper uses k-means cells) and is not fooled by a different mixture of classes.

    Raises:
        EvaluationError: too few distances, wrong shape or dtype, values that are not finite or negative.
    """
    for distances, what in ((generated, "generated distances"), (held_out, "held-out distances")):
        check_features(distances[:, None] if distances.ndim == 1 else distances[None], what, 20)
        if distances.min() < 0:
            raise EvaluationError(f"{what} are negative; give distances, from 0.")
    if not 0 < expected < 1 or len(held_out) * expected < 1:
        raise EvaluationError(
            f"expected is {expected} with {len(held_out)} held-out images; it must lie between 0 and 1, "
            "and at least 1 / expected held-out images are needed."
        )
    g, h = generated.astype(np.float64), held_out.astype(np.float64)
    threshold = float(np.quantile(h, expected, method="inverted_cdf"))
    copies = int((g <= threshold).sum())
    z = copying_z(g, h) if cells is None else _copying_z_by_cell(g, h, *cells)
    return Novelty(
        near_copies=copies / len(g),
        interval=clopper_pearson(copies, len(g)),
        expected=float((h <= threshold).mean()),
        threshold=threshold,
        z=z,
        closest=g.argsort(kind="stable").astype(np.int64),
        n=len(g),
    )


def copying_z(generated: Float64, held_out: Float64) -> float:
    """The z-score of the Mann-Whitney statistic U: Meehan et al. (2020), section 3.1.

    Z_U = (U - mn/2) / sqrt(mn(m + n + 1)/12), U the number of pairs in which the generated distance is the larger (ties
    count one half). Standard normal if both come from one distribution.

    Args:
        generated: float64 [N], distances to the nearest training image.
        held_out: float64 [H], the same of held-out images.
    """
    m, n = len(generated), len(held_out)
    u = stats.mannwhitneyu(generated, held_out, method="asymptotic").statistic
    return float((u - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12))


def _copying_z_by_cell(g: Float64, h: Float64, g_cells: npt.NDArray[Any], h_cells: npt.NDArray[Any]) -> float:
    """C_T of Meehan et al. (2020): the mean of Z_U over cells, weighted by the cell's share of held-out images.

    It is divided by its standard deviation under no copying, so that it is a z-score again. Cells with fewer than 20
    images of either kind are left out.
    """
    classes = int(max(g_cells.max(), h_cells.max())) + 1
    check_labels(g_cells, "cells of generated images", classes, len(g))
    check_labels(h_cells, "cells of held-out images", classes, len(h))
    if len(g_cells) != len(g) or len(h_cells) != len(h):
        raise EvaluationError("there must be one cell for each distance.")
    scores, weights = [], []
    for cell in range(classes):
        in_g, in_h = g[g_cells == cell], h[h_cells == cell]
        if min(len(in_g), len(in_h)) >= _SMALLEST_CELL:
            scores.append(copying_z(in_g, in_h))
            weights.append(float(len(in_h)))
    if not scores:
        raise EvaluationError(
            f"no class has {_SMALLEST_CELL} generated and {_SMALLEST_CELL} held-out images; use more images."
        )
    return float(np.dot(scores, weights) / np.linalg.norm(weights))
