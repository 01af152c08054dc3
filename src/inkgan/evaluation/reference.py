"""Reference statistics: what generated images are compared with, computed once from the real images of a data set.

For the embedded digits they are shipped beside the feature network (``python scripts/make_reference_statistics.py``
makes them again); for other data they are computed when first needed, and cached. Both are tied by hash to the data and
to the feature network.

Shapes: D features, K classes, H test images.
"""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from inkgan.data import DataSet
from inkgan.errors import CheckpointError, EvaluationError
from inkgan.evaluation.cache import cache_folder, write_to_cache
from inkgan.evaluation.features import SHIPPED, FeatureNetwork, Features
from inkgan.evaluation.metrics.frechet import GaussianStatistics
from inkgan.evaluation.metrics.neighbours import nearest_neighbours
from inkgan.evaluation.metrics.novelty import pixels
from inkgan.files import Progress, open_regular, read_regular, sha256_of, unheard, write_bytes

ARRAYS, CARD = "reference.safetensors", "reference.json"
FORMAT = 1


@dataclass(frozen=True, eq=False)
class ReferenceStatistics:
    """Of one data set, in the features of one network."""

    data_digest: str
    features_sha256: str
    train: GaussianStatistics
    test: GaussianStatistics
    proportions: npt.NDArray[np.float64]
    """The classes' shares of the training labels, [K]."""
    held_out_classes: npt.NDArray[np.int64]
    """The most probable class of each test image, [H]."""
    held_out_features: npt.NDArray[np.float32]
    """The distance of each test image to its nearest training image in feature space, [H]."""
    held_out_pixels: npt.NDArray[np.float32]
    """The same between the images themselves, with pixels in [0, 1], [H]."""

    def save(self, folder: Path) -> None:
        """Write arrays (safetensors) and a card with their hash to ``folder``."""
        arrays = {
            "train_mean": self.train.mean,
            "train_covariance": self.train.covariance,
            "train_n": np.array([self.train.n]),
            "test_mean": self.test.mean,
            "test_covariance": self.test.covariance,
            "test_n": np.array([self.test.n]),
            "proportions": self.proportions,
            "held_out_classes": self.held_out_classes.astype(np.uint16),
            "held_out_features": self.held_out_features,
            "held_out_pixels": self.held_out_pixels,
        }
        contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        write_bytes(folder / ARRAYS, safetensors.numpy.save(contiguous))
        card = {
            "format": FORMAT,
            "data_digest": self.data_digest,
            "features_sha256": self.features_sha256,
            "sha256": sha256_of(folder / ARRAYS),
        }
        write_bytes(folder / CARD, (json.dumps(card, indent=2) + "\n").encode())


def compute_reference(data: DataSet, network: FeatureNetwork, progress: Progress = unheard) -> ReferenceStatistics:
    """Compute the statistics of a labelled data set's training and test splits.

    Args:
        data: the real images; its training and test splits need more images than the network has features.
        network: the feature network.
        progress: called with the share of images done.

    Raises:
        EvaluationError: no labels, too few images, or images that are not of the network's shape.
    """
    if data.train.labels is None:
        raise EvaluationError(f"{data.name} has no labels; class proportions are counted from them.")

    train = training_features(data, network, progress)
    test, probabilities = network.extract(data.test.images, progress, "real images (test)")
    progress("distances of real images", 0.0)
    counts = np.bincount(data.train.labels, minlength=network.num_classes)
    distances = nearest_neighbours(test, train).distance[:, 0]
    pixel_distances = nearest_neighbours(pixels(data.test.images), pixels(data.train.images)).distance[:, 0]
    return ReferenceStatistics(
        data_digest=data.digest,
        features_sha256=network.card.sha256,
        train=GaussianStatistics.of(train),
        test=GaussianStatistics.of(test),
        proportions=counts / counts.sum(),
        held_out_classes=probabilities.argmax(axis=1),
        held_out_features=distances.astype(np.float32),
        held_out_pixels=pixel_distances.astype(np.float32),
    )


def reference_for(data: DataSet, network: FeatureNetwork, progress: Progress = unheard) -> ReferenceStatistics:
    """The reference statistics of a data set: the shipped ones, cached ones, or computed now and cached.

    Raises:
        EvaluationError: as :func:`compute_reference`.
        CheckpointError: what is shipped or cached is damaged.
    """
    cached = cache_folder() / f"reference-{cache_key(data, network)}"
    for folder in (SHIPPED, cached):
        if (folder / CARD).exists():
            reference = load_reference(folder)
            if (reference.data_digest, reference.features_sha256) == (data.digest, network.card.sha256):
                return reference
    reference = compute_reference(data, network, progress)
    reference.save(cached)
    return reference


def training_features(data: DataSet, network: FeatureNetwork, progress: Progress = unheard) -> Features:
    """The features of all training images, float32 [T, D]: cached ones, or extracted now and cached."""
    path = cache_folder() / f"training-{cache_key(data, network)}.npy"
    with contextlib.suppress(OSError, ValueError, EOFError):
        with open_regular(path) as file:
            cached: Features = np.load(file, allow_pickle=False)
        if cached.shape == (len(data.train), network.num_features) and cached.dtype == np.float32:
            return cached
    features, _ = network.extract(data.train.images, progress, "real images (train)")
    buffer = io.BytesIO()
    np.save(buffer, features)
    write_to_cache(path, buffer.getvalue())
    return features


def cache_key(data: DataSet, network: FeatureNetwork | None) -> str:
    """What the name of a cached file says of the data and the network that it comes from."""
    return f"{data.digest[:16]}-{network.card.sha256[:16] if network else ''}"


def load_reference(folder: Path = SHIPPED) -> ReferenceStatistics:
    """Load reference statistics after checking their hash.

    Raises:
        CheckpointError: a file is missing, damaged, of another format, or not the one that the card names.
    """
    try:
        card: dict[str, Any] = json.loads(read_regular(folder / CARD))
        if card["format"] != FORMAT or card["sha256"] != sha256_of(folder / ARRAYS):
            raise CheckpointError(
                f"{folder / ARRAYS} is not what its card says: it is damaged or was replaced. Make it again."
            )
        arrays = safetensors.numpy.load_file(folder / ARRAYS)
        return ReferenceStatistics(
            data_digest=card["data_digest"],
            features_sha256=card["features_sha256"],
            train=_statistics(arrays, "train"),
            test=_statistics(arrays, "test"),
            proportions=arrays["proportions"],
            held_out_classes=arrays["held_out_classes"].astype(np.int64),
            held_out_features=arrays["held_out_features"],
            held_out_pixels=arrays["held_out_pixels"],
        )
    except (OSError, KeyError, TypeError, json.JSONDecodeError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{folder} holds no reference statistics: {error}. Make them again.") from error


def _statistics(arrays: dict[str, npt.NDArray[Any]], split: str) -> GaussianStatistics:
    return GaussianStatistics(arrays[f"{split}_mean"], arrays[f"{split}_covariance"], int(arrays[f"{split}_n"][0]))
