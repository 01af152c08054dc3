"""Legible digits: two readers in NumPy; digits that they cannot read are drawn again.

The small first reader reads every digit. If it is certain, the digit stays. If it reads the digit without being
certain, the digit classifier of :mod:`inkgan.evaluation.features`, which takes 20 times as many operations, has to
agree. That module needs PyTorch; here one forward pass in NumPy is enough, and a test compares the two.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple, SupportsFloat

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from inkgan.errors import CheckpointError, InkganWarning, number_between
from inkgan.files import from_json, read_regular, sha256_of
from inkgan.generation.numpy_networks import Array, convolved, in_fast_layout, linear_of, softmax
from inkgan.images import Images, slices

#: Draws images uint8 [N, H, W] for latents [N, D] and the indices of classes [N].
Draw = Callable[[Array, NDArray[np.int64]], Images]

#: The probability below which a digit is drawn again, and the largest that can be asked for.
LEGIBLE = 0.99
MOST_LEGIBLE = 0.9999
_MODELS = Path(__file__).parents[1] / "models"
_SIDE = 28  # of the images that the readers read
_CHUNK = 32  # images that are read at once, which bounds the memory
_GRID = 4
#: The factors that multiply a latent whose digit cannot be read, tried in this order.
_FACTORS = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0)


class Reader(NamedTuple):
    """A network that reads digits: 3x3 convolutions, pooling to 4x4, a hidden layer and the classes.

    Attributes:
        name: the name of its folder among the bundled models.
        halving: the indices of its convolutions with stride 2.
    """

    name: str
    halving: tuple[int, ...]


FIRST_READER = Reader("first-reader", (0, 1, 2))
CLASSIFIER = Reader("digit-features", (1, 3))
#: From this probability on, the first reader decides alone.
CERTAIN = 0.999


def valid_legible(legible: SupportsFloat) -> float:
    """Return the probability below which digits are drawn again; 0 draws none again.

    Raises:
        ConfigError: it is out of range.
    """
    complaint = f"legible {{}} is out of range. It runs from 0, which takes digits as they come, to {MOST_LEGIBLE}."
    # In float32, as the probabilities that it is compared with: one that passes must not be warned of.
    return float(np.float32(number_between(legible, complaint, 0, MOST_LEGIBLE)))


class Legible(NamedTuple):
    """Digits, and the probabilities with which they are read.

    Attributes:
        images: uint8 [N, H, W].
        probabilities: of each digit's own class, float32 [N]; see :func:`probability_of_digit`.
        factors: the factor of each latent, 1 if the digit was drawn once; [N].
    """

    images: Images
    probabilities: Array
    factors: NDArray[np.float64]


def made_legible(
    draw: Draw, images: Images, latents: Array, labels: NDArray[np.int64], digits: NDArray[np.int64], legible: float
) -> Legible:
    """Draw again the digits that are read with a lower probability than ``legible`` (see :func:`probability_of_digit`).

    Such a digit's latent is multiplied by 0.9, 0.8, ... 0 until it can be read. The shorter the latent, the closer its
    digit is to the mean of its class: this is truncation (Brock et al., "Large scale GAN training", 2019, section 3.1),
    applied only to the digits that need it. If no factor is enough, the digit with the highest probability is taken.

    Args:
        draw: the generator.
        images: the images that it drew for these latents and labels.
        latents: float32 [N, D].
        labels: the index of each one's class, int64 [N].
        digits: the digit that each should be, 0 to 9, int64 [N].
        legible: 0 to 0.9999; with 0 no digit is read, and all probabilities are NaN.

    Returns:
        The digits. Each depends on its own latent and label alone.
    """
    images = np.array(images)
    factors = np.ones(len(images))
    if not legible:
        return Legible(images, np.full(len(images), np.nan, np.float32), factors)
    probability = probability_of_digit(images, digits, legible)
    for factor in _FACTORS:
        illegible = np.flatnonzero(probability < legible)
        if not len(illegible):
            break
        redrawn = np.asarray(draw(latents[illegible] * np.float32(factor), labels[illegible]))
        redrawn_probability = probability_of_digit(redrawn, digits[illegible], legible)
        is_better = redrawn_probability > probability[illegible]
        better = illegible[is_better]
        images[better] = redrawn[is_better]
        probability[better] = redrawn_probability[is_better]
        factors[better] = factor
    return Legible(images, probability, factors)


def warn_of_illegible(probabilities: Iterable[float | None], legible: float) -> bool:
    """Warn if a digit is not as legible as it should be; return whether there is one.

    The warning is the same for all digits: of a data set in many shards, it is given once.
    """
    is_illegible = any(probability is not None and probability < legible for probability in probabilities)
    if is_illegible:
        warnings.warn(
            f"not every digit is read with a probability of {legible:g}: the best of all that were drawn is taken. "
            "A lower --legible (legible=) accepts more digits. Labels of written texts have the probability of each.",
            InkganWarning,
            stacklevel=3,
        )
    return is_illegible


def probability_of_digit(images: Images, digits: NDArray[np.int64], legible: float) -> Array:
    """Return the probability with which each image is read as its digit.

    If the first reader is certain (as it is of most digits), or its probability is below ``legible``, so that the digit
    fails, this is the first reader's probability. In between, it is the product of the first reader's and the
    classifier's: the probability that both are right, if their errors are independent.

    Args:
        images: uint8 [N, H, W], 0 paper, 255 ink.
        digits: the digit that each should be, 0 to 9, int64 [N].
        legible: the least probability with which a digit passes.

    Returns:
        float32 [N]; each depends on its own image alone.
    """
    probability = probabilities(images, FIRST_READER)[np.arange(len(images)), digits]
    unsure = np.flatnonzero((probability >= legible) & (probability < CERTAIN))
    probability[unsure] *= probabilities(images[unsure], CLASSIFIER)[np.arange(len(unsure)), digits[unsure]]
    return probability


def probabilities(images: Images, reader: Reader = CLASSIFIER) -> Array:
    """Return the probability that a reader gives each digit, 0 to 9.

    Args:
        images: uint8 [N, H, W], 0 paper, 255 ink; resized if they are not 28x28.
        reader: the reader.

    Returns:
        float32 [N, 10], rows summing to 1; row i depends on image i alone.

    Raises:
        CheckpointError: the reader's files are missing or damaged.
    """
    weights = weights_of(reader)
    rows = [np.zeros((0, 10), np.float32)]
    for part in slices(len(images), _CHUNK):
        ink = _resized(images[part])[..., None].astype(np.float32) / np.float32(255)
        rows.append(softmax(_logits(weights, reader.halving, ink)))
    return np.concatenate(rows)


def _resized(images: Images) -> Images:
    """Resize images [N, H, W] to [N, 28, 28]."""
    size = (_SIDE, _SIDE)
    if images.shape[1:] == size:
        return images
    from PIL import Image

    return np.stack([np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)) for image in images])


def _logits(weights: dict[str, Array], halving: tuple[int, ...], maps: Array) -> Array:
    """Return the logits [N, 10] of images [N, 28, 28, 1] in [0, 1], as ``inkgan.evaluation.features.FeatureLayers``."""
    number = 0
    while f"convolutions.{number}.weight" in weights:
        maps = convolved(maps, weights[f"convolutions.{number}.weight"], 2 if number in halving else 1)
        maps += weights[f"convolutions.{number}.bias"]
        np.maximum(maps, 0, out=maps)
        number += 1
    if maps.shape[1:3] != (_GRID, _GRID):
        n, height, width, channels = maps.shape
        maps = _pooling(height) @ maps.reshape(n, height, width * channels)
        maps = _pooling(width) @ maps.reshape(n, _GRID, width, channels)
    flat = maps.transpose(0, 3, 1, 2).reshape(len(maps), -1)
    features = linear_of(flat, weights["hidden.weight"], weights["hidden.bias"])
    return linear_of(np.maximum(features, 0), weights["classes.weight"], weights["classes.bias"])


def _pooling(length: int) -> Array:
    """Return the weights [4, length] of PyTorch's adaptive pooling: means over four parts, which may overlap."""
    weights = np.zeros((_GRID, length), np.float32)
    for part in range(_GRID):
        start, end = part * length // _GRID, -(-(part + 1) * length // _GRID)
        weights[part, start:end] = 1 / (end - start)
    return weights


@cache
def weights_of(reader: Reader) -> dict[str, Array]:
    """Read a reader's weights in float32, by name.

    Raises:
        CheckpointError: the files are missing or damaged.
    """
    folder = _MODELS / reader.name
    file = folder / "weights.safetensors"
    try:
        card = from_json(read_regular(folder / "card.json"))
        if sha256_of(file) != card["sha256"]:
            raise CheckpointError(f"{file} is damaged or was replaced. Install inkgan again.")
        return {name: in_fast_layout(array.astype(np.float32)) for name, array in load_file(file).items()}
    except (OSError, json.JSONDecodeError, LookupError, TypeError) as error:
        raise CheckpointError(f"{folder} holds no reader's weights: {error}. Install inkgan again.") from None
