"""The generators in NumPy: drawing images from trained weights without PyTorch.

Each image has a matrix product of its own, because in a product of many images the last bits of a row depend on its
place. So an image has the same bits whether it is drawn alone or with others. The tests compare these forms with the
training networks. :mod:`inkgan.generation.model` finds them in :data:`NUMPY_NETWORKS`; PyTorch draws a network that is
missing there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inkgan.images import Labels, slices
from inkgan.networks.grid import EMBEDDING_DIM, channels_to_blocks, fine_channels, grid_of, slope_of

Array = NDArray[np.float32]
Shape = tuple[int, int, int]

#: The shapes of the tutorial's generator, weights and standing statistics, as saved.
TUTORIAL_SHAPES: Mapping[str, tuple[int, ...]] = {
    "w1": (3136, 100), "b1": (3136,), "beta1": (1,),
    "w2": (50, 1, 3, 3), "b2": (50,), "beta2": (50,),
    "w3": (25, 50, 3, 3), "b3": (25,), "beta3": (25,),
    "w4": (1, 25, 1, 1), "b4": (1,),
    "standing.mean1": (1,), "standing.variance1": (1,), "standing.mean2": (50,), "standing.variance2": (50,),
    "standing.mean3": (25,), "standing.variance3": (25,),
}  # fmt: skip

_EPSILON = np.float32(1e-5)
_FEW = 16  # output channels; for fewer, a convolution is not a matrix product of patches, which would be slow
_CACHED = 2**17  # numbers that stay in the processor's cache: 512 KiB
_SMALL = 10**6  # multiplications in a product of two matrices that OpenBLAS does not copy first
_ROWS = 1024  # rows of a linear layer's weights that stay in the processor's cache for all inputs


def draw_tutorial(
    weights: Mapping[str, NDArray[Any]], latents: Array, *, standing: bool = False
) -> tuple[Array, dict[str, tuple[Array, Array]]]:
    """Draw with the tutorial's generator.

    Args:
        weights: by name, as in :data:`TUTORIAL_SHAPES`.
        latents: [N, 100] float32.
        standing: normalise with the standing statistics among the weights, and not with those of this batch, as the
            tutorial does.

    Returns:
        Images [N, 28, 28, 1] in (0, 1), float32, and the mean and variance that were used, by layer.
    """
    used: dict[str, tuple[Array, Array]] = {}

    def normalise_relu(maps: Array, layer: str) -> Array:
        if standing:
            used[layer] = weights[f"standing.mean{layer}"], weights[f"standing.variance{layer}"]
        else:
            used[layer] = _statistics_of(maps)
        mean, variance = used[layer]
        normal = (maps - mean) / np.sqrt(variance + _EPSILON) + weights[f"beta{layer}"]
        return np.maximum(normal, 0).astype(np.float32)

    x = linear_of(latents, weights["w1"], weights["b1"]).reshape(-1, 56, 56, 1)
    x = normalise_relu(x, "1")
    x = normalise_relu(_halve(x[:, :, :, 0], weights["w2"]) + weights["b2"], "2")
    x = normalise_relu(_double_and_halve(x, weights["w3"]) + weights["b3"], "3")
    x = x @ weights["w4"][:, :, 0, 0].T + weights["b4"]  # resizing first would change nothing: stride 2 skips it
    return _sigmoid(x), used


def _statistics_of(maps: Array) -> tuple[Array, Array]:
    """Return the mean and the variance of each channel of maps [N, H, W, C]."""
    flat = maps.reshape(-1, maps.shape[-1])
    mean = flat.mean(0, dtype=np.float64)
    variance = flat.var(0, dtype=np.float64)
    return mean.astype(np.float32), variance.astype(np.float32)


def measure_standing_statistics(weights: Mapping[str, NDArray[Any]], batches: list[Array]) -> dict[str, Array]:
    """Average the statistics of many batches, each normalised by its own, as a moving average in training would.

    Args:
        weights: the generator's, without standing statistics.
        batches: latents, [N, 100] each.

    Returns:
        The arrays to save, by name.
    """
    measured = [draw_tutorial(weights, latents)[1] for latents in batches]
    result: dict[str, Array] = {}
    for layer in "123":
        means, variances = zip(*(statistics[layer] for statistics in measured), strict=True)
        result[f"standing.mean{layer}"] = np.stack(means).mean(0, dtype=np.float64).astype(np.float32)
        result[f"standing.variance{layer}"] = np.stack(variances).mean(0, dtype=np.float64).astype(np.float32)
    return result


def compact_shapes(image_shape: Shape, num_classes: int, latent_dim: int, channels: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the compact generator's weights; see :class:`inkgan.networks.compact.Generator`."""
    grid, fine = grid_of(image_shape), fine_channels(channels)
    style = latent_dim + (EMBEDDING_DIM if num_classes else 0)
    widths = [channels] + [fine] * (grid.doublings - 1)
    layers: dict[str, tuple[int, ...]] = {"first": (grid.height * grid.width * channels, style)}
    for level, width in enumerate(widths[:-1]):
        layers[f"grow.{level}"] = (4 * fine, width, 3, 3)
        layers[f"refine.{level}"] = (fine, fine, 3, 3)
        layers[f"scales.{2 * level}"] = layers[f"scales.{2 * level + 1}"] = (fine, style)
    layers["last"] = (4 * image_shape[2], widths[-1], 3, 3)
    shapes = {f"{name}.weight": shape for name, shape in layers.items()}
    shapes |= {f"{name}.bias": shape[:1] for name, shape in layers.items()}
    return shapes | ({"embedding": (num_classes, EMBEDDING_DIM)} if num_classes else {})


def draw_compact(
    weights: Mapping[str, Array], description: Mapping[str, Any], latents: Array, labels: Labels | None
) -> Array:
    """Draw with the compact generator.

    Args:
        weights: float32 by name, as in :func:`compact_shapes`.
        description: its ``model.json``; only ``image_shape`` and ``slope`` are used.
        latents: [N, D] float32.
        labels: int64 [N]; None for a generator without labels.

    Returns:
        Images [N, H, W, C] in (0, 1), float32.
    """
    height, width, depth = description["image_shape"]
    grid = grid_of((height, width, depth))
    slope = np.float32(slope_of(description))
    classes, places = np.unique([] if labels is None else labels, return_inverse=True)

    def leaky(maps: Array) -> Array:
        np.maximum(maps, slope * maps, out=maps)
        return maps

    def styled(name: str) -> Array:
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        if labels is None:
            return linear_of(latents, weight, bias)
        # The layer's inputs are a latent and the embedding of a class, whose part is the same for all of the class.
        length = latents.shape[1]
        of_classes = linear_of(weights["embedding"][classes], weight[:, length:], bias)
        return linear_of(latents, weight[:, :length], of_classes[places])

    def scale(number: int) -> Array:
        return 1 + styled(f"scales.{number}")[:, None, None]  # [N, 1, 1, C]

    def convolve(name: str, maps: Array) -> Array:
        maps = convolved(maps, weights[f"{name}.weight"])
        maps += weights[f"{name}.bias"]
        return maps

    maps = leaky(styled("first")).reshape(len(latents), grid.height, grid.width, -1)
    for level in range(grid.doublings - 1):
        maps = leaky(channels_to_blocks(convolve(f"grow.{level}", maps)) * scale(2 * level))
        maps = convolve(f"refine.{level}", maps)
        maps *= scale(2 * level + 1)
        maps = leaky(maps)
    return _sigmoid(channels_to_blocks(convolve("last", maps))[:, :height, :width])


def linear_of(inputs: Array, weight: NDArray[Any], bias: NDArray[Any]) -> Array:
    """Apply a linear layer [O, I] to inputs [N, I], with one product for each input."""
    result = np.empty((len(inputs), 1, len(weight)), np.float32)
    for part in slices(len(weight), _ROWS):
        np.matmul(inputs[:, None], weight[part].T, out=result[:, :, part])
    result = result[:, 0]
    result += bias
    return result


def _sigmoid(x: Array) -> Array:
    return (0.5 + 0.5 * np.tanh(0.5 * x)).astype(np.float32)  # without overflow


def softmax(logits: Array) -> Array:
    """Return the probabilities [N, K] of logits [N, K]."""
    powers: Array = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def in_fast_layout(array: NDArray[Any]) -> NDArray[Any]:
    """Return the same array, in the memory order with which :func:`convolved` and :func:`linear_of` are fastest."""
    if array.ndim == 2:
        return np.asfortranarray(array)
    return np.ascontiguousarray(array.transpose(2, 3, 1, 0)).transpose(3, 2, 0, 1) if array.ndim == 4 else array


def convolved(maps: Array, weight: NDArray[Any], stride: int = 1) -> Array:
    """Convolve maps [N, H, W, C] by kernels [O, C, 3, 3], with one zero of padding on each side."""
    if len(weight) < _FEW and stride == 1:
        return _convolved_to_few(maps, weight)
    n, height, width, channels = maps.shape
    high, wide = -(-height // stride), -(-width // stride)
    padded = np.zeros((n, height + 2, width + 2, channels), np.float32)
    padded[:, 1:-1, 1:-1] = maps
    # Three neighbours of a row lie side by side in memory, so a row of the kernel is one product.
    image, row, column, _ = padded.strides
    shape, strides = (n, height + 2, wide, 3 * channels), (image, row, stride * column, padded.itemsize)
    neighbours = np.lib.stride_tricks.as_strided(padded, shape, strides, writeable=False)
    kernel = weight.transpose(2, 3, 1, 0).reshape(3, 3 * channels, -1)  # without a copy after in_fast_layout
    result = np.empty((n, high * wide, len(weight)), np.float32)
    at_once = max(1, _CACHED // (shape[1] * shape[2] * shape[3]))  # maps whose neighbours stay in the cache
    outputs_at_once = _FEW * max(1, _SMALL // (_FEW * high * wide * 3 * channels))
    for part in slices(n, at_once):
        rows = np.ascontiguousarray(neighbours[part])
        taps = [rows[:, i : i + stride * high : stride].reshape(-1, high * wide, 3 * channels) for i in range(3)]
        for outputs in slices(len(weight), outputs_at_once):
            sums = taps[0] @ kernel[0, :, outputs]
            sums += taps[1] @ kernel[1, :, outputs]
            np.add(sums, taps[2] @ kernel[2, :, outputs], out=result[part, :, outputs])
    return result.reshape(n, high, wide, -1)


def _convolved_to_few(maps: Array, weight: NDArray[Any]) -> Array:
    """Convolve to few channels: multiply every pixel by all taps, and then sum over neighbours.

    The matrix products of :func:`convolved` are slow if one side is short.
    """
    n, height, width, channels = maps.shape
    outputs = len(weight)
    kernel = weight.transpose(2, 3, 0, 1).reshape(-1, channels)
    products = (kernel @ maps.reshape(n, -1, channels).transpose(0, 2, 1)).reshape(n, 3, 3, outputs, height, width)
    sums = np.zeros((n, outputs, height + 2, width + 2), np.float32)
    for i in range(3):
        for j in range(3):
            sums[:, :, 2 - i : 2 - i + height, 2 - j : 2 - j + width] += products[:, i, j]
    return sums[:, :, 1:-1, 1:-1].transpose(0, 2, 3, 1)


def _halve(images: Array, weight: NDArray[Any]) -> Array:
    """Convolve images [N, H, W] by kernels [O, 1, 3, 3] with stride 2; SAME padding puts one zero at the end."""
    padded = np.pad(images, ((0, 0), (0, 1), (0, 1)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))[:, ::2, ::2]  # [N, H/2, W/2, 3, 3]
    return patches.reshape(*patches.shape[:3], 9) @ weight.reshape(-1, 9).T


def _double_and_halve(maps: Array, weight: NDArray[Any]) -> Array:
    """Resize maps [N, H, W, C] to twice the size, and convolve by kernels [O, C, 3, 3] as in :func:`_halve`."""
    result = np.zeros((*maps.shape[:3], len(weight)), np.float32)
    for i, rows in enumerate(_taps(maps, 1)):
        for j, taps in enumerate(_taps(rows, 2)):
            result += taps @ np.ascontiguousarray(weight[:, :, i, j].T)
    return result


def _taps(maps: Array, axis: int) -> list[Array]:
    """Return the values that each of the three taps reads along an axis of the resized maps, at stride 2.

    TensorFlow's legacy bilinear resize puts ``x[i]`` at even and ``(x[i] + x[i+1]) / 2`` at odd positions, repeating
    the last; SAME padding puts a zero after the end.
    """
    rest = np.take(maps, np.arange(1, maps.shape[axis]), axis)
    last = np.take(maps, [-1], axis)
    between = (maps + np.concatenate([rest, last], axis)) / 2
    following = np.concatenate([rest, np.zeros_like(last)], axis)
    return [maps, between, following]


class NumpyNetwork(NamedTuple):
    """The functions that read and draw one kind of generator.

    Attributes:
        shapes: returns the shapes of its arrays by name, for an image shape, a number of classes, the length of a
            latent and a number of channels.
        draw: draws images [N, H, W, C] in (0, 1) from weights, description, latents [N, D] and labels [N] or None;
            each depends on its own latent and label alone.
        fixed: the sizes that every model of this kind has, as in its description.
    """

    shapes: Callable[[Shape, int, int, int], Mapping[str, tuple[int, ...]]]
    draw: Callable[[Mapping[str, Array], Mapping[str, Any], Array, Labels | None], Array]
    fixed: Mapping[str, Any] = {}


#: Every generator with a NumPy form, by the ``network`` of its recipe's ``model_description``.
NUMPY_NETWORKS: Mapping[str, NumpyNetwork] = {
    "compact": NumpyNetwork(compact_shapes, draw_compact),
    "tutorial": NumpyNetwork(
        shapes=lambda *_: TUTORIAL_SHAPES,
        draw=lambda weights, _, latents, __: draw_tutorial(weights, latents, standing=True)[0],
        fixed={"image_shape": [28, 28, 1], "num_classes": 0, "latent_dim": 100, "channels": 50},
    ),
}
