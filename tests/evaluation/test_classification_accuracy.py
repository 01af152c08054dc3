"""The classification accuracy score: what it learns from, its ceiling, and when there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inkgan.data import DataSet, Split
from inkgan.evaluation import classification_accuracy
from inkgan.evaluation.classification_accuracy import SCORE_RECIPE, accuracy_score
from inkgan.evaluation.feature_training import FeatureRecipe, warp
from inkgan.evaluation.features import FeatureCard, FeatureLayers, FeatureNetwork, Features, to_ink
from inkgan.evaluation.metrics.frechet import GaussianStatistics
from inkgan.evaluation.reference import ImageFeatures, Reference, compute_statistics
from inkgan.evaluation.report import Figure
from inkgan.evaluation.subject import Sample, Subject
from inkgan.files import no_progress
from inkgan.generation.model import Model
from inkgan.images import Images, Labels
from inkgan.networks import building

BATCH = SCORE_RECIPE.batch_images


def of_classes(labels: Labels) -> Features:
    """Return probabilities of these classes that leave no doubt, float32 [N, 2]."""
    return np.eye(2, dtype=np.float32)[labels]


class Learner:
    """A classifier that calls an image dark or light like the images of nearest mean that it was given."""

    def __init__(self, examples: Split, _: FeatureCard, recipe: FeatureRecipe, *__: object) -> None:
        self._means = [examples.images[examples.labels == label].mean() for label in range(2)]
        self.recipe = recipe

    def probabilities(self, images: Images) -> Features:
        """Return 1 for the class and 0 for the other one, float32 [N, 2]."""
        nearer = np.abs(images.mean(axis=(1, 2, 3))[:, None] - self._means).argmin(axis=1)
        return of_classes(nearer)


@pytest.fixture(autouse=True)
def learners(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Learner]:
    """Let other classifiers learn, which need no steps; return them in the order in which they learned."""
    made: list[Learner] = []

    def learn(*given: Any) -> Learner:
        made.append(Learner(*given))
        return made[-1]

    monkeypatch.setattr(classification_accuracy, "train_features", learn)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return made


def shades(count: int, seed: int) -> tuple[Images, Labels]:
    """Noise of two classes, dark and light."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % 2)
    images = rng.integers(0, 100, (count, 8, 8, 1)) + 150 * labels[:, None, None, None]
    return images.astype(np.uint8), labels


def reference(training: int = BATCH, labelled: bool = True) -> Reference:
    """Real images, with an untrained network, since the score trains one of its own."""
    images, labels = shades(training, 0)
    splits = (Split(images, labels if labelled else None), Split(*shades(4, 1)), Split(*shades(60, 2)))
    data = DataSet("shades", *splits, ("dark", "light") if labelled else (), "here", {}, "d" * 64)
    card = FeatureCard(name="small", image_shape=(8, 8, 1), class_names=("dark", "light"), widths=(4,), sha256="5" * 64)
    with building(0):
        network = FeatureNetwork(card, FeatureLayers(card))
    features = np.zeros((training, 2), np.float32)
    statistics = compute_statistics(data, network) if labelled else None
    return Reference(data, statistics, None, features, GaussianStatistics.of(features), features[:, 0])


def score_of(
    images: Images, labels: Labels | None, predicted: Labels, real: Reference
) -> tuple[list[Figure], list[str]]:
    """Return the score of images with these labels, which a feature network would put into the predicted classes."""
    sample = Sample(Subject("made", "arrays", Split(images, labels)), 0, images, labels, ())
    return accuracy_score(sample, as_predicted(predicted), real, no_progress)


def as_predicted(labels: Labels) -> ImageFeatures:
    """Images that the feature network puts into these classes without doubt."""
    return ImageFeatures(np.empty((len(labels), 2), np.float32), of_classes(labels))


def test_a_classifier_learns_from_the_images_and_their_labels() -> None:
    """Right labels teach right classes, as many real images as there are give the ceiling, and wrong labels show."""
    images, labels = shades(40, 3)
    (right,), notes = score_of(images, labels, 1 - labels, reference())
    assert (right.name, right.n, right.floor_n, notes) == ("classification_accuracy", 40, 40, [])
    assert (right.value, right.floor) == (1, 1)
    (wrong,), _ = score_of(images, 1 - labels, labels, reference())
    assert (wrong.value, wrong.floor) == (0, 1)


def test_without_labels_the_feature_network_is_the_teacher() -> None:
    images, labels = shades(40, 3)
    for predicted, value in ((labels, 1), (1 - labels, 0)):
        (figure,), (note,) = score_of(images, None, predicted, reference())
        assert figure.name == "classification_accuracy_by_teacher"
        assert figure.value == value
        assert "the images have no labels" in note


@pytest.mark.parametrize("training", [BATCH - 1, BATCH, BATCH + 1])
def test_fewer_training_images_than_a_batch_are_too_few(training: int) -> None:
    images, labels = shades(40, 3)
    found, notes = score_of(images, labels, labels, reference(training))
    assert len(found) == (training >= BATCH)
    too_few = [f"shades has {BATCH - 1} training images; the classification accuracy score needs {BATCH}."]
    assert notes == (too_few if training < BATCH else [])


def test_without_classes_there_is_no_score() -> None:
    images, labels = shades(40, 3)
    expected: tuple[list[Figure], list[str]] = (
        [],
        ["shades has no labels, so there is no classification accuracy score."],
    )
    assert score_of(images, labels, labels, reference(labelled=False)) == expected


def test_a_model_draws_as_many_images_as_there_are_to_learn_from(
    monkeypatch: pytest.MonkeyPatch, learners: list[Learner]
) -> None:
    """The seed of the images is also that of the classifier, and the ceiling has one of its own."""
    asked = []

    def draw(subject: Subject, n: int, seed: int, *_: object) -> Sample:
        asked.append((n, seed))
        return Sample(subject, seed, *shades(n, 4), ())

    monkeypatch.setattr(classification_accuracy, "draw", draw)
    images, labels = shades(20, 3)
    subject = Subject("model", "model", object.__new__(Model))
    sample = Sample(subject, 7, images, 1 - labels, ())
    (figure,), notes = accuracy_score(sample, as_predicted(labels), reference(), no_progress)
    assert asked == [(BATCH, 7)]
    assert (figure.n, figure.floor_n, figure.value, notes) == (BATCH, BATCH, 1, [])
    assert [one.recipe.seed for one in learners] == [0, 7]


def test_images_are_learned_as_they_are() -> None:
    """Warps would make up for missing variety, and a penalty on features would not be about the labels."""
    assert SCORE_RECIPE.decorrelation == 0
    ink = to_ink(shades(3, 0)[0])
    torch.testing.assert_close(warp(ink, SCORE_RECIPE, torch.Generator()), ink, rtol=0, atol=1e-5)
