"""Novelty: are images new, or copies of training images?

A generator that copies draws images that are closer to its training images than held-out real images are. No other
metric in this package detects this: a perfect copyist has a perfect Fréchet distance, precision and recall.

Shapes: N generated and H held-out images.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from inkgan.evaluation.metrics import Float32, Float64
from inkgan.evaluation.metrics.intervals import Estimate, rate

_SMALLEST_CELL = 20  # images of each kind, for the copying test within a class


def pixels(images: NDArray[np.uint8]) -> Float32:
    """Turn uint8 images [N, H, W, C] into float32 [N, H*W*C] in [0, 1], the pixel space of novelty."""
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


@dataclass(frozen=True)
class Novelty:
    """The distances of generated images to their nearest training image, compared with those of held-out images.

    Attributes:
        near_copies: the share of generated images that are near-copies, with Clopper and Pearson's interval.
        floor: the same share of held-out images; a generator of new images has about this share.
        z: C_T of Meehan et al. (2020) in units of its standard deviation. Far below 0 the generator copies; far above 0
            it underfits; near 0 its images are as new as held-out ones.
    """

    near_copies: Estimate
    floor: Estimate
    z: float


def novelty(
    generated: NDArray[Any],
    held_out: NDArray[Any],
    expected: float = 0.01,
    cells: tuple[NDArray[Any], NDArray[Any]] | None = None,
) -> Novelty:
    """Compare generated and held-out distances to the nearest training image.

    A near-copy is an image whose distance is at most the ``expected`` quantile of the held-out distances. That
    threshold is itself estimated from H images: take H >= 100 / expected to estimate the share to within a tenth.

    Args:
        generated: floats [N], from ``nearest_neighbours(generated, training).distance``.
        held_out: floats [H], the same for real images that were not trained on.
        expected: the quantile, between 0 and 1; H must be at least 1 / expected.
        cells: classes of the generated and of the held-out images, integers [N] and [H]. C_T then compares
            within classes (the paper uses k-means cells), so a different mixture of classes does not mislead it. If
            no class has 20 images of both kinds, it compares all images at once.
    """
    # Both as float32 first, in which held-out distances are kept: equal distances must not differ by rounding.
    g, h = (distances.astype(np.float32).astype(np.float64) for distances in (generated, held_out))
    threshold = float(np.quantile(h, expected, method="inverted_cdf"))
    z = copying_z(g, h) if cells is None else _copying_z_by_cell(g, h, *cells)
    return Novelty(rate(g <= threshold, "exact"), rate(h <= threshold), z)


def copying_z(generated: Float64, held_out: Float64) -> float:
    """Return the z-score of the Mann-Whitney statistic U: Meehan et al. (2020), section 3.1.

    Z_U = (U - mn/2) / sqrt(mn(m + n + 1)/12), where U is the number of pairs in which the generated distance is larger
    (ties count one half). It is standard normal if both sets come from one distribution and have no ties. Ties make its
    variance smaller, so that values far from 0 are even rarer.

    Args:
        generated: float64 [N], distances to the nearest training image.
        held_out: float64 [H], the same for held-out images.
    """
    m, n = len(generated), len(held_out)
    u = stats.mannwhitneyu(generated, held_out, method="asymptotic").statistic
    return float((u - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12))


def _copying_z_by_cell(g: Float64, h: Float64, g_cells: NDArray[Any], h_cells: NDArray[Any]) -> float:
    """Return C_T of Meehan et al. (2020): the mean of Z_U over cells, weighted by their shares of held-out images.

    The mean is divided by its standard deviation without copying, so that it is a z-score again: with k cells of equal
    size it is sqrt(k) times the paper's figure. Cells with fewer than 20 images of either kind are left out; if that
    leaves none, all images are compared at once.
    """
    scores, weights = [], []
    for cell in np.unique(h_cells):
        in_g, in_h = g[g_cells == cell], h[h_cells == cell]
        if min(len(in_g), len(in_h)) >= _SMALLEST_CELL:
            scores.append(copying_z(in_g, in_h))
            weights.append(float(len(in_h)))
    if not scores:
        return copying_z(g, h)
    return float(np.dot(scores, weights) / np.linalg.norm(weights))
