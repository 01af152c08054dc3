"""Evaluate generated images: every figure with its n, its interval, and its floor, that of held-out real images.

What is compared with what: the Fréchet distance with the moments of all training images; kernel distance, precision,
recall, density and coverage with as many training images as are measured, drawn once for ever; the class balance with
the training labels; novelty with the distances of held-out images to the training images. The floor takes as many
images of the test split, permuted once for ever, as are measured, and goes through the same code.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from inkgan.data import DataSet
from inkgan.evaluation.classifier import classification_accuracy
from inkgan.evaluation.features import Extractor, cache_folder
from inkgan.evaluation.metrics import (
    Estimate,
    Interval,
    Novelty,
    binomial,
    class_balance,
    classifier_score,
    clopper_pearson,
    conditional_accuracy,
    diversity,
    frechet_estimate,
    kernel_estimate,
    manifold,
    nearest_neighbours,
    novelty,
    pixels,
    student,
)
from inkgan.evaluation.report import Better, ClassFigures, Figure, Pictures, Report
from inkgan.evaluation.ruler import REAL_SEED, Ruler, Seen, keep
from inkgan.evaluation.subject import Subject, real_images, subject_of
from inkgan.files import Progress, unheard
from inkgan.images import Images, Labels

Distances = npt.NDArray[np.float64]


class Pair(NamedTuple):
    """A figure of the images with its n, and the same of real images with theirs."""

    value: Estimate
    n: int
    floor: Estimate
    floor_n: int


_FLOORS_VERSION = 1  # raise it when a measure changes: floors that are kept are then measured again
_LEAST_OF_CLASS = 20
_PAIRS = 32
_PROBED = "a classifier trained on the images, asked about all test images; the floor: on as many training images"

_FIGURES: dict[str, tuple[str, Better, str]] = {
    "frechet_digit_distance": ("Fréchet digit distance", "lower", "moments of all training images"),
    "kernel_digit_distance": ("kernel digit distance", "lower", "as many training images"),
    "precision": ("precision", "higher", "as many training images"),
    "recall": ("recall", "higher", "as many training images"),
    "density": ("density", "higher", "as many training images"),
    "coverage": ("coverage", "higher", "as many training images"),
    "classifier_score": ("classifier score", "higher", "the feature network's classes"),
    "class_total_variation": ("class balance, total variation", "lower", "classes of all training images"),
    "class_kl": ("class balance, KL (nats)", "lower", "classes of all training images"),
    "classes_covered": ("classes covered", "higher", "a tenth of each class's share of the training images"),
    "diversity": ("diversity within class", "like the floor", "mean squared distance of images of one class"),
    "accuracy": ("accuracy of the class asked for", "higher", "the feature network's classes"),
    "near_copies": ("near-copies of training images", "like the floor", "nearest of all training images, features"),
    "copying_z": ("copying test z (below -2: copies)", "like the floor", "nearest of all training images, features"),
    "exact_copies": ("exact copies of training images", "lower", "all training images, pixel for pixel"),
    "near_copies_pixels": ("near-copies, in pixels", "like the floor", "nearest of all training images, pixels"),
    "copying_z_pixels": ("copying test z, in pixels", "like the floor", "nearest of all training images, pixels"),
    "classification_accuracy": ("classification accuracy score", "higher", _PROBED),
    "classification_accuracy_by_teacher": ("accuracy score, teacher's labels", "higher", _PROBED),
}
_BELOW_ZERO = {"kernel_digit_distance", "copying_z", "copying_z_pixels"}
_AT_MOST_ONE = {"recall", "coverage", "class_total_variation"}


def evaluate(
    what: str | Path,
    *,
    n: int = 10_000,
    data: str | None = None,
    data_dir: Path | None = None,
    seed: int = 0,
    full: bool = False,
    extractor: Extractor | None = None,
    progress: Progress = unheard,
) -> Report:
    """Measure generated images against real ones.

    Args:
        what: a run folder, a model (folder or bundled), an ``.npz`` file with ``images`` and perhaps ``labels``, or a
            folder of images.
        n: how many images to measure, 128 or more; no more than the data have held-out images, so that every figure
            has a floor at its own n.
        data: the real images: a name that ``inkgan data`` lists, or a path; by default those that a run or model
            learned from, and MNIST for images.
        data_dir: where to look for them first.
        seed: of the sampled images, or of the choice among more than n.
        full: also train a classifier on the images, and look for copies in pixels: minutes more.
        extractor: measure distances in these features instead of those of the data's feature network.
        progress: told how far it is.

    Returns:
        The report; the same arguments give the same figures.

    Raises:
        DataError: the data, the file or the folder cannot be read.
        CheckpointError: a model is missing or damaged.
        EvaluationError: too few images, of another size, constant, or no labels where they are needed.
    """
    start = time.perf_counter()
    progress("reading", 0.0)
    real = real_images(what, data, data_dir, progress)
    subject = subject_of(what, n, seed, real)
    report = measure(subject, Ruler(real, extractor, progress), seed, full=full)
    return replace(report, seconds=time.perf_counter() - start)


def estimates(seen: Seen, ruler: Ruler, rng: np.random.Generator) -> dict[str, Estimate]:
    """Every figure but novelty; those of one class are named ``figure/class``."""
    n = len(seen.features)
    real = ruler.training[ruler.some_training(n)]
    balls = manifold(real, seen.features, rng)
    found = {
        "frechet_digit_distance": frechet_estimate(seen.features, ruler.moments, rng).at_n,
        "kernel_digit_distance": kernel_estimate(seen.features, real, rng),
        "precision": balls.precision,
        "recall": balls.recall,
        "density": balls.density,
        "coverage": balls.coverage,
    }
    predicted = seen.predicted
    if seen.probabilities is None or predicted is None or ruler.reference is None:
        return found
    proportions = ruler.reference.proportions
    balance = class_balance(predicted, proportions, rng)
    found |= {
        "classifier_score": classifier_score(seen.probabilities, rng),
        "class_total_variation": balance.total_variation,
        "class_kl": balance.kl,
        "classes_covered": balance.covered,
    }
    for label in range(len(proportions)):
        own = seen.features[predicted == label]
        if len(own) >= _LEAST_OF_CLASS:
            found[f"diversity/{label}"] = diversity(own, rng)
    if seen.labels is not None:
        overall, by_class = conditional_accuracy(seen.labels, predicted, len(proportions))
        found["accuracy"] = overall
        found |= {f"accuracy/{label}": share for label, share in by_class.items()}
    return found


def _kept(name: str, ruler: Ruler, found: Callable[[], dict[str, Estimate]]) -> dict[str, Estimate]:
    """What ``found`` returns, kept once measured (not for a callable extractor, which has no name)."""
    if ruler.extractor is not None:
        return found()
    path = cache_folder() / f"{name}-{ruler.key}-v{_FLOORS_VERSION}.json"
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
        kept = json.loads(path.read_text("utf-8"))
        return {name: Estimate(v, se, Interval(low, high)) for name, (v, se, low, high) in kept.items()}
    new = found()
    flat = {k: [e.value, e.standard_error, e.interval.low, e.interval.high] for k, e in new.items()}
    keep(path, json.dumps(flat).encode())
    return new


def _floors(ruler: Ruler, n: int) -> dict[str, Estimate]:
    """The figures of the first n held-out images."""
    ruler.say("floor", 0.0)
    seen = ruler.held_out(n)
    found = estimates(seen, ruler, np.random.default_rng(REAL_SEED))
    if seen.predicted is not None and ruler.reference is not None:
        # Of one sample it is a matter of luck: where the luck of real samples of this size lies is known better.
        luck = class_balance(seen.predicted, ruler.reference.proportions, np.random.default_rng(REAL_SEED))
        found["class_total_variation"] = _including(found["class_total_variation"], luck.chance_total_variation)
    return found


def measure(subject: Subject, ruler: Ruler, seed: int, *, full: bool = False) -> Report:
    """Measure images with a ruler that may measure many; see :func:`evaluate`."""
    n, data, say = len(subject.images), ruler.data, ruler.say
    seen = ruler.see(subject.images, subject.labels, "features")
    floors = _kept(f"floors-n{n}", ruler, lambda: _floors(ruler, n))
    say("figures", 0.0)
    found = estimates(seen, ruler, np.random.default_rng(seed))
    say("figures", 0.5)
    near = nearest_neighbours(seen.features, ruler.training)
    new = _novelty(near.distance[:, 0], ruler.held_out_distances, seen, ruler)
    _mean_diversity(found, floors)
    pairs = {key: Pair(estimate, n, floors[key], n) for key, estimate in found.items() if key in floors}
    pairs |= _novelty_figures(new, len(ruler.held_out_distances)) | {"exact_copies": _exact_copies(subject, data)}
    notes = list(subject.notes)
    if full:
        pairs |= _in_pixels(subject, seen, ruler)
        notes += _probe(subject, seen, ruler, seed, pairs)
    figures = {key: _figure(key, pair, ruler.features) for key, pair in pairs.items()}
    closest = _closest(new.closest, seen.predicted)
    pictures = Pictures(
        subject.images,
        np.zeros(n, np.int64) if seen.predicted is None else seen.predicted,
        subject.images[closest],
        data.train.images[near.index[closest, 0]],
    )
    classes, small = _classes(seen, ruler, figures)
    say("figures", 1.0)
    return Report(
        what=subject.name,
        kind=subject.kind,
        data=data.name,
        data_digest=data.digest,
        features="own extractor" if ruler.extractor is not None or ruler.network is None else ruler.network.card.sha256,
        n=n,
        seed=seed,
        figures=tuple(figures[key] for key in _FIGURES if key in figures),
        classes=classes,
        notes=(*notes, *small),
        pictures=pictures,
    )


def _figure(key: str, pair: Pair, features: str) -> Figure:
    title, better, reference = _FIGURES[key.partition("/")[0]]
    value, floor = (possible(key, one) for one in (pair.value, pair.floor))
    if features != "digit":
        title = title.replace(" digit distance", f" distance ({features} features)")
    return Figure.of(key, title, better, reference, (value, pair.n), (floor, pair.floor_n))


def _including(figure: Estimate, interval: Interval) -> Estimate:
    low, high = min(interval.low, figure.value), max(interval.high, figure.value)
    return replace(figure, interval=replace(interval, low=low, high=high))


def possible(key: str, figure: Estimate) -> Estimate:
    """What cannot be below 0 or above 1 has an interval that is not."""
    low = figure.interval.low if key in _BELOW_ZERO else max(0.0, figure.interval.low)
    high = min(1.0, figure.interval.high) if key in _AT_MOST_ONE else figure.interval.high
    return replace(figure, interval=replace(figure.interval, low=low, high=high))


def _mean_diversity(found: dict[str, Estimate], floors: dict[str, Estimate]) -> None:
    """Add the mean over those classes that have enough images on both sides."""
    keys = [key for key in found if key.startswith("diversity/") and key in floors]
    if not keys:
        return
    for side in (found, floors):
        error = math.hypot(*(side[key].standard_error for key in keys)) / len(keys)
        side["diversity"] = student(sum(side[key].value for key in keys) / len(keys), error, 9)


def _novelty(distances: Distances, held_out_distances: npt.NDArray[Any], seen: Seen, ruler: Ruler) -> Novelty:
    cells = None
    if seen.predicted is not None and ruler.reference is not None and ruler.extractor is None:
        held_out = ruler.reference.held_out_classes
        counts = [np.bincount(x, minlength=len(ruler.data.class_names)) for x in (seen.predicted, held_out)]
        if np.minimum(*counts).max() >= _LEAST_OF_CLASS:
            cells = (seen.predicted, held_out)
    return novelty(distances, held_out_distances, cells=cells)


def _novelty_figures(new: Novelty, held_out: int, suffix: str = "") -> dict[str, Pair]:
    near = replace(binomial(round(new.near_copies * new.n), new.n), interval=new.interval)
    usual = binomial(round(new.expected * held_out), held_out)
    z, none = (Estimate(z, 1.0, Interval(z - 1.96, z + 1.96)) for z in (new.z, 0.0))
    return {
        f"near_copies{suffix}": Pair(near, new.n, usual, held_out),
        f"copying_z{suffix}": Pair(z, new.n, none, held_out),
    }


def _exact_copies(subject: Subject, data: DataSet) -> Pair:
    known = {image.tobytes() for image in data.train.images}

    def share(images: Images) -> Estimate:
        n, count = len(images), sum(image.tobytes() in known for image in images)
        return replace(binomial(count, n), interval=clopper_pearson(count, n))

    return Pair(share(subject.images), len(subject.images), share(data.test.images), len(data.test))


def _in_pixels(subject: Subject, seen: Seen, ruler: Ruler) -> dict[str, Pair]:
    """Novelty between the images themselves: it sees copies under noise, which features may take for new."""
    ruler.say("nearest in pixels", 0.0)
    training = pixels(ruler.data.train.images)
    distances = nearest_neighbours(pixels(subject.images), training).distance[:, 0]
    if ruler.reference is None:
        held_out = nearest_neighbours(pixels(ruler.data.test.images), training).distance[:, 0].astype(np.float32)
    else:
        held_out = ruler.reference.held_out_pixels
    return _novelty_figures(_novelty(distances, held_out, seen, ruler), len(held_out), "_pixels")


def _probe(subject: Subject, seen: Seen, ruler: Ruler, seed: int, pairs: dict[str, Pair]) -> list[str]:
    """Add the classification accuracy score and its ceiling, that of as many real images; returns what to note.

    A model with labels draws as many images as there are training images: Ravuri and Vinyals (2019), section 3.
    """
    train, test, names = ruler.data.train, ruler.data.test, ruler.data.class_names
    if train.labels is None or test.labels is None or seen.predicted is None:
        return [f"{ruler.data.name} has no labels, so there is no classification accuracy score."]
    asked = (test.images, test.labels)
    images, taught = subject.images, subject.labels
    if subject.draw is not None and taught is not None:
        ruler.say("drawing as many as there are training images", 0.0)
        images, taught = subject.draw(len(train))
    n, taught = len(images), seen.predicted if taught is None else taught

    def saying(doing: str) -> Callable[[float, float], None]:
        return lambda done, _: ruler.say(doing, done)

    real = ruler.some_training(n)
    some = (train.images[real], train.labels[real])
    name = f"ceiling-n{n}"
    ceiling = _kept(
        name, ruler, lambda: {name: classification_accuracy(some, asked, names, report=saying("learning real images"))}
    )[name]
    report = saying("learning the images")
    score = classification_accuracy((images, taught), asked, names, seed, report)
    key = "classification_accuracy" + ("_by_teacher" if subject.labels is None else "")
    pairs[key] = Pair(score, n, ceiling, len(real))
    if subject.labels is not None:
        return []
    return ["the images have no labels: the accuracy score is of labels that the feature network gave (the teacher)."]


def _closest(order: Labels, predicted: Labels | None) -> Labels:
    """The closest to training images, some of each class: plain shapes, such as ones, are always the closest."""
    if predicted is None:
        return order[:_PAIRS]
    classes = np.unique(predicted)
    each = -(-_PAIRS // len(classes))
    return np.concatenate([order[predicted[order] == label][:each] for label in classes])[: 2 * _PAIRS]


def _classes(seen: Seen, ruler: Ruler, figures: dict[str, Figure]) -> tuple[tuple[ClassFigures, ...], list[str]]:
    if seen.predicted is None or ruler.reference is None:
        return (), []
    names, n = ruler.data.class_names, len(seen.features)
    counts = np.bincount(seen.predicted, minlength=len(names))
    classes = tuple(
        ClassFigures(
            name=names[label],
            count=int(counts[label]),
            expected=float(ruler.reference.proportions[label] * n),
            diversity=figures.get(f"diversity/{label}"),
            accuracy=figures.get(f"accuracy/{label}"),
        )
        for label in range(len(names))
    )
    small = [one.name for one in classes if one.diversity is None]
    if not small:
        return classes, []
    shown = ", ".join(small[:12]) + (", ..." if len(small) > 12 else "")
    return classes, [f"diversity is not measured for classes of fewer than {_LEAST_OF_CLASS} images: {shown}."]
