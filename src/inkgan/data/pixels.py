"""Arrays of images and labels: conversion to the project's types, detection of ink and of empty images, resizing."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkgan.errors import DataError, as_given, quantity
from inkgan.images import Images, Labels, slices

#: The most pixels that an image may have on one side.
MAX_SIDE = 4096
_CHUNK = 1024  # images that are converted at a time
_SAMPLE_IMAGES = 1000
_SAMPLE_BYTES = 2**26
_SMALLEST_WITH_BORDER = 8  # pixels a side; on smaller images the border says nothing about the paper
_CLEAR_CONTRAST = 0.03  # between paper and middle, as a share of the range of values in use
_LEAST_SPAN = 32  # shades between the darkest and the lightest pixel; with fewer, nothing can be seen
_FEW_LEVELS = 16  # fewer different values than this are unusual, which a note says
#: A height and a width in pixels, ``(32, 48)`` or ``"32x48"``, or the side of a square, ``32``.
Size = str | int | tuple[int, int]


def parsed_size(size: Size | None) -> tuple[int, int] | None:
    """Return a size as height and width; None for None.

    Raises:
        DataError: it is not a size, or a side is not between 1 and ``MAX_SIDE``.
    """
    if size is None:
        return None
    match = re.fullmatch(r"(\d{1,4})(?:[x×](\d{1,4}))?", size_text(size) if isinstance(size, tuple) else str(size))
    height, width = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        allowed = f"a side of 1 to {MAX_SIDE} pixels, or HEIGHTxWIDTH"
        raise DataError(f"resize={as_given(size)} is not a size. Give {allowed}, such as 32 or 32x48.")
    return height, width


def size_text(shape: Sequence[int]) -> str:
    """Return a shape as text: ``"28x28x1"``."""
    return "x".join(map(str, shape))


def as_images(array: NDArray[Any], source: str) -> Images:
    """Bring an array of images to uint8 of shape [N, H, W, C].

    Args:
        array: of shape [N, H, W], [N, H, W, C] or, where only that fits, [N, C, H, W], with C of 1 or 3; whole numbers
            from 0 to 255 of any type, fractions from 0 to 1, or truth values.
        source: where it came from, for the message.

    Raises:
        DataError: it has another shape or other values, there are no images, or a side is over ``MAX_SIDE`` pixels.
    """
    images = _channels_last(array, source)
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    factor = 255 // _full_ink(images, source)
    result = np.empty(images.shape, np.uint8)
    for part in slices(len(images), _CHUNK):  # so that wide numbers are never copied all at once
        result[part] = np.rint(images[part].astype(np.float64) * factor)
    return result


def _channels_last(array: NDArray[Any], source: str) -> NDArray[Any]:
    """Return an array of images as [N, H, W, C]; refuse other arrays."""
    if array.dtype.kind not in "buif":
        raise DataError(f"{source}: images of {array.dtype} values; only numbers are read. Convert them to uint8.")
    images = array[..., None] if array.ndim == 3 else array
    if images.ndim == 4 and images.shape[3] not in (1, 3):
        images = np.moveaxis(images, 1, 3)
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        allowed = "[N, H, W], [N, H, W, C] and [N, C, H, W] with C of 1 or 3"
        remedy = "Check that they are images"
        side = math.isqrt(array.shape[1]) if array.ndim == 2 else 0
        if side >= _SMALLEST_WITH_BORDER and side**2 == array.shape[1]:
            remedy = f"Reshape them to [N, {side}, {side}]"
        raise DataError(f"{source}: images of shape {array.shape}; allowed are {allowed}. {remedy}.")
    count, height, width, _ = images.shape
    if not count:
        raise DataError(f"{source}: 0 images, in an array of shape {array.shape}. Add images.")
    if not 1 <= height <= MAX_SIDE or not 1 <= width <= MAX_SIDE:
        given = f"{quantity(count, 'image')} of {height}x{width} pixels"
        raise DataError(f"{source}: {given}; allowed are 1 to {MAX_SIDE} a side. Resize them.")
    return images


def _full_ink(images: NDArray[Any], source: str) -> int:
    """Return the value of full ink in images: 255 for whole numbers, 1 for fractions; refuse other values."""
    allowed = "allowed are whole numbers 0 to 255 or fractions 0 to 1"
    least, most = images.min(), images.max()
    if not np.isfinite([least, most]).all():
        bad = int((~np.isfinite(images)).sum())
        raise DataError(f"{source}: NaN or infinity in {quantity(bad, 'pixel')}; {allowed}. Leave these images out.")
    full = 255 if images.dtype.kind in "iu" or (most > 1 and _are_whole(images)) else 1
    if least < 0 or most > full:
        given = f"{images.dtype} pixels from {least} to {most}"
        raise DataError(f"{source}: {given}; {allowed}. Scale them.")
    return full


def _are_whole(numbers: NDArray[Any]) -> bool:
    """Whether all numbers are whole."""
    return all(np.array_equal(numbers[part], np.rint(numbers[part])) for part in slices(len(numbers), _CHUNK))


def as_labels(array: NDArray[Any], count: int, source: str) -> Labels:
    """Bring the labels of ``count`` images to int64 of shape [count].

    Args:
        array: whole numbers of any type, of shape [count] or [count, 1], or one-hot rows of shape [count, K].
        count: how many images there are.
        source: where they came from, for the message.

    Raises:
        DataError: they are anything else.
    """
    labels = array.reshape(-1) if array.shape == (count, 1) else array
    if labels.ndim == 2 and labels.shape[0] == count and _is_one_hot(labels):
        labels = labels.argmax(axis=1)
    if labels.ndim == 1 and len(labels) != count:  # words come as numbers, so their type would surprise
        given = f"{quantity(len(labels), 'label')} for {quantity(count, 'image')}"
        raise DataError(f"{source}: {given}. Check that the two belong together.")
    if labels.shape != (count,) or labels.dtype.kind not in "biuf" or not _are_whole(labels):
        given = f"{array.dtype} labels of shape {array.shape} where whole numbers for {quantity(count, 'image')} belong"
        remedy = "Decode words with .astype(str)" if array.dtype.kind == "S" else "Check that the two belong together"
        raise DataError(f"{source}: {given}. {remedy}.")
    for label in (labels.min(initial=0).item(), labels.max(initial=0).item()):
        if not -(2**63) <= label < 2**63:  # it would overflow int64
            raise DataError(f"{source}: a label is {label}, which no class has. Check that they are labels.")
    return labels.astype(np.int64)


def _is_one_hot(rows: NDArray[Any]) -> bool:
    return rows.dtype.kind in "biuf" and bool(((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) == 1).all())


def dark_and_light(images: Images) -> tuple[float, float]:
    """Return the shares of images that are clearly dark ink on light paper, and clearly light ink on dark paper.

    An image's paper is the median of its border, which is an eighth of each side. An image is clear if its border is
    even and its paper is either bright (within the range of values in use) and brighter than the image's middle, or
    dark and darker than the middle. Colour images and images of fewer than 8 pixels a side are never clear.

    Args:
        images: uint8 [N, H, W, C]; fewer than 2,000 of them, evenly spread, are examined.
    """
    _, height, width, channels = images.shape
    if channels != 1 or min(height, width) < _SMALLEST_WITH_BORDER:
        return 0.0, 0.0
    some = _sample(images)
    border = _border(some)[..., 0]
    paper = np.median(border, axis=1)
    rows, columns = slice(height // 4, height - height // 4), slice(width // 4, width - width // 4)
    middle = some[:, rows, columns].mean(axis=(1, 2, 3))
    least, most = int(some.min()), int(some.max())
    is_even = np.mean(np.abs(border - paper[:, None]) <= (most - least) / 8, axis=1) > 0.5
    contrast = (paper - middle) / max(1, most - least)
    brightness = paper - (least + most) / 2
    dark = is_even & (brightness > 0) & (contrast > _CLEAR_CONTRAST)
    light = is_even & (brightness < 0) & (contrast < -_CLEAR_CONTRAST)
    return float(dark.mean()), float(light.mean())


def _sample(images: Images) -> Images:
    """Return a view of evenly spread images, as many as can be examined quickly."""
    return images[:: max(1, len(images) // _SAMPLE_IMAGES, images.nbytes // _SAMPLE_BYTES)]


def _border(images: NDArray[Any]) -> NDArray[Any]:
    """Return the pixels [N, P, C] of images [N, H, W, C] that lie within an eighth of a side from the edge."""
    _, height, width, _ = images.shape
    rows, columns = max(1, height // 8), max(1, width // 8)
    at_edge = np.ones((height, width), bool)
    at_edge[rows:-rows, columns:-columns] = False
    return images[:, at_edge]


def require_content(images: Images, source: str) -> list[str]:
    """Refuse images in which nothing can be seen, and return notes for the user about the others.

    Raises:
        DataError: every image is constant, or all pixels lie within a few shades.
    """
    lows, highs = images.min(axis=(1, 2)), images.max(axis=(1, 2))
    constant = int((lows == highs).all(axis=1).sum())
    least, most = int(lows.min()), int(highs.max())
    if constant == len(images):
        raise DataError(f"{source}: every image is constant, one value each ({least} to {most}). There is no ink.")
    require_shades(images, source)
    levels = len(np.unique(_sample(images)))
    notes = []
    if levels < _FEW_LEVELS:
        notes.append(f"the pixels have only {levels} different values, from {least} to {most}")
    if constant:
        notes.append(f"constant training images, one value in all their pixels: {constant:,} of {len(images):,}")
    return notes


def require_shades(images: Images, source: str) -> None:
    """Refuse images of nearly one shade, such as pixels of 0 and 1 that were meant to be 0 and 255.

    Raises:
        DataError: all pixels of all images lie within a few shades; equal ones, which are empty images, pass.
    """
    least, most = images.min(), images.max()
    if 0 < most - least < _LEAST_SPAN:
        raise DataError(f"{source}: pixels are between {least} and {most}, nearly one shade. Scale them to 0 to 255.")


def resized(images: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Fit images into a size by averaging areas; they keep their aspect ratio, and each one's paper fills the rest.

    Args:
        images: uint8 or uint16 [N, H, W, C]. The paper is the median of an image's border, for each channel.
        size: the height and width to fit them into. Smaller images are enlarged, with linear interpolation.

    Returns:
        [N, *size, C] of the same type.
    """
    count, height, width, channels = images.shape
    if (height, width) == size:
        return images
    scale = min(size[0] / height, size[1] / width)
    inner = (max(1, round(height * scale)), max(1, round(width * scale)))
    top, left = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    rows, columns = slice(top, top + inner[0]), slice(left, left + inner[1])
    result = np.empty((count, *size, channels), images.dtype)
    papers = np.median(_border(images), axis=1)  # [N, C]
    fit = _averaging((height, width), inner) if scale < 1 else partial(_interpolated, size=inner)
    for image, fitted, paper in zip(images, result, papers, strict=True):
        fitted[:] = paper
        for channel in range(channels):
            fitted[rows, columns, channel] = np.rint(fit(image[..., channel]))
    return result


def _interpolated(plane: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float32]:
    """Enlarge a plane [H, W] by linear interpolation."""
    enlarged = Image.fromarray(plane.astype(np.float32)).resize(size[::-1], Image.Resampling.BILINEAR)
    return np.asarray(enlarged)


def _averaging(before: tuple[int, int], after: tuple[int, int]) -> Callable[[NDArray[Any]], NDArray[np.float64]]:
    """Return the function that averages the areas of a plane, exactly: whole numbers in, whole sums in float64.

    Pillow's filter for this, BOX, takes each pixel for one area alone, so that some strokes keep their ink and others
    lose half of it.
    """
    down, across = (_shares(length, parts) for length, parts in zip(before, after, strict=True))
    return lambda plane: down @ plane.astype(np.float64) @ across.T / (before[0] * before[1])


def _shares(length: int, parts: int) -> NDArray[np.float64]:
    """Return how much of each pixel of a row each of its equal parts covers, [parts, length], in 1/parts pixels."""
    ends = np.arange(1, parts + 1)[:, None] * length
    stop = np.minimum(ends, np.arange(1, length + 1) * parts)
    start = np.maximum(ends - length, np.arange(length) * parts)
    return np.maximum(stop - start, 0).astype(np.float64)
