"""Layers that compute what TensorFlow's do, in the form that a CPU computes fastest.

Three rewritings, all exact (the literal forms stand in tests/references):

* A convolution of one-channel images is a product of patches with a matrix. A CPU's matrix unit does that several times
  as fast as a convolution routine, which is made for many channels.
* A bilinear resize followed by a strided convolution is one convolution with a folded kernel; no large map is built.
* The batch statistics of a linear function follow from those of its input: ``mean(Wx) = W mean(x)`` and
  ``var(Wx) = diag(W cov(x) Wᵀ)``; so batch normalisation after a product with few inputs costs next to nothing.

Legend: N images, H and W rows and columns, C channels in, O channels out; maps are [N, H, W, C].
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

#: What a batch is normalised with: mean and variance, each [C], float32.
Statistics = tuple[Tensor, Tensor]

_EPSILON = 1e-5

#: Row t: how much of tap t of a 3-tap kernel falls on x[i] and on x[i+1], where the resized map is ``x[i]`` at even and
#: ``(x[i] + x[i+1]) / 2`` at odd positions (TensorFlow's legacy bilinear, aligned at 0).
_FOLD = ((1.0, 0.0), (0.5, 0.5), (0.0, 1.0))


def space_to_depth(images: Tensor) -> Tensor:
    """Gather each 2×2 block of one-channel images [N, H, W] into four channels: [N, H/2, W/2, 4]."""
    n, height, width = images.shape
    blocks = images.reshape(n, height // 2, 2, width // 2, 2).permute(0, 1, 3, 2, 4)
    return blocks.reshape(n, height // 2, width // 2, 4)


def _kernel_to_depth(kernels: Tensor) -> Tensor:
    """Order kernels [O, 2K, 2K] as patches of :func:`space_to_depth` blocks are: [O, 4K²]."""
    channels, size, _ = kernels.shape
    return kernels.view(channels, size // 2, 2, size // 2, 2).permute(0, 1, 3, 2, 4).reshape(channels, -1)


class _Patches(torch.autograd.Function):
    """Every K×K patch of maps [N, H, W, C], stride 1, no padding: [N, H-K+1, W-K+1, K·K·C].

    Autograd's own gradient of ``unfold`` scatters element by element; adding K² shifted maps is several times faster.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, size: int) -> Tensor:
        ctx.shape, ctx.size = maps.shape, size
        maps = maps.contiguous()
        n, height, width, channels = maps.shape
        image, row, column, _ = maps.stride()
        shape = (n, height - size + 1, width - size + 1, size, size * channels)  # a patch's row is contiguous
        return maps.as_strided(shape, (image, row, column, row, 1)).flatten(3)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        size = ctx.size
        n, height, width, channels = ctx.shape
        rows, columns = height - size + 1, width - size + 1
        # Tap by tap in memory first: adding runs of whole rows is four times as fast as adding C values at a time.
        taps = gradients[0].view(n, rows, columns, size, size, channels).permute(3, 4, 0, 1, 2, 5)
        taps = taps.reshape(size, size, n, rows, columns * channels)
        result = taps.new_zeros(n, height, width * channels)
        for i in range(size):
            for j in range(size):
                result[:, i : i + rows, j * channels : (j + columns) * channels] += taps[i, j]
        return result.view(ctx.shape), None


def convolve_relu_pool(images: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``avg_pool(relu(conv(images) + bias))``: 5×5 kernel, SAME padding, 2×2 pooling.

    The four positions that a pooling window averages read one 6×6 patch; so one product of the patches with four
    shifted copies of the kernel gives all four, and a product with a constant matrix their mean.

    Args:
        images: [N, H, W], H and W even.
        weight: [O, 1, 5, 5].
        bias: [O].

    Returns:
        [N, H/2, W/2, O].
    """
    channels = weight.shape[0]
    cut = _Patches.apply(space_to_depth(F.pad(images, (2, 2, 2, 2))), 3)  # [N, H/2, W/2, 36]
    shifted = [F.pad(weight[:, 0], (j, 1 - j, i, 1 - i)) for i in (0, 1) for j in (0, 1)]  # four of [O, 6, 6]
    features = F.relu(F.linear(cut, _kernel_to_depth(torch.cat(shifted)), bias.repeat(4)))  # [N, H/2, W/2, 4·O]
    mean = torch.eye(channels, dtype=features.dtype, device=features.device).repeat(1, 4) / 4
    return F.linear(features, mean)


def halving_patches(images: Tensor) -> Tensor:
    """What a 3×3 convolution with stride 2 and TensorFlow's SAME padding (a zero at the end) reads at each position.

    Args:
        images: [N, H, W], H and W even.

    Returns:
        [N, H/2, W/2, 16]: patches of 4×4, whose last row and column the kernel ignores (:func:`halving_kernel`).
    """
    result: Tensor = _Patches.apply(F.pad(space_to_depth(images), (0, 0, 0, 1, 0, 1)), 2)
    return result


def halving_kernel(weight: Tensor) -> Tensor:
    """The kernel [O, 1, 3, 3] as a matrix [O, 16] for :func:`halving_patches`."""
    return _kernel_to_depth(F.pad(weight[:, 0], (0, 1, 0, 1)))


def whole_statistics(maps: Tensor) -> Statistics:
    """Mean and (biased) variance over all of one-channel maps of any shape, each a scalar, in at least float32."""
    flat = _at_least_float32(maps).flatten()
    mean = flat.mean()
    centred = flat - mean
    return mean, torch.dot(centred, centred) / len(flat)  # a dot product is 20 times as fast as var_mean here


def linear_statistics(inputs: Tensor, weight: Tensor, bias: Tensor) -> Statistics:
    """The batch statistics of ``linear(inputs, weight, bias)`` without computing it.

    Args:
        inputs: [..., C] with few C.
        weight: [O, C].
        bias: [O].
    """
    flat = _at_least_float32(inputs.reshape(-1, inputs.shape[-1]))
    mean = flat.mean(0)
    # Not centred first, which would cost two passes over the inputs: they are of the order of their own deviation.
    covariance = flat.t() @ flat / len(flat) - torch.outer(mean, mean)
    weight = _at_least_float32(weight)
    return weight @ mean + bias, ((weight @ covariance) * weight).sum(1)


def normalised_linear(inputs: Tensor, weight: Tensor, bias: Tensor, offset: Tensor, by: Statistics) -> Tensor:
    """``(linear(inputs, weight, bias) - mean) / sqrt(variance + 1e-5) + offset`` as one product.

    Batch normalisation without scale: Ioffe and Szegedy, "Batch Normalization", 2015, Algorithm 1 with gamma = 1.

    Args:
        inputs: [..., C].
        weight: [O, C].
        bias: [O].
        offset: beta, [O].
        by: mean and variance, [O] each.
    """
    mean, variance = by
    scale = torch.rsqrt(variance + _EPSILON)
    shift = (bias - mean) * scale + offset
    return F.linear(inputs, (weight * scale[:, None]).to(inputs.dtype), shift.to(inputs.dtype))


def batch_norm(maps: Tensor, offset: Tensor, by: Statistics | None = None) -> Tensor:
    """Normalise maps [..., C] without scale, by the given statistics or (None) by those of the batch itself."""
    mean, variance = by or (None, None)
    flat = maps.reshape(-1, maps.shape[-1])
    normal = F.batch_norm(flat, mean, variance, None, offset, training=by is None, eps=_EPSILON)
    return normal.view(maps.shape)


def relu_resize_convolve(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """ReLU, resize to twice the size (legacy bilinear), then convolve 3×3 with stride 2 and SAME padding, in one step.

    In one dimension the pair computes ``w0 x[i] + w1 (x[i] + x[i+1]) / 2 + w2 x[i+1]``: a kernel of two taps. Only the
    last position differs, where the resize repeats ``x[-1]`` and the padding is zero: ``(w0 + w1) x[-1]``. With a zero
    after the end, the two taps give ``(w0 + w1/2) x[-1]`` there; so half of the middle tap is added.

    Args:
        maps: [N, H, W, C].
        weight: [O, C, 3, 3].
        bias: [O].

    Returns:
        [N, H, W, O].
    """
    fold = torch.tensor(_FOLD, dtype=weight.dtype, device=weight.device)
    kernel = torch.einsum("ocij,ia,jb->ocab", weight, fold, fold)
    row = torch.einsum("ocj,jb->bco", weight[:, :, 1] / 2, fold).flatten(0, 1)  # [2·C, O], taps x[j] and x[j+1]
    column = torch.einsum("oci,ia->aco", weight[:, :, :, 1] / 2, fold).flatten(0, 1)
    corner = weight[:, :, 1, 1].t() / 4  # [C, O]
    result: Tensor = _FoldedConvolution.apply(maps, kernel, row, column, corner, bias)
    return result


class _FoldedConvolution(torch.autograd.Function):
    """ReLU, then a 2×2 convolution with a zero after the last row and column, and what the border needs besides.

    Written out because autograd copies whole maps for every addition to a border, and to let the ReLU write straight
    into the padded maps.
    """

    @staticmethod
    def forward(
        ctx: Any, maps: Tensor, kernel: Tensor, row: Tensor, column: Tensor, corner: Tensor, bias: Tensor
    ) -> Tensor:
        n, height, width, channels = maps.shape
        padded = maps.new_empty(n, height + 1, width + 1, channels)
        padded[:, -1] = 0
        padded[:, :-1, -1] = 0
        maps = torch.clamp_min(maps, 0, out=padded[:, :-1, :-1])
        padded = padded.permute(0, 3, 1, 2)  # [N, C, H+1, W+1], channels last in memory
        kernel = kernel.contiguous(memory_format=torch.channels_last)
        result = F.conv2d(padded, kernel, bias).permute(0, 2, 3, 1)
        last_row, last_column = _taps(maps[:, -1]), _taps(maps[:, :, -1])  # [N, W, 2·C], [N, H, 2·C]
        result[:, -1] += last_row @ row
        result[:, :, -1] += last_column @ column
        result[:, -1, -1] += maps[:, -1, -1] @ corner
        ctx.save_for_backward(padded, kernel, row, column, corner, last_row, last_column)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        padded, kernel, row, column, corner, last_row, last_column = ctx.saved_tensors
        gradient = gradients[0]
        of_padded, of_kernel, of_bias = torch.ops.aten.convolution_backward(
            gradient.permute(0, 3, 1, 2), padded, kernel, [len(kernel)],
            [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [True, True, True],
        )  # fmt: skip
        of_maps = of_padded.permute(0, 2, 3, 1)[:, :-1, :-1]
        of_row, of_column = gradient[:, -1], gradient[:, :, -1]
        _add_taps(of_maps[:, -1], of_row @ row.t())
        _add_taps(of_maps[:, :, -1], of_column @ column.t())
        of_maps[:, -1, -1] += gradient[:, -1, -1] @ corner.t()
        maps = padded.permute(0, 2, 3, 1)[:, :-1, :-1]
        return (
            torch.ops.aten.threshold_backward(of_maps, maps, 0),
            of_kernel,
            last_row.flatten(0, 1).t() @ of_row.flatten(0, 1),
            last_column.flatten(0, 1).t() @ of_column.flatten(0, 1),
            last_row[:, -1, : len(corner)].t() @ gradient[:, -1, -1],
            of_bias,
        )


def _taps(line: Tensor) -> Tensor:
    """Each position of a line [N, L, C] beside the next one, zero after the end: [N, L, 2·C]."""
    return torch.cat([line, F.pad(line[:, 1:], (0, 0, 0, 1))], 2)


def _add_taps(line: Tensor, gradient: Tensor) -> None:
    """Add the gradient [N, L, 2·C] of :func:`_taps` to a line [N, L, C], in place."""
    this, following = gradient.chunk(2, dim=2)
    line += this
    line[:, 1:] += following[:, :-1]


def _at_least_float32(tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype == torch.float64 else tensor.float()
