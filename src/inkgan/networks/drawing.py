"""The generators in NumPy: drawing images from trained weights without PyTorch.

Sampling needs neither gradients nor speed records, so one short implementation serves every model on every machine.
``tests/test_networks.py`` holds it to the training networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
#: Mean and variance by layer: what a batch was, or shall be, normalised with.
Statistics = dict[str, tuple[Array, Array]]

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


def draw_tutorial(
    weights: Mapping[str, NDArray[Any]], latents: Array, by: Statistics | None = None
) -> tuple[Array, Statistics]:
    """Draw with the tutorial's generator.

    Args:
        weights: by name, as in :data:`TUTORIAL_SHAPES`.
        latents: [N, 100] float32.
        by: the statistics to normalise with; None takes those of this batch, as the tutorial does.

    Returns:
        Images [N, 28, 28, 1] in (0, 1), float32, and the statistics that were used.
    """
    used: Statistics = {}

    def normalise_relu(maps: Array, layer: str) -> Array:
        if by is None:
            flat = maps.reshape(-1, maps.shape[-1])
            used[layer] = (
                flat.mean(0, dtype=np.float64).astype(np.float32),
                flat.var(0, dtype=np.float64).astype(np.float32),
            )
        else:
            used[layer] = by[layer]
        mean, variance = used[layer]
        normal = (maps - mean) / np.sqrt(variance + _EPSILON) + weights[f"beta{layer}"]
        result: Array = np.maximum(normal, 0).astype(np.float32)
        return result

    x = (latents @ weights["w1"].T + weights["b1"]).reshape(-1, 56, 56, 1)
    x = normalise_relu(x, "1")
    x = normalise_relu(_halve(x[:, :, :, 0], weights["w2"]) + weights["b2"], "2")
    x = normalise_relu(_double_and_halve(x, weights["w3"]) + weights["b3"], "3")
    x = x @ weights["w4"][:, :, 0, 0].T + weights["b4"]  # resizing first would change nothing: stride 2 skips it
    return (0.5 + 0.5 * np.tanh(0.5 * x)).astype(np.float32), used  # the sigmoid, without overflow


def standing_statistics(weights: Mapping[str, NDArray[Any]]) -> Statistics:
    """The standing statistics that were saved with the weights."""
    return {layer: (weights[f"standing.mean{layer}"], weights[f"standing.variance{layer}"]) for layer in "123"}


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


def _halve(images: Array, weight: NDArray[Any]) -> Array:
    """A 3×3 convolution [O, 1, 3, 3] of images [N, H, W] with stride 2; SAME padding puts one zero at the end."""
    padded = np.pad(images, ((0, 0), (0, 1), (0, 1)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))[:, ::2, ::2]  # [N, H/2, W/2, 3, 3]
    result: Array = patches.reshape(*patches.shape[:3], 9) @ weight.reshape(-1, 9).T
    return result


def _double_and_halve(maps: Array, weight: NDArray[Any]) -> Array:
    """Resize maps [N, H, W, C] to twice the size, then a 3×3 convolution [O, C, 3, 3] as in :func:`_halve`."""
    result = np.zeros((*maps.shape[:3], len(weight)), np.float32)
    for i, rows in enumerate(_taps(maps, 1)):
        for j, taps in enumerate(_taps(rows, 2)):
            result += taps @ np.ascontiguousarray(weight[:, :, i, j].T)
    return result


def _taps(maps: Array, axis: int) -> list[Array]:
    """What each of three taps reads along an axis of the resized maps, at stride 2.

    TensorFlow's legacy bilinear resize puts ``x[i]`` at even and ``(x[i] + x[i+1]) / 2`` at odd positions, repeating
    the last; SAME padding puts a zero after the end.
    """
    rest = np.take(maps, np.arange(1, maps.shape[axis]), axis)
    last = np.take(maps, [-1], axis)
    return [
        maps,
        (maps + np.concatenate([rest, last], axis)) / 2,
        np.concatenate([rest, np.zeros_like(last)], axis),
    ]
