"""The Fréchet distance between two sets of features, each modelled as a Gaussian; with Inception's it is the FID.

Dowson and Landau (1982); for generated images Heusel et al. (2017), eq. 6::

    d^2 = |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))

As in the literature, the figure is d^2. Its bias is positive and about c/n, where c depends on the generator (Chong and
Forsyth 2020), so the figure is meaningful only next to its n and its floor.

Shapes: N images, D features, G groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkgan.evaluation.metrics import Float64, require_images
from inkgan.evaluation.metrics.intervals import Estimate, groups, jackknife


@dataclass(frozen=True)
class GaussianStatistics:
    """The mean [D] and the covariance [D, D] (divided by n - 1) of n images' features, both float64."""

    mean: Float64
    covariance: Float64
    n: int

    @classmethod
    def of(cls, features: NDArray[Any]) -> GaussianStatistics:
        """Return the statistics of features, floats [N, D].

        Raises:
            EvaluationError: N <= D: a covariance of D features from fewer than D + 1 images is singular, and the
                distance would be far too large.
        """
        require_images(features, "features", at_least=features.shape[1] + 1)
        x = features.astype(np.float64)
        origin = x.mean(axis=0)
        x -= origin  # so that the sums of squares do not cancel
        return _from_sums(len(x), x.sum(axis=0), x.T @ x, origin)


def _from_sums(n: int, total: Float64, product: Float64, origin: Float64) -> GaussianStatistics:
    """Return the statistics of n images from sums of x, their features less ``origin``: sum x [D], sum x x^T [D, D]."""
    mean = total / n
    covariance = (product - n * np.outer(mean, mean)) / (n - 1)  # (sum x x^T - n m m^T) / (n - 1)
    return GaussianStatistics(origin + mean, covariance, n)


def frechet_distance(first: GaussianStatistics, second: GaussianStatistics) -> float:
    """Return the squared Fréchet distance between two Gaussians: at least 0, and 0 if they are equal."""
    return _distance(first, second, _square_root(second.covariance))


def _distance(first: GaussianStatistics, second: GaussianStatistics, root: Float64) -> float:
    """Compute Heusel et al., eq. 6, from ``root``, the square root of the second covariance.

    tr((C1 C2)^(1/2)) is the sum of the roots of the eigenvalues of C2^(1/2) C1 C2^(1/2), which is symmetric: its
    eigenvalues are real, no iteration can fail, and singular covariances do no harm.
    """
    difference = first.mean - second.mean
    eigenvalues = np.linalg.eigvalsh(root @ first.covariance @ root)
    cross = np.sqrt(np.maximum(eigenvalues, 0)).sum()  # tr((C1 C2)^(1/2))
    trace = np.trace(first.covariance) + np.trace(second.covariance) - 2 * cross  # tr(C1 + C2 - 2 (C1 C2)^(1/2))
    return max(0.0, float(difference @ difference + trace))  # |m1 - m2|^2 + tr(...)


def _square_root(covariance: Float64) -> Float64:
    """Return the symmetric square root [D, D]; eigenvalues that rounding made negative count as 0."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def frechet_estimate(
    features: NDArray[Any], reference: GaussianStatistics, rng: np.random.Generator, num_groups: int = 50
) -> Estimate:
    """Estimate the Fréchet distance of features from a reference, with its interval by the delete-a-group jackknife.

    The interval covers the distance's expected value at this n, for a fixed reference. A bootstrap would double the
    bias: its resamples are as far from the sample as the sample is from the truth.

    Args:
        features: floats [N, D].
        reference: the real images' statistics, taken as given.
        rng: assigns the images to groups.
        num_groups: G; each group that is left out costs one D x D eigenvalue problem.

    Raises:
        EvaluationError: N < 2 G or N < 2 D.
    """
    value, left_out = frechet_distances(features, reference, rng, num_groups)
    return jackknife(value, left_out, len(features))


def frechet_distances(
    features: NDArray[Any], reference: GaussianStatistics, rng: np.random.Generator, num_groups: int
) -> tuple[float, Float64]:
    """Return the Fréchet distance of all images, and those without each group, [G]; see :func:`frechet_estimate`."""
    require_images(features, "features", at_least=2 * max(num_groups, features.shape[1]))
    x = features.astype(np.float64)
    origin = x.mean(axis=0)
    group = groups(len(x), num_groups, rng)
    parts = [x[group == g] - origin for g in range(num_groups)]
    totals = np.stack([part.sum(axis=0) for part in parts])  # [G, D]
    products = np.stack([part.T @ part for part in parts])  # [G, D, D]
    product = products.sum(axis=0)
    root = _square_root(reference.covariance)

    def distance(n: int, total: Float64, product: Float64) -> float:
        return _distance(_from_sums(n, total, product, origin), reference, root)

    value = distance(len(x), totals.sum(axis=0), product)
    left_out = [
        distance(len(x) - len(part), np.delete(totals, g, axis=0).sum(axis=0), product - products[g])
        for g, part in enumerate(parts)
    ]
    return value, np.array(left_out)
