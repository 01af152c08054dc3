"""The real images of a data set, and everything of them that generated images are compared with.

A :class:`Reference` is made once, and then compares any number of sets of images with the same real images:

* The Fréchet distance compares with the mean and covariance of all training images.
* Kernel distance, precision, recall, density and coverage compare with as many training images as there are images to
  measure, always the same ones.
* Class balance compares with the training labels.
* Novelty compares with the distances of all held-out images to the training images.

The *floor* of a figure is the same figure of as many held-out images, always the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from inkgan.data import DataSet, Split
from inkgan.evaluation.cache import cache_key, cached_estimates
from inkgan.evaluation.feature_training import feature_network_for, is_shipped_for
from inkgan.evaluation.features import Extractor, FeatureNetwork, Features, Probabilities, extract
from inkgan.evaluation.metrics.frechet import GaussianStatistics, frechet_distance
from inkgan.evaluation.metrics.intervals import Estimate
from inkgan.evaluation.metrics.neighbours import nearest_neighbours
from inkgan.evaluation.reference_statistics import ReferenceStatistics, statistics_for, training_features
from inkgan.files import Progress, no_progress
from inkgan.images import Images, Labels

#: The seed that chooses the real images of the floor and of the reference, whatever the user's seed.
REAL_SEED = 20_260


@dataclass(frozen=True, eq=False)
class PredictedClasses:
    """The classes that the feature network predicts for n images, and what they are compared with.

    Attributes:
        probabilities: of each class for each image, [n, K].
        proportions: the classes' shares of the training labels, [K].
        held_out: the most probable class of each test image, [H].
    """

    probabilities: Probabilities
    proportions: npt.NDArray[np.float64]
    held_out: Labels

    @cached_property
    def labels(self) -> Labels:
        """The most probable class of each image, int64 [n]."""
        return self.probabilities.argmax(axis=1)


@dataclass(frozen=True, eq=False)
class ImageFeatures:
    """Features of n images, [n, D], and their predicted classes, which data without labels do not have."""

    features: Features
    classes: PredictedClasses | None


@dataclass(frozen=True, eq=False)
class Reference:
    """The real images, and everything of them that images are compared with; :func:`reference_for` makes one.

    Attributes:
        data: the real images.
        network: the data's feature network, which also predicts classes; None for data without labels.
        extractor: the caller's own features; None means those of the network.
        statistics: of the real images in the network's features; None without a network.
        training_features: the features of all training images, float32 [T, D].
        moments: their mean and covariance.
        held_out_distances: the distance of each test image to its nearest training image, float32 [H].
    """

    data: DataSet
    network: FeatureNetwork | None
    extractor: Extractor | None
    statistics: ReferenceStatistics | None
    training_features: Features
    moments: GaussianStatistics
    held_out_distances: npt.NDArray[np.float32]

    @property
    def features_title(self) -> str:
        """The kind of features: ``digit``, the name of other data, or ``own`` for the caller's own."""
        if self.extractor is not None:
            return "own"
        return "digit" if is_shipped_for(self.data) else self.data.name

    @property
    def features_digest(self) -> str:
        """The sha256 of the feature network, or ``own extractor``: figures in different features are not comparable."""
        if self.network is None or self.extractor is not None:
            return "own extractor"
        return self.network.card.sha256

    def cached(
        self, name: str, version: int, compute: Callable[[], dict[str, Estimate]], needed: Collection[str] = ()
    ) -> dict[str, Estimate]:
        """Return estimates of real images from the cache, or compute them and keep them there.

        Estimates in the caller's own features are not kept, since these have no name.

        Args:
            name: the name of the estimates.
            version: the version of the figures; raise it when one changes, so that they are computed again.
            compute: computes the estimates.
            needed: the names of estimates that have to be among them.
        """
        if self.network is None or self.extractor is not None:
            return compute()
        return cached_estimates(f"{name}-{cache_key(self.data, self.network)}-v{version}.json", compute, needed)

    def extract(self, images: Images, progress: Progress = no_progress, doing: str = "features") -> ImageFeatures:
        """Compute the features and predict the classes of images, uint8 [n, H, W, C]."""
        if self.network is None or self.statistics is None:
            assert self.extractor is not None
            progress(doing, 0.0)
            return ImageFeatures(extract(self.extractor, images), None)
        features, probabilities = self.network.extract(images, progress, doing)
        if self.extractor is not None:
            features = extract(self.extractor, images)
        classes = PredictedClasses(probabilities, self.statistics.proportions, self.statistics.held_out_classes)
        return ImageFeatures(features, classes)

    def held_out(self, n: int) -> Split:
        """Return n test images and their labels: not the first n, since the first half of MNIST's file is easier."""
        return self.data.test[self.some_held_out(n)]

    def some_held_out(self, n: int) -> npt.NDArray[np.int64]:
        """Return the indices of n test images, always the same."""
        return np.random.default_rng(REAL_SEED).permutation(len(self.data.test))[:n]

    def some_training(self, n: int) -> npt.NDArray[np.int64]:
        """Return the indices of n training images, always the same."""
        return np.random.default_rng(REAL_SEED + 1).permutation(len(self.training_features))[:n]


def reference_for(data: DataSet, extractor: Extractor | None = None, progress: Progress = no_progress) -> Reference:
    """Load or compute everything that images are compared with.

    Args:
        data: the real images.
        extractor: measure distances in these features instead of those of the data's feature network.
        progress: called with the name of the work and the share of it that is done.

    Raises:
        EvaluationError: the data have no labels to train a feature network with, and there is no extractor.
        CheckpointError: a file of the feature network or of the statistics is damaged.
    """
    network = None if data.train.labels is None and extractor is not None else feature_network_for(data, progress)
    statistics = None if network is None else statistics_for(data, network, progress)
    if extractor is not None:
        progress("real images", 0.0)
        training = extract(extractor, data.train.images)
        nearest = nearest_neighbours(extract(extractor, data.test.images), training)
        distances = nearest.distance.astype(np.float32)
        return Reference(data, network, extractor, statistics, training, GaussianStatistics.of(training), distances)
    assert network is not None
    assert statistics is not None
    training = training_features(data, network, progress)
    return Reference(data, network, None, statistics, training, statistics.train, statistics.held_out_features)


def quick_measure(
    data: DataSet, progress: Progress = no_progress
) -> Callable[[Images, Labels | None], dict[str, float]]:
    """Return the function that training calls at intervals to measure Fréchet distance and accuracy of the class.

    Args:
        data: the real images.
        progress: called while the feature network and the statistics of the real images are made, if they are not in
            the cache.

    Returns:
        A function of images uint8 [N, H, W, C] and their labels int64 [N] or None. It returns figures by name. The
        first one, where lower is better, decides which checkpoint of a run is the best.

    Raises:
        EvaluationError: the data have no labels to train a feature network with.
    """
    network = feature_network_for(data, progress)
    moments = statistics_for(data, network, progress).train

    def measure(images: Images, labels: Labels | None) -> dict[str, float]:
        features, probabilities = network.extract(images)
        figures = {"frechet_digit_distance": frechet_distance(GaussianStatistics.of(features), moments)}
        if labels is not None:
            figures["accuracy"] = float((probabilities.argmax(axis=1) == labels).mean())
        return figures

    return measure
