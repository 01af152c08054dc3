"""Measures of generated images, as pure functions of arrays.

Features, class probabilities and distances go in, figures with intervals come out. Every figure is biased or
noisy at finite n: read it beside its n and its floor, the same measure of held-out real images at the same n.
"""

from inkgan.evaluation.metrics.classes import (
    ClassBalance,
    class_balance,
    classifier_score,
    conditional_accuracy,
    diversity,
)
from inkgan.evaluation.metrics.frechet import FrechetEstimate, GaussianStatistics, frechet_distance, frechet_estimate
from inkgan.evaluation.metrics.intervals import (
    Estimate,
    Interval,
    apart,
    binomial,
    clopper_pearson,
    groups,
    jackknife,
    repeated,
    student,
    student_quantile,
    welch,
    wilson,
)
from inkgan.evaluation.metrics.kernel import kernel_distance, kernel_estimate, polynomial_kernel
from inkgan.evaluation.metrics.manifold import Manifold, manifold, squared_radii
from inkgan.evaluation.metrics.novelty import (
    Nearest,
    Novelty,
    copying_z,
    nearest_neighbours,
    novelty,
    pixels,
)

__all__ = [
    "ClassBalance",
    "Estimate",
    "FrechetEstimate",
    "GaussianStatistics",
    "Interval",
    "Manifold",
    "Nearest",
    "Novelty",
    "apart",
    "binomial",
    "class_balance",
    "classifier_score",
    "clopper_pearson",
    "conditional_accuracy",
    "copying_z",
    "diversity",
    "frechet_distance",
    "frechet_estimate",
    "groups",
    "jackknife",
    "kernel_distance",
    "kernel_estimate",
    "manifold",
    "nearest_neighbours",
    "novelty",
    "pixels",
    "polynomial_kernel",
    "repeated",
    "squared_radii",
    "student",
    "student_quantile",
    "welch",
    "wilson",
]
