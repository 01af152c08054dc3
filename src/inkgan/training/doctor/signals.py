"""Signals of a run's health as pure functions: images, logits and activations in, one number out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkgan.images import Images, Labels

Array = NDArray[np.floating[Any]]

#: Images that are equal after this many grey levels are called identical: a level is then wider than the differences
#: that nobody sees.
_LEVELS = 16


def pairs_in_order(higher: Array, lower: Array) -> float:
    """The share of pairs (i, j) with ``higher[i] > lower[j]``, equal ones counted by half: 0.5 for two equal groups.

    This is the area under the ROC curve (Hanley and McNeil, 1982). A common offset or scale of all values does not
    change it, so it means the same in games whose logits have no zero.

    Args:
        higher: values [N] that ought to be higher.
        lower: values [M].
    """
    difference = higher[:, None].astype(np.float64) - lower[None, :]
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))


def margin(higher: Array, lower: Array) -> float:
    """The difference of the means of two groups of logits [N] and [M]."""
    return float(np.mean(higher, dtype=np.float64) - np.mean(lower, dtype=np.float64))


def separation(higher: Array, lower: Array) -> float:
    """How far two groups of logits [N] and [M] lie apart, in standard deviations within them: Cohen's d.

    As with :func:`pairs_in_order` offset and scale do not matter, and it goes on growing where no pair is out of order.
    """
    within = (np.var(higher, dtype=np.float64) + np.var(lower, dtype=np.float64)) / 2
    return margin(higher, lower) / float(np.sqrt(within)) if within > 0 else 0.0


def spread_within_classes(images: Array, labels: Labels | None) -> float:
    """The mean squared distance of two different images of one class, over all such pairs.

    For n images of a class it is twice their variance: ``2 (Σ|x|² - |Σx|²/n) / (n - 1)``.

    Args:
        images: [N, ...] in [0, 1].
        labels: [N], or None for images of one kind.

    Returns:
        NaN if no class has two images.
    """
    flat = images.reshape(len(images), -1).astype(np.float64)
    groups = np.zeros(len(flat), np.int64) if labels is None else labels
    total, pairs = 0.0, 0
    for label in np.unique(groups):
        own = flat[groups == label]
        count = len(own)
        squared = count * np.sum(own * own) - np.sum(own.sum(0) ** 2)  # over all unordered pairs
        total += max(0.0, float(squared))
        pairs += count * (count - 1) // 2
    return total / pairs if pairs else np.nan


def share_of_identical(images: Array) -> float:
    """The share of images in [0, 1], [N, ...], that equal another one in 16 grey levels."""
    levels = np.clip(np.rint(images.reshape(len(images), -1) * (_LEVELS - 1)), 0, 255).astype(np.uint8)
    counts = Counter(one.tobytes() for one in levels)
    return sum(count for count in counts.values() if count > 1) / len(levels)


def distance(images: Array, others: Array) -> float:
    """The mean squared distance of each image [N, ...] from the other in its place."""
    squares = np.square(images.astype(np.float64) - others)
    return float(squares.reshape(len(squares), -1).sum(1).mean())


def difference_of_ranges(real: Array, generated: Array) -> float:
    """How much further one group of pixels reaches than the other, below or above: 0 if both have the same range."""
    low = abs(float(real.min()) - float(generated.min()))
    high = abs(float(real.max()) - float(generated.max()))
    return max(low, high)


def share_of_stuck(signs: Sequence[tuple[NDArray[np.bool_], NDArray[np.bool_]]]) -> float:
    """The share of units that are on one side of zero for every image at every place.

    A unit with a leaky rectifier whose input never changes its sign is a linear one: it bends nothing, so the network
    could do without it.

    Args:
        signs: for each layer, which of its units [C] were ever above zero, and which ever below.
    """
    stuck = sum(int(np.sum(~(above & below))) for above, below in signs)
    units = sum(len(above) for above, _ in signs)
    return stuck / units if units else np.nan


def drawn_as(probabilities: Array, labels: Labels) -> Array:
    """What images that were asked for as one class are taken for.

    Args:
        probabilities: the classifier's [N, K].
        labels: what was asked for, [N]; 0 to K - 1.

    Returns:
        [K, K]: the mean probability of each class among the images asked for as class i, in row i; rows of classes
        that were not asked for are NaN.
    """
    classes = probabilities.shape[1]
    table = np.full((classes, classes), np.nan)
    for label in np.unique(labels):
        table[label] = probabilities[labels == label].mean(0)
    return table


def softmax(scores: Array) -> Array:
    """Probabilities [N, K] of scores [N, K]."""
    shifted = np.exp(scores - scores.max(1, keepdims=True))
    return np.asarray(shifted / shifted.sum(1, keepdims=True))


def in_turn(labels: Labels | None, wanted: Labels | None, count: int, available: int) -> NDArray[np.int64]:
    """Where to find images of wanted classes: for each label the next one of its class, and the first after the last.

    Args:
        labels: of the images that there are, [available], or None.
        wanted: the classes to find, [count], or None for any.
        count: how many to find.
        available: how many images there are.

    Returns:
        At most ``count`` positions; a class of which there are no images is left out.
    """
    if labels is None or wanted is None:
        return np.arange(min(count, available))
    places = {label: np.flatnonzero(labels == label) for label in np.unique(wanted)}
    used = dict.fromkeys(places, 0)
    found = []
    for label in wanted:
        if len(places[label]):
            found.append(places[label][used[label] % len(places[label])])
            used[label] += 1
    return np.array(found, np.int64)


def as_floats(images: Images) -> NDArray[np.float32]:
    """Images uint8 as float32 in [0, 1]."""
    return np.asarray(images, np.float32) / np.float32(255)
