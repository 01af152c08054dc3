"""The tutorial's networks in the form that a processor computes fastest; training uses these.

They have the parameters of the networks in ``tutorial.py`` and compute the same functions, rewritten in three ways. All
three are exact, borders included: ``tests/networks/test_tutorial.py`` compares images, logits and gradients with those
of the literal forms.

* A convolution of one-channel images is a product of patches with a matrix. A processor's matrix unit computes it
  several times as fast as a convolution routine, which is made for many channels.
* A bilinear resize followed by a strided convolution is one convolution with a folded kernel; no large map is built.
* The batch statistics of a linear function follow from those of its input: ``mean(Wx) = W mean(x)`` and
  ``var(Wx) = diag(W cov(x) Wᵀ)``; so batch normalisation after a product with few inputs costs next to nothing.

Legend: N images, H and W rows and columns, C channels in, O channels out; maps are [N, H, W, C].
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from inkgan.networks import tutorial
from inkgan.networks.compact import at_least_float32
from inkgan.networks.grid import blocks_to_channels
from inkgan.networks.tutorial import EPSILON

#: The resized map is ``x[i]`` at even and ``(x[i] + x[i+1]) / 2`` at odd positions (TensorFlow's legacy bilinear,
#: aligned at 0). Row t says how much of tap t of a 3-tap kernel falls on x[i], how much on x[i+1], and how much the
#: last position, x[-1], needs in addition.
_FOLD = ((1.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.0, 1.0, 0.0))


class Discriminator(tutorial.Discriminator):
    """The tutorial's discriminator, computed faster."""

    def forward(self, images: Tensor) -> Tensor:
        """Score images [N, 28, 28, 1] in [0, 1]: logits [N], above 0 where an image looks real."""
        x = convolve_relu_pool(images.squeeze(3), self.w1, self.b1)  # [N, 14, 14, 32]
        x = x.permute(0, 3, 1, 2)  # [N, 32, 14, 14], channels last in memory
        x = F.conv2d(x, self.w2, self.b2, padding=2).relu_()  # [N, 64, 14, 14]
        x = F.avg_pool2d(x, 2)  # [N, 64, 7, 7]
        x = x.permute(0, 2, 3, 1).flatten(1)  # [N, 3136]
        x = F.relu(_Linear.apply(x, self.w3, self.b3))  # type: ignore[no-untyped-call]  # [N, 1024]
        return F.linear(x, self.w4, self.b4).squeeze(1)  # [N]


class Generator(tutorial.Generator):
    """The tutorial's generator, computed faster."""

    def forward(self, latents: Tensor) -> Tensor:
        """Generate images [N, 28, 28, 1] in (0, 1) from latents [N, 100]."""
        # The next layer reads 2×2 blocks of the 56×56 map. Reordering the weights costs less than reordering the maps.
        x = F.linear(latents, _rows_by_block(self.w1), _rows_by_block(self.b1).squeeze(1))  # [N, 28·28·4]
        # Batch normalisation of one channel: (x - mean) / sqrt(variance + eps) + beta.
        flat = at_least_float32(x).flatten()
        mean = flat.mean()
        centred = flat - mean
        variance = torch.dot(centred, centred) / len(flat)  # a dot product is 20 times as fast as var_mean here
        scale = torch.rsqrt(variance + EPSILON)
        x = F.relu(x * scale.to(x.dtype) + (self.beta1 - mean * scale).to(x.dtype))
        x = halving_patches(x.view(-1, 28, 28, 4))  # [N, 29, 29, 16]

        kernel = self.w2.flatten(1) @ _halving_taps(self.w2.dtype, self.w2.device)  # [50, 16]
        normalised = normalising_linear(x, kernel, self.b2, self.beta2)
        # Seven channels of zeros make 32 of the 25: vector instructions normalise these maps in a quarter of the time.
        w3 = F.pad(self.w3, (0, 0, 0, 0, 0, 0, 0, 7))  # [32, 50, 3, 3]
        b3, beta3, w4 = (F.pad(parameter, (0, 7)) for parameter in (self.b3, self.beta3, self.w4.view(1, 25)))
        x = linear_relu_resize_convolve(x, normalised, w3, b3)  # [N, 32, 28, 28]

        x = tutorial.batch_norm(x, beta3).relu_()  # [N, 32, 28, 28]
        # The last resize doubles the map, and the 1×1 convolution of stride 2 reads only the original positions.
        return torch.sigmoid(F.linear(x.permute(0, 2, 3, 1), w4, self.b4))  # [N, 28, 28, 1]


def build_generator(_description: Mapping[str, Any]) -> Generator:
    """Make the generator that a ``model.json`` describes; all its sizes are fixed."""
    return Generator()


def build_discriminator(_description: Mapping[str, Any]) -> Discriminator:
    """Make the discriminator of the run that a ``model.json`` comes from; all its sizes are fixed."""
    return Discriminator()


def _rows_by_block(parameter: Tensor) -> Tensor:
    """Order the rows of a parameter [56·56, ...] by 2×2 blocks of the 56×56 map: [28·28·4, C]."""
    return parameter.view(28, 2, 28, 2, -1).transpose(1, 2).flatten(0, 3)


def _kernel_to_depth(kernels: Tensor) -> Tensor:
    """Order kernels [O, 2K, 2K] in the same way as patches of 2×2 blocks: [O, 4K²]."""
    channels, size, _ = kernels.shape
    return kernels.view(channels, size // 2, 2, size // 2, 2).permute(0, 1, 3, 2, 4).reshape(channels, -1)


class _Patches(torch.autograd.Function):
    """Every K×K patch of maps [N, H, W, 4], stride 1, no padding: [N, H-K+1, W-K+1, K·K·4].

    Autograd's own gradient of ``unfold`` scatters element by element; adding K² shifted maps is several times faster.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, size: int) -> Tensor:
        ctx.shape, ctx.size = maps.shape, size
        n, height, width, _ = maps.shape
        rows, columns = height - size + 1, width - size + 1
        blocks = _blocks(maps.contiguous())
        patches = blocks.new_empty(n, rows, columns, size * size, blocks.shape[-1])
        for tap in range(size * size):
            i, j = divmod(tap, size)
            patches[:, :, :, tap] = blocks[:, i : i + rows, j : j + columns]
        return patches.view(maps.dtype).flatten(3)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        n, height, width, channels = ctx.shape
        gradient = gradients[0].contiguous()
        _, rows, columns, _ = gradient.shape
        taps = _blocks(gradient.view(n, rows, columns, -1, channels))
        result = gradient.new_zeros(n, height, width * channels)
        for tap in range(ctx.size**2):
            i, j = divmod(tap, ctx.size)
            # A contiguous copy first: adding runs of whole rows is four times as fast as adding 4 values at a time.
            shifted = taps[:, :, :, tap].contiguous().view(gradient.dtype).view(n, rows, columns * channels)
            result[:, i : i + rows, j * channels : (j + columns) * channels] += shifted
        return result.view(ctx.shape), None


def _blocks(maps: Tensor) -> Tensor:
    """View four channels as one number, which is copied five times as fast as four: [..., 4] to [..., 1].

    No dtype is as wide as four numbers of float64. Such maps, which only tests use, stay as they are.
    """
    wide = {2: torch.int64, 4: torch.complex128}.get(maps.element_size())
    return maps.view(wide) if wide else maps


def convolve_relu_pool(images: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``avg_pool(relu(conv(images) + bias))``: 5×5 kernel, SAME padding, 2×2 pooling.

    The four positions that a pooling window averages read one 6×6 patch. So one product of the patches with four
    shifted copies of the kernel gives all four, and a product with a constant matrix gives their mean.

    Args:
        images: [N, H, W], H and W even.
        weight: [O, 1, 5, 5].
        bias: [O].

    Returns:
        [N, H/2, W/2, O].
    """
    blocks = blocks_to_channels(F.pad(images, (2, 2, 2, 2))[..., None])
    cut: Tensor = _Patches.apply(blocks, 3)  # type: ignore[no-untyped-call]  # [N, H/2, W/2, 36]
    shifted = weight.flatten(1) @ _shifts(weight.dtype, weight.device)
    return _LinearReluMean.apply(cut, shifted.view(-1, 36), bias.repeat_interleave(4))  # type: ignore[no-untyped-call]


@cache
def _shifts(dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the matrix [25, 4·36] of zeros and ones that spreads a flat 5×5 kernel over four positions of a 6×6 patch.

    Kernels are rearranged by products with constants because one product costs less than a dozen of pads and copies.
    """
    taps = torch.eye(25, dtype=dtype, device=device).view(25, 5, 5)
    shifted = [F.pad(taps, (j, 1 - j, i, 1 - i)) for i in (0, 1) for j in (0, 1)]  # four of [25, 6, 6]
    return torch.cat([_kernel_to_depth(kernel) for kernel in shifted], 1)


class _LinearReluMean(torch.autograd.Function):
    """A linear function to [..., 4·O], ReLU, and the mean over each four: [..., O].

    Written out so that it uses the faster :func:`_linear_relu` and :func:`_weight_gradient`: the features are the
    discriminator's largest maps.
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        features = _linear_relu(inputs, weight, bias)
        mean = _mean_of_four(len(weight) // 4, weight.dtype, weight.device)
        ctx.save_for_backward(inputs, weight, features, mean)
        return F.linear(features, mean)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight, features, mean = ctx.saved_tensors
        grad_features = gradients[0] @ mean
        _gate_(grad_features, features)
        grad_inputs = grad_features @ weight if ctx.needs_input_grad[0] else None
        if not ctx.needs_input_grad[1]:
            return grad_inputs, None, None
        return grad_inputs, _weight_gradient(inputs, grad_features), _sum_positions(grad_features)


@cache
def _mean_of_four(channels: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the matrix [C, 4·C] that averages four neighbouring features."""
    return torch.eye(channels, dtype=dtype, device=device).repeat_interleave(4, 1) / 4


class _Linear(torch.autograd.Function):
    """``F.linear`` of inputs [N, C] by a large weight [O, C], with a faster gradient of the weight.

    Autograd multiplies by a transposed view of the gradient; copying its N·O numbers first halves the time.
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        return F.linear(inputs, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight = ctx.saved_tensors
        gradient = gradients[0]
        grad_inputs = gradient @ weight if ctx.needs_input_grad[0] else None
        if not ctx.needs_input_grad[1]:
            return grad_inputs, None, None
        return grad_inputs, gradient.t().contiguous() @ inputs, gradient.sum(0)


def halving_patches(blocks: Tensor) -> Tensor:
    """Cut out the patches that a 3×3 convolution with stride 2 and TensorFlow's SAME padding (a zero at the end) reads.

    Args:
        blocks: [N, H/2, W/2, 4], the images' 2×2 blocks (see :func:`inkgan.networks.grid.blocks_to_channels`).

    Returns:
        [N, H/2+1, W/2+1, 16]: patches of 4×4, whose last row and column the kernel ignores (:func:`_halving_taps`).
        The last row and column of patches read nothing but padding; they are room for the zeros that
        :func:`linear_relu_resize_convolve` needs there.
    """
    return _Patches.apply(F.pad(blocks, (0, 0, 0, 2, 0, 2)), 2)  # type: ignore[no-untyped-call]


@cache
def _halving_taps(dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the matrix [9, 16] of zeros and ones that places the taps of a flat 3×3 kernel in a 4×4 patch."""
    return _kernel_to_depth(F.pad(torch.eye(9, dtype=dtype, device=device).view(9, 3, 3), (0, 1, 0, 1)))


def normalising_linear(patches: Tensor, weight: Tensor, bias: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
    """Return weight and bias of the linear function that also normalises its output.

    ``(linear(x, weight, bias) - mean) / sqrt(variance + 1e-5) + offset`` is linear in x, and the batch statistics of
    ``linear(patches, weight, bias)`` follow from those of the patches. Batch normalisation without scale: Ioffe and
    Szegedy, "Batch Normalization", 2015, Algorithm 1 with gamma = 1.

    Args:
        patches: [N, H+1, W+1, C] with a small C; the last row and column are zero and do not count.
        weight: [O, C].
        bias: [O].
        offset: beta, [O].
    """
    n, height, width, channels = patches.shape
    count = n * (height - 1) * (width - 1)
    flat = at_least_float32(patches.view(-1, channels))
    average = flat.new_ones(len(flat)) @ flat / count  # a product is several times as fast as a sum over rows
    # Centring the inputs first would cost two passes over them. It is not needed, because they are of the order of
    # their own deviation.
    covariance = flat.t() @ flat / count - torch.outer(average, average)
    wide = at_least_float32(weight)
    mean = wide @ average + bias  # mean(Wx + b) = W mean(x) + b
    scale = torch.rsqrt(((wide @ covariance) * wide).sum(1) + EPSILON)  # var(Wx + b) = diag(W cov(x) Wᵀ)
    return (weight * scale[:, None]).to(weight.dtype), ((bias - mean) * scale + offset).to(weight.dtype)


def linear_relu_resize_convolve(patches: Tensor, linear: tuple[Tensor, Tensor], weight: Tensor, bias: Tensor) -> Tensor:
    """Apply a linear function and ReLU, resize to twice the size, and convolve 3×3 with stride 2 and SAME padding.

    The resize is TensorFlow's legacy bilinear. In one dimension, the resize and the convolution compute
    ``w0 x[i] + w1 (x[i] + x[i+1]) / 2 + w2 x[i+1]``: a kernel of two taps. Only the last position differs, where the
    resize repeats ``x[-1]`` and the padding is zero: ``(w0 + w1) x[-1]``. With a zero after the end, the two taps give
    ``(w0 + w1/2) x[-1]`` there, so half of the middle tap is added.

    Args:
        patches: [N, H+1, W+1, C]; what the last row and column hold is ignored.
        linear: weight [M, C] and bias [M] of the linear function.
        weight: [O, M, 3, 3].
        bias: [O].

    Returns:
        [N, O, H, W], channels last in memory.
    """
    return _FoldedConvolution.apply(patches, *linear, weight, bias)  # type: ignore[no-untyped-call]


@cache
def _folds(dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the matrix [9, 9] that folds a flat 3×3 kernel in both dimensions.

    Seen as 3×3, the first two rows and columns of the result are the 2×2 kernel. The last row (column) holds the two
    taps that the maps' last row (column) needs in addition, and the corner holds the tap that their corner needs.
    """
    fold = torch.tensor(_FOLD, dtype=dtype, device=device)
    return torch.kron(fold, fold)


class _FoldedConvolution(torch.autograd.Function):
    """A linear function, ReLU, and a 2×2 convolution with a zero after the end, plus what the border needs in addition.

    With the maps m after ReLU, the kernel k, the edges r (of the last row) and c (column), and the corner d::

        out[i, j]   =  sum of k[a, b] m[i + a, j + b] over a, b in {0, 1}
        out[-1, j]  += r[0] m[-1, j] + r[1] m[-1, j + 1]
        out[i, -1]  += c[0] m[i, -1] + c[1] m[i + 1, -1]
        out[-1, -1] += d m[-1, -1]

    ``backward`` transposes these lines one by one.

    Written out because the maps in between, [N, H+1, W+1, M], are the largest of all, and autograd would copy them for
    each addition to a border. The patches' spare row and column make room for the zeros.
    """

    @staticmethod
    def forward(ctx: Any, patches: Tensor, matrix: Tensor, shift: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        folded = (weight.flatten(2) @ _folds(weight.dtype, weight.device)).view(weight.shape)  # [O, M, 3, 3]
        kernel = folded[:, :, :2, :2].contiguous(memory_format=torch.channels_last)
        edges = torch.stack([folded[:, :, 2, :2], folded[:, :, :2, 2]])  # [2, O, M, 2]
        edges = edges.permute(0, 3, 2, 1).flatten(1, 2)  # [2, 2·M, O]
        corner = folded[:, :, 2, 2]  # [O, M]

        maps = _linear_relu(patches, matrix, shift)
        maps[:, -1] = 0
        maps[:, :, -1] = 0
        result = F.conv2d(maps.permute(0, 3, 1, 2), kernel, bias)
        lines = torch.stack([maps[:, -2], maps[:, :, -2]])  # [2, N, L+1, M], zero at the end
        taps = torch.cat([lines[:, :, :-1], lines[:, :, 1:]], 3).flatten(1, 2)  # [2, N·L, 2·M]
        of_row, of_column = torch.bmm(taps, edges).view(2, len(maps), -1, len(weight)).transpose(2, 3)  # [N, O, L]
        result[:, :, -1] += of_row
        result[:, :, :, -1] += of_column
        result[:, :, -1, -1] += maps[:, -2, -2] @ corner.t()
        ctx.save_for_backward(patches, matrix, maps, kernel, edges, corner, taps)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        patches, matrix, maps, kernel, edges, corner, taps = ctx.saved_tensors
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        grad_maps, grad_kernel, _ = torch.ops.aten.convolution_backward(
            gradient, maps.permute(0, 3, 1, 2), kernel, [len(kernel)],
            [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [True, True, False],
        )  # fmt: skip
        gradient, grad_maps = gradient.permute(0, 2, 3, 1), grad_maps.permute(0, 2, 3, 1)
        grad_bias = _sum_positions(gradient)
        grad_lines = torch.stack([gradient[:, -1], gradient[:, :, -1]]).flatten(1, 2)  # [2, N·L, O]
        grad_taps = torch.bmm(grad_lines, edges.transpose(1, 2)).view(2, len(maps), -1, taps.shape[2])  # [2, N, L, 2·M]
        (row, next_row), (column, next_column) = (line.chunk(2, dim=2) for line in grad_taps)
        grad_maps[:, -2, :-1] += row
        grad_maps[:, -2, 1:] += next_row
        grad_maps[:, :-1, -2] += column
        grad_maps[:, 1:, -2] += next_column
        grad_maps[:, -2, -2] += gradient[:, -1, -1] @ corner
        _gate_(grad_maps, maps)

        grad_folded = kernel.new_empty(*corner.shape, 3, 3)
        grad_folded[:, :, :2, :2] = grad_kernel
        grad_edges = torch.bmm(taps.transpose(1, 2), grad_lines).view(2, 2, *corner.t().shape)  # [2, taps, M, O]
        grad_folded[:, :, 2, :2], grad_folded[:, :, :2, 2] = grad_edges.permute(0, 3, 2, 1)
        grad_folded[:, :, 2, 2] = gradient[:, -1, -1].t() @ maps[:, -2, -2]
        grad_weight = (grad_folded.flatten(2) @ _folds(kernel.dtype, kernel.device).t()).view(grad_folded.shape)
        grad_patches = grad_maps @ matrix
        grad_matrix = _weight_gradient(patches, grad_maps)
        grad_shift = _sum_positions(grad_maps)
        return grad_patches, grad_matrix, grad_shift, grad_weight, grad_bias


def _linear_relu(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``relu(linear(inputs, weight, bias))`` in one pass over the output, where oneDNN can; three passes elsewhere."""
    if inputs.device.type == "cpu" and _onednn_computes(inputs.dtype):
        return torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "relu", [], "")
    return F.linear(inputs, weight, bias).clamp_min_(0)


@cache
def _onednn_computes(dtype: torch.dtype) -> bool:
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _gate_(gradient: Tensor, activations: Tensor) -> None:
    """Turn the gradient of ``relu(x)`` into that of x, in place: it passes where the activation is above zero."""
    torch.ops.aten.threshold_backward.grad_input(gradient, activations, 0, grad_input=gradient)


def _weight_gradient(inputs: Tensor, gradient: Tensor) -> Tensor:
    """Return the gradient [O, C] of a weight, from its inputs [N, H, W, C] and its outputs' gradient [N, H, W, O].

    It is computed image by image, because one product that sums over all positions takes half as long again.
    """
    return torch.bmm(inputs.flatten(1, 2).transpose(1, 2), gradient.flatten(1, 2)).sum(0).t()


def _sum_positions(maps: Tensor) -> Tensor:
    """Return the sum [C] of maps [N, H, W, C]; long rows first, as summing C values at a time is six times as slow."""
    return maps.flatten(2).sum((0, 1)).view(maps.shape[2:]).sum(0)
