"""The real images of a data set, and everything about them that generated images are compared with.

A :class:`Reference` is made once, and then compares any number of sets of images with the same real images:

* The Fréchet distance compares with the mean and covariance of all training images.
* Kernel distance, precision, recall, density and coverage compare with as many training images as there are images to
  measure, always the same ones.
* Class balance compares with the training labels.
* Novelty compares with the distances of all held-out images to the training images.

The *floor* of a figure is the same figure of as many held-out images, always the same ones.

Statistics of the real images in the features of the data's network are kept: those of MNIST are part of inkgan
(``python scripts/make_reference_statistics.py`` makes them again), those of other data are in the cache. All are tied
by hash to the network, and so to the data.

Shapes: n images to measure, T training images, H test images, D features, K classes.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from inkgan.data import DataSet, Split
from inkgan.errors import CheckpointError, OutputError
from inkgan.evaluation.cache import cache_key, cached_array, cached_estimates, features_folder
from inkgan.evaluation.feature_training import feature_network_for, is_shipped_for
from inkgan.evaluation.features import SHIPPED, Extractor, FeatureNetwork, Features, Probabilities, extract, read_errors
from inkgan.evaluation.metrics.frechet import GaussianStatistics, frechet_distance
from inkgan.evaluation.metrics.intervals import Estimate
from inkgan.evaluation.metrics.neighbours import nearest_neighbours
from inkgan.files import Progress, from_json, no_progress, read_regular, sha256_of, write_bytes
from inkgan.images import Images, Labels

#: A quality measure: images uint8 [N, H, W, C] and their labels int64 [N] or None in, figures by name out. The first
#: figure, where lower is better, decides which checkpoint of a run is the best.
Measure = Callable[[Images, Labels | None], dict[str, float]]

#: The seed that chooses the real images of the floor and of the reference, whatever the user's seed.
REAL_SEED = 20_260
#: The seed of the floor's own draws. With the other one, the group of an image in the jackknife, which should be a
#: matter of chance, would follow from its place in the file.
FLOOR_SEED = 20_262

#: The files in which statistics are kept, and the version of their form.
ARRAYS, CARD = "reference.safetensors", "reference.json"
FORMAT = 1


@dataclass(frozen=True, eq=False)
class ImageFeatures:
    """Features of n images, [n, D], and the probabilities of their classes, [n, K]; K is 1 for data without labels."""

    features: Features
    probabilities: Probabilities

    @cached_property
    def predicted(self) -> Labels:
        """The most probable class of each image, int64 [n]."""
        return self.probabilities.argmax(axis=1)


@dataclass(frozen=True, eq=False)
class ReferenceStatistics:
    """The feature network of a data set with labels, and statistics of the real images in its features.

    Attributes:
        network: the network, which also predicts classes.
        train: the mean and the covariance of the training images' features.
        proportions: the classes' shares of the training labels, [K].
        held_out_classes: the most probable class of each test image, [H].
        held_out_distances: the distance of each test image to its nearest training image in feature space, [H].
    """

    network: FeatureNetwork
    train: GaussianStatistics
    proportions: NDArray[np.float64]
    held_out_classes: NDArray[np.int64]
    held_out_distances: NDArray[np.float32]

    def save(self, folder: Path) -> None:
        """Write arrays (safetensors) and a card with their hash to ``folder``."""
        arrays: dict[str, NDArray[Any]] = {
            "proportions": self.proportions,
            "held_out_classes": self.held_out_classes.astype(np.uint16),
            "held_out_features": self.held_out_distances,
            "train_mean": self.train.mean,
            "train_covariance": self.train.covariance,
            "train_n": np.array([self.train.n]),
        }
        write_bytes(folder / ARRAYS, safetensors.numpy.save(arrays))
        card = {
            "format": FORMAT,
            "features_sha256": self.network.card.sha256,
            "sha256": sha256_of(folder / ARRAYS),
        }
        write_bytes(folder / CARD, (json.dumps(card, indent=2) + "\n").encode())


@dataclass(frozen=True, eq=False)
class Reference:
    """The real images, and everything about them that images are compared with; :func:`reference_for` makes one.

    Attributes:
        data: the real images.
        statistics: the data's feature network, with statistics of the real images; None for data without
            labels or of one class.
        extractor: the caller's own features; None means those of the network.
        training_features: the features of all training images, float32 [T, D].
        moments: their mean and covariance.
        held_out_distances: the distance of each test image to its nearest training image, float32 [H].
    """

    data: DataSet
    statistics: ReferenceStatistics | None
    extractor: Extractor | None
    training_features: Features
    moments: GaussianStatistics
    held_out_distances: NDArray[np.float32]

    @property
    def features_title(self) -> str:
        """The kind of features: ``digit``, the name of other data, or ``own`` for the caller's own."""
        if self.extractor is not None:
            return "own"
        return "digit" if is_shipped_for(self.data) else self.data.name

    @property
    def features_digest(self) -> str:
        """The sha256 of the feature network, or ``own extractor``: figures in different features are not comparable."""
        if self.statistics is None or self.extractor is not None:
            return "own extractor"
        return self.statistics.network.card.sha256

    def cached(self, name: str, version: int, compute: Callable[[], dict[str, Estimate]]) -> dict[str, Estimate]:
        """Return estimates of real images from the cache, or compute them and keep them there.

        Estimates in the caller's own features are not kept, since these have no name.

        Args:
            name: the name of the estimates.
            version: the version of the figures; raise it when one changes, so that they are computed again.
            compute: computes the estimates.
        """
        if self.statistics is None or self.extractor is not None:
            return compute()
        return cached_estimates(f"{name}-{cache_key(self.data, self.statistics.network)}-v{version}", compute)

    def extract(self, images: Images, progress: Progress = no_progress, doing: str = "features") -> ImageFeatures:
        """Compute the features and predict the classes of images, uint8 [n, H, W, C]."""
        progress(doing, 0.0)
        probabilities = np.ones((len(images), 1), np.float32)
        if self.statistics is not None:
            features, probabilities = self.statistics.network.extract(images, progress, doing)
        if self.extractor is not None:
            features = extract(self.extractor, images, self.training_features.shape[1])
        return ImageFeatures(features, probabilities)

    def held_out(self, n: int) -> Split:
        """Return n test images, always the same: not the first n, since the first half of MNIST's file is easier."""
        return self.data.test[np.random.default_rng(REAL_SEED).permutation(len(self.data.test))[:n]]

    def training_indices(self, n: int) -> NDArray[np.int64]:
        """Return the indices of n training images, always the same."""
        return np.random.default_rng(REAL_SEED + 1).permutation(len(self.training_features))[:n]


def reference_for(data: DataSet, extractor: Extractor | None = None, progress: Progress = no_progress) -> Reference:
    """Load or compute everything that images are compared with.

    Args:
        data: the real images.
        extractor: measure distances in these features instead of those of the data's feature network.
        progress: called with the name of the work and the share of it that is done.

    Raises:
        EvaluationError: there is no extractor, and no feature network can learn the data.
        CheckpointError: a file of the feature network or of the statistics is damaged.
    """
    if extractor is None:
        statistics = statistics_for(data, progress)
        training = training_features(data, statistics.network, progress)
        return Reference(data, statistics, None, training, statistics.train, statistics.held_out_distances)
    class_statistics = None if len(data.class_names) < 2 else statistics_for(data, progress)
    progress("real images", 0.0)
    training = extract(extractor, data.train.images)
    nearest = nearest_neighbours(extract(extractor, data.test.images, training.shape[1]), training)
    distances = nearest.distance.astype(np.float32)
    return Reference(data, class_statistics, extractor, training, GaussianStatistics.of(training), distances)


def quick_measure(data: DataSet, progress: Progress = no_progress) -> Measure:
    """Return the function that training calls at intervals to measure the Fréchet distance and the class accuracy.

    Args:
        data: the real images.
        progress: called while the feature network and the statistics of the real images are made, if they are not in
            the cache.

    Raises:
        EvaluationError: no feature network can learn the data.
    """
    statistics = statistics_for(data, progress)

    def measure(images: Images, labels: Labels | None) -> dict[str, float]:
        features, probabilities = statistics.network.extract(images)
        figures = {"frechet_digit_distance": frechet_distance(GaussianStatistics.of(features), statistics.train)}
        if labels is not None:
            figures["accuracy"] = float((probabilities.argmax(axis=1) == labels).mean())
        return figures

    return measure


def statistics_for(data: DataSet, progress: Progress = no_progress) -> ReferenceStatistics:
    """Return the feature network and the statistics of a data set: shipped ones, cached ones, or made now and cached.

    Raises:
        EvaluationError: as :func:`feature_network_for`.
        CheckpointError: a shipped file is damaged; damaged files in the cache are replaced.
        OutputError: the network has to be trained, and cannot be kept.

    Warns:
        InkganWarning: as :func:`feature_network_for`.
    """
    network = feature_network_for(data, progress)
    if is_shipped_for(data):
        return load_statistics(network)
    folder = features_folder() / f"reference-{cache_key(data, network)}"
    with contextlib.suppress(CheckpointError):  # it is not there yet, or damaged
        return load_statistics(network, folder)
    statistics = compute_statistics(data, network, progress)
    with contextlib.suppress(OutputError, OSError):  # they can be computed again next time
        statistics.save(folder)
    return statistics


def load_statistics(network: FeatureNetwork, folder: Path = SHIPPED) -> ReferenceStatistics:
    """Load the statistics in the features of a network after checking their hash.

    Raises:
        CheckpointError: a file is missing, damaged, of another format or of another network, or not the one that the
            card names.
    """
    with read_errors(folder, "holds no reference statistics", "Make them again"):
        card = from_json(read_regular(folder / CARD))
        expected = (FORMAT, network.card.sha256, sha256_of(folder / ARRAYS))
        if (card["format"], card["features_sha256"], card["sha256"]) != expected:
            raise ValueError(f"{ARRAYS} was damaged or replaced")
        arrays = safetensors.numpy.load_file(folder / ARRAYS)
        return ReferenceStatistics(
            network=network,
            train=GaussianStatistics(arrays["train_mean"], arrays["train_covariance"], int(arrays["train_n"][0])),
            proportions=arrays["proportions"],
            held_out_classes=arrays["held_out_classes"].astype(np.int64),
            held_out_distances=arrays["held_out_features"],
        )


def compute_statistics(data: DataSet, network: FeatureNetwork, progress: Progress = no_progress) -> ReferenceStatistics:
    """Compute the statistics of a labelled data set's training and test splits.

    Args:
        data: the real images; its training split needs more images than the network has features.
        network: the feature network.
        progress: called with the share of images done.

    Raises:
        EvaluationError: too few images, or images that are not of the network's shape.
    """
    assert data.train.labels is not None
    counts = np.bincount(data.train.labels, minlength=len(data.class_names))
    train = training_features(data, network, progress)
    test, probabilities = network.extract(data.test.images, progress, "real images (test)")
    progress("distances of real images", 0.0)
    distances = nearest_neighbours(test, train).distance
    return ReferenceStatistics(
        network=network,
        train=GaussianStatistics.of(train),
        proportions=counts / counts.sum(),
        held_out_classes=probabilities.argmax(axis=1),
        held_out_distances=distances.astype(np.float32),
    )


def training_features(data: DataSet, network: FeatureNetwork, progress: Progress = no_progress) -> Features:
    """Return the features of all training images, float32 [T, D]: from the cache, or extracted now and cached."""
    name = f"training-{cache_key(data, network)}"
    return cached_array(name, lambda: network.extract(data.train.images, progress, "real images (train)")[0])
