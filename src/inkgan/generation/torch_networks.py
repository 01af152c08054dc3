"""Networks that PyTorch computes on the processor: generators without a NumPy form, and discriminators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inkgan import networks
from inkgan.device import usual_arithmetic
from inkgan.errors import CheckpointError
from inkgan.images import Images, Labels, slices

if TYPE_CHECKING:
    from torch import Tensor, nn

#: The number of images that a generator draws at a time.
CHUNK = 32
_AT_ONCE = 256

#: The shapes of a network's arrays by name, and the types of those that are neither float32 nor shorter floats.
Layout = tuple[dict[str, tuple[int, ...]], dict[str, np.dtype[Any]]]
Draw = Callable[[NDArray[np.float32], Labels | None], NDArray[np.float32]]


def layout_of(build: Callable[[Mapping[str, Any]], nn.Module], description: Mapping[str, Any]) -> Layout:
    """Return the layout of the arrays of a network that is built from a description."""
    with networks.building():
        tensors = build(description).state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    others = {name: one for name, one in tensors.items() if one.itemsize > 4 or not one.is_floating_point()}
    return shapes, {name: tensor.numpy().dtype for name, tensor in others.items()}


def draw_function(description: Mapping[str, Any], weights: Mapping[str, NDArray[Any]]) -> Draw:
    """Return a function that draws up to 32 images [N, H, W, C] in [0, 1] for latents [N, D] and labels [N] or None.

    It always computes 32 images, so that no image depends on their number.

    Args:
        description: ``model.json``.
        weights: by name, with the shapes that :func:`layout_of` gives.

    Raises:
        CheckpointError: there is no such network, or (when images are drawn) it returns something other than images.
        MissingExtraError: PyTorch is not installed.
    """
    network = _with_weights(networks.build_generator, description, weights)

    def draw(latents: NDArray[np.float32], labels: Labels | None) -> NDArray[np.float32]:
        import torch

        missing = CHUNK - len(latents)
        given = [torch.from_numpy(np.pad(latents, ((0, missing), (0, 0))))]
        if labels is not None:
            given.append(torch.from_numpy(np.pad(labels, (0, missing))))
        with usual_arithmetic(), torch.inference_mode():
            images: NDArray[np.float32] = network(*given).float().numpy()
        expected = (CHUNK, *description["image_shape"])
        if images.shape != expected or not np.isfinite(images).all():
            raise CheckpointError(
                f"the network {description['network']!r} returns {list(images.shape)}, or numbers that are not "
                f"finite; its images must be finite and of shape {list(expected)}."
            )
        return images[: len(latents)]

    return draw


def logits_of(
    description: Mapping[str, Any], weights: Mapping[str, NDArray[Any]], images: Images, labels: Labels | None
) -> NDArray[np.float32]:
    """Return a discriminator's logits.

    Args:
        description: ``model.json`` of the generator that was trained with it.
        weights: by name, with the shapes that :func:`layout_of` gives.
        images: uint8 [N, H, W, C].
        labels: int64 [N]; None if the images have no labels.

    Returns:
        float32 [N].
    """
    import torch

    network = _with_weights(networks.build_discriminator, description, weights)
    logits = []
    with usual_arithmetic(), torch.inference_mode():
        for part in slices(len(images), _AT_ONCE):
            given: list[Tensor] = [torch.from_numpy(images[part].astype(np.float32) / 255)]
            if labels is not None:
                given.append(torch.from_numpy(labels[part]))
            found = network(*given)
            logits.append((found[0] if isinstance(found, tuple) else found).float().numpy())
    return np.concatenate(logits)


def _with_weights(
    build: Callable[[Mapping[str, Any]], nn.Module], description: Mapping[str, Any], weights: Mapping[str, NDArray[Any]]
) -> nn.Module:
    """Build a network with these weights, for evaluation without gradients."""
    with networks.building():
        network = build(description)
    import torch

    network.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in weights.items()})
    return network.eval().requires_grad_(False)
