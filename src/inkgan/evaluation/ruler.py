"""The ruler's fixed side: real images, their features, and what is kept of them between evaluations."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from inkgan.data import DataSet
from inkgan.errors import EvaluationError, OutputError
from inkgan.evaluation.classifier import Report, features_for, is_shipped_for
from inkgan.evaluation.features import Extractor, FeatureNetwork, cache_folder, extract
from inkgan.evaluation.metrics import GaussianStatistics, frechet_distance, nearest_neighbours
from inkgan.evaluation.reference import ReferenceStatistics, reference_for
from inkgan.files import Progress, write_bytes
from inkgan.images import Images, Labels

Features = npt.NDArray[np.float32]

REAL_SEED = 20_260
"""Which real images are the floor, and which the reference: never the user's choice."""
_CHUNK = 64  # the feature network's own: slices of whole chunks give the same bits


@dataclass(frozen=True, eq=False)
class Seen:
    """Images as the ruler sees them."""

    features: Features
    probabilities: Features | None
    labels: Labels | None

    @property
    def predicted(self) -> Labels | None:
        """The most probable class of each, [N]."""
        return None if self.probabilities is None else self.probabilities.argmax(axis=1)


class Ruler:
    """The fixed side: real images, their features, and floors."""

    def __init__(self, data: DataSet, extractor: Extractor | None, say: Progress) -> None:
        self.data, self.extractor, self.say = data, extractor, say
        self.network: FeatureNetwork | None = None
        self.reference: ReferenceStatistics | None = None
        if data.train.labels is not None or extractor is None:
            self.network = features_for(data, report=training_features(data, say))
            self.reference = reference_for(data, self.network, say)
        self.training = self._training_features()
        if extractor is None and self.reference is not None:
            self.moments = self.reference.train
            self.held_out_distances = self.reference.held_out_features
        else:
            self.moments = GaussianStatistics.of(self.training)
            distances = nearest_neighbours(self.held_out().features, self.training).distance[:, 0]
            self.held_out_distances = distances.astype(np.float32)

    @property
    def key(self) -> str:
        """What the cached arrays depend on."""
        return f"{self.data.digest[:16]}-{self.network.card.sha256[:16] if self.network else ''}"

    @property
    def features(self) -> str:
        """Whose features distances are in: ``digit``, those of other data by their name, or the caller's ``own``."""
        if self.extractor is not None:
            return "own"
        return "digit" if is_shipped_for(self.data) else self.data.name

    def see(self, images: Images, labels: Labels | None, doing: str) -> Seen:
        """Features and class probabilities."""
        probabilities, features = None, None
        if self.network is not None:
            features, probabilities = _threaded(self.network, images, lambda done: self.say(doing, done))
        if self.extractor is not None:
            self.say(doing, 0.0)
            features = extract(self.extractor, images)
        if features is None:
            raise EvaluationError(f"{self.data.name} has no labels for a feature network; give an extractor.")
        return Seen(features, probabilities, labels)

    def held_out(self, n: int | None = None) -> Seen:
        """The first n images of the test split once permuted: its first half as it lies is easier than its second."""
        test = self.data.test
        order = np.random.default_rng(REAL_SEED).permutation(len(test))[:n]
        return self.see(test.images[order], None if test.labels is None else test.labels[order], "held-out images")

    def some_training(self, n: int) -> Labels:
        """The indices of n training images, always the same."""
        return np.random.default_rng(REAL_SEED + 1).permutation(len(self.training))[:n]

    def _training_features(self) -> Features:
        """Of all training images, kept once measured (not for a callable, which has no name)."""
        images = self.data.train.images
        if self.extractor is not None:
            self.say("training images", 0.0)
            return extract(self.extractor, images)
        path = cache_folder() / f"training-{self.key}.npy"
        with contextlib.suppress(OSError, ValueError, EOFError):
            kept = np.load(path, allow_pickle=False)
            if kept.ndim == 2 and len(kept) == len(images) and kept.dtype == np.float32:
                features: Features = kept
                return features
        features = self.see(images, None, "training images (once)").features
        buffer = io.BytesIO()
        np.save(buffer, features)
        keep(path, buffer.getvalue())
        return features


def training_features(data: DataSet, say: Progress) -> Report:
    """Tells how far the feature network of other data than digits is, which is trained when it is first needed."""
    return lambda done, _: say(f"training the feature network of {data.name}, kept for next time", done)


def quick_measure(data: DataSet, say: Progress) -> Callable[[Images, Labels | None], dict[str, float]]:
    """What training measures on its way: the Fréchet digit distance first, and the accuracy of the class asked for.

    Args:
        data: the real images.
        say: told how far the feature network and the statistics of the real images are, if there are none yet.

    Raises:
        EvaluationError: the data have no labels to train a feature network with.
    """
    network = features_for(data, report=training_features(data, say))
    moments = reference_for(data, network, say).train

    def measure(images: Images, labels: Labels | None) -> dict[str, float]:
        features, probabilities = _threaded(network, images, lambda _: None)
        figures = {"frechet_digit_distance": frechet_distance(GaussianStatistics.of(features), moments)}
        if labels is not None:
            figures["accuracy"] = float((probabilities.argmax(axis=1) == labels).mean())
        return figures

    return measure


def keep(path: Path, content: bytes) -> None:
    """Write to the cache; a cache that cannot be written costs time, nothing else."""
    with contextlib.suppress(OutputError):
        write_bytes(path, content)


def _threaded(network: FeatureNetwork, images: Images, done: Callable[[float], None]) -> tuple[Features, Features]:
    """The network's features and probabilities, with one thread for each core and each alone with its slice.

    PyTorch's own threads wait for each other by spinning, which is slow where cores are shared.
    """
    workers = max(1, min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1))
    size = _CHUNK * max(1, min(32, -(-len(images) // (_CHUNK * workers))))
    slices = [images[start : start + size] for start in range(0, len(images), size)]
    before = torch.get_num_threads()
    parts = []
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for part in pool.map(network.measure, slices):
                parts.append(part)
                done(len(parts) / len(slices))
    finally:
        torch.set_num_threads(before)
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
