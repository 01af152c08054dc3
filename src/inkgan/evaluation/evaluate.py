"""Evaluating a set of images: read, draw, extract features, compute figures and their floors, report."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from inkgan.config import reading_settings
from inkgan.device import usual_arithmetic
from inkgan.errors import listed, require_function, yes_or_no
from inkgan.evaluation.features import Extractor
from inkgan.evaluation.figures import (
    LEAST_OF_CLASS,
    add_mean_diversity,
    exact_copies,
    figures_of,
    floors_of,
    full_figures,
    novelty_figures,
    novelty_of,
    with_floors,
)
from inkgan.evaluation.metrics.neighbours import nearest_neighbours
from inkgan.evaluation.report import KINDS, ClassFigures, Figure, Pictures, Report
from inkgan.evaluation.ruler import ImageFeatures, Ruler, make_ruler
from inkgan.evaluation.subject import Measurable, Sample, draw, notes_of, number_to_measure, open_subject, real_images
from inkgan.files import Progress, no_progress
from inkgan.images import Labels

_PAIRS = 32  # shown in the HTML report


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
            images uint8 [N, H, W, C] that returns floats [N, D].
        progress: called with the name of the work and the share of it that is done.

    Returns:
        The report; the same arguments give the same figures.

    Raises:
        DataError: the data, the file or the folder cannot be read.
        CheckpointError: a model is missing or damaged.
        ConfigError: another argument is out of range or of another type.
        EvaluationError: the images are too few, of another size or constant, or labels are missing that are needed.

    Warns:
        InkganWarning: fewer than n images are measured, or a feature network is trained first.
    """
    start = time.perf_counter()
    full = yes_or_no(full, "full")
    require_function(progress, "progress", "doing", "done")
    if extractor is not None:
        require_function(extractor, "extractor", "images")
    how = reading_settings(settings)
    progress("reading", 0.0)
    with usual_arithmetic():
        subject = open_subject(what, how)
        real = real_images([subject], data, data_dir, how, progress)
        n, limits = number_to_measure([subject], n, real)
        sample = draw(subject, n, seed, real, progress)
        ruler = make_ruler(real, extractor, progress)
        report = measure(sample, ruler, full=full, progress=progress)
    return replace(report, notes=(*limits, *report.notes), seconds=time.perf_counter() - start)


def measure(sample: Sample, ruler: Ruler, *, full: bool = False, progress: Progress = no_progress) -> Report:
    """Measure images with a ruler, which can be reused for other images; see :func:`evaluate`."""
    n, data = len(sample.images), ruler.data
    images = ruler.extract(sample.images, progress)
    progress("figures", 0.0)
    found = figures_of(images, sample.labels, ruler, np.random.default_rng(sample.seed))
    floors = floors_of(ruler, n, found, progress)
    add_mean_diversity(found, floors)
    figures = with_floors(found, floors, sample.labels, images, ruler)
    progress("figures", 0.5)
    nearest = nearest_neighbours(images.features, ruler.training)
    novelty = novelty_of(nearest.distance, ruler.held_out_distances, images.predicted, ruler)
    figures += novelty_figures(novelty, len(ruler.held_out_distances))
    figures.append(exact_copies(sample.images, data))
    notes = [*sample.notes, *(f"{data.name}: {note}" for note in notes_of(data))]
    if full:
        more, more_notes = full_figures(sample, images, ruler, progress)
        figures += more
        notes += more_notes
    by_name = {one.name: replace(one, title=_title(one.title, ruler)) for one in figures}
    classes, class_notes = _classes(images, ruler, by_name)
    closest = _closest(novelty.closest, images.predicted)
    progress("figures", 1.0)
    return Report(
        what=sample.subject.name,
        kind=sample.subject.kind,
        data=data.name,
        data_digest=data.digest,
        features="own extractor" if ruler.extractor is not None or ruler.network is None else ruler.network.card.sha256,
        n=n,
        seed=sample.seed,
        figures=tuple(by_name[name] for name in KINDS if name in by_name),
        classes=classes,
        notes=(*notes, *class_notes),
        pictures=Pictures(
            images=sample.images,
            predicted=np.zeros(n, np.int64) if images.predicted is None else images.predicted,
            generated=sample.images[closest],
            training=data.train.images[nearest.index[closest]],
        ),
        feature_accuracy=None if ruler.network is None else ruler.network.card.accuracy.get("test"),
    )


def _title(title: str, ruler: Ruler) -> str:
    """Return the title of a figure; only distances in the digits' features are called digit distances."""
    if " digit distance" not in title or ruler.features_title == "digit":
        return title
    return title.replace(" digit distance", f" distance ({ruler.features_title} features)")


def _closest(order: Labels, predicted: Labels | None) -> Labels:
    """Return the images closest to training images, some of each class; else plain shapes such as 1 would prevail."""
    if predicted is None:
        return order[:_PAIRS]
    classes = np.unique(predicted)
    each = -(-_PAIRS // len(classes))
    return np.concatenate([order[predicted[order] == label][:each] for label in classes])[: 2 * _PAIRS]


def _classes(
    images: ImageFeatures, ruler: Ruler, figures: dict[str, Figure]
) -> tuple[tuple[ClassFigures, ...], list[str]]:
    """Return the figures of each class, and notes."""
    if images.predicted is None or ruler.reference is None:
        return (), []
    names, n = ruler.data.class_names, len(images.features)
    counts = np.bincount(images.predicted, minlength=len(names))
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
    return classes, [
        f"diversity is not measured for classes of fewer than {LEAST_OF_CLASS} images: {listed(small, 12)}."
    ]
