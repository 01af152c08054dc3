"""Evaluating a set of images: read, draw, extract features, compute figures and their floors, report."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from inkgan.config.sources import reading_settings
from inkgan.data import DataSet
from inkgan.data.sets import count_copies
from inkgan.device import usual_arithmetic
from inkgan.errors import listed, require_function, yes_or_no
from inkgan.evaluation.cache import cache_key, cached_array, cached_estimates
from inkgan.evaluation.classification_accuracy import accuracy_score
from inkgan.evaluation.features import Extractor, Features, random_network, require_few
from inkgan.evaluation.metrics import Float32, Float64
from inkgan.evaluation.metrics.classes import class_balance, classifier_score, conditional_accuracy, diversity
from inkgan.evaluation.metrics.frechet import GaussianStatistics, frechet_estimate
from inkgan.evaluation.metrics.intervals import Estimate, Interval, binomial, student
from inkgan.evaluation.metrics.kernel import kernel_estimate
from inkgan.evaluation.metrics.neighbours import manifold_estimates, nearest_neighbours
from inkgan.evaluation.metrics.novelty import novelty, pixels
from inkgan.evaluation.reference import FLOOR_SEED, ImageFeatures, Reference, reference_for, training_features
from inkgan.evaluation.report import FIGURE_KINDS, ClassFigures, Figure, Pictures, Report
from inkgan.evaluation.subject import (
    Measurable,
    Sample,
    draw,
    number_to_measure,
    open_subject,
    real_images,
    valid_number,
)
from inkgan.files import Progress, no_progress
from inkgan.images import Images, Labels
from inkgan.seeds import valid_seed

#: The figures of a class need this many images of it.
_LEAST_OF_CLASS = 20
# Raise it when a figure changes, so that cached floors are computed again. A new figure changes the name of their file,
# which contains the number of figures.
_FLOORS_VERSION = 5
_RANDOM_FLOORS_VERSION = 2
_PAIRS = 32  # the HTML report shows this many or a few more, at most twice as many


def evaluate(
    what: Measurable,
    *,
    n: int | None = None,
    data: str | Path | None = None,
    data_dir: Path | None = None,
    seed: int = 0,
    full: bool = False,
    settings: Sequence[str] | Mapping[str, Any] = (),
    extractor: Extractor | None = None,
    progress: Progress = no_progress,
) -> Report:
    """Compare generated images with real ones.

    Args:
        what: a run folder, a model (its folder, its bundled name, or one that is loaded), a file of arrays (``.npz``,
            ``.npy``), a folder of images, an array of images uint8 [N, H, W] or [N, H, W, C], or a pair of images and
            labels [N]. In arrays 0 is paper and 255 is ink. Labels are matched with the data's classes by name. An
            integer label stands for the name written with its digits, such as ``"7"``; if the classes have other names,
            give those (``np.array(class_names)[indices]``).
        n: the number of images to measure, 128 or more; by default 10,000, or all if there are fewer. It never exceeds
            the number of held-out images, so that every figure has a floor at its own n.
        data: the real images: a name that ``inkgan data`` lists, or a path; by default those that a run or model
            learned from, and MNIST for other images.
        data_dir: the folder to look for them in first.
        seed: the seed of the images that a model draws, or of the choice if there are more than n.
        full: also measure the Fréchet distance in features of an untrained network with random weights, train a
            classifier on the images, and look for copies in pixels. This takes minutes more.
        settings: how to read your own images, both those to measure and the real ones: ``data.ink``, ``data.resize``
            and ``data.splits``, as in :func:`inkgan.train`, such as ``{"data.splits": "no"}``. Arrays are taken as they
            are.
        extractor: measure distances in these features instead of those of the data's feature network: a function of
            images uint8 [N, H, W, C] that returns floats [N, D], with 2 D images to measure or more.
        progress: called with the name of the work and the share of it that is done.

    Returns:
        The report; the same arguments give the same figures.

    Raises:
        DataError: the data, the file or the folder cannot be read.
        CheckpointError: a model is missing or damaged.
        ConfigError: another argument is out of range or of another type.
        EvaluationError: the images are too few, of another size or constant, or labels are missing that are needed.
        OutputError: the cache cannot be written, but has to keep a download or a feature network.

    Warns:
        InkganWarning: fewer than n images are measured, or a feature network is trained first.
    """
    start = time.perf_counter()
    n, seed, full = valid_number(n), valid_seed(seed), yes_or_no(full, "full")
    require_function(progress, "progress", "doing", "done")
    if extractor is not None:
        require_function(extractor, "extractor", "images")
    reading = reading_settings(settings)
    progress("reading", 0.0)
    with usual_arithmetic():
        subject = open_subject(what, reading, progress)
        real = real_images([subject], data, data_dir, reading, progress)
        n, limits = number_to_measure([subject], n, real, own_features=extractor is not None)
        if extractor is not None:
            require_few(extractor, real.train.images[:2], n)
        sample = draw(subject, n, seed, real, progress)
        reference = reference_for(real, extractor, progress)
        report = measure(sample, reference, full=full, progress=progress)
    return replace(report, notes=(*limits, *report.notes), seconds=time.perf_counter() - start)


def measure(sample: Sample, reference: Reference, *, full: bool = False, progress: Progress = no_progress) -> Report:
    """Compare images with a reference, which can be reused for other images; see :func:`evaluate`."""
    n, data, statistics = len(sample.images), reference.data, reference.statistics
    images = reference.extract(sample.images, progress)
    progress("figures", 0.0)
    found = figures_of(images, sample.labels, reference, np.random.default_rng(sample.seed))
    floors = _floors_of(reference, n, progress)
    _add_mean_diversity(found, floors)
    figures = [
        Figure.of(name, estimate, floors[name], len(data.class_names))
        for name, estimate in found.items()
        if name in floors  # a class that the held-out images lack has no floor
    ]
    progress("figures", 0.5)
    nearest = nearest_neighbours(images.features, reference.training_features)
    figures += _novelty_figures(nearest.distance, reference.held_out_distances, images.predicted, reference)
    figures.append(_exact_copies(sample.images, data))
    notes = [*sample.notes, *(f"{data.name}: {note}." for note in data.notes)]
    if full:
        figures.append(random_features_distance(sample, reference, progress))
        figures += _novelty_in_pixels(sample, images, reference, progress)
        score_figures, score_notes = accuracy_score(sample, images, reference, progress)
        figures += score_figures
        notes += score_notes
    by_name = {figure.name: replace(figure, title=_title(figure.title, reference)) for figure in figures}
    classes: tuple[ClassFigures, ...] = ()
    if statistics is not None:
        classes, class_notes = _classes(images.predicted, statistics.proportions, data.class_names, by_name)
        notes += class_notes
    closest = _closest(nearest.distance.argsort(kind="stable"), images.predicted)
    progress("figures", 1.0)
    return Report(
        what=sample.subject.name,
        kind=sample.subject.kind,
        data=data.name,
        data_digest=data.digest,
        features=reference.features_digest,
        n=n,
        seed=sample.seed,
        figures=tuple(by_name[name] for name in FIGURE_KINDS if name in by_name),
        classes=classes,
        notes=tuple(notes),
        pictures=Pictures(
            images=sample.images,
            predicted=images.predicted,
            generated=sample.images[closest],
            training=data.train.images[nearest.index[closest]],
        ),
        feature_accuracy=None if statistics is None else statistics.network.card.accuracy.get("test"),
        version=version("inkgan"),
    )


def figures_of(
    images: ImageFeatures, labels: Labels | None, reference: Reference, rng: np.random.Generator
) -> dict[str, Estimate]:
    """Return every figure except novelty, by name; the figure of one class is named ``figure/class``.

    Args:
        images: features and class probabilities of n images.
        labels: int64 [n], the class requested for each image, or None.
        reference: the real images to compare with.
        rng: assigns the images to the groups of the jackknife.
    """
    features, predicted, statistics = images.features, images.predicted, reference.statistics
    real = reference.training_features[reference.training_indices(len(features))]
    manifold = manifold_estimates(real, features, rng)  # first, because each figure draws its groups from rng in turn
    found = {
        "frechet_digit_distance": frechet_estimate(features, reference.moments, rng),
        "kernel_digit_distance": kernel_estimate(features, real, rng),
        **manifold,
    }
    if statistics is None:
        return found
    balance = class_balance(predicted, statistics.proportions, rng)
    found["classifier_score"] = classifier_score(images.probabilities, rng)
    found["class_total_variation"] = balance.total_variation
    found["class_kl"] = balance.kl
    found["classes_covered"] = balance.covered
    for label in range(len(statistics.proportions)):
        of_class = features[predicted == label]
        if len(of_class) >= _LEAST_OF_CLASS:
            found[f"diversity/{label}"] = diversity(of_class, rng)
    if labels is not None:
        overall, by_class = conditional_accuracy(labels, predicted)
        found["accuracy"] = overall
        found |= {f"accuracy/{label}": share for label, share in by_class.items()}
    return found


def _floors_of(reference: Reference, n: int, progress: Progress) -> dict[str, Estimate]:
    """Return the figures of n held-out images, from the cache if they are there."""

    def compute() -> dict[str, Estimate]:
        held_out = reference.held_out(n)
        images = reference.extract(held_out.images, progress, "held-out images")
        progress("floor", 0.0)
        found = figures_of(images, held_out.labels, reference, np.random.default_rng(FLOOR_SEED))
        if reference.statistics is not None:
            found["class_total_variation"] = _variation_with_chance(images.predicted, reference.statistics.proportions)
        return found

    return reference.cached(f"floors-n{n}-of{len(FIGURE_KINDS)}", _FLOORS_VERSION, compute)


def _variation_with_chance(predicted: Labels, proportions: Float64) -> Estimate:
    """Return the total variation, which is mostly chance, with the interval of samples with the data's proportions."""
    balance = class_balance(predicted, proportions, np.random.default_rng(FLOOR_SEED))
    variation, chance = balance.total_variation, balance.chance_total_variation
    low, high = min(chance.low, variation.value), max(chance.high, variation.value)
    return replace(variation, interval=replace(chance, low=low, high=high))


def _add_mean_diversity(found: dict[str, Estimate], floors: dict[str, Estimate]) -> None:
    """Add the mean diversity to both sides, over the classes that have enough images on both."""
    names = [name for name in found if name.startswith("diversity/") and name in floors]
    if not names:
        return
    for side in (found, floors):
        averaged = [side[name] for name in names]
        error = math.hypot(*(one.standard_error for one in averaged)) / len(names)
        # 9 degrees of freedom, as in the figure of each class: diversity() uses a jackknife of 10 groups.
        mean, n = sum(one.value for one in averaged) / len(names), sum(one.n for one in averaged)
        side["diversity"] = student(mean, error, 9, n)


def _novelty_figures(
    distances: Float64, held_out_distances: Float32, predicted: Labels, reference: Reference, suffix: str = ""
) -> list[Figure]:
    """Return the near-copies and the copying test of images, with their floors from held-out images.

    Distances are those to the nearest training images. They are compared within the classes that the data's classifier
    predicts, if the data have one.
    """
    cells = None if reference.statistics is None else (predicted, reference.statistics.held_out_classes)
    found = novelty(distances, held_out_distances, cells=cells)
    z = Estimate(found.z, 1.0, Interval(found.z - 1.96, found.z + 1.96), len(distances))
    # The z compares two samples, so its interval includes the chance of the held-out images: 0 has none of its own.
    z_floor = Estimate(0.0, 0.0, Interval(0.0, 0.0), found.floor.n)
    return [
        Figure.of(f"near_copies{suffix}", found.near_copies, found.floor),
        Figure.of(f"copying_z{suffix}", z, z_floor),
    ]


def _exact_copies(images: Images, data: DataSet) -> Figure:
    """Return the share of images that are training images, pixel for pixel."""
    copies, real_copies = count_copies(data.train.images, images, data.test.images)
    share, floor = binomial(copies, len(images), "exact"), binomial(real_copies, len(data.test), "exact")
    return Figure.of("exact_copies", share, floor)


def _novelty_in_pixels(sample: Sample, images: ImageFeatures, reference: Reference, progress: Progress) -> list[Figure]:
    """Return the novelty figures in pixels, which find copies under noise that may look new in features."""
    data = reference.data
    training = pixels(data.train.images)

    def distances(some: Images) -> Float64:
        progress("nearest in pixels", 0.0)
        return nearest_neighbours(pixels(some), training).distance

    kept = cached_array(f"pixel-distances-{data.digest[:16]}", lambda: distances(data.test.images).astype(np.float32))
    return _novelty_figures(distances(sample.images), kept, images.predicted, reference, "_pixels")


def random_features_distance(sample: Sample, reference: Reference, progress: Progress = no_progress) -> Figure:
    """Return the Fréchet distance in random features, with that of held-out images, which is kept in the cache.

    The data's feature network learned from the training images, the very images that generators imitate. A network that
    learned from no image cannot favour these. However, it knows less about digits: it sees where the ink is rather than
    what it means. Naeem et al. (2020) use random features where features learned from photographs mislead.
    """
    data, n = reference.data, len(sample.images)
    network = random_network(data.image_shape)
    moments = GaussianStatistics.of(training_features(data, network, progress))

    def distance(images: Images, seed: int, doing: str) -> Estimate:
        features = network.extract(images, progress, doing)[0]
        return distance_in_units(features, moments, np.random.default_rng(seed))

    def floor() -> dict[str, Estimate]:
        return {"distance": distance(reference.held_out(n).images, FLOOR_SEED, "held-out images, random features")}

    found = distance(sample.images, sample.seed, "random features")
    kept = cached_estimates(f"random-floor-n{n}-{cache_key(data, network)}-v{_RANDOM_FLOORS_VERSION}", floor)
    return Figure.of("frechet_random_distance", found, kept["distance"])


def distance_in_units(features: Features, moments: GaussianStatistics, rng: np.random.Generator) -> Estimate:
    """Return the Fréchet distance of features [n, D] in units of the mean variance of the training images' features.

    So features have a variance of 1 on average, as those of the trained network do.

    Args:
        features: the features of the images.
        moments: mean and covariance of the features of all training images.
        rng: assigns the images to the groups of the jackknife.
    """
    found = frechet_estimate(features, moments, rng)
    unit = float(np.trace(moments.covariance)) / len(moments.mean)
    interval = Interval(found.interval.low / unit, found.interval.high / unit)
    return Estimate(found.value / unit, found.standard_error / unit, interval, found.n)


def _title(title: str, reference: Reference) -> str:
    """Return the title of a figure; only distances in the digits' features are called digit distances."""
    if reference.features_title == "digit":
        return title
    return title.replace(" digit distance", f" distance ({reference.features_title} features)")


def _classes(
    predicted: Labels, proportions: Float64, names: Sequence[str], figures: dict[str, Figure]
) -> tuple[tuple[ClassFigures, ...], list[str]]:
    """Return the figures of each class, and notes."""
    counts = np.bincount(predicted, minlength=len(names))
    classes = tuple(
        ClassFigures(
            name=names[label],
            count=int(counts[label]),
            expected=float(proportions[label] * len(predicted)),
            diversity=figures.get(f"diversity/{label}"),
            accuracy=figures.get(f"accuracy/{label}"),
        )
        for label in range(len(names))
    )
    small = [one.name for one in classes if one.diversity is None]
    few = f"fewer than {_LEAST_OF_CLASS} images, generated or held out"
    note = f"diversity is not measured for classes of {few}: {listed(small, 12)}."
    return classes, [note] if small else []


def _closest(order: Labels, predicted: Labels) -> Labels:
    """Return the images closest to training images, some of each class; else plain shapes such as 1 would prevail."""
    classes = np.unique(predicted)
    each = -(-_PAIRS // len(classes))
    return np.concatenate([order[predicted[order] == label][:each] for label in classes])[: 2 * _PAIRS]
