"""The check, before the first step, that a network of the user's own can be trained.

It runs copies of both networks once, on images of zeros. What it refuses would fail later with an error that does not
name the cause, or would train without one of its parameters, or differently in each process.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from inkgan.errors import ConfigError, quantity
from inkgan.networks import reason_in
from inkgan.networks.compact import split_output
from inkgan.training.losses import input_gradients
from inkgan.training.optimizers import MixedPrecision

#: The most images to try the networks on. In training mode, batch normalisation refuses one vector alone, so the number
#: is that of a slice if a slice has fewer.
_MOST_IMAGES = 2


def require_trainable(
    description: Mapping[str, Any], generator: nn.Module, discriminator: nn.Module, dtype: torch.dtype, processes: int
) -> None:
    """Refuse networks that cannot be called or saved, return wrong shapes, or do not learn from losses and penalty.

    Args:
        description: what both were built from; see :mod:`inkgan.networks`.
        generator: the generator; unchanged.
        discriminator: the discriminator; unchanged.
        dtype: the precision that they compute in.
        processes: how many train them together.

    Raises:
        ConfigError: they cannot be trained.
    """
    name = description["network"]
    networks = {"generator": generator, "discriminator": discriminator}
    for kind, network in networks.items():
        _require_savable(name, kind, network)
        if not any(parameter.requires_grad for parameter in network.parameters()):
            raise ConfigError(f"the network {name!r} cannot learn: its {kind} has no parameter that is trained.")
    config = description["config"]
    count = min(_MOST_IMAGES, config["batch_size"] // config["slices"])
    labels = torch.zeros(count, dtype=torch.int64) if description["num_classes"] else None
    latents = torch.zeros(count, description["latent_dim"])
    tried = copy.deepcopy(networks)
    try:
        mixed = {kind: MixedPrecision(network, dtype) for kind, network in tried.items()}
        for is_training in (False, True):  # as in training last: these outputs are checked below
            for kind, network in tried.items():
                for module, built in zip(network.modules(), networks[kind].modules(), strict=True):
                    module.training = is_training and built.training  # the author may keep a layer from it
            images = mixed["generator"].forward(latents, labels)
            logits, scores = split_output(mixed["discriminator"].forward(images.detach(), labels))
        fake_logits, fake_scores = split_output(mixed["discriminator"].forward_frozen(images, labels))
        unused = {
            "discriminator": mixed["discriminator"].unused(_total(logits, scores, labels)),
            "generator": mixed["generator"].unused(_total(fake_logits, fake_scores, labels)),
        }
    except Exception as error:
        reason = reason_in(name, error)
        hint = "" if dtype == torch.float32 else " Perhaps it can with --precision float32."
        raise ConfigError(f"the network {name!r} cannot learn these images: {reason}.{hint}") from error
    _require_shapes(description, images, logits, None if labels is None else scores)
    for kind, names in unused.items():
        if processes > 1:
            _require_same_buffers(name, networks[kind], tried[kind])
        if names:
            raise ConfigError(
                f"the network {name!r} cannot learn: its losses do not depend on "
                f"{quantity(len(names), 'parameter')} of its {kind}, such as {names[0]}. Use each, and detach none."
            )
    if config["penalty"]["weight"] > 0 or any("penalty.weight=" in change for change in config["changes"]):
        _require_second_gradient(name, mixed["discriminator"], images.detach(), labels)


def _require_savable(name: str, kind: str, network: nn.Module) -> None:
    """Refuse a network with a tensor that no checkpoint holds: of a type that NumPy lacks, or not finite."""
    for key, value in network.state_dict().items():
        try:
            is_finite = np.isfinite(value.numpy(force=True)).all()
        except (AttributeError, TypeError):
            found = value.dtype if isinstance(value, Tensor) else type(value).__name__
            raise ConfigError(
                f"the network {name!r} cannot be saved: {key} of its {kind} is {found}, which NumPy does not have. "
                "Use a tensor of another type, such as float32."
            ) from None
        if not is_finite:
            raise ConfigError(
                f"the network {name!r} cannot be saved: {key} of its {kind} holds numbers that are not finite. If it "
                "is a constant, register it with persistent=False."
            )


def _total(logits: Tensor, class_scores: Tensor | None, labels: Tensor | None) -> Tensor:
    """Sum all outputs that the losses use, to find parameters without effect; class scores count only with labels."""
    return logits.sum() if class_scores is None or labels is None else logits.sum() + class_scores.sum()


def _require_shapes(
    description: Mapping[str, Any], images: Tensor, logits: Tensor, class_scores: Tensor | None
) -> None:
    """Refuse outputs of other shapes than the description asks for; class scores are None if they are not used."""
    outputs = [
        ("images", images, [len(images), *description["image_shape"]]),
        ("logits", logits, [len(images)]),
        ("class scores", class_scores, [len(images), description["num_classes"]]),
    ]
    for what, output, needed in outputs:
        if output is not None and list(output.shape) != needed:
            raise ConfigError(
                f"the network {description['network']!r} makes {what} {list(output.shape)} from {len(images)} latents; "
                f"needed are {needed}."
            )


def _require_second_gradient(name: str, mixed: MixedPrecision, images: Tensor, labels: Tensor | None) -> None:
    """Refuse a discriminator that a penalty cannot train: this needs the gradient of a gradient."""
    images.requires_grad_()
    try:
        logits, _ = split_output(mixed.forward(images, labels))
        unused = mixed.unused(input_gradients(logits, images).square().sum())
    except Exception as error:
        raise _no_second_gradient(name, reason_in(name, error).rstrip(".")) from error
    if len(unused) == len(mixed.learning):
        raise _no_second_gradient(name, "none reaches a parameter")


def _no_second_gradient(name: str, reason: str) -> ConfigError:
    return ConfigError(
        f"the network {name!r} cannot learn with a penalty, which needs the gradient of its discriminator's gradient: "
        f"{reason}. Use functions that PyTorch can differentiate twice, or --set penalty.weight=0."
    )


def _require_same_buffers(name: str, built: nn.Module, tried: nn.Module) -> None:
    """Refuse a network whose forward pass changes buffers: each process would end up with different ones.

    ``tried`` is a copy of the network that has computed in training mode.
    """
    for (key, before), after in zip(built.named_buffers(), tried.buffers(), strict=True):
        if not torch.equal(before, after):
            raise ConfigError(
                f"the network {name!r} changes its buffer {key} with the images that it gets, as batch normalisation "
                "does, so one process trains it. Start one process."
            )
