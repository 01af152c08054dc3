"""Gradient penalties as pure functions: gradients of logits with respect to images in, one number out."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

#: What turns a gradient with respect to pixels x in [0, 1], which images have here, into one with respect to pixels of
#: another range: for x' = 2x - 1 in [-1, 1], as in the papers, d/dx' = (d/dx) / 2. All units of penalties come from
#: here. Powers of two round nothing.
PIXEL_UNITS: Mapping[str, float] = {"-1..1": 0.5, "0..1": 1.0}


def input_gradients(logits: Tensor, images: Tensor, pixels: str = "-1..1") -> Tensor:
    """The gradient of each image's logit with respect to its pixels, itself differentiable.

    Args:
        logits: [N]; logit i depends on image i alone.
        images: [N, ...] with pixels in [0, 1], from which the logits were computed.
        pixels: the range of pixels that the gradient refers to; see :data:`PIXEL_UNITS`.

    Returns:
        [N, ...], float32, or float64 if the images are.
    """
    gradients: Tensor
    (gradients,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return PIXEL_UNITS[pixels] * (gradients if gradients.dtype == torch.float64 else gradients.float())


def zero_centered_penalty(gradients: Tensor) -> Tensor:
    """R1 of gradients at real images, or R2 at generated ones: ``mean(|∇D|²)``.

    Mescheder et al., "Which Training Methods for GANs do actually Converge?", 2018, equations 9 and 10, without the
    factor γ/2.

    Args:
        gradients: [N, ...], as :func:`input_gradients` returns them.
    """
    return gradients.square().flatten(1).sum(1).mean()


def one_centered_penalty(gradients: Tensor) -> Tensor:
    """The gradient penalty of WGAN-GP at points between real and generated images: ``mean((|∇D| - 1)²)``.

    Gulrajani et al., "Improved Training of Wasserstein GANs", 2017, equation 3, without the factor λ.

    Args:
        gradients: [N, ...], as :func:`input_gradients` returns them.
    """
    norms: Tensor = torch.linalg.vector_norm(gradients.flatten(1), dim=1)
    return (norms - 1).square().mean()
