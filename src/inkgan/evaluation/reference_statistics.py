"""Statistics of the real images of a data set in the features of a network: shipped, cached or computed now.

Those of MNIST are part of inkgan (``python scripts/make_reference_statistics.py`` makes them again). All are tied by
hash to the data and to the feature network.

Shapes: T training images, H test images, D features, K classes.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from inkgan.data import DataSet
from inkgan.errors import CheckpointError
from inkgan.evaluation.cache import cache_folder, cache_key, cached_array
from inkgan.evaluation.feature_training import labels_to_learn
from inkgan.evaluation.features import SHIPPED, FeatureNetwork, Features
from inkgan.evaluation.metrics.frechet import GaussianStatistics
from inkgan.evaluation.metrics.neighbours import nearest_neighbours
from inkgan.evaluation.metrics.novelty import pixels
from inkgan.files import Progress, from_json, no_progress, read_regular, sha256_of, write_bytes

ARRAYS, CARD = "reference.safetensors", "reference.json"
FORMAT = 1
#: The arrays of :class:`ReferenceStatistics` that are kept under their own names.
_ARRAYS = ("proportions", "held_out_classes", "held_out_features", "held_out_pixels")


@dataclass(frozen=True, eq=False)
class ReferenceStatistics:
    """The statistics of one data set in the features of one network.

    Attributes:
        proportions: the classes' shares of the training labels, [K].
        held_out_classes: the most probable class of each test image, [H].
        held_out_features: the distance of each test image to its nearest training image in feature space, [H].
        held_out_pixels: the same distance between the images themselves, with pixels in [0, 1], [H].
    """

    data_digest: str
    features_sha256: str
    train: GaussianStatistics
    proportions: npt.NDArray[np.float64]
    held_out_classes: npt.NDArray[np.int64]
    held_out_features: npt.NDArray[np.float32]
    held_out_pixels: npt.NDArray[np.float32]

    def save(self, folder: Path) -> None:
        """Write arrays (safetensors) and a card with their hash to ``folder``."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        arrays["held_out_classes"] = self.held_out_classes.astype(np.uint16)
        arrays["train_mean"] = self.train.mean
        arrays["train_covariance"] = self.train.covariance
        arrays["train_n"] = np.array([self.train.n])
        contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        write_bytes(folder / ARRAYS, safetensors.numpy.save(contiguous))
        card = {
            "format": FORMAT,
            "data_digest": self.data_digest,
            "features_sha256": self.features_sha256,
            "sha256": sha256_of(folder / ARRAYS),
        }
        write_bytes(folder / CARD, (json.dumps(card, indent=2) + "\n").encode())


def statistics_for(data: DataSet, network: FeatureNetwork, progress: Progress = no_progress) -> ReferenceStatistics:
    """Return the reference statistics of a data set: the shipped ones, cached ones, or computed now and cached.

    Raises:
        EvaluationError: as :func:`compute_statistics`.
        CheckpointError: a shipped file is damaged; damaged files in the cache are replaced.
    """
    belongs = (data.digest, network.card.sha256)
    shipped = load_statistics()
    if (shipped.data_digest, shipped.features_sha256) == belongs:
        return shipped
    cached = cache_folder() / f"reference-{cache_key(data, network)}"
    with contextlib.suppress(CheckpointError):  # it is not there yet, or damaged
        reference = load_statistics(cached)
        if (reference.data_digest, reference.features_sha256) == belongs:
            return reference
    reference = compute_statistics(data, network, progress)
    reference.save(cached)
    return reference


def load_statistics(folder: Path = SHIPPED) -> ReferenceStatistics:
    """Load reference statistics after checking their hash.

    Raises:
        CheckpointError: a file is missing, damaged, of another format, or not the one that the card names.
    """
    try:
        card: dict[str, Any] = from_json(read_regular(folder / CARD))
        if card["format"] != FORMAT or card["sha256"] != sha256_of(folder / ARRAYS):
            raise CheckpointError(
                f"{folder / ARRAYS} is not what its card says: it is damaged or was replaced. Make it again."
            )
        arrays = safetensors.numpy.load_file(folder / ARRAYS)
        arrays["held_out_classes"] = arrays["held_out_classes"].astype(np.int64)
        return ReferenceStatistics(
            data_digest=card["data_digest"],
            features_sha256=card["features_sha256"],
            train=GaussianStatistics(arrays["train_mean"], arrays["train_covariance"], int(arrays["train_n"][0])),
            **{name: arrays[name] for name in _ARRAYS},
        )
    except (OSError, KeyError, TypeError, json.JSONDecodeError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{folder} holds no reference statistics: {error}. Make them again.") from error


def compute_statistics(data: DataSet, network: FeatureNetwork, progress: Progress = no_progress) -> ReferenceStatistics:
    """Compute the statistics of a labelled data set's training and test splits.

    Args:
        data: the real images; its training split needs more images than the network has features.
        network: the feature network.
        progress: called with the share of images done.

    Raises:
        EvaluationError: as :func:`labels_to_learn`, too few images, or images that are not of the network's shape.
    """
    counts = np.bincount(labels_to_learn(data), minlength=len(data.class_names))
    train = training_features(data, network, progress)
    test, probabilities = network.extract(data.test.images, progress, "real images (test)")
    progress("distances of real images", 0.0)
    distances = nearest_neighbours(test, train).distance
    pixel_distances = nearest_neighbours(pixels(data.test.images), pixels(data.train.images)).distance
    return ReferenceStatistics(
        data_digest=data.digest,
        features_sha256=network.card.sha256,
        train=GaussianStatistics.of(train),
        proportions=counts / counts.sum(),
        held_out_classes=probabilities.argmax(axis=1),
        held_out_features=distances.astype(np.float32),
        held_out_pixels=pixel_distances.astype(np.float32),
    )


def training_features(data: DataSet, network: FeatureNetwork, progress: Progress = no_progress) -> Features:
    """Return the features of all training images, float32 [T, D]: from the cache, or extracted now and cached."""

    def extracted() -> Features:
        return network.extract(data.train.images, progress, "real images (train)")[0]

    name = f"training-{cache_key(data, network)}.npy"
    return cached_array(name, (len(data.train), network.card.num_features), extracted)
