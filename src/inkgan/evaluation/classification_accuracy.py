"""The classification accuracy score: a classifier learns from the images alone, and is tested on real ones.

Ravuri and Vinyals (2019), section 3, also known as GAN-train.
"""

from __future__ import annotations

from dataclasses import replace

from inkgan.data import DataSet, Split
from inkgan.errors import quantity
from inkgan.evaluation.feature_training import FeatureRecipe, train_features
from inkgan.evaluation.features import HALF_WIDTHS, FeatureCard
from inkgan.evaluation.metrics.intervals import Estimate, rate
from inkgan.evaluation.reference import ImageFeatures, Reference
from inkgan.evaluation.report import Figure
from inkgan.evaluation.subject import Sample, draw
from inkgan.files import Progress, no_progress
from inkgan.generation.model import Model

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
    name, examples, notes = "classification_accuracy", Split(sample.images, sample.labels), []
    if examples.labels is None:
        name, examples = "classification_accuracy_by_teacher", Split(sample.images, images.predicted)
        notes = [
            "the images have no labels: the accuracy score uses labels that the feature network gave (the teacher)."
        ]
    elif isinstance(sample.subject.source, Model):
        more = draw(sample.subject, len(train), sample.seed, data, progress)
        examples = Split(more.images, more.labels)
    real = train[reference.training_indices(len(examples))]

    def ceiling() -> dict[str, Estimate]:
        return {"ceiling": classification_accuracy(real, data, 0, progress, "learning real images")}

    floor = reference.cached(f"ceiling-n{len(examples)}", _CEILING_VERSION, ceiling)["ceiling"]
    score = classification_accuracy(examples, data, sample.seed, progress, "learning the images")
    return [Figure.of(name, score, floor)], notes


def classification_accuracy(
    examples: Split, real: DataSet, seed: int, progress: Progress = no_progress, doing: str = "learning"
) -> Estimate:
    """Measure the classification accuracy score of images with labels.

    It is the share of test images (x, y) with y = argmax q(y|x), where q is learned from samples of p_generator(x, y).
    It is lower if images are wrong or have the wrong label, or if kinds of real images are missing. The interval is
    Wilson's over the test images; it does not cover the variation over seeds of the classifier.

    Args:
        examples: N >= 128 images, with labels in the numbering of the real data.
        real: the real images; the classifier is tested on their labelled test split.
        seed: the seed of the classifier's weights, batches and dropout; the same seed gives the same figure.
        progress: called every hundred steps and at the end.
        doing: the name of the work, for ``progress``.
    """
    card = FeatureCard(name="probe", image_shape=real.image_shape, class_names=real.class_names, widths=HALF_WIDTHS)
    network = train_features(examples, card, replace(SCORE_RECIPE, seed=seed), progress, doing)
    return replace(rate(network.probabilities(real.test.images).argmax(1) == real.test.labels), n=len(examples))
