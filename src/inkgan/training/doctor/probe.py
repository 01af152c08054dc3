"""The doctor's look into a run: its signals on 64 fixed latents and 256 fixed real images.

A run takes a look every ``watch.doctor_every`` steps.

:class:`Probe` computes signals with the pure functions below it: images, logits and activations in, one number out.

Nothing here changes what the run learns: it draws no random number from the run's streams for training, and it changes
no weight and no global state.
"""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inkgan.config import Config
from inkgan.data import DataSet, Split
from inkgan.data.pixels import dark_and_light
from inkgan.device import to_device
from inkgan.generation.numpy_networks import softmax
from inkgan.images import Labels, to_uint8
from inkgan.networks.compact import Convolution
from inkgan.seeds import Stream, latents
from inkgan.training.doctor.rules import DRAWN_AS, UNCLEAR
from inkgan.training.recipe import Recipe

Array = NDArray[np.floating[Any]]

#: The number of latents.
COUNT = 64
#: The number of training images, and of held-out images. A look takes longer with more, but they alone show memorising.
REAL_COUNT = 128
#: The largest number of classes among the latents, so that each class has some images to compare.
_MOST_CLASSES = 16
#: The number of latents that the average of the generator draws.
_AVERAGED_COUNT = 32
#: The number of images for which the layers are watched.
_WATCHED_COUNT = 16
#: Images count as identical if they are equal when rounded to this many grey levels, which hides invisible differences.
_LEVELS = 16
#: A class looks like another one only if the classifier finds that so many times as probable as by chance.
_TIMES_CHANCE = 1.5
#: What the classifier gets wrong on real images excuses the generator no further than if it got half of them right.
_LEAST_KNOWN = 0.5


class Probe:
    """Looks at a recipe with a fixed set of latents and real images.

    Args:
        recipe: the recipe that trains.
        data: the images that it learns from.
        config: the run's settings.
        device: where the recipe computes.
    """

    def __init__(self, recipe: Recipe, data: DataSet, config: Config, device: torch.device) -> None:
        self._recipe = recipe
        self._has_classifier = config.class_weight > 0  # else its scores are those of random weights
        self._batches_in_an_epoch = len(data.train) / config.batch_size
        classes = max(1, recipe.num_classes)  # without labels, all images are of one class
        self._labels = _labels(classes, COUNT)

        def given(labels: Labels) -> Tensor | None:
            return to_device(labels, device) if recipe.num_classes else None

        z = to_device(latents(config.seed, Stream.FIXED_LATENTS, 0, COUNT, recipe.latent_dim), device)
        self._inputs_of_learner = z, given(self._labels)
        self._inputs_of_average = z[:_AVERAGED_COUNT], given(self._labels[:_AVERAGED_COUNT])
        held_out = data.validation if len(data.validation) else data.test
        wanted = _labels(classes, REAL_COUNT) if recipe.num_classes else None
        self._seen, self._seen_labels = _chosen(data.train, wanted)
        self._unseen, self._unseen_labels = _chosen(held_out, wanted)
        # NaN if no class has two different images; look() leaves out signals that are not finite.
        self._real_spread = spread_within_classes(self._seen, self._seen_labels) or math.nan
        self._real = to_device(np.concatenate([self._seen, self._unseen]), device)
        self._all_labels = given(np.concatenate([self._labels, self._seen_labels, self._unseen_labels]))

    @torch.no_grad()
    @np.errstate(over="ignore", invalid="ignore")  # of a run that diverges; what is not finite is left out
    def look(self, batch: Tensor) -> dict[str, float]:
        """Return the signals by name.

        Args:
            batch: the real images [N, H, W, C] that the last step learned from, as the recipe got them.
        """
        recipe = self._recipe
        with _watched(recipe.networks.get("learner", recipe.networks["generator"])) as in_generator:
            drawn = recipe.draw_learner(*self._inputs_of_learner)
        average = recipe.draw(*self._inputs_of_average)
        with _watched(recipe.networks["discriminator"]) as in_discriminator:
            logits, scores = recipe.discriminate(torch.cat([drawn.to(self._real.dtype), self._real]), self._all_labels)
        found = self._of_images(_array(drawn), _array(average), _array(batch))
        found |= self._of_logits(_array(logits[:COUNT]), _array(logits[COUNT:]))
        if scores is not None and self._has_classifier:
            found |= self._of_classes(_array(scores[:COUNT]), _array(scores[COUNT:]))
        found["stuck_generator"] = share_of_stuck(in_generator)
        found["stuck_discriminator"] = share_of_stuck(in_discriminator)
        found["batches_in_an_epoch"] = self._batches_in_an_epoch
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def _of_images(self, fake: Array, averaged: Array, batch: Array) -> dict[str, float]:
        """Return signals of the images of the learner and of its average, in units of the real images' spread."""
        spread = self._real_spread
        dark, light = dark_and_light(to_uint8(np.clip(batch, 0, 1)))
        found = {
            "spread": spread_within_classes(fake, self._labels) / spread,
            "spread_average": spread_within_classes(averaged, self._labels[: len(averaged)]) / spread,
            "identical": share_of_identical(fake),
            "brightness": float(fake.mean()) - float(batch.mean()),
            "range": difference_of_ranges(batch, fake),
            "dark_ink": dark - light,
        }
        if "learner" in self._recipe.networks:
            found["from_average"] = distance(fake[: len(averaged)], averaged) / spread
        return found

    def _of_logits(self, fake: Array, real: Array) -> dict[str, float]:
        seen, unseen = real[: len(self._seen)], real[len(self._seen) :]
        return {
            "margin": margin(seen, fake),
            "margin_held_out": margin(unseen, fake),
            "order": area_under_roc(seen, fake),
            "order_held_out": area_under_roc(unseen, fake),
            "separation": separation(unseen, fake),
            "memory": area_under_roc(seen, unseen),
        }

    def _of_classes(self, fake: Array, real: Array) -> dict[str, float]:
        """Return signals of the drawn classes, as the discriminator's own classifier sees them."""
        asked = np.unique(self._labels)
        held_out = np.unique(self._unseen_labels)
        of_seen, of_unseen = softmax(real[: len(self._seen)]), softmax(real[len(self._seen) :])
        known = drawn_as(of_unseen, self._unseen_labels, held_out)
        # Not held-out images, since the training images may lack a class: then, the classifier does not know it either.
        learned = drawn_as(of_seen, self._seen_labels, asked)
        table = drawn_as(softmax(fake), self._labels, asked)
        often = times_drawn(table, learned, asked)
        wrongly = shares_drawn_wrongly(table, learned, asked)
        instead = drawn_instead(wrongly)[asked]
        row, column = np.unravel_index(np.argmax(wrongly), wrongly.shape)
        found = {
            "classes_known": float(known[np.arange(len(held_out)), held_out].mean()),
            "rarest": float(often.min()),
            "rarest_class": float(asked[often.argmin()]),
            "drawn_instead": float(instead.max()),
            "drawn_instead_class": float(asked[instead.argmax()]),
            "drawn_wrongly": float(wrongly[row, column]),
            "drawn_wrongly_class": float(asked[row]),
            "drawn_wrongly_as": float(column),
        }
        for label, probabilities in zip(asked, table, strict=True):
            is_clear = probabilities.max() * len(probabilities) > _TIMES_CHANCE
            found[f"{DRAWN_AS}{label}"] = float(probabilities.argmax()) if is_clear else UNCLEAR
        return found


def _labels(classes: int, count: int) -> Labels:
    """Return the classes of some images, in turn; if there are too many classes, evenly spaced ones."""
    shown = np.unique(np.linspace(0, classes - 1, min(classes, _MOST_CLASSES)).astype(np.int64))
    return shown[np.arange(count) % len(shown)]


def _chosen(split: Split, wanted: Labels | None) -> tuple[NDArray[np.float32], Labels]:
    """Choose real images of the wanted classes, or from all over the data as of one class; return them with labels."""
    # Evenly spaced, because the images of a folder come class by class.
    places = np.linspace(0, len(split) - 1, min(REAL_COUNT, len(split))).astype(np.int64)
    labels = np.zeros(len(split), np.int64)
    if split.labels is not None and wanted is not None:
        labels = split.labels
        found = in_turn(labels, wanted)
        places = found if len(found) else places  # a small held-out split may have none of these classes
    return np.asarray(split.images[places], np.float32) / np.float32(255), labels[places]


@contextlib.contextmanager
def _watched(network: nn.Module) -> Iterator[list[bool]]:
    """Collect for each unit of the hidden convolutions whether it is stuck; see :func:`share_of_stuck`."""
    stuck: list[bool] = []

    def note(layer: nn.Module, _inputs: object, output: Tensor) -> None:
        maps = output if isinstance(layer, Convolution) else output.movedim(-3, -1)  # PyTorch's are [N, C, H, W]
        low, high = torch.aminmax(maps[:_WATCHED_COUNT].flatten(0, -2), dim=0)
        changes_sign = (high > 0) & (low < 0)
        stuck.extend((~changes_sign).tolist())

    layers = [layer for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d) and name != "last"]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    try:
        yield stuck
    finally:
        for hook in hooks:
            hook.remove()


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.detach().float().cpu().numpy()


def area_under_roc(higher: Array, lower: Array) -> float:
    """Return the share of pairs (i, j) with ``higher[i] > lower[j]``; ties count half, and two equal groups give 0.5.

    This is the area under the ROC curve (Hanley and McNeil, 1982). A common offset or scale of all values does not
    change it, so it means the same with losses whose logits have no zero.

    Args:
        higher: values [N] that ought to be higher.
        lower: values [M].
    """
    difference = higher[:, None].astype(np.float64) - lower[None, :]
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))


def margin(higher: Array, lower: Array) -> float:
    """Return the difference between the means of two groups of logits [N] and [M]."""
    return float(np.mean(higher, dtype=np.float64) - np.mean(lower, dtype=np.float64))


def separation(higher: Array, lower: Array) -> float:
    """Return the distance between the means of two groups of logits [N] and [M] in standard deviations: Cohen's d.

    As with :func:`area_under_roc`, offset and scale do not matter; but it keeps growing after all pairs are in order.
    """
    within = (np.var(higher, dtype=np.float64) + np.var(lower, dtype=np.float64)) / 2
    return margin(higher, lower) / float(np.sqrt(within)) if within > 0 else 0.0


def spread_within_classes(images: Array, labels: Labels) -> float:
    """Return the mean squared distance between two different images of one class, over all such pairs.

    For n images of a class it is twice their variance: ``2 (Σ|x|² - |Σx|²/n) / (n - 1)``.

    Args:
        images: [N, ...] in [0, 1].
        labels: [N].

    Returns:
        NaN if no class has two images.
    """
    flat = images.reshape(len(images), -1).astype(np.float64)
    total, pairs = 0.0, 0
    for label in np.unique(labels):
        own = flat[labels == label]
        count = len(own)
        distances = count * np.sum(own * own) - np.sum(own.sum(0) ** 2)  # Σ ‖xᵢ - xⱼ‖² over i < j = n Σ ‖xᵢ‖² - ‖Σ xᵢ‖²
        total += max(0.0, float(distances))
        pairs += count * (count - 1) // 2
    return total / pairs if pairs else np.nan


def share_of_identical(images: Array) -> float:
    """Return the share of images [N, ...] in [0, 1] that equal another one when rounded to 16 grey levels."""
    levels = np.clip(np.rint(images.reshape(len(images), -1) * (_LEVELS - 1)), 0, 255).astype(np.uint8)
    counts = Counter(image.tobytes() for image in levels)  # np.unique(axis=0) takes forty times as long
    return sum(count for count in counts.values() if count > 1) / len(levels)


def distance(images: Array, others: Array) -> float:
    """Return the mean squared distance between each image [N, ...] and the one at the same place in ``others``."""
    squares = np.square(images.astype(np.float64) - others)
    return float(squares.reshape(len(squares), -1).sum(1).mean())


def difference_of_ranges(real: Array, generated: Array) -> float:
    """Return the difference between the smallest or between the largest pixels of two groups, whichever is larger."""
    low = abs(float(real.min()) - float(generated.min()))
    high = abs(float(real.max()) - float(generated.max()))
    return max(low, high)


def share_of_stuck(stuck: Sequence[bool]) -> float:
    """Return the share of units that are on one side of zero for every image at every place.

    A leaky rectifier whose input never changes its sign is linear, so the network could do without that unit.
    """
    return sum(stuck) / len(stuck) if stuck else np.nan


def drawn_as(probabilities: Array, labels: Labels, rows: Labels) -> Array:
    """Compare the requested classes of images with the classes that a classifier sees: a soft confusion matrix.

    Args:
        probabilities: the classifier's probabilities [N, K].
        labels: the requested classes [N], 0 to K - 1.
        rows: the classes [R] that have a row, in order: a row for each of thousands would take gigabytes.

    Returns:
        [R, K]: row i has the mean probability of each class over the images of requested class ``rows[i]``; rows of
        classes that were not requested are NaN.
    """
    table = np.full((len(rows), probabilities.shape[1]), np.nan)
    for label in np.unique(labels):
        table[rows == label] = probabilities[labels == label].mean(0)
    return table


def times_drawn(drawn: Array, real: Array, rows: Labels) -> Array:
    """Return how often each class is drawn, relative to how often it is asked for.

    A class that the classifier overlooks is compared with how often it sees that class on real images. It may overlook
    half of them: if it overlooks more, perhaps no batch held that class, so that the generator has not learned it
    either.

    Args:
        drawn: the table of :func:`drawn_as` for generated images, [R, K].
        real: the table for training images. A class without training images counts as never overlooked.
        rows: the classes that have a row.

    Returns:
        float [R], for these classes.
    """
    seen = _without_gaps(real, rows).sum(0)
    return (drawn.sum(0) / np.clip(seen, _LEAST_KNOWN, 1))[rows]


def shares_drawn_wrongly(drawn: Array, real: Array, rows: Labels) -> Array:
    """Return the share of each requested class that is drawn as each other one.

    If the share s of class i is drawn as class j, and the rest looks like real images of class i, then the classifier
    sees class j with the probability ``drawn[i, j] = (1 - s) real[i, j] + s real[j, j]``, so
    ``s = (drawn[i, j] - real[i, j]) / (real[j, j] - real[i, j])``.

    Args:
        drawn: as in :func:`times_drawn`.
        real: as in :func:`times_drawn`. A class without training images counts as always seen correctly.
        rows: as in :func:`times_drawn`.

    Returns:
        [R, K], at most 1, with 0 for each class drawn as itself. Chance also gives negative shares.
    """
    real = _without_gaps(real, rows)
    itself = np.arange(len(rows)), rows
    as_itself = np.ones(real.shape[1])
    as_itself[rows] = real[itself]
    shares = (drawn - real) / np.maximum(as_itself - real, _LEAST_KNOWN)
    shares[itself] = 0
    return np.minimum(shares, 1)


def drawn_instead(shares: Array) -> Array:
    """Return how often each class is drawn where others were asked for; 1 is as often as one class is asked for.

    Args:
        shares: the table of :func:`shares_drawn_wrongly`, [R, K].

    Returns:
        [K], 0 or more: a negative share of one class does not make up for that of another.
    """
    return np.maximum(shares, 0).sum(axis=0)


def _without_gaps(table: Array, rows: Labels) -> Array:
    """Fill a table of :func:`drawn_as` as if classes without images were always seen correctly."""
    return np.where(np.isnan(table), rows[:, None] == np.arange(table.shape[1]), table)


def in_turn(labels: Labels, wanted: Labels) -> NDArray[np.int64]:
    """Find an image for each wanted class: the next one of that class.

    Args:
        labels: the labels of the images, [N].
        wanted: the classes to find, [M].

    Returns:
        At most M different positions in ``labels``; where a class has no more images, none is found.
    """
    places = {label: iter(np.flatnonzero(labels == label)) for label in np.unique(wanted)}
    found = [next(places[label], None) for label in wanted]
    return np.array([place for place in found if place is not None], np.int64)
