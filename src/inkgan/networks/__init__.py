"""Networks: generators and discriminators as PyTorch modules, built from the description in model.json.

Importing this package does not import PyTorch; building a network does.

To add a network, write a module in this folder with two functions, ``build_generator(description)`` and
``build_discriminator(description)``, and name the module in :data:`NETWORKS`. ``--set network=NAME`` then trains it
with the losses of ``fast`` and ``best``, and ``sample``, ``write`` and ``evaluate`` draw its images with PyTorch.

The description has ``image_shape`` (height, width and channels), ``num_classes``, ``latent_dim`` and, under ``config``,
the settings of the run; ``channels`` is the setting ``generator.channels``. The generator's ``forward`` takes latents
[N, D] and, unless ``num_classes`` is 0, labels int64 [N], and returns images [N, H, W, C] in [0, 1], where 1 is ink.
The discriminator's takes such images and labels, and returns logits [N], or a tuple of them and an auxiliary
classifier's scores [N, classes]. Every parameter must take part. PyTorch's default generator of random numbers is
seeded while networks are built, so initial weights depend on the seed of the run alone.

To draw without PyTorch, add a form of the generator in NumPy to ``generation/numpy_networks.py``; to export it, add one
to ``exporting/onnx_file.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from inkgan.errors import CheckpointError, missing_extra, unknown

if TYPE_CHECKING:
    from torch import nn

#: The module of each network, by the name that model.json has for it.
NETWORKS = {
    "compact": "inkgan.networks.compact",
    "tutorial": "inkgan.networks.tutorial_exact_fast",
}


def build_generator(description: Mapping[str, Any]) -> nn.Module:
    """Make the generator that a model.json describes, with fresh weights.

    Args:
        description: the content of model.json: ``network``, ``image_shape``, ``num_classes``, ``latent_dim`` and
            whatever else the network needs, such as ``channels``.

    Returns:
        The generator, float32 on the CPU. Its ``state_dict`` has the names and shapes of the saved weights.

    Raises:
        CheckpointError: the network is unknown, its module is missing or lacks this function, or a size that it needs
            is missing or wrong.
        MissingExtraError: PyTorch is not installed.
    """
    return _build("build_generator", description)


def build_discriminator(description: Mapping[str, Any]) -> nn.Module:
    """Make the discriminator of the run that a model.json comes from, with fresh weights.

    Args:
        description: the content of model.json, with the run's settings in ``config``.

    Returns:
        The discriminator, float32 on the CPU; see the module's text for what it takes and returns.

    Raises:
        CheckpointError: as for :func:`build_generator`.
        MissingExtraError: PyTorch is not installed.
    """
    return _build("build_discriminator", description)


def require_known(name: object) -> str:
    """Return the name of a network, if there is such a network.

    Raises:
        CheckpointError: there is no such network; the message lists those there are.
    """
    if not isinstance(name, str) or name not in NETWORKS:
        raise CheckpointError(f"{unknown('network', name, NETWORKS)} Known networks are: {', '.join(NETWORKS)}.")
    return name


def _build(function: str, description: Mapping[str, Any]) -> nn.Module:
    name = require_known(description.get("network"))
    try:
        module = import_module(NETWORKS[name])
    except ModuleNotFoundError as error:
        raise (missing_extra(error) or CheckpointError(f"cannot import the network {name!r}: {error}.")) from None
    if not callable(make := getattr(module, function, None)):
        raise CheckpointError(
            f"the module {NETWORKS[name]} of the network {name!r} has no function {function}. It needs "
            "build_generator(description) and build_discriminator(description)."
        )
    try:
        network: nn.Module = make(description)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise CheckpointError(f"the network {name!r} cannot be built from its description ({reason}).") from error
    return network
