"""The ruler: the real images of a data set, and everything that generated images are compared with.

It is made once, and then compares any number of sets of images with the same real images:

* The Fréchet distance compares with the mean and covariance of all training images.
* Kernel distance, precision, recall, density and coverage compare with as many training images as there are images to
  measure, always the same ones.
* Class balance compares with the training labels.
* Novelty compares with the distances of all held-out images to the training images.

The *floor* of a figure is the same figure of as many held-out images, always the same ones.

The :class:`SecondRuler` measures the Fréchet distance in features of an untrained network with random weights. The
feature network of the first ruler learned from the training images, the very images that generators imitate. A network
that learned from no image cannot favour these. However, it knows less about digits: it sees where the ink is rather
than what it means. Naeem et al. (2020) use random features where features learned from photographs mislead. The network
is a smaller one of the same kind, and its weights never change. Distances are divided by the mean variance of its
features over the training images, so that features have a variance of 1 on average, as in the first ruler.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from inkgan.data import DataSet
from inkgan.evaluation.features import (
    HALF_WIDTHS,
    Extractor,
    FeatureCard,
    FeatureLayers,
    FeatureNetwork,
    Features,
    extract,
)
from inkgan.evaluation.metrics.frechet import GaussianStatistics, frechet_distance, frechet_estimate
from inkgan.evaluation.metrics.intervals import Estimate, Interval
from inkgan.evaluation.metrics.neighbours import nearest_neighbours
from inkgan.evaluation.reference import (
    ReferenceStatistics,
    cache_key,
    features_for,
    is_shipped_for,
    kept_estimates,
    reference_for,
    training_features,
)
from inkgan.files import Progress, no_progress
from inkgan.images import Images, Labels
from inkgan.networks import building

#: The seed that chooses the real images of the floor and of the reference, whatever the user's seed.
REAL_SEED = 20_260
_WEIGHTS_SEED = 0  # the seed of the second ruler's network; another seed would make another ruler
_SECOND_FLOORS_VERSION = 1  # raise it when the second ruler's figure changes


@dataclass(frozen=True, eq=False)
class ImageFeatures:
    """Features and class probabilities of n images."""

    features: Features  # n x D
    probabilities: Features | None  # n x K; None without a feature network

    @property
    def predicted(self) -> Labels | None:
        """The most probable class of each image, int64 [n]."""
        return None if self.probabilities is None else self.probabilities.argmax(axis=1)


@dataclass(frozen=True, eq=False)
class Ruler:
    """Everything that images are compared with; :func:`make_ruler` makes one.

    Attributes:
        data: the real images.
        network: the data's feature network, which also predicts classes; None for data without labels.
        extractor: the caller's own features; None means those of the network.
        reference: statistics of the real images in the network's features; None without a network.
        training: the features of all training images, float32 [T, D].
        moments: their mean and covariance.
        held_out_distances: the distance of each test image to its nearest training image, float32 [H].
    """

    data: DataSet
    network: FeatureNetwork | None
    extractor: Extractor | None
    reference: ReferenceStatistics | None
    training: Features
    moments: GaussianStatistics
    held_out_distances: npt.NDArray[np.float32]

    @property
    def features_title(self) -> str:
        """The kind of features: ``digit``, the name of other data, or ``own`` for the caller's own."""
        if self.extractor is not None:
            return "own"
        return "digit" if is_shipped_for(self.data) else self.data.name

    def kept(
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
        if self.extractor is not None:
            return compute()
        return kept_estimates(f"{name}-{cache_key(self.data, self.network)}-v{version}.json", compute, needed)

    def extract(self, images: Images, progress: Progress = no_progress, doing: str = "features") -> ImageFeatures:
        """Compute features and class probabilities of images, uint8 [n, H, W, C]."""
        if self.network is None:
            assert self.extractor is not None
            progress(doing, 0.0)
            return ImageFeatures(extract(self.extractor, images), None)
        features, probabilities = self.network.extract(images, progress, doing)
        return ImageFeatures(features if self.extractor is None else extract(self.extractor, images), probabilities)

    def held_out(self, n: int) -> tuple[Images, Labels | None]:
        """Return n test images and their labels: not the first n, since the first half of MNIST's file is easier."""
        some, labels = self.some_held_out(n), self.data.test.labels
        return self.data.test.images[some], None if labels is None else labels[some]

    def some_held_out(self, n: int) -> npt.NDArray[np.int64]:
        """Return the indices of n test images, always the same."""
        return np.random.default_rng(REAL_SEED).permutation(len(self.data.test))[:n]

    def some_training(self, n: int) -> npt.NDArray[np.int64]:
        """Return the indices of n training images, always the same."""
        return np.random.default_rng(REAL_SEED + 1).permutation(len(self.training))[:n]


def make_ruler(data: DataSet, extractor: Extractor | None = None, progress: Progress = no_progress) -> Ruler:
    """Load or compute everything that images are compared with.

    Args:
        data: the real images.
        extractor: measure distances in these features instead of those of the data's feature network.
        progress: called with the name of the work and the share of it that is done.

    Raises:
        EvaluationError: the data have no labels to train a feature network with, and there is no extractor.
        CheckpointError: a file of the feature network or of the statistics is damaged.
    """
    network = None if data.train.labels is None and extractor is not None else features_for(data, progress)
    reference = None if network is None else reference_for(data, network, progress)
    if extractor is not None:
        progress("real images", 0.0)
        training = extract(extractor, data.train.images)
        nearest = nearest_neighbours(extract(extractor, data.test.images), training)
        distances = nearest.distance.astype(np.float32)
        return Ruler(data, network, extractor, reference, training, GaussianStatistics.of(training), distances)
    assert network is not None
    assert reference is not None
    training = training_features(data, network, progress)
    return Ruler(data, network, None, reference, training, reference.train, reference.held_out_features)


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
    network = features_for(data, progress)
    moments = reference_for(data, network, progress).train

    def measure(images: Images, labels: Labels | None) -> dict[str, float]:
        features, probabilities = network.extract(images)
        figures = {"frechet_digit_distance": frechet_distance(GaussianStatistics.of(features), moments)}
        if labels is not None:
            figures["accuracy"] = float((probabilities.argmax(axis=1) == labels).mean())
        return figures

    return measure


@dataclass(frozen=True, eq=False)
class SecondRuler:
    """Everything that images are compared with in random features; :func:`make_second_ruler` makes one.

    Attributes:
        data: the real images.
        network: the network of random weights.
        moments: mean and covariance of the features of all training images.
    """

    data: DataSet
    network: FeatureNetwork
    moments: GaussianStatistics

    def distance(self, features: Features, rng: np.random.Generator) -> Estimate:
        """Return the Fréchet distance of random features [n, D] to those of the training images.

        Args:
            features: the features of the images, by :attr:`network`.
            rng: assigns the images to the groups of the jackknife.
        """
        found = frechet_estimate(features, self.moments, rng).at_n
        unit = float(np.trace(self.moments.covariance)) / len(self.moments.mean)
        interval = Interval(found.interval.low / unit, found.interval.high / unit)
        return Estimate(found.value / unit, found.standard_error / unit, interval)

    def floor(self, held_out: Images, rng: np.random.Generator, progress: Progress = no_progress) -> Estimate:
        """Return the distance of held-out images, uint8 [n, H, W, C]; cached."""

        def compute() -> dict[str, Estimate]:
            features = self.network.extract(held_out, progress, "held-out images, random features")[0]
            return {"distance": self.distance(features, rng)}

        key = f"n{len(held_out)}-{cache_key(self.data, self.network)}"
        return kept_estimates(f"second-floor-{key}-v{_SECOND_FLOORS_VERSION}.json", compute)["distance"]


def make_second_ruler(data: DataSet, progress: Progress = no_progress) -> SecondRuler:
    """Make the random network, and extract the features of the training images or read them from the cache."""
    network = random_network(data.image_shape)
    return SecondRuler(data, network, GaussianStatistics.of(training_features(data, network, progress)))


def random_network(image_shape: tuple[int, int, int]) -> FeatureNetwork:
    """Return the network of random weights for images [H, W, C], always the same one for a shape.

    Weights are drawn from N(0, 2 / inputs), which keeps the scale through ReLUs (He et al. 2015, eq. 10); biases are 0.
    """
    card = FeatureCard(name="random features", image_shape=image_shape, class_names=("none",), widths=HALF_WIDTHS)
    with building():
        layers = FeatureLayers(card)
    rng = np.random.default_rng(_WEIGHTS_SEED)
    digest = hashlib.sha256()
    with torch.no_grad():
        for name, parameter in layers.named_parameters():
            scale = 0.0 if name.endswith("bias") else (2 / parameter[0].numel()) ** 0.5
            drawn = (scale * rng.standard_normal(tuple(parameter.shape))).astype(np.float32)
            parameter.copy_(torch.from_numpy(drawn))
            digest.update(drawn.tobytes())
    return FeatureNetwork(replace(card, sha256=digest.hexdigest()), layers)
