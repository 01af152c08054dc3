"""The classification accuracy score: a classifier learns from the images alone, and is tested on real ones.

Ravuri and Vinyals (2019), section 3, also known as GAN-train.
"""

from __future__ import annotations

from dataclasses import replace

from inkgan.data import DataSet
from inkgan.errors import quantity
from inkgan.evaluation.feature_training import FeatureRecipe, train_features
from inkgan.evaluation.features import HALF_WIDTHS, FeatureCard
from inkgan.evaluation.metrics.intervals import Estimate, binomial
from inkgan.evaluation.reference import ImageFeatures, Reference
from inkgan.evaluation.report import Figure
from inkgan.evaluation.subject import Sample, draw
from inkgan.files import Progress, no_progress
from inkgan.generation.model import Model
from inkgan.images import Images, Labels

_CEILING_VERSION = 2  # raise it when the score changes: its ceiling in the cache is then computed again

#: The recipe of :func:`classification_accuracy`: without warps, which would make up for missing variety.
SCORE_RECIPE = FeatureRecipe(
    epochs=1,
    least_steps=500,
    decorrelation=0.0,
    rotation_degrees=0.0,
    scale=0.0,
    shear=0.0,
    shift=0.0,
    elastic=0.0,
    average_steps=100,
)


def accuracy_score(
    sample: Sample, images: ImageFeatures, reference: Reference, progress: Progress
) -> tuple[list[Figure], list[str]]:
    """Return the classification accuracy score with its ceiling, the score of as many real images; and notes.

    A model with labels draws as many images as there are training images, as in the paper.
    """
    data, train = reference.data, reference.data.train
    if len(data.class_names) < 2:
        given = "one class" if data.class_names else "no labels"
        return [], [f"{data.name} has {given}, so there is no classification accuracy score."]
    if len(train) < SCORE_RECIPE.batch_images:
        count = quantity(len(train), "training image")
        return [], [f"{data.name} has {count}; the classification accuracy score needs {SCORE_RECIPE.batch_images}."]
    pictures, labels, notes = sample.images, sample.labels, []
    name = "classification_accuracy"
    if labels is None:
        name, labels = "classification_accuracy_by_teacher", images.predicted
        notes = [
            "the images have no labels: the accuracy score uses labels that the feature network gave (the teacher)."
        ]
    elif isinstance(sample.subject.source, Model):
        more = draw(sample.subject, len(train), sample.seed, data, progress)
        assert more.labels is not None
        pictures, labels = more.images, more.labels
    real = train[reference.some_training(len(pictures))]

    def learn(images: Images, labels: Labels, seed: int, doing: str) -> Estimate:
        return classification_accuracy(images, labels, data, seed, lambda _, done: progress(doing, done))

    def ceiling() -> dict[str, Estimate]:
        assert real.labels is not None
        return {"ceiling": learn(real.images, real.labels, 0, "learning real images")}

    floor = reference.cached(f"ceiling-n{len(pictures)}", _CEILING_VERSION, ceiling)["ceiling"]
    score = learn(pictures, labels, sample.seed, "learning the images")
    return [Figure.of(name, score, floor)], notes


def classification_accuracy(
    images: Images, labels: Labels, real: DataSet, seed: int, progress: Progress = no_progress
) -> Estimate:
    """Measure the classification accuracy score of images with labels.

    It is the share of test images (x, y) with y = argmax q(y|x), where q is learned from samples of p_generator(x, y).
    It is lower if images are wrong or have the wrong label, or if kinds of real images are missing. The interval is
    Wilson's over the test images; it does not cover the variation over seeds of the classifier.

    Args:
        images: uint8 [N, H, W, C], N >= 128.
        labels: int64 [N], in the numbering of the real data.
        real: the real images; the classifier is tested on their labelled test split.
        seed: the seed of the classifier's weights, batches and dropout; the same seed gives the same figure.
        progress: called every hundred steps and at the end.
    """
    card = FeatureCard(name="probe", image_shape=real.image_shape, class_names=real.class_names, widths=HALF_WIDTHS)
    network = train_features(images, labels, card, replace(SCORE_RECIPE, seed=seed), progress)
    right = network.probabilities(real.test.images).argmax(1) == real.test.labels
    return replace(binomial(int(right.sum()), len(right)), n=len(images))
