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

The feature network, statistics in its features, the features of all training images, and the figures of real images are
computed once. For MNIST the first two are part of inkgan (``python scripts/make_reference_statistics.py`` makes the
statistics again). Everything else is made when first needed, and kept in the user's cache. All are tied by hash to the
data and to the feature network.

Shapes: D features, K classes; [H] is one value for each test image.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import warnings
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy
import torch
from filelock import FileLock

from inkgan import files
from inkgan.data import DataSet, Split
from inkgan.errors import CheckpointError, InkganWarning, OutputError
from inkgan.evaluation.classifier import (
    TrainingRecipe,
    labels_to_learn,
    recipe_for,
    step_seconds,
    train_feature_network,
)
from inkgan.evaluation.features import CARD as FEATURE_CARD
from inkgan.evaluation.features import (
    HALF_WIDTHS,
    SHIPPED,
    Extractor,
    FeatureCard,
    FeatureLayers,
    FeatureNetwork,
    Features,
    extract,
    load_card,
    load_features,
)
from inkgan.evaluation.metrics.frechet import GaussianStatistics, frechet_distance, frechet_estimate
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
from inkgan.images import Images, Labels
from inkgan.networks import building

#: The seed that chooses the real images of the floor and of the reference, whatever the user's seed.
REAL_SEED = 20_260
_WEIGHTS_SEED = 0  # the seed of the second ruler's network; another seed would make another ruler
_SECOND_FLOORS_VERSION = 1  # raise it when the second ruler's figure changes

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

    def held_out(self, n: int) -> Split:
        """Return n test images and their labels: not the first n, since the first half of MNIST's file is easier."""
        return self.data.test[self.some_held_out(n)]

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
        if cached.shape == (len(data.train), network.card.num_features) and cached.dtype == np.float32:
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
