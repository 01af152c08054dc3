"""Paper and camera: apply a look to a written line.

The result depends on the image, the seed and the number of the writer alone. :mod:`inkgan.generation.geometry` moves
the page to its place before the camera.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from inkgan.generation import geometry
from inkgan.generation.looks import Look, Range, rgb
from inkgan.generation.spacing import Box
from inkgan.images import Images, to_uint8
from inkgan.seeds import Stream, rng

if TYPE_CHECKING:
    from inkgan.generation.writing import Writing

#: The share of light that is reflected: one number, or one for red, green and blue.
Reflectance = NDArray[np.float64]

#: Lengths of a look are in pixels of an image of this height.
_HEIGHT = 96


def with_look(writing: Writing, seed: int, look: Look) -> Writing:
    """Return a writing as it appears in a look.

    Args:
        writing: a writing on clean paper, in cells if the look has them.
        seed: the seed of the random choices, which depend on the writing's writer as well.
        look: any look that has paper.

    Returns:
        The same text, with an image of the same size, whose paper is no longer 0 (in a look with colours uint8
        [H, W, 3], as it is seen), and with new boxes: for each character and cell, the box around its moved box.
    """
    height, width = writing.image.shape
    scale = height / _HEIGHT
    # Every look draws all random numbers in this order: a seed keeps its meaning, and no knob changes another, except
    # that paper and grain take as many numbers as the line is wide, and grain three times as many in colour. Knobs that
    # were added later draw from `more`.
    draws, more = rng(seed, Stream.LOOK, writing.writer), rng(seed, Stream.KNOBS, writing.writer)
    pen = _one_of(look.pen, more, in_colour=look.in_colour)
    tint = _one_of(look.tint, more, in_colour=look.in_colour)
    stroke = more.uniform(*look.stroke) * scale
    pressure = more.uniform(*look.pressure)
    coarse = more.random((2, 16))
    texture = more.uniform(*look.texture)
    clip = more.uniform(*look.clip, 4) * scale
    resolution = more.uniform(*look.resolution)
    grey = more.uniform(0.25, 0.7)

    # The ink and the print.
    image = stroked(writing.image, stroke)
    image = inked(image, 1 - pressure * lightness(height, width, coarse), pen)
    edge = 0
    if look.form == "frame":  # it takes the first random numbers, so the later ones differ from other forms'
        edge = round(height * draws.uniform(0.04, 0.1))
        grey = draws.uniform(0.25, 0.7)
    if look.form != "none":
        image = printed_on(image, look.form, writing.cells, edge, round(255 * grey))

    # The page before the camera.
    angle = math.radians(draws.uniform(*look.turn))
    inwards = draws.uniform(look.perspective[0] * scale, look.perspective[1] * scale, (2, 4))
    after = geometry.moved_corners(width, height, angle, inwards)
    matrix = geometry.homography(geometry.page_corners(width, height), after)
    boxes = geometry.grown(np.array(writing.boxes, float), stroke)
    matrix = geometry.clipping(geometry.bounding_boxes(boxes, matrix), clip, width, height) @ matrix

    # The paper and the light.
    page = 1 - draws.uniform(*look.ink) * geometry.warped(image, matrix) / 255
    shade = draws.uniform(*look.paper) * spots(height, width, texture, draws)
    shade *= light(height, width, look.light, draws)
    page *= (shade if page.ndim == 2 else shade[..., None]) * tint

    seen = _photographed(page, look, scale, resolution, draws)
    return replace(
        writing,
        image=seen if look.in_colour else 255 - seen,
        boxes=geometry.moved_boxes(boxes, matrix, width, height),
        cells=geometry.moved_boxes(np.array(writing.cells, float).reshape(-1, 4), matrix, width, height),
    )


def _one_of(colours: Sequence[str], draws: np.random.Generator, *, in_colour: bool) -> Reflectance:
    """Draw one of the colours, and return the share of red, green and blue, or of all light, that it reflects."""
    name = colours[int(draws.random() * len(colours))]
    colour = np.array(rgb(name)) / 255
    return colour if in_colour else colour[0]


def stroked(image: Images, by: float) -> Images:
    """Make strokes wider on each side by a number of pixels, or thinner if it is below 0.

    Each pixel becomes the largest, or the smallest, value in a disc of that radius: dilation and erosion of grey images
    (Sternberg, "Grayscale morphology", 1986), by shifting the image in sixteen directions.
    """
    if by == 0:
        return image
    picture = Image.fromarray(image)
    result = image
    for angle in np.arange(16) * math.pi / 8:
        shift = (1, 0, abs(by) * math.cos(angle), 0, 1, abs(by) * math.sin(angle))
        shifted = picture.transform(picture.size, Image.Transform.AFFINE, shift, Image.Resampling.BILINEAR)
        result = (np.maximum if by > 0 else np.minimum)(result, np.asarray(shifted))
    return result


def lightness(height: int, width: int, coarse: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate random numbers in [0, 1] to a map of how lightly the pen presses along the line, [H, W] in [0, 1]."""
    smooth = Image.fromarray(coarse.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(smooth, np.float64)


def inked(image: Images, pressure: NDArray[np.float64], pen: Reflectance) -> Images:
    """Return the light that ink absorbs, of 255: [H, W], or for each colour [H, W, 3].

    Args:
        image: uint8 [H, W], 255 is full ink.
        pressure: the factor of each pixel's ink, [H, W].
        pen: the share of light that full ink reflects: a number, or one for each colour.
    """
    return np.rint(np.multiply.outer(image * pressure, 1 - pen)).astype(np.uint8)


def printed_on(image: Images, form: str, cells: Sequence[Box], edge: int, grey: int) -> Images:
    """Print a form: a frame with a line, a line to write on, or the borders of cells.

    Of ink and print, the greater absorption counts.

    Args:
        image: the light that the ink absorbs, uint8 [H, W] or [H, W, 3].
        form: ``frame``, ``line`` or ``cells``.
        cells: the boxes of the cells; lines are centred on their edges.
        edge: the distance of frame and line from the edge of the image.
        grey: the light that the print absorbs, of 255.
    """
    height, width = image.shape[:2]
    thick = max(1, round(height / 64))
    before, after = thick // 2, thick - thick // 2
    outlines = [(left - before, top - before, right + after, bottom + after) for left, top, right, bottom in cells]
    if form == "frame":
        outlines = [(edge, edge, width - edge, height - edge)]
    printed = np.zeros((height, width), np.uint8)
    for left, top, right, bottom in outlines:
        printed[top:bottom, left:right] = grey
        printed[top + thick : bottom - thick, left + thick : right - thick] = 0
    if form != "cells":
        rule = round(0.8 * height)
        printed[rule : rule + thick, edge : width - edge] = grey
    return np.maximum(image, printed if image.ndim == 2 else printed[..., None])


def spots(height: int, width: int, amount: float, draws: np.random.Generator) -> NDArray[np.float64]:
    """Draw the texture of paper: brightness around 1, in spots of an eighth of the height."""
    coarse = draws.standard_normal((8, max(8, round(8 * width / height))))
    smooth = Image.fromarray(coarse.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    return 1 + amount * np.asarray(smooth, np.float64)


def light(height: int, width: int, amount: Range, draws: np.random.Generator) -> NDArray[np.float64]:
    """Draw uneven light: a linear gradient, 1 where it is brightest."""
    angle = draws.uniform(0, 2 * math.pi)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    slope = x * math.cos(angle) + y * math.sin(angle)
    darkness = draws.uniform(*amount) * (slope - slope.min()) / np.ptp(slope)
    return 1 - darkness


def _photographed(
    page: NDArray[np.float64], look: Look, scale: float, resolution: float, draws: np.random.Generator
) -> NDArray[np.uint8]:
    """Take a picture of a page and keep it as JPEG; the result has the size of the page again."""
    blur = draws.uniform(*look.blur) * scale
    noise = draws.uniform(*look.noise)
    picture = through_camera(page, blur, noise, resolution, draws)
    worst, best = map(int, look.quality)
    picture = through_jpeg(picture, int(draws.integers(worst, best + 1)))
    height, width = page.shape[:2]
    return np.array(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))  # writable


def through_camera(
    page: NDArray[np.float64], blur: float, noise: float, resolution: float, draws: np.random.Generator
) -> NDArray[np.uint8]:
    """Photograph a page in [0, 1]: fewer pixels, blur, noise, 8 bits.

    Args:
        page: [H, W] or [H, W, 3].
        blur: the standard deviation of a Gaussian, in pixels of the page.
        noise: the standard deviation of the noise, of 255.
        resolution: the share of the pixels in each direction.
        draws: the random numbers; the page takes one for each of its values, at every resolution.
    """
    picture = Image.fromarray(to_uint8(page))
    if resolution < 1:
        size = [max(1, round(resolution * side)) for side in picture.size]
        picture = picture.resize((size[0], size[1]), Image.Resampling.BOX)
    blurred = np.asarray(picture.filter(ImageFilter.GaussianBlur(blur * resolution)), np.float64)
    grain = draws.standard_normal(page.shape)[: blurred.shape[0], : blurred.shape[1]]
    return np.clip(np.rint(blurred + noise * grain), 0, 255).astype(np.uint8)


def through_jpeg(seen: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Compress an image as JPEG, and return the result; a quality of 100 changes nothing."""
    if quality == 100:
        return seen
    file = io.BytesIO()
    Image.fromarray(seen).save(file, "JPEG", quality=quality)
    with Image.open(file, formats=["JPEG"]) as picture:
        return np.asarray(picture)
