"""Figures from the predicted classes of generated images: is every class there, in proportion, distinct and varied?

Shapes: N images, K classes, D features, G groups. Proportions and probabilities are float64 summing to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkgan.errors import EvaluationError, quantity
from inkgan.evaluation.metrics import Float64, Int64
from inkgan.evaluation.metrics.intervals import LEVEL, Estimate, Interval, binomial, jackknife, jackknife_of_sums, rate


def classifier_score(probabilities: NDArray[Any], rng: np.random.Generator, num_groups: int = 50) -> Estimate:
    """Return exp(E_x KL(p(y|x) || p(y))), from 1 (useless) to K (each image certain, all classes equally frequent).

    Salimans et al. (2016), section 4, with the data's classifier instead of Inception, and over all images at once. The
    usual mean over small batches is biased low, and the smaller the batches, the larger the bias.

    Args:
        probabilities: floating point [N, K], N >= 2 G, each row summing to 1.
        rng: assigns the images to groups.
        num_groups: G.
    """
    p = probabilities.astype(np.float64)

    def score(n: Float64, negative_entropy: Float64, total: Float64) -> Float64:
        # E KL(p(y|x) || p(y)) = E sum_y p log p - sum_y m log m, with m = E p
        return np.exp(negative_entropy / n - _entropy_terms(total / n[..., None]).sum(axis=-1))

    return jackknife_of_sums(score, rng, num_groups, _entropy_terms(p).sum(axis=1), p)


def _entropy_terms(p: Float64) -> Float64:
    """Return the terms p log p of an entropy, with 0 log 0 = 0."""
    return p * np.log(np.where(p > 0, p, 1))


@dataclass(frozen=True)
class ClassBalance:
    """The classes of generated images, compared with the data's.

    Attributes:
        total_variation: 1/2 sum_c |q_c - p_c|: the share of images that would have to change class. 0 to 1.
        kl: KL(q || p) in nats, q the generated proportions; a perfect generator's is about (K - 1)/(2N).
        chance_total_variation: the interval of the total variation of N images whose classes are drawn from exactly the
            data's proportions.
        covered: the number of classes that reach at least a tenth of their share in the data. Its interval runs from
            the number that certainly reach it to the number that possibly do.
    """

    total_variation: Estimate
    kl: Estimate
    chance_total_variation: Interval
    covered: Estimate


def class_balance(labels: NDArray[Any], p: Float64, rng: np.random.Generator, resamples: int = 2000) -> ClassBalance:
    """Compare the class histogram with the data's: total variation, KL, and the classes covered.

    The intervals come from the delete-one jackknife, which the counts alone give exactly. Even for a perfect generator,
    chance makes total variation and KL positive; ``chance_total_variation`` says by how much.

    Args:
        labels: integers [N] in 0..K-1, the most probable class of each generated image.
        p: the proportions of the data's classes, float64 [K]; positive, summing to 1.
        rng: draws the samples for the chance interval.
        resamples: the number of these samples.

    Raises:
        EvaluationError: fewer images than classes.
    """
    n = len(labels)
    if n < len(p):
        given = f"{quantity(n, 'image')} for {quantity(len(p), 'class')}"
        raise EvaluationError(f"{given}; give at least as many images as classes.")
    counts = np.bincount(labels, minlength=len(p)).astype(np.int64)
    share = counts / n
    # Leaving out any image of class c gives the same value, so there are only K values, the c-th counts[c] times.
    without = (counts - np.eye(len(p)))[counts > 0] / (n - 1)

    def estimate(distance: Callable[[Float64, Float64], Float64]) -> Estimate:
        return jackknife(float(distance(share, p)), np.repeat(distance(without, p), counts[counts > 0]), n)

    by_chance = _total_variation(rng.multinomial(n, p, resamples) / n, p)
    low, high = np.quantile(by_chance, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2]).tolist()
    return ClassBalance(estimate(_total_variation), estimate(_kl), Interval(low, high), _covered(counts, p))


def _covered(counts: Int64, p: Float64) -> Estimate:
    """Return the number of classes with at least a tenth of their share; its interval uses Wilson's for each share."""
    n = int(counts.sum())
    estimates = [binomial(int(count), n) for count in counts]
    shares = np.array([(one.interval.low, one.value, one.interval.high) for one in estimates])  # [K, 3]
    surely, covered, possibly = (shares >= 0.1 * p[:, None]).sum(axis=0, dtype=np.float64).tolist()
    return Estimate(covered, 0.0, Interval(surely, possibly), n)


def _total_variation(q: Float64, p: Float64) -> Float64:
    return np.abs(q - p).sum(axis=-1) / 2  # 1/2 sum_c |q_c - p_c|


def _kl(q: Float64, p: Float64) -> Float64:
    return (_entropy_terms(q) - q * np.log(p)).sum(axis=-1)  # sum_c q_c log q_c - q_c log p_c


def conditional_accuracy(asked: NDArray[Any], predicted: NDArray[Any]) -> tuple[Estimate, dict[int, Estimate]]:
    """Return the share of images that show the class asked for: overall and for each class.

    Args:
        asked: integers [N], the class given to the model for each image.
        predicted: integers [N], the most probable class of each image.

    Returns:
        The overall share, and the share by class for the classes that were asked for, with Wilson's
        intervals.
    """
    right = asked == predicted
    by_class = {c: rate(right[asked == c]) for c in np.unique(asked).tolist()}
    return rate(right), by_class


def diversity(features: NDArray[Any], rng: np.random.Generator, num_groups: int = 10) -> Estimate:
    """Return the mean squared distance between two images of one class: E |x - x'|^2 = 2 tr(C).

    It is unbiased, since C is divided by n - 1. Compare it with that of held-out real images of the class.

    Args:
        features: floating point [N, D], N >= 2 G, of one class.
        rng: assigns the images to groups.
        num_groups: G.
    """
    x = features.astype(np.float64)
    x -= x.mean(axis=0)  # distances stay the same, and the sums of squares do not cancel

    def spread(n: Float64, squares: Float64, total: Float64) -> Float64:
        mean = total / n[..., None]
        # 2 tr(C) = 2 (sum_i |x_i|^2 - n |m|^2) / (n - 1), with m = 1/n sum_i x_i
        return 2 * (squares - n * (mean * mean).sum(axis=-1)) / (n - 1)

    return jackknife_of_sums(spread, rng, num_groups, (x * x).sum(axis=1), x)
