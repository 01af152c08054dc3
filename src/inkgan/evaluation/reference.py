"""Features and statistics of a data set's real images, computed once; generated images are compared with them.

These are the feature network, reference statistics in its features, the features of all training images, and figures of
real images. For MNIST the first two are part of inkgan (``python scripts/make_reference_statistics.py`` makes the
statistics again). Everything else is made when first needed, and kept in the user's cache. All are tied by hash to the
data and to the feature network.

Shapes: D features, K classes, H test images.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import warnings
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy
from filelock import FileLock

from inkgan import files
from inkgan.data import DataSet
from inkgan.errors import CheckpointError, InkganWarning, OutputError
from inkgan.evaluation.classifier import (
    TrainingRecipe,
    labels_to_learn,
    recipe_for,
    step_seconds,
    train_feature_network,
)
from inkgan.evaluation.features import CARD as FEATURE_CARD
from inkgan.evaluation.features import SHIPPED, FeatureNetwork, Features, load_card, load_features
from inkgan.evaluation.metrics.frechet import GaussianStatistics
from inkgan.evaluation.metrics.intervals import Estimate, Interval
from inkgan.evaluation.metrics.neighbours import nearest_neighbours, pixels
from inkgan.files import (
    Progress,
    from_json,
    no_progress,
    open_regular,
    output_errors,
    read_regular,
    sha256_of,
    write_bytes,
)

ARRAYS, CARD = "reference.safetensors", "reference.json"
FORMAT = 1
#: The key of the digest of all other entries in a file of estimates.
_DIGEST = "sha256"
#: The arrays of :class:`ReferenceStatistics` that are kept under their own names.
_ARRAYS = ("proportions", "held_out_classes", "held_out_features", "held_out_pixels")


@dataclass(frozen=True, eq=False)
class ReferenceStatistics:
    """The statistics of one data set in the features of one network."""

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
    """The same distance between the images themselves, with pixels in [0, 1], [H]."""

    def save(self, folder: Path) -> None:
        """Write arrays (safetensors) and a card with their hash to ``folder``."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        arrays["held_out_classes"] = self.held_out_classes.astype(np.uint16)
        for split, statistics in (("train", self.train), ("test", self.test)):
            arrays[f"{split}_mean"] = statistics.mean
            arrays[f"{split}_covariance"] = statistics.covariance
            arrays[f"{split}_n"] = np.array([statistics.n])
        contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        write_bytes(folder / ARRAYS, safetensors.numpy.save(contiguous))
        card = {
            "format": FORMAT,
            "data_digest": self.data_digest,
            "features_sha256": self.features_sha256,
            "sha256": sha256_of(folder / ARRAYS),
        }
        write_bytes(folder / CARD, (json.dumps(card, indent=2) + "\n").encode())


def features_for(data: DataSet, progress: Progress = no_progress) -> FeatureNetwork:
    """Return the feature network of a data set: the shipped one, one from the cache, or one trained now and kept.

    Args:
        data: a labelled data set; the network learns from its training split.
        progress: called every hundred steps and at the end, if the network is trained.

    Raises:
        EvaluationError: the data have no labels, or cannot be trained on.
        CheckpointError: the shipped network is damaged.

    Warns:
        InkganWarning: the network is trained now, which takes a while; or the one in the cache is damaged.
    """
    if is_shipped_for(data):
        return load_features()
    labels_to_learn(data)  # raises before anything is locked
    recipe, widths = recipe_for(len(data.train), data.image_shape)
    key = hashlib.sha256(f"{data.digest} {sorted(asdict(recipe).items())}".encode()).hexdigest()[:16]
    folder = cache_folder() / key
    with contextlib.ExitStack() as locked:
        with output_errors(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            locked.enter_context(FileLock(folder.with_suffix(".lock")))  # two evaluations at once train it once
        is_kept = (folder / FEATURE_CARD).exists()
        if is_kept:
            with contextlib.suppress(CheckpointError):
                return load_features(folder)
        state = "damaged" if is_kept else "not kept yet"
        warnings.warn(_announcement(state, data, recipe, widths), InkganWarning, stacklevel=2)
        return train_feature_network(data, recipe, progress, widths).save(folder)


def _announcement(state: str, data: DataSet, recipe: TrainingRecipe, widths: tuple[int, ...]) -> str:
    seconds = recipe.steps(len(data.train)) * step_seconds(recipe.batch_images, data.image_shape, widths)
    duration = f"{round(seconds / 60)} minutes" if seconds > 100 else f"{math.ceil(seconds / 10) * 10} seconds"
    return (
        f"the feature network of {data.name} is {state}, so it is trained first, on {len(data.train):,} images: about "
        f"{duration} on two cores. It is kept for next time."
    )


def is_shipped_for(data: DataSet) -> bool:
    """Return whether the shipped feature network was trained on exactly these data."""
    return bool(load_card().data["digest"] == data.digest)


def reference_for(data: DataSet, network: FeatureNetwork, progress: Progress = no_progress) -> ReferenceStatistics:
    """Return the reference statistics of a data set: the shipped ones, cached ones, or computed now and cached.

    Raises:
        EvaluationError: as :func:`compute_reference`.
        CheckpointError: a shipped file is damaged; damaged files in the cache are replaced.
    """
    belongs = (data.digest, network.card.sha256)
    shipped = load_reference()
    if (shipped.data_digest, shipped.features_sha256) == belongs:
        return shipped
    cached = cache_folder() / f"reference-{cache_key(data, network)}"
    with contextlib.suppress(CheckpointError):  # it is not there yet, or damaged
        reference = load_reference(cached)
        if (reference.data_digest, reference.features_sha256) == belongs:
            return reference
    reference = compute_reference(data, network, progress)
    reference.save(cached)
    return reference


def load_reference(folder: Path = SHIPPED) -> ReferenceStatistics:
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
            train=_statistics(arrays, "train"),
            test=_statistics(arrays, "test"),
            **{name: arrays[name] for name in _ARRAYS},
        )
    except (OSError, KeyError, TypeError, json.JSONDecodeError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{folder} holds no reference statistics: {error}. Make them again.") from error


def _statistics(arrays: dict[str, npt.NDArray[Any]], split: str) -> GaussianStatistics:
    return GaussianStatistics(arrays[f"{split}_mean"], arrays[f"{split}_covariance"], int(arrays[f"{split}_n"][0]))


def compute_reference(data: DataSet, network: FeatureNetwork, progress: Progress = no_progress) -> ReferenceStatistics:
    """Compute the statistics of a labelled data set's training and test splits.

    Args:
        data: the real images; its training and test splits need more images than the network has features.
        network: the feature network.
        progress: called with the share of images done.

    Raises:
        EvaluationError: as :func:`labels_to_learn`, too few images, or images that are not of the network's shape.
    """
    counts = np.bincount(labels_to_learn(data), minlength=network.num_classes)
    train = training_features(data, network, progress)
    test, probabilities = network.extract(data.test.images, progress, "real images (test)")
    progress("distances of real images", 0.0)
    distances = nearest_neighbours(test, train).distance
    pixel_distances = nearest_neighbours(pixels(data.test.images), pixels(data.train.images)).distance
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


def training_features(data: DataSet, network: FeatureNetwork, progress: Progress = no_progress) -> Features:
    """Return the features of all training images, float32 [T, D]: from the cache, or extracted now and cached."""
    path = cache_folder() / f"training-{cache_key(data, network)}.npy"
    with contextlib.suppress(OSError, ValueError, EOFError):
        with open_regular(path) as file:
            cached: Features = np.load(file, allow_pickle=False)
        if cached.shape == (len(data.train), network.num_features) and cached.dtype == np.float32:
            return cached
    features, _ = network.extract(data.train.images, progress, "real images (train)")
    buffer = io.BytesIO()
    np.save(buffer, features)
    _write_to_cache(path, buffer.getvalue())
    return features


def cache_key(data: DataSet, network: FeatureNetwork | None) -> str:
    """Return the part of a cached file's name that identifies its data and its network."""
    return f"{data.digest[:16]}-{network.card.sha256[:16] if network else ''}"


def kept_estimates(
    name: str, compute: Callable[[], dict[str, Estimate]], needed: Collection[str] = ()
) -> dict[str, Estimate]:
    """Return estimates of real images by name: from a file in the cache, or computed now and kept there.

    Args:
        name: the name of the file.
        compute: computes the estimates.
        needed: the names of estimates that have to be among them; a file without one of them is replaced.
    """
    path = cache_folder() / name
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
        kept = from_json(read_regular(path))
        is_whole = kept.pop(_DIGEST, None) in (None, _digest_of(kept))  # earlier versions wrote no digest
        if is_whole and kept and kept.keys() >= set(needed):
            return {key: _estimate(*map(float, numbers)) for key, numbers in kept.items()}
    found = compute()
    numbers = {key: [one.value, one.standard_error, one.interval.low, one.interval.high] for key, one in found.items()}
    _write_to_cache(path, json.dumps(numbers | {_DIGEST: _digest_of(numbers)}).encode())
    return found


def _digest_of(numbers: object) -> str:
    return hashlib.sha256(json.dumps(numbers).encode()).hexdigest()


def _estimate(value: float, error: float, low: float, high: float) -> Estimate:
    return Estimate(value, error, Interval(low, high))


def cache_folder() -> Path:
    """Return the folder of the cache for feature networks and figures of real images; it may not exist yet.

    Raises:
        OutputError: the system names no home folder.
    """
    return files.cache_folder() / "features"


def _write_to_cache(path: Path, content: bytes) -> None:
    """Write a file to the cache; a failure is no error, since the content can be computed again next time."""
    with contextlib.suppress(OutputError):
        write_bytes(path, content)
