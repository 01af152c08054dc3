"""The figures of a set of images and their floors, computed from features, classes and labels."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from inkgan.data import DataSet
from inkgan.errors import quantity
from inkgan.evaluation.classifier import SCORE_RECIPE, classification_accuracy
from inkgan.evaluation.metrics.classes import class_balance, classifier_score, conditional_accuracy, diversity
from inkgan.evaluation.metrics.frechet import frechet_estimate
from inkgan.evaluation.metrics.intervals import Estimate, Interval, binomial, rare, student
from inkgan.evaluation.metrics.kernel import kernel_estimate
from inkgan.evaluation.metrics.neighbours import Novelty, manifold_estimates, nearest_neighbours, novelty, pixels
from inkgan.evaluation.report import Figure
from inkgan.evaluation.ruler import REAL_SEED, ImageFeatures, Ruler, make_second_ruler
from inkgan.evaluation.subject import Sample, draw
from inkgan.files import Progress, no_progress
from inkgan.images import Images, Labels

#: The figures of a class need this many images of it.
LEAST_OF_CLASS = 20
# Raise these when a figure changes: its floors in the cache are then computed again.
_FLOORS_VERSION = 3
_CEILING_VERSION = 2


def figures_of(
    images: ImageFeatures, labels: Labels | None, ruler: Ruler, rng: np.random.Generator
) -> dict[str, Estimate]:
    """Return every figure except novelty, by name; the figure of one class is named ``figure/class``.

    Args:
        images: features and class probabilities of n images.
        labels: int64 [n], the class requested for each image, or None.
        ruler: the ruler to measure with.
        rng: assigns the images to the groups of the jackknife.
    """
    features, predicted = images.features, images.predicted
    real = ruler.training[ruler.some_training(len(features))]
    balls = manifold_estimates(real, features, rng)
    found = {
        "frechet_digit_distance": frechet_estimate(features, ruler.moments, rng).at_n,
        "kernel_digit_distance": kernel_estimate(features, real, rng),
        **vars(balls),  # precision, recall, density and coverage
    }
    if images.probabilities is None or predicted is None or ruler.reference is None:
        return found
    proportions = ruler.reference.proportions
    balance = class_balance(predicted, proportions, rng)
    found["classifier_score"] = classifier_score(images.probabilities, rng)
    found["class_total_variation"] = balance.total_variation
    found["class_kl"] = balance.kl
    found["classes_covered"] = balance.covered
    for label in range(len(proportions)):
        of_class = features[predicted == label]
        if len(of_class) >= LEAST_OF_CLASS:
            found[f"diversity/{label}"] = diversity(of_class, rng)
    if labels is not None:
        overall, by_class = conditional_accuracy(labels, predicted)
        found["accuracy"] = overall
        found |= {f"accuracy/{label}": share for label, share in by_class.items()}
    return found


def floors_of(ruler: Ruler, n: int, figures: Iterable[str], progress: Progress) -> dict[str, Estimate]:
    """Return the figures of n held-out images, from the cache if they are there.

    Args:
        ruler: the ruler to measure with.
        n: the number of images.
        figures: the names of the figures that need a floor. Held-out images may lack a class, and so its figures.
        progress: called with the name of the work and the share of it that is done.
    """

    def compute() -> dict[str, Estimate]:
        held_out, labels = ruler.held_out(n)
        images = ruler.extract(held_out, progress, "held-out images")
        progress("floor", 0.0)
        found = figures_of(images, labels, ruler, np.random.default_rng(REAL_SEED))
        if images.predicted is not None and ruler.reference is not None:
            # The total variation of one sample is mostly chance, so the floor's interval is that of many samples of
            # the data's proportions.
            balance = class_balance(images.predicted, ruler.reference.proportions, np.random.default_rng(REAL_SEED))
            variation, chance = found["class_total_variation"], balance.chance_total_variation
            low, high = min(chance.low, variation.value), max(chance.high, variation.value)
            found["class_total_variation"] = replace(variation, interval=replace(chance, low=low, high=high))
        return found

    whole = [name for name in figures if "/" not in name]  # an earlier version may have kept fewer
    return ruler.kept(f"floors-n{n}", _FLOORS_VERSION, compute, whole)


def add_mean_diversity(found: dict[str, Estimate], floors: dict[str, Estimate]) -> None:
    """Add the mean diversity to both sides, over the classes that have enough images on both."""
    names = [name for name in found if name.startswith("diversity/") and name in floors]
    if not names:
        return
    for side in (found, floors):
        error = math.hypot(*(side[name].standard_error for name in names)) / len(names)
        # 9 degrees of freedom, as in the figure of each class: diversity() uses a jackknife of 10 groups.
        side["diversity"] = student(sum(side[name].value for name in names) / len(names), error, 9)


def with_floors(
    found: dict[str, Estimate], floors: dict[str, Estimate], labels: Labels | None, images: ImageFeatures, ruler: Ruler
) -> list[Figure]:
    """Pair each figure with its floor, with the numbers of images of both; a figure without a floor is left out.

    Args:
        found: the figures of n images by name, as :func:`figures_of` returns them.
        floors: the same for n held-out images.
        labels: int64 [n], the class requested for each image, or None.
        images: features and class probabilities of the n images.
        ruler: the ruler to measure with.
    """
    n, held_out = len(images.features), ruler.some_held_out(len(images.features))
    real, reference = ruler.data.test.labels, ruler.reference
    real_labels = None if real is None else real[held_out]
    real_predicted = None if reference is None else reference.held_out_classes[held_out]
    return [
        Figure.of(
            name,
            estimate,
            _number_of_images(name, labels, images.predicted, n),
            floors[name],
            _number_of_images(name, real_labels, real_predicted, n),
        )
        for name, estimate in found.items()
        if name in floors
    ]


def _number_of_images(name: str, labels: Labels | None, predicted: Labels | None, n: int) -> int:
    """Return how many of n images a figure is computed from: all of them, or those of its class."""
    figure, _, label = name.partition("/")
    classes = labels if figure == "accuracy" else predicted
    return n if not label or classes is None else int((classes == int(label)).sum())


def novelty_of(
    distances: npt.NDArray[np.float64],
    held_out_distances: npt.NDArray[np.float32],
    predicted: Labels | None,
    ruler: Ruler,
) -> Novelty:
    """Compare the distances of images to their nearest training images with those of held-out images.

    The comparison is within classes if the feature network predicts them.
    """
    cells = None
    if predicted is not None and ruler.reference is not None and ruler.extractor is None:
        cells = (predicted, ruler.reference.held_out_classes)
    return novelty(distances, held_out_distances, cells=cells)


def novelty_figures(found: Novelty, held_out: int, suffix: str = "") -> list[Figure]:
    """Return the near-copies and the copying test, with their floors from ``held_out`` held-out images."""
    n = len(found.closest)
    usual = binomial(round(found.expected * held_out), held_out)
    z = Estimate(found.z, 1.0, Interval(found.z - 1.96, found.z + 1.96))
    # The z compares two samples, so its interval includes the chance of the held-out images: 0 has none of its own.
    none = Estimate(0.0, 0.0, Interval(0.0, 0.0))
    return [
        Figure.of(f"near_copies{suffix}", found.near_copies, n, usual, held_out),
        Figure.of(f"copying_z{suffix}", z, n, none, held_out),
    ]


def exact_copies(images: Images, data: DataSet) -> Figure:
    """Return the share of images that are training images, pixel for pixel."""
    training = {image.tobytes() for image in data.train.images}
    found, usual = (
        rare(sum(image.tobytes() in training for image in some), len(some)) for some in (images, data.test.images)
    )
    return Figure.of("exact_copies", found, len(images), usual, len(data.test))


def full_figures(
    sample: Sample, images: ImageFeatures, ruler: Ruler, progress: Progress
) -> tuple[list[Figure], list[str]]:
    """Return the figures of ``full``, which take minutes, with their floors; and notes.

    Args:
        sample: the n images, as they were drawn.
        images: their features and class probabilities.
        ruler: the ruler to measure with.
        progress: called with the name of the work and the share of it that is done.
    """
    found = [second_distance(sample, ruler, progress), *_novelty_in_pixels(sample, images, ruler, progress)]
    score, notes = _accuracy_score(sample, images, ruler, progress)
    return [*found, *score], notes


def second_distance(sample: Sample, ruler: Ruler, progress: Progress = no_progress) -> Figure:
    """Return the Fréchet distance in the untrained features of the second ruler, with that of held-out images."""
    n, second = len(sample.images), make_second_ruler(ruler.data, progress)
    features = second.network.extract(sample.images, progress, "random features")[0]
    found = second.distance(features, np.random.default_rng(sample.seed))
    floor = second.floor(ruler.held_out(n)[0], np.random.default_rng(REAL_SEED), progress)
    return Figure.of("frechet_random_distance", found, n, floor, n)


def _novelty_in_pixels(sample: Sample, images: ImageFeatures, ruler: Ruler, progress: Progress) -> list[Figure]:
    """Return the novelty figures in pixels, which find copies under noise that may look new in features."""
    progress("nearest in pixels", 0.0)
    training = pixels(ruler.data.train.images)
    distances = nearest_neighbours(pixels(sample.images), training).distance
    if ruler.reference is None:
        nearest = nearest_neighbours(pixels(ruler.data.test.images), training)
        held_out = nearest.distance.astype(np.float32)
    else:
        held_out = ruler.reference.held_out_pixels
    return novelty_figures(novelty_of(distances, held_out, images.predicted, ruler), len(held_out), "_pixels")


def _accuracy_score(
    sample: Sample, images: ImageFeatures, ruler: Ruler, progress: Progress
) -> tuple[list[Figure], list[str]]:
    """Return the classification accuracy score with its ceiling, the score of as many real images; and notes.

    A model with labels draws as many images as there are training images, as in Ravuri and Vinyals (2019), section 3.
    """
    data, train = ruler.data, ruler.data.train
    if train.labels is None or images.predicted is None:
        return [], [f"{data.name} has no labels, so there is no classification accuracy score."]
    if len(train) < SCORE_RECIPE.batch_images:
        count = quantity(len(train), "training image")
        return [], [f"{data.name} has {count}; the classification accuracy score needs {SCORE_RECIPE.batch_images}."]
    pictures, labels, notes = sample.images, sample.labels, []
    name = "classification_accuracy"
    if labels is None:
        name, labels = "classification_accuracy_by_teacher", images.predicted
        notes = [
            "the images have no labels: the accuracy score uses labels that the feature network gave (the teacher)."
        ]
    elif sample.subject.available is None:
        more = draw(sample.subject, len(train), sample.seed, data, progress)
        assert more.labels is not None
        pictures, labels = more.images, more.labels
    real = train[ruler.some_training(len(pictures))]

    def learn(images: Images, labels: Labels, seed: int, doing: str) -> Estimate:
        return classification_accuracy(images, labels, data, seed, lambda _, done: progress(doing, done))

    def ceiling() -> dict[str, Estimate]:
        assert real.labels is not None
        return {"ceiling": learn(real.images, real.labels, 0, "learning real images")}

    floor = ruler.kept(f"ceiling-n{len(pictures)}", _CEILING_VERSION, ceiling)["ceiling"]
    score = learn(pictures, labels, sample.seed, "learning the images")
    return [Figure.of(name, score, len(pictures), floor, len(real))], notes
