"""The Fréchet distance in features of an untrained network with random weights.

The data's feature network learned from the training images, the very images that generators imitate. A network that
learned from no image cannot favour these. However, it knows less about digits: it sees where the ink is rather than
what it means. Naeem et al. (2020) use random features where features learned from photographs mislead. The network is
a smaller one of the same kind, and its weights never change. Distances are divided by the mean variance of its features
over the training images, so that features have a variance of 1 on average, as those of the trained network do.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import torch

from inkgan.evaluation.cache import cache_key, cached_estimates
from inkgan.evaluation.features import HALF_WIDTHS, FeatureCard, FeatureLayers, FeatureNetwork, Features
from inkgan.evaluation.metrics.frechet import GaussianStatistics, frechet_estimate
from inkgan.evaluation.metrics.intervals import Estimate, Interval
from inkgan.evaluation.reference import REAL_SEED, Reference, training_features
from inkgan.evaluation.report import Figure
from inkgan.evaluation.subject import Sample
from inkgan.files import Progress, no_progress
from inkgan.images import Images
from inkgan.networks import building

_WEIGHTS_SEED = 0  # another seed would give other features, whose distances cannot be compared with these
_FLOORS_VERSION = 1  # raise it when the figure changes


def random_features_distance(sample: Sample, reference: Reference, progress: Progress = no_progress) -> Figure:
    """Return the Fréchet distance in random features, with that of held-out images, which is kept in the cache."""
    data, n = reference.data, len(sample.images)
    network = random_network(data.image_shape)
    moments = GaussianStatistics.of(training_features(data, network, progress))

    def distance(images: Images, seed: int, doing: str) -> Estimate:
        features = network.extract(images, progress, doing)[0]
        return distance_in_units(features, moments, np.random.default_rng(seed))

    def floor() -> dict[str, Estimate]:
        return {"distance": distance(reference.held_out(n).images, REAL_SEED, "held-out images, random features")}

    found = distance(sample.images, sample.seed, "random features")
    kept = cached_estimates(f"random-floor-n{n}-{cache_key(data, network)}-v{_FLOORS_VERSION}", floor)
    return Figure.of("frechet_random_distance", found, kept["distance"])


def distance_in_units(features: Features, moments: GaussianStatistics, rng: np.random.Generator) -> Estimate:
    """Return the Fréchet distance of features [n, D] in units of the mean variance of the training images' features.

    Args:
        features: the features of the images.
        moments: mean and covariance of the features of all training images.
        rng: assigns the images to the groups of the jackknife.
    """
    found = frechet_estimate(features, moments, rng)
    unit = float(np.trace(moments.covariance)) / len(moments.mean)
    interval = Interval(found.interval.low / unit, found.interval.high / unit)
    return Estimate(found.value / unit, found.standard_error / unit, interval, found.n)


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
