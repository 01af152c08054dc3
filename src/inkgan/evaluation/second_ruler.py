"""A second ruler: the Fréchet distance in features of a network with random weights, which learned nothing.

The feature network of the first ruler learned from the training images, the very images that generators imitate. A
network that learned from no image cannot favour these. In return it does not know what makes a digit: it sees where
the ink is rather than what it says. Naeem et al. (2020) use random features where those of photographs mislead.

The network is a smaller one of the same kind, and its weights never change. Distances are divided by the mean variance
of its features over the training images: features then have a variance of 1, as those of the first ruler, on average.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import torch

from inkgan.data import DataSet
from inkgan.evaluation.features import HALF_WIDTHS, FeatureCard, FeatureLayers, FeatureNetwork, Features
from inkgan.evaluation.metrics.frechet import GaussianStatistics, frechet_estimate
from inkgan.evaluation.metrics.intervals import Estimate, Interval
from inkgan.evaluation.reference import cache_key, kept_estimates, training_features
from inkgan.files import Progress, unheard
from inkgan.images import Images

WEIGHTS_SEED = 0
"""Draws the weights. Another seed is another ruler."""
_FLOORS_VERSION = 1  # raise it when the figure changes


def random_network(image_shape: tuple[int, int, int]) -> FeatureNetwork:
    """The network of random weights for images [H, W, C], always the same.

    Weights are from N(0, 2 / inputs), which keeps the scale through ReLUs (He et al. 2015, eq. 10); biases are 0.
    """
    card = FeatureCard(name="random features", image_shape=image_shape, class_names=("none",), widths=HALF_WIDTHS)
    layers = FeatureLayers(card)
    rng = np.random.default_rng(WEIGHTS_SEED)
    digest = hashlib.sha256()
    with torch.no_grad():
        for name, parameter in layers.named_parameters():
            scale = 0.0 if name.endswith("bias") else (2 / parameter[0].numel()) ** 0.5
            drawn = (scale * rng.standard_normal(tuple(parameter.shape))).astype(np.float32)
            parameter.copy_(torch.from_numpy(drawn))
            digest.update(drawn.tobytes())
    return FeatureNetwork(replace(card, sha256=digest.hexdigest()), layers)


@dataclass(frozen=True, eq=False)
class SecondRuler:
    """What images are compared with in random features; :func:`make_second_ruler` makes one.

    Attributes:
        data: the real images.
        network: the network of random weights.
        moments: mean and covariance of the features of all training images.
    """

    data: DataSet
    network: FeatureNetwork
    moments: GaussianStatistics

    def distance(self, features: Features, rng: np.random.Generator) -> Estimate:
        """The Fréchet distance of random features [n, D] to those of the training images.

        Args:
            features: of the images, by :attr:`network`.
            rng: deals the images to the groups of the jackknife.
        """
        found = frechet_estimate(features, self.moments, rng).at_n
        unit = float(np.trace(self.moments.covariance)) / len(self.moments.mean)
        interval = Interval(found.interval.low / unit, found.interval.high / unit)
        return Estimate(found.value / unit, found.standard_error / unit, interval)

    def floor(self, held_out: Images, rng: np.random.Generator, progress: Progress = unheard) -> Estimate:
        """The distance of held-out images, uint8 [n, H, W, C]; cached."""

        def compute() -> dict[str, Estimate]:
            features = self.network.extract(held_out, progress, "held-out images, random features")[0]
            return {"distance": self.distance(features, rng)}

        key = cache_key(self.data, self.network)
        return kept_estimates(f"second-floor-n{len(held_out)}-{key}-v{_FLOORS_VERSION}.json", compute)["distance"]


def make_second_ruler(data: DataSet, progress: Progress = unheard) -> SecondRuler:
    """Draw the network and extract the features of the training images, or take those from the cache."""
    network = random_network(data.image_shape)
    return SecondRuler(data, network, GaussianStatistics.of(training_features(data, network, progress)))
